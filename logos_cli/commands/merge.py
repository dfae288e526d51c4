"""logos merge retro.*.jsonl -o retro.jsonl"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from logos_cli.errors import LogosError
from logos_cli.terminal import options


class NothingAnswered(LogosError):
    """No row of any shard has an answer, or --strict and one has none."""


def merge(
    shards: Annotated[
        list[Path], typer.Argument(help="What each --shard run wrote, in any order, OUT.run beside it.", metavar="SHARD…")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here instead of to stdout.", show_default=False)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if any row gave no answer or no score.")] = False,
    debug: options.Debug = False,
) -> None:
    """Join the shards of a run into the file of the whole run.

    \b
    Example: logos merge part.*.jsonl -o answers.jsonl
    """
    from logos_cli.commands.shards import scores_told
    from logos_cli.commands.summary import counts_told
    from logos_cli.records.journal import check_inputs
    from logos_cli.records.merge import Shards
    from logos_cli.records.output_names import check_name, file_or_stdout
    from logos_cli.records.record import Tally
    from logos_cli.system.quantities import counted
    from logos_cli.terminal.console import note

    out = file_or_stdout(out)
    check_inputs(out, False, shards)
    found = Shards.read(shards)
    if out is None:
        for line in found.lines():
            sys.stdout.write(line.decode())
        sys.stdout.flush()
    else:
        check_name(out, found.format, "give another name")
        found.write(out)
    tally, blank = found.tally, found.blank
    scores = "scored" in tally
    told = scores_told(tally["scored"], tally["failed"], blank) if scores else counts_told(Tally(**tally), blank)
    note("; ".join([*told, counted(len(found.files), "shard")]))
    rows, wanted = ("sequences", "score") if scores else ("rows", "answer")
    if tally["failed"] and not tally["scored" if scores else "answers"]:
        raise NothingAnswered(f"none of the {tally['failed']:,} {rows} gave {'a' if scores else 'an'} {wanted} (see error)")
    if strict and tally["failed"]:
        raise NothingAnswered(f"{tally['failed']:,} {rows} gave no {wanted} (--strict)")
