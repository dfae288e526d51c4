"""Our own records as the questions they were: what a record must say so that its prompt can be made again."""

from __future__ import annotations

from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.own_numbers import NumberError, OwnNumbers
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS, Task, spelled
from logos_cli.tasks.task import Prompt


def site_of(row: Row, prompt: Prompt) -> dict[str, Any] | None:
    """What the record says of the chain and of the residues that the prompt marks."""
    found = chain_of(row) or {}
    if prompt.pocket:
        found["pocket"] = list(prompt.pocket)
        if row.site:
            found["residues"] = row.site.own(prompt.pocket)
    return found or None


def chain_of(row: Row) -> dict[str, Any] | None:
    """What the record says of a structure's chain: what was done to read it, and its own numbers as `OwnNumbers.runs`."""
    if row.site is None:
        return None
    notes = {"notes": list(row.site.notes)} if row.site.notes else {}
    return {"chain": row.site.chain, **notes, "numbers": row.site.own_numbers.runs()}


def numbers_of(site: dict[str, Any] | None) -> OwnNumbers | None:
    """The own numbers that a record's site tells; None where it tells none that can be read."""
    told = (site or {}).get("numbers")
    try:
        return OwnNumbers.from_runs(told) if isinstance(told, str) else None
    except NumberError:
        return None


def again(task: Task, question: str, site: dict[str, Any] | None) -> Prompt:
    """The prompt that `task` makes of a record's question, spelled as it is there, and site. Raises RowError."""
    if task.name == "raw":
        return task.prompt(Row(0, "", text=question))
    pocket = (site or {}).get("pocket") or ()
    if not isinstance(pocket, (list, tuple)) or not all(type(one) is int for one in pocket):
        raise RowError("the record's site names no residues by number")
    kind = "sequence" if task.wants == "sequence" else "smiles"
    return spelled(task).prompt(Row(0, "", value=question, kind=kind, pocket=tuple(pocket)))


def untold(task: Task, prompt: Prompt, site: dict[str, Any] | None) -> str | None:
    """The text of `prompt` if a record's question and site do not lead back to it, as with another --form or a salt kept
    together; None if they do."""
    try:
        same = again(TASKS[task.name], prompt.question, site).text == prompt.text
    except RowError:
        same = False
    return None if same else prompt.text
