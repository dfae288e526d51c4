"""What is scored of a row: the text that its task would have to write, and the prompt before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.mutants import named
from logos_cli.pipeline.recorded import again, numbers_of, site_of, untold
from logos_cli.rows.row import Recorded, Row
from logos_cli.tasks.table import TASKS, Task, spelled
from logos_cli.tasks.task import Prompt

# Tasks that are scored from their start marker on, so that a record's input can be the whole of what was scored.
IN_INPUT = ("molecule", "protein", "antibody", "raw")
BARE = Row(0, "")


@dataclass(frozen=True)
class Known:
    """`text` follows `prompt`; `ends`: the tokenizer's end token follows it. `told` are fields of the record."""

    prompt: str
    text: str
    ends: bool
    told: dict[str, Any]


def shown_of(row: Row) -> str:
    """What a record can show of a row that could not be read further."""
    if row.recorded:
        return row.recorded.input
    shown = row.text if row.text is not None else row.material[0] if row.material else row.value
    return ".".join(shown) if isinstance(shown, tuple) else shown or ""


def of_row(row: Row, task: Task) -> Known:
    """Of a row that says what is right. Raises RowError for one that does not."""
    if task.name in IN_INPUT:
        told = {"input": row.text if row.text is not None else task.prompt(row).shown or shown_of(row)}
        prompt, text = known_pair(row, task)
        asked = text.removesuffix("<MoleculeE>")
        if task.name == "molecule" and row.text is None and asked != told["input"]:
            told["asked"] = asked
    else:
        question = task.prompt(row)
        prompt, text = known_pair(row, task)
        if task.name == "material":
            question = Prompt(prompt, "")  # scored with its node, which the prompt of `generate` would give
        site = site_of(row, question)
        told = answered(task, question, text, "stop") | {"site": site, "prompt": untold(task, question, site)}
    return Known(prompt, text, ends(task), told)


def ends(task: Task) -> bool:
    """Whether the end token follows an answer of `task`: not where a marker ends it, nor whole texts."""
    return not (task.stops or task.name == "raw")


def known_pair(row: Row, task: Task) -> tuple[str, str]:
    found = task.known(row)
    if found is None:
        raise RowError(f"no answer to score in this row: {task.name} needs its prompt and what follows")
    return found


def answered(task: Task, prompt: Prompt, text: str, finish: str) -> dict[str, Any]:
    """What `generate` would have recorded, but no answer that is not valid: a score does not say whether it is."""
    answer = task.parse(text, finish, prompt)
    reaction = task.reaction(prompt.question, answer.smiles) if task.reaction and answer.valid else None
    value = answer.value if answer.valid else None
    return {"input": prompt.shown, "asked": prompt.asked, "answer": value, "reaction": reaction, "text": text}


def of_record(row: Row, recorded: Recorded, task: Task) -> Known:
    """Of one of our own records: its own prompt and what was written, valid or not. Raises RowError for a record that
    does not have both."""
    if recorded.text is None:
        return of_record_without_text(row, recorded, task)
    # A --form of the command line is another question than the record's; a spelling is not, for a record has its own.
    other = task.wants == "sequence" and task.asked is not TASKS[task.name].asked
    given = None if other else recorded.prompt
    prompt = again(task, recorded.question, recorded.site) if given is None else task.prompt(replace(BARE, text=given))
    told = answered(task, prompt, recorded.text, recorded.finish or "stop")
    told |= {"input": recorded.input, "asked": recorded.asked, "site": recorded.site}
    told |= {"prompt": given, "finish": recorded.finish}
    end = ends(task)
    if recorded.finish is not None:  # the end token may stop any task, and a cut text has none
        end = recorded.finish != "length" and not recorded.text.endswith(task.stops)
    return Known(prompt.text if given is None else given, recorded.text, end, told)


def of_record_without_text(row: Row, recorded: Recorded, task: Task) -> Known:
    """A score whose input is all of it, or the consensus of a pocket, which no sample needs to have written."""
    if recorded.scored and task.name in IN_INPUT:
        whole = recorded.question
        if recorded.mutant is not None:
            mutant = named(recorded.mutant, whole, numbers_of(recorded.site))
            if mutant.error:
                raise RowError(f"{mutant.name}: {mutant.error}")
            whole = mutant.sequence
        if whole.startswith("<"):
            return of_row(replace(BARE, text=whole), task)
        known = of_row(replace(BARE, value=whole), spelled(task))
        spelling = {"input": recorded.input, "asked": recorded.asked} if recorded.asked is not None else {}
        return replace(known, told=known.told | spelling)
    if task.name == "pocket" and row.error is None and not recorded.scored:
        return of_row(row, task)
    raise RowError("the record has no text that could be scored")
