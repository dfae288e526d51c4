"""`logos bench accuracy`: what smaller numbers change, token by token and in the answers of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.accuracy.comparison import compare_runs
from logos_cli.benchmarks.accuracy.task_level import (
    NOTHING_YET,
    TaskPlan,
    TaskRun,
    molecule_reference,
    run_task,
    task_figures,
)
from logos_cli.benchmarks.accuracy.token_level import Pair, TextFigures, read_text, summarize
from logos_cli.benchmarks.accuracy.until import FIRST, Until, of_figure
from logos_cli.benchmarks.machine import describe, now
from logos_cli.engines.engine import Engine
from logos_cli.errors import InputError, UsageError
from logos_cli.pipeline.own_texts import OWN, Text, own_texts
from logos_cli.records.journal import Journal

SCHEMA = 1


@dataclass(frozen=True)
class Subject:
    """A model under test, open; `bytes` on disk."""

    path: Path
    bytes: int
    engine: Engine

    def describe(self) -> dict[str, Any]:
        info = self.engine.info
        about = {name: getattr(info, name) for name in ("scheme", "fingerprint", "device", "threads", "kv_type", "build")}
        return {"path": str(self.path), "name": info.name, "bytes": self.bytes, **about}


@dataclass
class Said:
    """Who hears of progress: `left_out` of a text that a model could not read, and of a row that has no answer."""

    advance: Callable[[int], None] = lambda _: None
    left_out: list[str] = field(default_factory=list)


def write_texts(baseline: Engine, count: int, max_tokens: int, seed: int, journal: Journal) -> list[Text]:
    """The baseline's own samples, from the journal those that it has. Raises InputError if it knows no modality."""
    found: dict[str, list[Text]] = {}
    for modality in OWN:
        stored = journal.get("own texts", modality)
        if stored is None:
            found[modality] = own_texts(baseline, modality, count, max_tokens, seed, found)
            journal.put([asdict(text) for text in found[modality]], "own texts", modality)
        else:
            found[modality] = [Text(**one) for one in stored]
    baseline.release()
    texts = [text for several in found.values() for text in several]
    if not texts:
        raise InputError(
            "the baseline knows none of LOGOS's modalities, so it cannot write its own test; give --data and --task"
        )
    return texts


def token_level(
    texts: Sequence[Text], baseline: Subject, models: Sequence[Subject], journal: Journal, said: Said
) -> list[dict[str, Any]]:
    """Each model's figures, overall and by modality. Raises InputError if a model could read none of the texts."""
    pairs = [Pair(baseline.engine, model.engine) for model in models]
    found: list[list[TextFigures]] = [[] for _ in models]
    left_out: list[list[str]] = [[] for _ in models]
    for place, text in enumerate(texts):
        stored = journal.get("tokens", place)
        if stored is None:
            read = read_text(text, baseline.engine, pairs)
            journal.put([one if isinstance(one, str) else one.to_dict() for one in read], "tokens", place)
        else:
            read = [one if isinstance(one, str) else TextFigures.from_dict(one) for one in stored]
        for i, one in enumerate(read):
            if isinstance(one, str):
                left_out[i].append(f"{text.id}: {one}")
            else:
                found[i].append(one)
        said.advance(1)
    for subject in (baseline, *models):
        subject.engine.release()
    documents = []
    for model, figures, missing in zip(models, found, left_out, strict=True):
        if not figures:
            raise InputError(f"{model.path}: none of {len(texts)} texts can be compared ({missing[0]})")
        said.left_out += missing
        modalities = dict.fromkeys(one.modality for one in figures)
        parts = {name: summarize([one for one in figures if one.modality == name]) for name in modalities}
        documents.append({**summarize(figures), "modalities": parts, "texts_left_out": len(missing)})
    return documents


def task_level(
    tasks: Sequence[TaskPlan], baseline: Subject, models: Sequence[Subject], journal: Journal, said: Said,
    until: Until | None = None,
) -> tuple[dict[str, Any], list[dict[str, Any]], list[TaskPlan]]:  # fmt: skip
    """(the baseline's figures by task, each model's with the comparison in `against_baseline`, what was answered of the
    tasks)."""
    own: dict[str, Any] = {}
    found: list[dict[str, Any]] = [{} for _ in models]
    answered = []
    for task in tasks:
        if until is not None:
            task, before, runs = answered_until(task, until, baseline, models, journal, said)
        else:
            before = run_task(baseline.engine, baseline.engine, task, journal, "baseline", said.advance)
            # One after the other: the answers of many models would not fit into memory.
            runs = (
                run_task(model.engine, baseline.engine, task, journal, str(i), said.advance) for i, model in enumerate(models)
            )
        answered.append(task)
        said.left_out += [f"row {record.row + 1}: {record.error}" for record in before.records if record.failed]
        reference = molecule_reference(before.records)
        own[task.name] = task_figures(before, task)
        for i, after in enumerate(runs):
            figures = task_figures(after, task, reference)
            found[i][task.name] = {**figures, "against_baseline": compare_runs(before, after, task)}
    return own, found, answered


def answered_until(
    task: TaskPlan, until: Until, baseline: Subject, models: Sequence[Subject], journal: Journal, said: Said
) -> tuple[TaskPlan, TaskRun, Iterable[TaskRun]]:
    """(the task with as many of its rows as `until` asks for, the baseline's answers, each model's). Raises UsageError for a
    figure that the task does not have."""
    before, after = NOTHING_YET, [NOTHING_YET] * len(models)
    rows = FIRST
    while True:
        part = task.first(rows)
        before = run_task(baseline.engine, baseline.engine, part, journal, "baseline", said.advance, before)
        after = [
            run_task(model.engine, baseline.engine, part, journal, str(i), said.advance, run)
            for i, (model, run) in enumerate(zip(models, after, strict=True))
        ]
        comparisons = [compare_runs(before, run, part) for run in after]
        if any(of_figure(one, until.figure) is None for one in comparisons):
            raise UsageError(f"--figure {until.figure}: {task.name} has none here; give another, or rows with right answers")
        if until.reached(comparisons) or len(part.rows) == len(task.rows):
            return part, before, after
        rows = until.next_rows(comparisons, len(part.rows))


def document(
    baseline: Subject, models: Sequence[Subject], settings: dict[str, Any], tokens: Sequence[dict[str, Any]],
    own: dict[str, Any], tasks: Sequence[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    return {
        "schema": SCHEMA, "kind": "accuracy", "date": now(), "machine": describe(), "settings": settings,
        "baseline": {**baseline.describe(), "tasks": own},
        "models": [
            {**model.describe(), **figures, "tasks": task} for model, figures, task in zip(models, tokens, tasks, strict=True)
        ],
    }  # fmt: skip


def table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(columns, rows of cells) for a terminal."""
    columns = ["model", "scheme", "GB", "mean KLD [95 %]", "p99", "same top-1", "ppl ratio"]
    tasks = [name for name in found["baseline"]["tasks"]]
    columns += [f"{name} valid" for name in tasks] + [
        f"{name} top-1" for name in tasks if "top" in found["baseline"]["tasks"][name]
    ]
    rows = [
        [
            found["baseline"]["name"],
            found["baseline"]["scheme"],
            f"{found['baseline']['bytes'] / 1e9:.3f}",
            "baseline",
            "",
            "",
            "",
        ]
    ]
    rows[0] += [percent(found["baseline"]["tasks"][name].get("validity")) for name in tasks]
    rows[0] += [
        percent(found["baseline"]["tasks"][name]["top"]["1"]) for name in tasks if "top" in found["baseline"]["tasks"][name]
    ]
    for model in found["models"]:
        mean = model["kld"]["mean"]
        row = [
            model["name"], model["scheme"], f"{model['bytes'] / 1e9:.3f}",
            interval(mean), f"{model['kld']['p99']['value']:.2g}",
            percent(model["same_top1"]), f"{model['ppl_ratio']['value']:.4f}",
        ]  # fmt: skip
        row += [percent(model["tasks"][name].get("validity")) for name in tasks]
        row += [percent(model["tasks"][name]["top"]["1"]) for name in tasks if "top" in model["tasks"][name]]
        rows.append(row)
    return columns, rows


def interval(estimate: dict[str, Any]) -> str:
    ends = estimate["ci95"]
    return f"{estimate['value']:.2g}" + (f" [{ends[0]:.2g}, {ends[1]:.2g}]" if ends else "")


def percent(estimate: dict[str, Any] | None) -> str:
    return f"{100 * estimate['value']:.1f} %" if estimate else "-"
