"""What `logos bench accuracy` asks of both models: from the user's rows, or from molecules that the baseline wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from logos_cli.benchmarks.accuracy.task_level import TaskPlan
from logos_cli.benchmarks.metrics.truths import placed
from logos_cli.chemistry.grammar import RowError, reaction_parts
from logos_cli.chemistry.smiles import canonical, shortened
from logos_cli.engines.engine import Engine
from logos_cli.engines.sampling import resolve
from logos_cli.errors import InputError
from logos_cli.pipeline.generate_records import GenerationPlan
from logos_cli.pipeline.own_texts import NamedText, knows
from logos_cli.records.record import Record
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.tasks.defaults import COMPARED
from logos_cli.tasks.modalities import MODALITIES, MOLECULES
from logos_cli.tasks.table import TASKS
from logos_cli.tasks.task import Prompt, Task

PER_ROW, WITHOUT_ROWS = 8, 256  # answers of each row, and of a task that has none


@dataclass(frozen=True)
class TaskOptions:
    """What the user says of the tasks; `task` None: all that the baseline can do by itself. `tasks` False: none at all.
    `texts` of each modality are what it writes; `until`, in points, and `figure` are of `Until`."""

    task: Task | None
    samples: int | None
    max_tokens: int
    seed: int
    tasks: bool
    known: frozenset[str] | None
    texts: int = 32
    until: float | None = None
    figure: str | None = None


def read_data(path: str, limit: int | None, reading: Reading) -> tuple[Row, ...]:
    """Reads the rows of --data. Raises InputError for none."""
    rows = tuple(islice(read_rows(path, reading), limit))
    if not rows:
        raise InputError(f"{path}: no rows; give a file that logos generate reads")
    return rows


def check_markers(options: TaskOptions, engines: Sequence[Engine]) -> None:
    """Raises TokenizerError now if one of the models does not speak the task that was named."""
    if options.task is not None and options.tasks:
        for engine in engines:
            for marker in options.task.needs:
                engine.marker(marker)


def plan_tasks(
    options: TaskOptions, rows: Sequence[Row] | None, texts: Sequence[NamedText], engines: Sequence[Engine]
) -> tuple[list[TaskPlan], list[str]]:
    """Plans the tasks to run with their rows and right answers, and says what was left out and why. `engines`: the baseline
    first. A task whose answers nothing can judge is not run.
    """
    if not options.tasks or (options.task is not None and not options.task.answers.judged):
        return [], []
    if rows is not None and options.task is not None and options.task.needs_input:
        return plan_rows(options, options.task, rows, engines)
    plans, left_out = [], []
    wanted = [options.task] if options.task is not None else [TASKS[name] for name in COMPARED]
    for task in wanted:
        silent = next((engine.info.name for engine in engines if not knows(engine, *task.needs)), None)
        if silent is not None:
            left_out.append(f"task {task.name}: {silent} does not speak it")
            continue
        own = own_rows(texts) if task.needs_input else (Row(0, "1", value=""),)
        if own:
            plans.append(task_plan(options, task, own, {}, engines))
    return plans, left_out


def plan_rows(
    options: TaskOptions, task: Task, rows: Sequence[Row], engines: Sequence[Engine]
) -> tuple[list[TaskPlan], list[str]]:
    """Plans the rows of a user. One that gives no prompt is no mistake of a model's, and left out."""
    usable, truths, left_out = [], dict[int, Any](), []
    for row in rows:
        try:
            prompt = task.prompt(row)
        except RowError:
            continue
        if row.error is not None:
            continue
        usable.append(row)
        if (stated := stated_truth(row, prompt)) is None:
            continue
        if truth := truth_of(stated, row, prompt, task):
            truths[row.ordinal] = truth
        else:
            left_out.append(f"row {row.ordinal + 1}: its right answer is not valid: {shortened(str(row.truth))}")
    return [task_plan(options, task, usable, truths, engines)], left_out


def task_plan(
    options: TaskOptions, task: Task, rows: Sequence[Row], truths: Mapping[int, Any], engines: Sequence[Engine]
) -> TaskPlan:
    """Plans a task. Both models get the baseline's settings: another table in the model's file must not count as a loss."""
    flags = {"seed": options.seed, "max_tokens": options.max_tokens}
    sampling = resolve(task.name, task.sampling, task.source, engines[0].info.sampling, flags).settings
    samples = options.samples or (PER_ROW if task.needs_input else WITHOUT_ROWS)
    back = task.back if task.back and knows(engines[0], *TASKS[task.back].needs) else ""
    return TaskPlan(GenerationPlan(task, sampling, samples), tuple(rows), truths, back, options.known)


def own_rows(texts: Sequence[NamedText]) -> tuple[Row, ...]:
    """Gives the valid molecules among the baseline's own texts, as products."""
    start, end = MODALITIES[MOLECULES].start, MODALITIES[MOLECULES].stops[0]
    bodies = (text.text.removeprefix(start).removesuffix(end) for text in texts if text.modality == MOLECULES)
    distinct = dict.fromkeys(smiles for body in bodies if (smiles := canonical(body)))
    return tuple(Row(i, str(i + 1), value=smiles) for i, smiles in enumerate(distinct))


def stated_truth(row: Row, prompt: Prompt) -> Any:
    """Gives what a row says is right: the published files' `groundtruth`, what its prompt has read, or the other side of a
    reaction. None if it says nothing."""
    if row.truth is not None or prompt.truth is not None:
        return prompt.truth if row.truth is None else row.truth
    return row.value if isinstance(row.value, str) and len(reaction_parts(row.value)) == 3 else None


def truth_of(stated: Any, row: Row, prompt: Prompt, task: Task) -> Any:
    """Reads what a row says is right; None if it is no valid answer."""
    truth = task.truth(stated)
    if not truth or not task.answers.counts_residues:
        return truth
    question = Record(row.ordinal, row.id, task.name, prompt.shown, "", site=prompt.site)
    try:  # perhaps in the structure's own numbers
        return placed({row.ordinal: truth}, [question], False, "--data")[row.ordinal]
    except InputError:
        return None
