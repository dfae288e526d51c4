"""What the right answers are: from the records themselves, or from a file with one right answer a row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.own_numbers import NumberError
from logos_cli.errors import InputError
from logos_cli.pipeline.recorded import numbers_of
from logos_cli.records.record import Record
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.tasks.modalities import MOLECULES
from logos_cli.tasks.table import TASKS, plain_task, task_of_record
from logos_cli.tasks.task import Task


def in_places(truth: frozenset[int | str], record: Record, own: bool, where: str) -> frozenset[int]:
    """Gives the residues of a right binding site as places in the record's sequence; `own`: bare numbers are the structure's.
    Raises InputError for one that is not in the protein."""
    numbers = numbers_of(record.site)
    places = set()
    for residue in truth:
        if isinstance(residue, int) and not own:
            if not 1 <= residue <= len(record.input):
                hint = (
                    f"; for the structure's own numbers write {numbers.chains[0]}:{residue}, or give --truth-numbers own"
                    if numbers and numbers.chains
                    else ""
                )
                protein = f"the protein of {len(record.input)} residues"
                raise InputError(f"{where}: residue {residue} is beyond {protein}{hint}")
            places.add(residue)
            continue
        if numbers is None:
            raise InputError(f"{where}: {residue} is a structure's number, and the record tells none; give places from 1")
        try:
            places.add(numbers.place(str(residue)))
        except NumberError as error:
            raise InputError(f"{where}: {error}") from None
    return frozenset(places)


def placed(truths: dict[int, Any], records: Iterable[Record], own: bool, path: str) -> dict[int, Any]:
    """Gives right binding sites with all residues as places from 1. Raises InputError."""
    by_row: dict[int, Record] = {}
    for record in records:
        if record.input:
            by_row.setdefault(record.row, record)
    return {
        row: in_places(truth, by_row[row], own, f"{path}: the right answer of row {row + 1}") if row in by_row else truth
        for row, truth in truths.items()
    }


def truths_of(records: Iterable[Record]) -> dict[int, Any]:
    """Takes the right answers that records bring along: from published input files, and ours with a pocket or a ligand."""
    truths: dict[int, Any] = {}
    for record in records:
        if record.truth is None or record.row in truths:
            continue
        if truth := task_of_record(record.task).truth(record.truth):
            truths[record.row] = truth
    return truths


def read_answers(path: Path, task: Task) -> frozenset[str]:
    """Reads what a file holds of what `task` answers with, in the form of answers, to tell new ones from known ones; what is
    not valid is left out. Raises InputError if nothing is left."""
    reader = plain_task(task)
    answers = (answer_in(row, reader) for row in read_rows(str(path), Reading(reader.wants)))
    if not (known := frozenset(answer for answer in answers if answer)):
        raise InputError(f"{path}: no valid {reader.modality} in it; give a file of known ones")
    return known


def answer_in(row: Row, task: Task) -> str | None:
    """Gives the answer that a row holds; None if it holds none that is valid."""
    try:
        example = task.example(row) if row.error is None else None
    except RowError:
        return None
    return task.parse(example.text, "stop").smiles or None if example and example.text else None


def read_molecules(path: Path) -> frozenset[str]:
    """Reads the canonical SMILES of a file that `generate` reads."""
    return read_answers(path, TASKS[MOLECULES])
