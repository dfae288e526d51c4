"""What `logos bench accuracy` asks of both models: from the user's rows, or from molecules that the baseline wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from logos_cli.benchmarks.accuracy.task_level import TaskPlan
from logos_cli.benchmarks.metrics.metrics import Truth
from logos_cli.benchmarks.metrics.truths import parse_any, placed
from logos_cli.chemistry.grammar import RowError, reaction_parts
from logos_cli.chemistry.smiles import canonical, shortened
from logos_cli.engines.engine import Engine
from logos_cli.engines.sampling import resolve
from logos_cli.errors import InputError
from logos_cli.pipeline.generate_records import Plan
from logos_cli.pipeline.own_texts import Text, knows
from logos_cli.pipeline.recorded import site_of
from logos_cli.records.record import Record
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.tasks.table import TASKS, Task

INVALID: Truth = ()
PER_ROW, WITHOUT_ROWS = 8, 256  # answers of each row, and of a task that has none


@dataclass(frozen=True)
class Asked:
    """The options that decide it; `task` None: all that the baseline can do by itself. `texts` of each modality are what it
    writes; `until`, in points, and `figure` are of `Until`."""

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
    """The rows of --data. Raises InputError for none."""
    rows = tuple(islice(read_rows(path, reading), limit))
    if not rows:
        raise InputError(f"{path}: no rows; give a file that logos generate reads")
    return rows


def check_markers(asked: Asked, engines: Sequence[Engine]) -> None:
    """Raise TokenizerError now if one of the models does not speak the task that was named."""
    if asked.task is not None and asked.tasks:
        for engine in engines:
            for marker in asked.task.needs:
                engine.marker(marker)


def plan_tasks(
    asked: Asked, rows: Sequence[Row] | None, texts: Sequence[Text], engines: Sequence[Engine]
) -> tuple[list[TaskPlan], list[str]]:
    """(the tasks to run with their rows and right answers, what was left out and why). `engines`: the baseline first.

    `raw` has no tasks: nothing can judge its answers.
    """
    if not asked.tasks or (asked.task is not None and asked.task.name == "raw"):
        return [], []
    if rows is not None and asked.task is not None and asked.task.needs_input:
        usable = tuple(row for row in rows if can_be_asked(row, asked.task))
        told = {row.ordinal: truth_of(row, asked.task) for row in usable}
        shown = {row.ordinal: shortened(str(row.truth)) for row in usable}
        bad = [f"row {row + 1}: its right answer is not valid: {shown[row]}" for row, truth in told.items() if truth is INVALID]
        truths = {row: truth for row, truth in told.items() if truth}
        return [task_plan(asked, asked.task, usable, truths, engines)], bad
    found, left_out = [], []
    wanted = [asked.task] if asked.task is not None else [TASKS["molecule"], TASKS["retro"]]
    for task in wanted:
        silent = next((engine.info.name for engine in engines if not knows(engine, *task.needs)), None)
        if silent is not None:
            left_out.append(f"task {task.name}: {silent} does not speak it")
            continue
        own = own_rows(texts) if task.needs_input else (Row(0, "1", value=""),)
        if own:
            found.append(task_plan(asked, task, own, {}, engines))
    return found, left_out


def task_plan(asked: Asked, task: Task, rows: Sequence[Row], truths: dict[int, Any], engines: Sequence[Engine]) -> TaskPlan:
    """Both models get the baseline's settings: another table in the model's file must not count as a loss."""
    flags = {"seed": asked.seed, "max_tokens": asked.max_tokens}
    sampling = resolve(task.name, task.sampling, task.source, engines[0].info.sampling, flags).settings
    samples = asked.samples or (PER_ROW if task.needs_input else WITHOUT_ROWS)
    returns = task.name == "retro" and knows(engines[0], "<React>")
    return TaskPlan(Plan(task, sampling, samples), tuple(rows), truths, returns, asked.known)


def can_be_asked(row: Row, task: Task) -> bool:
    """Whether the row gives a prompt; one that does not is no mistake of a model's."""
    try:
        task.prompt(row)
    except RowError:
        return False
    return row.error is None


def own_rows(texts: Sequence[Text]) -> tuple[Row, ...]:
    """The valid molecules among the baseline's own texts, as products."""
    bodies = (
        text.text.removeprefix("<MoleculeS>").removesuffix("<MoleculeE>") for text in texts if text.modality == "molecule"
    )
    smiles = dict.fromkeys(found for body in bodies if (found := canonical(body)))
    return tuple(Row(i, str(i + 1), value=one) for i, one in enumerate(smiles))


def truth_of(row: Row, task: Task) -> Any:
    """The right answer that comes with a row, as the figures of `task` take it: the published files' `groundtruth`, the
    other side of a reaction, a known pocket or ligand. None if it has none, `INVALID` if what it has is no valid answer."""
    prompt = task.prompt(row)
    told = prompt.truth if row.truth is None else row.truth
    if told is None and isinstance(row.value, str) and len(reaction_parts(row.value)) == 3:
        told = row.value
    if told is None:
        return None
    found = parse_any(told, task.name)
    if isinstance(found, frozenset):  # a binding site, perhaps in the structure's own numbers
        asked = Record(row.ordinal, row.id, task.name, prompt.shown, "", site=site_of(row, prompt))
        try:
            found = placed({row.ordinal: found}, [asked], False, "--data")[row.ordinal]
        except InputError:
            return INVALID
    return found or INVALID
