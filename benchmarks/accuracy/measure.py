"""The whole of `logos bench accuracy` for models that are open: texts and tasks, and what to say of the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from logos_cli.benchmarks.accuracy.accuracy import Progress, Subject, result_of, task_level, token_level, write_texts
from logos_cli.benchmarks.accuracy.plan import TaskOptions, plan_tasks
from logos_cli.benchmarks.accuracy.remarks import rows_needed, stopped
from logos_cli.benchmarks.accuracy.results import AccuracyResult, ComparedTask, TokenResult
from logos_cli.benchmarks.accuracy.task_level import TaskPlan
from logos_cli.benchmarks.accuracy.until import Until
from logos_cli.pipeline.own_texts import NamedText, texts_of_rows
from logos_cli.records.journal import Journal
from logos_cli.rows.row import Row
from logos_cli.system.reporter import Reporter


def measure_accuracy(
    options: TaskOptions, rows: Sequence[Row] | None, baseline: Subject, models: Sequence[Subject],
    settings: Mapping[str, Any], journal: Journal, reporter: Reporter,
) -> tuple[AccuracyResult, list[str]]:  # fmt: skip
    """Measures and gives the result, and sentences about it. `rows` None: the baseline writes its own test."""
    progress = Progress()
    refused: list[str] = []

    def answer(
        plans: Sequence[TaskPlan], until: Until | None = None
    ) -> tuple[dict[str, ComparedTask], list[dict[str, ComparedTask]], list[TaskPlan]]:
        total = sum(len(plan.rows) * plan.plan.samples for plan in plans) * (1 + len(models))
        with reporter.progress("answering", None if until else total, "answers") as bar:
            progress.advance = bar.advance
            return task_level(plans, baseline, models, journal, progress, until)

    def read(texts: Sequence[NamedText]) -> list[TokenResult]:
        with reporter.progress("reading texts", len(texts), "texts") as bar:
            progress.advance = bar.advance
            return token_level(texts, baseline, models, journal, progress)

    engines = [subject.engine for subject in (baseline, *models)]
    until = None
    if rows is not None and options.task is not None:
        texts, refused = texts_of_rows(rows, options.task)
        plans, unasked = plan_tasks(options, rows, texts, engines)
        if options.until is not None and plans and plans[0].rows:
            until = Until(options.until, options.figure or ("top-1" if plans[0].has_top else "validity"))
            own, tasks, plans = answer(plans, until)
            last = plans[0].rows[-1].ordinal
            texts, refused = texts_of_rows([row for row in rows if row.ordinal <= last], options.task)
        tokens = read(texts)
    else:
        reporter.note(f"the baseline writes its own test: {options.texts} samples of each modality it knows")
        texts = write_texts(baseline.engine, options.texts, options.max_tokens, options.seed, journal)
        tokens = read(texts)
        plans, unasked = plan_tasks(options, None, texts, engines)
    if until is None:
        own, tasks, plans = answer(plans)
    sampling = {plan.name: asdict(plan.plan.sampling) | {"n": plan.plan.samples} for plan in plans}
    left_out = [*refused, *progress.left_out, *unasked]
    result = result_of(baseline, models, {**settings, "sampling": sampling}, tokens, own, tasks, left_out)
    remarks = [f"{len(left_out)} left out, first: {left_out[0]}"] if left_out else []
    remarks += rows_needed(result)
    if until is not None and rows is not None:
        remarks.append(stopped(result, until, len(rows)))
    return result, remarks
