"""Our own records as the questions they were: how a prompt is made again from what a record says of it."""

from __future__ import annotations

from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.own_numbers import NumberError, OwnNumbers
from logos_cli.rows.row import Row
from logos_cli.tasks.table import spelled
from logos_cli.tasks.task import Prompt, Task


def numbers_of(site: dict[str, Any] | None) -> OwnNumbers | None:
    """Reads the own numbers that a record's site tells; None where it tells none that can be read."""
    runs = (site or {}).get("numbers")
    try:
        return OwnNumbers.from_runs(runs) if isinstance(runs, str) else None
    except NumberError:
        return None


def rebuilt_prompt(task: Task, question: str, site: dict[str, Any] | None) -> Prompt:
    """Makes the prompt of a record's question, spelled as it is there, and site: that of its run, if `Prompt.rebuildable`.
    Raises RowError."""
    if task.wants == "any":
        return task.prompt(Row(0, "", text=question))
    pocket = (site or {}).get("pocket") or ()
    if not isinstance(pocket, (list, tuple)) or not all(type(one) is int for one in pocket):
        raise RowError("the record's site names no residues by number")
    kind = "sequence" if task.wants == "sequence" else "smiles"
    return spelled(task).prompt(Row(0, "", value=question, kind=kind, pocket=tuple(pocket)))
