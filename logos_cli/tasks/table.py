"""The table of tasks, a line each, and what is found in it.

Prompts and stops are those of the published scripts (LOGOS-Hub/LOGOS) where there is one. Sampling defaults are the commands
in upstream's README.
"""

from __future__ import annotations

from dataclasses import replace

from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.mofid import is_mofid
from logos_cli.errors import UsageError
from logos_cli.tasks import antibody, expand, ligand, material, molecule, pocket, protein, raw, react, retro
from logos_cli.tasks.answer_kinds import KINDS, OTHER, AnswerKind
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, Task, invalid

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        retro.TASK,
        react.TASK,
        molecule.TASK,
        protein.TASK,
        antibody.TASK,
        pocket.TASK,
        ligand.TASK,
        expand.TASK,
        material.TASK,
        raw.TASK,
    )
}


def task_named(name: str, form: str | None = None) -> Task:
    """Finds a task; `form` is one of its forms. Raises UsageError, which lists what there is."""
    if name not in TASKS:
        raise UsageError(f"no task {name!r}; one of: {', '.join(TASKS)}")
    task = TASKS[name]
    if form is None:
        return task
    if not task.forms:
        raise UsageError(f"--form says how ligand shows its protein; {name} has one form")
    if form not in task.forms:
        raise UsageError(f"no form {form!r}; one of: {', '.join(task.forms)}")
    return replace(task, style=replace(task.style, form=form))


def spelled(task: Task, as_written: bool = True) -> Task:
    """Gives `task` with the SMILES of its rows `as_written`, or in canonical form, which is how all of `TASKS` are."""
    return replace(task, style=replace(task.style, as_written=True)) if as_written and task.spells else task


def spelling(part: str) -> tuple[str, ...]:
    """Names the tasks that spell that `part` of a row, `question` or `answer`, in canonical form."""
    return tuple(task.name for task in TASKS.values() if part in task.spells)


def task_of_record(name: object) -> Task:
    """Finds the task of a stored record; one that is not in the table answers with anything."""
    return TASKS[name] if isinstance(name, str) and name in TASKS else replace(UNKNOWN, name=str(name))


def answer_kind(name: object) -> AnswerKind:
    """Finds the kind of a stored record's answer by the name of its task."""
    return task_of_record(name).answers


def inventing() -> tuple[str, ...]:
    """Names the tasks whose answers are made up, by their kinds."""
    found = [task for task in TASKS.values() if task.invents]
    return tuple(task.name for task in sorted(found, key=lambda task: KINDS.index(task.answers)))


def plain_task(task: Task) -> Task:
    """Gives the task that reads a file of answers of `task`'s kind: itself if it needs no input, else one that does not."""
    alike = (one for one in TASKS.values() if one.answers is task.answers and not one.needs_input)
    return task if not task.needs_input else next(alike, molecule.TASK)


def task_for(row: Input) -> Task:
    """Says what a row is when nobody does."""
    if row.text is not None:
        return raw.TASK
    if row.material is not None or (row.kind == "smiles" and isinstance(row.value, str) and is_mofid(row.value, row.id)):
        return material.TASK
    if row.part[:1] in ("H", "L"):
        return antibody.TASK
    if row.kind == "sequence":
        return ligand.TASK if row.ligand else pocket.TASK if row.pocket else protein.TASK
    return retro.TASK if isinstance(row.value, str) and ">" in row.value.replace("->", "") else molecule.TASK


def _no_prompt(row: Input, style: Style) -> Prompt:
    raise RowError("a record of a task that is not known")


def _no_example(row: Input, style: Style) -> Example | None:
    raise RowError("a record of a task that is not known")


def _no_answer(text: str, finish: str, prompt: Prompt) -> Answer:
    return invalid("a record of a task that is not known")


UNKNOWN = Task(
    name="", modality="", takes="", gives="", form="", needs=(), answers=OTHER, build=_no_prompt, read=_no_answer,
    example_of=_no_example,
)  # fmt: skip
