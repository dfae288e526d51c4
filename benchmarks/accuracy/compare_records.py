"""Two files of records over the same rows, whatever model and prompt wrote them: the figures of each, and what differs, paired.

The first is the one compared with: `lost` is right there only, `gained` in the second only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from logos_cli.benchmarks.accuracy.comparison import changed, share
from logos_cli.benchmarks.accuracy.results import Comparison
from logos_cli.benchmarks.metrics.alignment import RecordedRow, recorded_rows, rows_apart
from logos_cli.benchmarks.metrics.metrics import figures_for, finds_rank, judge
from logos_cli.benchmarks.metrics.molecule_metrics import TOP
from logos_cli.benchmarks.metrics.row_answers import RowAnswers, by_row, judged, matches
from logos_cli.benchmarks.metrics.task_figures import TaskFigures
from logos_cli.chemistry.smiles import shortened
from logos_cli.errors import InputError
from logos_cli.records.record import Record
from logos_cli.tasks.table import task_of_record

SCHEMA = 1


@dataclass(frozen=True)
class Run:
    """A file of records; `seconds` and `cost` are those of all its rows together, where they are known."""

    path: str
    records: Sequence[Record]
    seconds: float | None = None
    cost: float | None = None

    @property
    def models(self) -> str:
        return ", ".join(dict.fromkeys(record.model for record in self.records))

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON: what is known of it besides its figures."""
        rows = len({(record.task, record.row) for record in self.records})
        each = {"seconds": self.seconds, "cost": self.cost}
        per_row = {f"{name}_per_row": value / rows for name, value in each.items() if value is not None and rows}
        return {"records": self.path, "model": self.models, "rows": rows, **per_row}


@dataclass(frozen=True)
class TaskComparison:
    """One task: the figures of both over the same `rows`, what the second changes, and how many rows only one of them has."""

    task: str
    rows: int
    only_one: int
    first: TaskFigures
    second: TaskFigures
    change: Comparison

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return {
            "rows": self.rows, "rows_of_one_only": self.only_one, "first": self.first.to_dict(),
            "second": self.second.to_dict(), "change": self.change.to_dict(),
        }  # fmt: skip


def document(first: Run, second: Run, tasks: Sequence[TaskComparison]) -> dict[str, Any]:
    """The whole comparison as JSON."""
    return {
        "schema": SCHEMA, "kind": "comparison", "first": first.to_dict(), "second": second.to_dict(),
        "tasks": {one.task: one.to_dict() for one in tasks},
    }  # fmt: skip


def compare_records(
    first: Run, second: Run, truths: Mapping[str, Mapping[int, Any]], keep_identity: bool = False
) -> list[TaskComparison]:
    """Compares task by task. `truths` are right answers by task and by the first's rows. Raises InputError for records of
    other rows or other tasks."""
    before, after = (rows_apart(one.records, one.path)[0] for one in (first, second))
    tasks = list(dict.fromkeys(record.task for record in before))
    others = set(tasks) ^ {record.task for record in after}
    if not tasks or others:
        what = f"task {min(others)} is in one of them only" if others else "no records"
        raise InputError(f"{first.path} and {second.path}: {what}; compare records of the same rows and task")
    found = []
    for task in tasks:
        own, other = ([one for one in several if one.task == task] for several in (before, after))
        pairs = paired(own, other, first.path, second.path)
        left = {row for record in own if (row := record.row) not in pairs}
        strangers = {record.row for record in other} - set(pairs.values())
        back = {theirs: ours for ours, theirs in pairs.items()}
        both = (
            [judged(record, keep_identity) for record in own if record.row in pairs],
            [judged(replace(one, row=back[one.row]), keep_identity) for one in other if one.row in back],
        )
        told = {row: truth for row, truth in truths.get(task, {}).items() if row in pairs}
        figures = [figures_for(judge(several, told, keep_identity=keep_identity)) for several in both]
        change = change_of(by_row(both[0]), by_row(both[1]), told, task)
        found.append(TaskComparison(task, len(pairs), len(left) + len(strangers), figures[0], figures[1], change))
    return found


def paired(first: Sequence[Record], second: Sequence[Record], path: str, other: str) -> dict[int, int]:
    """Finds the second's row for each row of the first: those of one number if all of these ask the same, else those of one
    name and question. Raises InputError if no row of one is in the other."""
    ours, theirs = recorded_rows(first), {one.row: one for one in recorded_rows(second)}
    numbered = {one.row: one.row for one in ours if one.row in theirs}
    if numbered and all(same(one, theirs[one.row]) for one in ours if one.row in theirs):
        return numbered
    named: dict[tuple[str, Any], list[int]] = {}
    for one in theirs.values():
        named.setdefault((one.name, one.question or one.shown), []).append(one.row)
    found = {one.row: named.get((one.name, one.question or one.shown), []) for one in ours}
    pairs = {row: rows[0] for row, rows in found.items() if len(rows) == 1}
    if not pairs or len(set(pairs.values())) < len(pairs):
        odd = next(one for one in ours if one.row not in theirs or not same(one, theirs[one.row]))
        told = f"row {odd.row + 1} ({odd.name}) asks {shortened(odd.shown, 40)}"
        raise InputError(f"{path} and {other}: {told} in the first and something else in the second; compare the same rows")
    return pairs


def same(one: RecordedRow, other: RecordedRow) -> bool:
    """Whether two rows ask the same, however it is spelled."""
    if one.question is not None and other.question is not None:
        return one.question == other.question
    return one.shown == other.shown


def change_of(
    before: Mapping[int, RowAnswers], after: Mapping[int, RowAnswers], truths: Mapping[int, Any], task: str
) -> Comparison:
    """What the second run loses and gains. Samples are paired by number; ranked answers, and runs of other numbers of samples,
    by row: whether it has a valid answer."""
    samples = [{(row, one.sample): one for row, answers in run.items() for one in answers.written} for run in (before, after)]
    ranked = any(one.rank is not None for run in samples for one in run.values())
    same_text = None
    if ranked or samples[0].keys() != samples[1].keys():
        validity = changed(*([bool(run[row].ranked()) for row in before] for run in (before, after)))
    else:
        order = sorted(samples[0], key=lambda key: (key[0], key[1] or 0))
        rows = [row for row, _ in order] if len({row for row, _ in order}) > 1 else None
        good = [[run[key].valid for key in order] for run in samples]
        validity = changed(good[0], good[1], rows)
        same_text = share([samples[0][key].text == samples[1][key].text for key in order], rows)
    top = None
    if truths and finds_rank(task_of_record(task).answers):
        ranks = [matches(run, truths).values() for run in (before, after)]
        hits = {k: [[rank is not None and rank <= k for rank in one] for one in ranks] for k in TOP}
        top = {str(k): changed(*both) for k, both in hits.items()}
    return Comparison(same_text, validity, top)
