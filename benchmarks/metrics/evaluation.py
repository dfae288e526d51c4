"""A file of records judged, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.metrics.alignment import aligned, recorded_rows, rows_apart
from logos_cli.benchmarks.metrics.judged_answers import JudgedAnswers
from logos_cli.benchmarks.metrics.metrics import judge
from logos_cli.benchmarks.metrics.truth_file import read_once, read_truth_file
from logos_cli.benchmarks.metrics.truths import placed, read_answers, truths_of
from logos_cli.errors import UsageError
from logos_cli.records.record import Record
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
