"""logos bench compare logos.jsonl rival.jsonl --truth reactions.smi -o both.html"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from logos_cli.errors import UsageError
from logos_cli.terminal import options


def compare(
    first: Annotated[
        str, typer.Argument(help="Records of generate, compared with.", metavar="FIRST.jsonl", show_default=False)
    ],
    second: Annotated[
        str, typer.Argument(help="Records of the same rows by another model.", metavar="SECOND.jsonl", show_default=False)
    ],
    truth: Annotated[
        Path | None, typer.Option("--truth", help="One right answer a row, as for evaluate.", show_default=False)
    ] = None,
    truth_column: Annotated[
        str | None, typer.Option("--truth-column", help="Column or JSON key with the right answers.", show_default=False)
    ] = None,
    seconds: Annotated[
        str | None, typer.Option("--seconds", help="What each run took, as 12.5,340.", metavar="A,B", show_default=False)
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option("--cost", help="What each run cost, in any unit, as 0,4.20.", metavar="A,B", show_default=False),
    ] = None,
    keep_identity: options.KeepIdentity = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="One page: .html, .md, or .json. Default: JSON on stdout.", show_default=False),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Compare the records of two models over the same rows.

    Top-k, validity and whatever else the task has, side by side; what is right in one only is counted, with McNemar's test.

    \b
    Example: logos bench compare logos.jsonl rival.jsonl --truth reactions.smi
    """
    from logos_cli.benchmarks.accuracy.compare_records import Run, compare_records, document
    from logos_cli.benchmarks.metrics.evaluation import truths_by_task
    from logos_cli.benchmarks.report import comparison_page
    from logos_cli.records.record import read_records
    from logos_cli.system.files import atomic
    from logos_cli.terminal.console import note

    if first == second == "-":
        raise UsageError("stdin (-) can be one of the two; give a file for the other")
    if out is not None and out.suffix not in (".html", ".md", ".json"):
        raise UsageError(f"{out}: the page is .html, .md or .json; name it so")
    took, paid = pair_of("--seconds", seconds), pair_of("--cost", cost)
    runs = [
        Run(path, tuple(read_records(path)), took[i], paid[i])
        for i, path in enumerate((first, second))
    ]  # fmt: skip
    truths = truths_by_task(runs[0].records, truth, first, truth_column)
    found = compare_records(runs[0], runs[1], truths, keep_identity)
    for text in comparison_page.sentences(runs[0], runs[1], found):
        note(text)
    plain = json.dumps(document(runs[0], runs[1], found), indent=2) + "\n"
    if out is None:
        sys.stdout.write(plain)
        return
    page = {".html": comparison_page.html, ".md": comparison_page.markdown}.get(out.suffix)
    with atomic(out) as beside:
        beside.write_text(page(runs[0], runs[1], found) if page else plain, encoding="utf-8")


def pair_of(option: str, text: str | None) -> tuple[float | None, float | None]:
    """Two numbers that are not below zero; an empty one is not known. Raises UsageError."""
    if text is None:
        return None, None
    parts = text.split(",")
    try:
        values = [float(part) if part.strip() else None for part in parts]
    except ValueError:
        values = []
    if len(values) != 2 or any(value is not None and not 0 <= value < float("inf") for value in values):
        raise UsageError(f"{option} {text}: two numbers, of the first and of the second run, as 12.5,340")
    return values[0], values[1]
