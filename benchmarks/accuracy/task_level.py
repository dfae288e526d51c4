"""The task half of `logos bench accuracy`: the same rows and seeds through baseline and model, and what that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from logos_cli.benchmarks.accuracy.results import Change, Comparison
from logos_cli.benchmarks.metrics.intervals import Resamples, flips, rate
from logos_cli.benchmarks.metrics.metrics import finds_rank, task_metrics
from logos_cli.benchmarks.metrics.molecule_metrics import TOP
from logos_cli.benchmarks.metrics.molecules import properties
from logos_cli.benchmarks.metrics.row_answers import RowAnswers, answer_key, by_row, matches
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


@dataclass(frozen=True)
class TaskRun:
    """What one model gave: its records, and for a round trip whether each row's first answer leads back to it."""

    records: list[Record]
    returned: dict[int, bool] | None


def run_task(
    engine: Engine, judge: Engine, task: TaskPlan, journal: Journal, place: str, done: Callable[[int], None]
) -> TaskRun:
    """Answers the rows, some dozens of answers at a time; those in the journal are not asked for again. The round trip is
    judged by `judge`, the same for all models. `done` hears numbers of answers."""
    records: list[Record] = []
    for number, (rows, plan, before) in enumerate(pieces(task)):
        stored = journal.get("task", task.name, place, number)
        if stored is None:
            stored = [record.to_dict() for record in generate_records(rows, plan, engine, before)]
            journal.put(stored, "task", task.name, place, number)
        records += [Record.from_dict(one) for one in stored]
        done(len(rows) * (plan.samples - (before.samples if before else 0)))
    engine.release()
    if not task.back:
        return TaskRun(records, None)
    returned: dict[int, bool] = {}
    by = by_row(records)
    for start in range(0, len(task.rows), _PIECE):
        stored = journal.get("round trip", place, start)
        if stored is None:
            stored = [[row, back] for row, back in round_trip(judge, task.rows[start : start + _PIECE], task, by).items()]
            journal.put(stored, "round trip", place, start)
        returned |= {row: back for row, back in stored}
    judge.release()
    return TaskRun(records, returned)


def pieces(task: TaskPlan) -> Iterator[tuple[Sequence[Row], GenerationPlan, Done | None]]:
    """Cuts a task into (rows, plan, what of them is done) of about `_PIECE` answers each: what an interruption costs at
    most."""
    samples = task.plan.samples
    if samples <= _PIECE:
        step = _PIECE // samples
        for start in range(0, len(task.rows), step):
            yield task.rows[start : start + step], task.plan, None
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
    figures = task_metrics(run.records, task.truths, task.known, reference)
    if not run.returned:
        return figures
    return TaskFigures({**figures.values, "round_trip": rate(sum(run.returned.values()), len(run.returned))})


def compare_runs(baseline: TaskRun, model: TaskRun, task: TaskPlan) -> Comparison:
    """Measures what the model loses and gains against the baseline on the same rows and seeds: changes of rates with
    intervals, and flips in both directions with McNemar's test. An answer that only one of them gave is wrong in the other."""
    before, after = by_sample(baseline.records), by_sample(model.records)
    keys = sorted(before.keys() | after.keys())
    rows = [row for row, _ in keys] if len({row for row, _ in keys}) > 1 else None
    old = [key in before and before[key].valid for key in keys]
    new = [key in after and after[key].valid for key in keys]
    same = sum(key in before and key in after and before[key].text == after[key].text for key in keys)
    top = back = None
    if task.truths and finds_rank(task.plan.task.answers):
        ranks = [matches(by_row(run.records), task.truths).values() for run in (baseline, model)]
        hits = {k: [[rank is not None and rank <= k for rank in one] for one in ranks] for k in TOP}
        top = {str(k): changed(*both) for k, both in hits.items()}
    if baseline.returned and model.returned:
        back = changed(list(baseline.returned.values()), list(model.returned.values()))
    return Comparison(rate(same, len(keys)), changed(old, new, rows), top, back)


def changed(before: Sequence[bool], after: Sequence[bool], rows: Sequence[int] | None = None) -> Change:
    """Measures a rate's change and its flips. Where items share `rows` the interval is drawn over rows, else it is
    Newcombe's."""
    outcomes = flips(before, after, rows)
    estimate = outcomes.change()
    if rows is not None and estimate is not None:
        sums: dict[int, list[float]] = {}
        for row, old, new in zip(rows, before, after, strict=True):
            total = sums.setdefault(row, [0.0, 0.0])
            total[0] += new - old
            total[1] += 1
        values = np.array(list(sums.values()))
        drawn = Resamples(len(values)).mean(values[:, 0], values[:, 1])
        if drawn and drawn.low != drawn.high:
            estimate = drawn
    return Change(estimate, outcomes)


def by_sample(records: Sequence[Record]) -> dict[tuple[int, int], Record]:
    """Finds records by (row, sample); a row without any answer gives nothing, for either model."""
    return {(record.row, record.sample): record for record in records if record.sample is not None}


def molecule_reference(records: Sequence[Record]) -> dict[str, list[float]]:
    """Gives property values of a run's valid answers, to measure another run's distance from."""
    return properties(answer_key(record) for record in records if record.valid)
