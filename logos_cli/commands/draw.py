"""logos draw ranked.jsonl -o ranked.html"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logos_cli.terminal import options


def draw(
    records: Annotated[
        str,
        typer.Argument(help="JSONL or csv of generate or score, - for stdin.", metavar="RECORDS", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write; .svg, .png or .html says what.", show_default=False)],
    columns: Annotated[int, typer.Option("--columns", min=1, max=12, help="Cells side by side.")] = 4,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Records to draw; all mutants of a row count as one.")] = 200,
    valid_only: Annotated[bool, typer.Option("--valid-only", help="Leave out invalid answers and failed rows.")] = False,
    title: Annotated[
        str | None, typer.Option("--title", help="Text at the top. Default: the file's name.", show_default=False)
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Draw stored records as a picture or a page.

    \b
    Example: logos draw ranked.jsonl -o ranked.html
    """
    from logos_cli.drawing.draw import draw_records
    from logos_cli.system.quantities import counted
    from logos_cli.terminal.console import note

    drawn = draw_records(records, out, columns, limit, valid_only, title)
    found = drawn.chosen
    note(f"{out}: {counted(len(found.records), 'record')} in {counted(drawn.groups, 'group')}")
    if found.over:
        note(f"{found.over:,} more left out; draw them with --limit {len(found.records) + found.over}")
    if found.invalid:
        note(f"{found.invalid:,} left out that are not valid")
    if drawn.cut:
        note("the last line is cut short and left out")
