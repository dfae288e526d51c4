"""logos bench report latency.json accuracy.json -o report.html"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logos_cli.errors import InputError, UsageError
from logos_cli.terminal import options


def report(
    results: Annotated[
        list[Path], typer.Argument(help="What the two other commands wrote.", metavar="RESULT.json", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Page to write, .html or .md.", show_default=False)],
    debug: options.Debug = False,
) -> None:
    """Write one page from results: table, charts, a sentence a model.

    \b
    Example: logos bench report lat.json loss.json -o report.html
    """
    from logos_cli.benchmarks.report.html import page
    from logos_cli.benchmarks.report.markdown import markdown
    from logos_cli.benchmarks.report.report import read_results
    from logos_cli.system.files import atomic
    from logos_cli.terminal.console import note

    if out.suffix not in (".html", ".md"):
        raise UsageError(f"{out}: the report is .html or .md; name it so")
    found = read_results(results)
    try:
        text = page(found) if out.suffix == ".html" else markdown(found)
    except (KeyError, TypeError) as error:
        raise InputError(f"{results[0]}: a damaged result, {type(error).__name__} {error}; measure again") from None
    with atomic(out) as beside:
        beside.write_text(text, encoding="utf-8")
    note(f"{out}: {len(found.lines)} models")
