"""`logos bench accuracy`: what smaller numbers change, token by token and in the answers of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.accuracy.comparison import compare_runs
from logos_cli.benchmarks.accuracy.results import (
    AccuracyResult,
    BaselineResult,
    ComparedTask,
    ModelAccuracy,
    TokenResult,
)
from logos_cli.benchmarks.accuracy.task_level import (
    NOTHING_YET,
    TaskPlan,
    TaskRun,
    molecule_reference,
    run_task,
    task_figures,
)
from logos_cli.benchmarks.accuracy.token_level import TextFigures, TokenMap, read_text, summarize
from logos_cli.benchmarks.accuracy.until import FIRST, Until, change_of_figure
from logos_cli.benchmarks.machine import describe, now
from logos_cli.benchmarks.metrics.intervals import Estimate
from logos_cli.benchmarks.model_facts import ModelFacts
from logos_cli.engines.engine import Engine
from logos_cli.errors import InputError, UsageError
from logos_cli.pipeline.own_texts import OWN, NamedText, own_texts
from logos_cli.records.journal import Journal


@dataclass(frozen=True)
class Subject:
    """A model under test, open; `bytes` on disk."""

    path: Path
    bytes: int
    engine: Engine

    @property
    def facts(self) -> ModelFacts:
        """What the document says of it."""
        info = self.engine.info
        return ModelFacts(
            str(self.path), info.name, self.bytes, info.scheme, info.fingerprint, info.device, info.threads, info.kv_type,
            info.build,
        )  # fmt: skip


@dataclass
class Progress:
    """Who hears of progress: `left_out` of a text that a model could not read, and of a row that has no answer."""

    advance: Callable[[int], None] = lambda _: None
    left_out: list[str] = field(default_factory=list)


def write_texts(baseline: Engine, count: int, max_tokens: int, seed: int, journal: Journal) -> list[NamedText]:
    """Draws the baseline's own samples, or takes from the journal those that it has. Raises InputError if it knows no
    modality."""
    texts: dict[str, list[NamedText]] = {}
    for modality in OWN:
        stored = journal.get("own texts", modality)
        if stored is None:
            texts[modality] = own_texts(baseline, modality, count, max_tokens, seed, texts)
            journal.put([asdict(text) for text in texts[modality]], "own texts", modality)
        else:
            texts[modality] = [NamedText(**one) for one in stored]
    baseline.release()
    together = [text for several in texts.values() for text in several]
    if not together:
        raise InputError(
            "the baseline knows none of LOGOS's modalities, so it cannot write its own test; give --data and --task"
        )
    return together


def token_level(
    texts: Sequence[NamedText], baseline: Subject, models: Sequence[Subject], journal: Journal, progress: Progress
) -> list[TokenResult]:
    """Measures each model token by token, overall and by modality. Raises InputError if a model could read none of the
    texts."""
    maps = [TokenMap(baseline.engine, model.engine) for model in models]
    figures: list[list[TextFigures]] = [[] for _ in models]
    left_out: list[list[str]] = [[] for _ in models]
    for place, text in enumerate(texts):
        stored = journal.get("tokens", place)
        if stored is None:
            read = read_text(text, baseline.engine, maps)
            journal.put([one if isinstance(one, str) else one.to_dict() for one in read], "tokens", place)
        else:
            read = [one if isinstance(one, str) else TextFigures.from_dict(one) for one in stored]
        for i, one in enumerate(read):
            if isinstance(one, str):
                left_out[i].append(f"{text.id}: {one}")
            else:
                figures[i].append(one)
        progress.advance(1)
    for subject in (baseline, *models):
        subject.engine.release()
    results = []
    for model, own, missing in zip(models, figures, left_out, strict=True):
        if not own:
            raise InputError(f"{model.path}: none of {len(texts)} texts can be compared ({missing[0]})")
        progress.left_out += missing
        modalities = dict.fromkeys(one.modality for one in own)
        parts = {name: summarize([one for one in own if one.modality == name]) for name in modalities}
        results.append(TokenResult(summarize(own), parts, len(missing)))
    return results


def task_level(
    tasks: Sequence[TaskPlan], baseline: Subject, models: Sequence[Subject], journal: Journal, progress: Progress,
    until: Until | None = None,
) -> tuple[dict[str, ComparedTask], list[dict[str, ComparedTask]], list[TaskPlan]]:  # fmt: skip
    """Measures the baseline's answers by task, and each model's with what they are against the baseline's; the tasks come
    back with the rows that were answered."""
    own: dict[str, ComparedTask] = {}
    compared: list[dict[str, ComparedTask]] = [{} for _ in models]
    answered = []
    for task in tasks:
        runs: Iterable[TaskRun]
        if until is not None:
            task, before, runs = answered_until(task, until, baseline, models, journal, progress)
        else:
            before = run_task(baseline.engine, baseline.engine, task, journal, "baseline", progress.advance)
            # One after the other: the answers of many models would not fit into memory.
            runs = (answers_of(model, i, task, baseline, journal, progress) for i, model in enumerate(models))
        answered.append(task)
        progress.left_out += [f"row {record.row + 1}: {record.error}" for record in before.records if record.failed]
        reference = molecule_reference(before.records)
        own[task.name] = ComparedTask(task_figures(before, task))
        for i, after in enumerate(runs):
            figures = task_figures(after, task, reference)
            compared[i][task.name] = ComparedTask(figures, compare_runs(before, after, task))
    return own, compared, answered


def answered_until(
    task: TaskPlan, until: Until, baseline: Subject, models: Sequence[Subject], journal: Journal, progress: Progress
) -> tuple[TaskPlan, TaskRun, list[TaskRun]]:
    """Answers as many rows as `until` asks for: the task with these, the baseline's answers, each model's. Raises UsageError
    for a figure that the task does not have."""
    before, after = NOTHING_YET, [NOTHING_YET] * len(models)
    rows = FIRST
    while True:
        part = task.first(rows)
        before = run_task(baseline.engine, baseline.engine, part, journal, "baseline", progress.advance, before)
        after = [
            answers_of(model, i, part, baseline, journal, progress, run)
            for i, (model, run) in enumerate(zip(models, after, strict=True))
        ]
        comparisons = [compare_runs(before, run, part) for run in after]
        if any(change_of_figure(one, until.figure) is None for one in comparisons):
            raise UsageError(f"--figure {until.figure}: {task.name} has none here; give another, or rows with right answers")
        if until.reached(comparisons) or len(part.rows) == len(task.rows):
            return part, before, after
        rows = until.next_rows(comparisons, len(part.rows))


def answers_of(
    model: Subject, place: int, task: TaskPlan, baseline: Subject, journal: Journal, progress: Progress,
    run: TaskRun = NOTHING_YET,
) -> TaskRun:  # fmt: skip
    """Lets a model answer the rows that `run` has not."""
    return run_task(model.engine, baseline.engine, task, journal, str(place), progress.advance, run)


def result_of(
    baseline: Subject, models: Sequence[Subject], settings: Mapping[str, Any], tokens: Sequence[TokenResult],
    own: Mapping[str, ComparedTask], tasks: Sequence[Mapping[str, ComparedTask]], left_out: Sequence[str],
) -> AccuracyResult:  # fmt: skip
    """Puts a result together."""
    measured = zip(models, tokens, tasks, strict=True)
    return AccuracyResult(
        now(), describe(), settings, BaselineResult(baseline.facts, own),
        tuple(ModelAccuracy(model.facts, read, task) for model, read, task in measured), tuple(left_out),
    )  # fmt: skip


def table(result: AccuracyResult) -> tuple[list[str], list[list[str]]]:
    """Gives columns and rows of cells for a terminal."""
    baseline, tasks = result.baseline, list(result.baseline.tasks)
    ranked = [name for name in tasks if baseline.tasks[name].figures.at("top") is not None]
    columns = ["model", "scheme", "GB", "mean KLD [95 %]", "p99", "same top-1", "ppl ratio"]
    columns += [f"{name} valid" for name in tasks] + [f"{name} top-1" for name in ranked]

    def row(model: ModelFacts, cells: list[str], answered: Mapping[str, ComparedTask]) -> list[str]:
        rates = [percent(answered[name].figures.estimate("validity")) for name in tasks]
        rates += [percent(answered[name].figures.estimate("top", "1")) for name in ranked if name in answered]
        return [model.name, model.scheme, f"{model.bytes / 1e9:.3f}", *cells, *rates]

    rows = [row(baseline.model, ["baseline", "", "", ""], baseline.tasks)]
    for model in result.models:
        tokens = model.read.tokens
        cells = [interval(tokens.kld["mean"]), f"{tokens.kld['p99'].value:.2g}", percent(tokens.same_top1)]
        rows.append(row(model.model, [*cells, f"{tokens.ppl_ratio.value:.4f}"], model.tasks))
    return columns, rows


def interval(estimate: Estimate) -> str:
    """Writes a figure with its interval, two digits each."""
    ends = estimate.ends
    return f"{estimate.value:.2g}" + (f" [{ends[0]:.2g}, {ends[1]:.2g}]" if ends else "")


def percent(estimate: Estimate | None) -> str:
    """Writes a rate in percent."""
    return f"{100 * estimate.value:.1f} %" if estimate else "-"
