"""The whole of `logos bench accuracy` for models that are open: texts and tasks, and what to say of the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from logos_cli.benchmarks.accuracy.accuracy import Said, Subject, document, task_level, token_level, write_texts
from logos_cli.benchmarks.accuracy.plan import Asked, plan_tasks
from logos_cli.benchmarks.accuracy.remarks import rows_needed, stopped
from logos_cli.benchmarks.accuracy.task_level import TaskPlan
from logos_cli.benchmarks.accuracy.until import Until
from logos_cli.pipeline.own_texts import texts_of_rows
from logos_cli.records.journal import Journal
from logos_cli.rows.row import Row
from logos_cli.system.reporter import Reporter


def measure_accuracy(
    asked: Asked, rows: Sequence[Row] | None, baseline: Subject, models: Sequence[Subject], settings: dict[str, Any],
    journal: Journal, reporter: Reporter,
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    """(the document with `settings`, sentences about it). `rows` None: the baseline writes its own test."""
    said = Said()
    refused: list[str] = []

    def answered(plans: Sequence[TaskPlan], until: Until | None = None) -> Any:
        total = sum(len(plan.rows) * plan.plan.samples for plan in plans) * (1 + len(models))
        with reporter.progress("answering", None if until else total, "answers") as bar:
            said.advance = bar.advance
            return task_level(plans, baseline, models, journal, said, until)

    def read(texts: Sequence[Any]) -> list[dict[str, Any]]:
        with reporter.progress("reading texts", len(texts), "texts") as bar:
            said.advance = bar.advance
            return token_level(texts, baseline, models, journal, said)

    engines = [subject.engine for subject in (baseline, *models)]
    until = None
    if rows is not None and asked.task is not None:
        texts, refused = texts_of_rows(rows, asked.task)
        plans, unasked = plan_tasks(asked, rows, texts, engines)
        if asked.until is not None and plans and plans[0].rows:
            until = Until(asked.until, asked.figure or ("top-1" if plans[0].has_top else "validity"))
            own, tasks, plans = answered(plans, until)
            texts, refused = texts_of_rows(rows[: plans[0].rows[-1].ordinal + 1], asked.task)
        tokens = read(texts)
    else:
        reporter.note(f"the baseline writes its own test: {asked.texts} samples of each modality it knows")
        texts = write_texts(baseline.engine, asked.texts, asked.max_tokens, asked.seed, journal)
        tokens = read(texts)
        plans, unasked = plan_tasks(asked, None, texts, engines)
    if until is None:
        own, tasks, plans = answered(plans)
    sampling = {plan.name: asdict(plan.plan.sampling) | {"n": plan.plan.samples} for plan in plans}
    found = document(baseline, models, settings | {"sampling": sampling}, tokens, own, tasks)
    left_out = [*refused, *said.left_out, *unasked]
    found["left_out"] = left_out
    remarks = [f"{len(left_out)} left out, first: {left_out[0]}"] if left_out else []
    remarks += rows_needed(found)
    if until is not None and rows is not None:
        remarks.append(stopped(found, until, len(rows)))
    return found, remarks
