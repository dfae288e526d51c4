"""Figures of a file of records, task by task, and of a file of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from logos_cli.benchmarks.metrics.alignment import aligned, recorded_rows, rows_apart
from logos_cli.benchmarks.metrics.judged_answers import JudgedAnswers
from logos_cli.benchmarks.metrics.metrics import judge
from logos_cli.benchmarks.metrics.task_figures import TaskFigures, Value
from logos_cli.benchmarks.metrics.truth_file import read_once, read_truth_file
from logos_cli.benchmarks.metrics.truths import placed, read_answers, truths_of
from logos_cli.benchmarks.metrics.variant_metrics import Assay, Ranked, variant_figures
from logos_cli.benchmarks.metrics.variant_table import FIT, MEASURED, VariantTable, aligned_scores, scores_by_variant
from logos_cli.errors import InputError, UsageError
from logos_cli.records.record import Record
from logos_cli.records.score_record import ScoreRecord
from logos_cli.tasks.table import inventing, task_of_record


def judge_records(
    records: Sequence[Record],
    truth: Path | None,
    novel_against: Path | None,
    source: str = "the records",
    truth_column: str | None = None,
    keep_identity: bool = False,
    own_numbers: bool = False,
) -> dict[str, JudgedAnswers]:
    """Judges records task by task. `truth` names a file of right answers, else the records' own are taken; `novel_against`
    one of known molecules, materials or sequences. `source` is the records' file, for messages. `keep_identity`: an answer
    that is the question is as valid as others. `own_numbers`: bare numbers in right answers are the structures' own, not
    places.

    Raises InputError for a truth file that does not fit the records.
    """
    if novel_against and not any(record.task in inventing() for record in records):
        given = ", ".join(dict.fromkeys(record.task for record in records)) or "none"
        raise UsageError(f"--novel-against is for {', '.join(inventing())}; these records are of {given}")
    if truth_column is not None and truth is None:
        raise UsageError("--truth-column names a column of the file of right answers; give that with --truth")
    truths = truths_by_task(records, truth, source, truth_column, own_numbers)
    records, _ = rows_apart(records, source)
    found = {}
    with ExitStack() as opened:
        novel_against = opened.enter_context(read_once(novel_against)) if novel_against else None
        for name, told in truths.items():
            own = [record for record in records if record.task == name]
            task = task_of_record(name)
            known = read_answers(novel_against, task) if novel_against and task.invents else None
            found[name] = judge(own, told, known, keep_identity=keep_identity)
    return found


def evaluate_scores(
    records: Sequence[ScoreRecord],
    truth: Path | None,
    source: str = "the scores",
    truth_column: str | None = None,
    against: Path | None = None,
    against_column: str | None = None,
) -> TaskFigures:
    """Measures how scores rank the variants of the table `truth` by its column `truth_column` (`DMS_score`); `against` is a
    table with another program's scores, in `against_column`, which are measured on the same variants.

    Raises InputError for tables that do not fit the scores, UsageError for options that do not fit together.
    """
    if truth is None:
        raise UsageError(f"{source}: scores of logos score, which a table of measured variants judges; give it with --truth")
    if against_column is not None and against is None:
        raise UsageError("--against-column names a column of another program's scores; give them with --against")
    table = VariantTable.read(truth)
    measured = np.array(table.numbers(truth_column or MEASURED))
    fit = np.array(table.numbers(FIT)) if table.place(FIT) is not None else None
    scores = [np.array(aligned_scores(scores_by_variant(records, source), table, source))]
    if against is not None:
        other = VariantTable.read(against)
        numbers = other.numbers(other.column_of_scores(against_column))
        theirs = {key: value for key, value in zip(other.keys, numbers, strict=True) if key and not math.isnan(value)}
        scores.append(np.array(aligned_scores(theirs, table, str(against))))
    known = ~np.isnan(measured) if fit is None else ~np.isnan(measured) & ~np.isnan(fit)
    both = known & ~np.isnan(scores).any(axis=0)
    if not both.any():
        raise InputError(f"{source} and {truth}: no variant has a measured number and every score")
    counts: dict[str, Value | None] = {"variants": int(both.sum()), "not_measured": int((~known).sum())}
    counts |= {"without_score": int((known & np.isnan(scores[0])).sum())}
    counts |= {"without_score_against": int((known & np.isnan(scores[1])).sum())} if against is not None else {}
    assay = Assay.of(measured[both], None if fit is None else fit[both])
    own, *others = variant_figures(assay, [Ranked.of(one[both]) for one in scores])
    return TaskFigures({**counts, **own, **dict(zip(("against", "difference"), others, strict=False))})


def truths_by_task(
    records: Sequence[Record], truth: Path | None, source: str, truth_column: str | None = None, own_numbers: bool = False
) -> dict[str, dict[int, Any]]:
    """Finds the right answers by task and by row, as `rows_apart` numbers them: those of the file `truth`, else the records'
    own; the rest as of `judge_records`."""
    records, ordered = rows_apart(records, source)
    found = {}
    with ExitStack() as opened:
        truth = opened.enter_context(read_once(truth)) if truth else None
        for name in dict.fromkeys(record.task for record in records):
            own = [record for record in records if record.task == name]
            task = task_of_record(name)
            if truth:
                truths = aligned(recorded_rows(own), read_truth_file(truth, task, truth_column), source, ordered)
            else:
                truths = truths_of(own)
            found[name] = placed(truths, own, own_numbers, str(truth or source)) if task.answers.counts_residues else truths
    return found
