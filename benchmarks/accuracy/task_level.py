"""The task half of `logos bench accuracy`: the same rows and seeds through baseline and model, and what that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from logos_cli.benchmarks.metrics.intervals import rate
from logos_cli.benchmarks.metrics.metrics import figures_for, finds_rank, judge
from logos_cli.benchmarks.metrics.molecules import properties
from logos_cli.benchmarks.metrics.row_answers import RowAnswers, answer_key, by_row
from logos_cli.benchmarks.metrics.task_figures import TaskFigures
from logos_cli.chemistry.smiles import canonical, canonical_set
from logos_cli.engines.engine import Engine
from logos_cli.engines.sampling import Sampling
from logos_cli.pipeline.generate_records import Done, GenerationPlan, generate_records
from logos_cli.records.journal import Journal
from logos_cli.records.record import Record
from logos_cli.rows.row import Row
from logos_cli.tasks.table import task_named

_PIECE = 512  # answers between two entries of the journal: with fewer an engine stands half empty at their ends


@dataclass(frozen=True)
class TaskPlan:
    """What both models do: `plan` on `rows`. `truths` are the right answers of those rows that have one, `back` the task that
    leads from an answer to its question, where a round trip is made."""

    plan: GenerationPlan
    rows: tuple[Row, ...]
    truths: Mapping[int, Any]
    back: str = ""
    known: frozenset[str] | None = None

    @property
    def name(self) -> str:
        return self.plan.task.name

    @property
    def has_top(self) -> bool:
        """Whether answers are ranked against right ones."""
        return bool(self.truths) and finds_rank(self.plan.task.answers)

    @property
    def step(self) -> int:
        """How many rows are answered together, so that only whole pieces stand in the journal."""
        return max(1, _PIECE // self.plan.samples)

    def first(self, rows: int) -> TaskPlan:
        """Cuts the task to its first `rows` rows, or as many more as are answered together with the last of them."""
        kept = self.rows[: -(-rows // self.step) * self.step]
        last = kept[-1].ordinal
        return replace(self, rows=kept, truths={row: truth for row, truth in self.truths.items() if row <= last})


@dataclass(frozen=True)
class TaskRun:
    """What one model gave to the first `rows` rows: its records, and for a round trip whether each row's first answer leads
    back to it."""

    records: list[Record]
    returned: dict[int, bool] | None
    rows: int = 0


NOTHING_YET = TaskRun([], {})


def run_task(
    engine: Engine, judge: Engine, task: TaskPlan, journal: Journal, place: str, done: Callable[[int], None],
    run: TaskRun = NOTHING_YET,
) -> TaskRun:  # fmt: skip
    """Answers the rows that `run` has not, some hundreds of answers at a time; those in the journal are not asked for again.
    The round trip is judged by `judge`, the same for all models. `done` hears numbers of answers."""
    records: list[Record] = []
    for number, (rows, plan, before) in enumerate(pieces(task)):
        if rows[-1].ordinal < task.rows[run.rows].ordinal:
            continue
        stored = journal.get("task", task.name, place, number)
        if stored is None:
            stored = [record.to_dict() for record in generate_records(rows, plan, engine, before)]
            journal.put(stored, "task", task.name, place, number)
        records += [Record.from_dict(one) for one in stored]
        done(len(rows) * (plan.samples - (before.samples if before else 0)))
    engine.release()
    every = [*run.records, *records]
    if not task.back:
        return TaskRun(every, None, len(task.rows))
    returned = dict(run.returned or {})
    by = by_row(records)
    for start in range(run.rows, len(task.rows), _PIECE):
        rows = task.rows[start : start + _PIECE]
        stored = journal.get("round trip", place, start, start + len(rows))
        if stored is None:
            stored = [[row, back] for row, back in round_trip(judge, rows, task, by).items()]
            journal.put(stored, "round trip", place, start, start + len(rows))
        returned |= {row: back for row, back in stored}
    judge.release()
    return TaskRun(every, returned, len(task.rows))


def pieces(task: TaskPlan) -> Iterator[tuple[Sequence[Row], GenerationPlan, Done | None]]:
    """Cuts a task into (rows, plan, what of them is done) of about `_PIECE` answers each: what an interruption costs at
    most."""
    samples = task.plan.samples
    if samples <= _PIECE:
        for start in range(0, len(task.rows), task.step):
            yield task.rows[start : start + task.step], task.plan, None
        return
    for row in task.rows:
        for start in range(0, samples, _PIECE):
            yield [row], replace(task.plan, samples=min(start + _PIECE, samples)), Done(row.ordinal, start)


def round_trip(judge: Engine, rows: Sequence[Row], task: TaskPlan, answers: Mapping[int, RowAnswers]) -> dict[int, bool]:
    """Tells by row whether what `judge` expects back from the row's first answer (greedy) is the row's own question."""
    questions = []
    for row in rows:
        ranked = answers[row.ordinal].ranked() if row.ordinal in answers else []
        if ranked:
            questions.append(Row(row.ordinal, row.id, value=tuple(ranked[0].split("."))))
    plan = GenerationPlan(task_named(task.back), Sampling(temperature=0, max_tokens=task.plan.sampling.max_tokens), 1)
    inputs = {record.row: record.input for one in answers.values() for record in one.records}
    returned = {row.ordinal: False for row in rows}
    for record in generate_records(questions, plan, judge):
        wanted, given = canonical(inputs[record.row]), record.answer
        returned[record.row] = record.valid and wanted is not None and canonical_set([str(given)]) == canonical_set([wanted])
    return returned


def task_figures(run: TaskRun, task: TaskPlan, reference: Mapping[str, Sequence[float]] | None = None) -> TaskFigures:
    """Measures one model by itself."""
    figures = figures_for(judge(run.records, task.truths, task.known, reference))
    if not run.returned:
        return figures
    return TaskFigures({**figures.values, "round_trip": rate(sum(run.returned.values()), len(run.returned))})


def molecule_reference(records: Sequence[Record]) -> dict[str, list[float]]:
    """Gives property values of a run's valid answers, to measure another run's distance from."""
    return properties(answer_key(record) for record in records if record.valid)
