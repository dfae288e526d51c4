"""logos evaluate records.jsonl --truth reactions.jsonl"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from logos_cli.errors import InputError, UsageError
from logos_cli.terminal import options


class TruthNumbers(StrEnum):
    """Residues counted from 1 in the sequence, or the structure's own numbers."""

    places = "places"
    own = "own"


def evaluate(
    records: Annotated[
        str,
        typer.Argument(
            help="JSONL or csv of generate, or of score, predictions.jsonl of syntheseus, also .gz, - for stdin.",
            metavar="RECORDS",
            show_default=False,
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            help="One right answer a row: .jsonl, .smi, .csv, .fasta, - for stdin; of scores a table of measured variants.",
            show_default=False,
        ),
    ] = None,
    truth_column: Annotated[
        str | None,
        typer.Option(
            "--truth-column", help="Column or JSON key with the right answers. Of scores: DMS_score.", show_default=False
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Of scores: a table of another program's, on the same variants.", show_default=False),
    ] = None,
    against_column: Annotated[
        str | None,
        typer.Option(
            "--against-column", help="Its column. Default: the only one with numbers but the assay's.", show_default=False
        ),
    ] = None,
    truth_numbers: Annotated[
        TruthNumbers,
        typer.Option("--truth-numbers", help="pocket: what bare numbers count; A:57 is always the structure's own."),
    ] = TruthNumbers.places,
    novel_against: Annotated[
        Path | None,
        typer.Option("--novel-against", help="Molecules, materials or sequences that are known.", show_default=False),
    ] = None,
    keep_identity: options.KeepIdentity = False,
    syntheseus: Annotated[
        Path | None,
        typer.Option("--syntheseus", help="Write the ranked answers as its predictions.jsonl.", show_default=False),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Judge stored records against what is known.

    \b
    Example: logos evaluate ranked.jsonl --truth reactions.jsonl
    """
    from logos_cli.benchmarks.metrics.evaluation import evaluate_scores, judge_records
    from logos_cli.benchmarks.metrics.metrics import figures_for
    from logos_cli.benchmarks.metrics.predictions import prediction_lines
    from logos_cli.records.record import Ending, Record
    from logos_cli.records.score_record import ScoreRecord, read_answers_or_scores
    from logos_cli.system.files import atomic
    from logos_cli.terminal.console import note

    if [records, str(truth), str(novel_against), str(against)].count("-") > 1:
        raise UsageError("stdin (-) can be one of RECORDS, --truth, --novel-against and --against; give files for the others")
    ending = Ending()
    stored = list(read_answers_or_scores(records, ending))
    answers = [one for one in stored if isinstance(one, Record)]
    scores = [one for one in stored if isinstance(one, ScoreRecord)]
    if not stored:
        note(f"{records}: no records")
    if ending.cut:
        note("the last line is cut short and left out")
    if answers and scores:
        raise InputError(f"{records}: answers of logos generate and scores of logos score in one file; give a file of each")
    if scores and (novel_against or syntheseus):
        given = "--novel-against" if novel_against else "--syntheseus"
        raise UsageError(f"{given} is for answers of logos generate; these records are scores")
    if not scores and (against or against_column):
        raise UsageError("--against compares scores of logos score; logos bench compare is for two files of answers")
    if scores:
        task = ", ".join(dict.fromkeys(one.task for one in scores))
        measured = {task: evaluate_scores(scores, truth, records, truth_column, against, against_column)}
    else:
        own = truth_numbers is TruthNumbers.own
        judged = judge_records(answers, truth, novel_against, records, truth_column, keep_identity, own)
        if syntheseus is not None:
            lines = list(prediction_lines(judged))
            with atomic(syntheseus) as fresh:
                fresh.write_text("".join(lines))
        measured = {task: figures_for(found) for task, found in judged.items()}
    plain = {task: figures.to_dict() for task, figures in measured.items()}
    if as_json:
        sys.stdout.write(json.dumps({"records": records, "tasks": plain}, indent=2) + "\n")
        return
    for task, figures in plain.items():
        sys.stdout.write("\n".join([task, *(f"  {line}" for line in shown(figures))]) + "\n")


def shown(figures: dict[str, Any], lead: str = "") -> Iterator[str]:
    """Writes one line a figure: name, value, interval, n."""
    from logos_cli.benchmarks.metrics import metrics, variant_metrics

    numbers = metrics.NUMBERS | variant_metrics.NUMBERS
    for name, value in figures.items():
        if value is None:
            continue
        label = f"{lead}{name}".replace("_", " ")
        if isinstance(value, dict) and "value" in value:
            form = "{:.3f}" if name in numbers else "{:.1%}"
            interval = f"[{', '.join(map(form.format, value['ci95']))}]" if value.get("ci95") else ""
            yield f"{label:<22} {form.format(value['value']):>8}  {interval:<18} n {value['n']:,}"
        elif isinstance(value, dict):
            yield from shown(value, f"{label} ")
        else:
            yield f"{label:<22} {value:>8,}" if isinstance(value, int) else f"{label:<22} {value:>8.3f}"
