"""A file of right answers: its lines, what each is about, and what it says is right."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logos_cli.chemistry.grammar import MOLECULE, reaction_parts
from logos_cli.chemistry.smiles import canonical_set, shortened
from logos_cli.errors import InputError
from logos_cli.records.syntheseus_lines import plain_reaction
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import Blank, filled, open_bytes, read_lines
from logos_cli.tasks.answer_kinds import lowered, stated
from logos_cli.tasks.task import Task

Question = tuple[str, ...]  # canonical molecules in canonical order, or one sequence


@dataclass(frozen=True)
class Side:
    """The side of a reaction that a task asks with: its place, the keys that hold it, and how an empty answer is written."""

    place: int
    keys: tuple[str, ...]
    empty: str

    @property
    def other(self) -> int:
        """The place of the side that answers."""
        return 0 if self.place else -1


SIDES = {
    "product": Side(-1, ("product", "products"), " (>>product)"),
    "reactants": Side(0, ("reactants",), " (reactants>>)"),
}
_PROMPT_KEYS = ("test_input", "reaction", "rxn_smiles", "reaction_smiles", "rxn")


@dataclass(frozen=True)
class TruthLine:
    """`place` is for messages, `line` its number in the file (0 where a format has none); `name` is None where the file names
    nothing; `question` None where it does not say what it is about; `answer` None where it is left empty."""

    place: str
    line: int
    name: str | None
    question: Question | None
    answer: Any


@dataclass(frozen=True)
class TruthFile:
    """`blanks` are blank lines that stand before another one that is not."""

    path: str
    lines: tuple[TruthLine, ...]
    blanks: tuple[int, ...]


@contextmanager
def read_once(path: Path) -> Iterator[Path]:
    """Gives a path that can be read as often as it takes: `path`, or a copy of what stdin (`-`) or a pipe gives only once."""
    if os.path.isfile(path) or os.path.isdir(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / (path.name if path.name != "-" else "stdin")
        with open_bytes(str(path)) as stream:
            try:
                with copy.open("wb") as target:
                    shutil.copyfileobj(stream, target)
            except OSError as error:
                raise InputError(f"{path}: cannot be kept in {folder}: {error.strerror}; give a file") from error
        try:
            yield copy
        except InputError as error:
            raise InputError(str(error).replace(str(copy), str(path))) from error


def read_truth_file(path: Path, task: Task, column: str | None = None) -> TruthFile:
    """Reads all right answers of a file that can be read twice; `column` names the table's column or JSON key that has them.

    Raises InputError for a line that gives none: figures would silently lack it.
    """
    lines = tuple(_truth_lines(path, task, column))
    if not lines:
        raise InputError(f"{path}: no rows; give a file with one right answer a line")
    if all(line.answer is None for line in lines):
        raise InputError(f"{path}: every right answer is left empty; there is nothing to judge by")
    numbered = [(number, text is None or bool(text.strip())) for number, text in read_lines(str(path))] if lines[0].line else []
    last = max((number for number, full in numbered if full), default=0)
    return TruthFile(str(path), lines, tuple(number for number, full in numbered if not full and number < last))


def _truth_lines(path: Path, task: Task, column: str | None) -> Iterator[TruthLine]:
    """Reads lines of JSON whole, all others as `generate` does."""
    first = next(filled(read_lines(str(path)), Blank()), None) if os.path.isfile(path) else None
    if first is not None and (first[1] or "").lstrip().startswith("{"):
        for number, text in filled(read_lines(str(path)), Blank()):
            try:
                value = json.loads(text or "")
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}: line {number} is not JSON ({error}); mend it") from None
            yield _truth_line(str(path), f"line {number}", number, _name(value), value, task, column)
        return
    wants = task.answers.truth_wants
    found = _table_column(path, task, column) if wants == "smiles" else column
    if wants == "smiles":
        reading = Reading(wants, found)
    else:
        reading = Reading(wants, sequence_column=None if task.answers.counts_residues else found)
    rows = list(read_rows(str(path), reading))
    # Rows without a name get their line's number as one.
    named = any(row.id != str(row.line or row.ordinal + 1) for row in rows)
    for row in rows:
        place = f"line {row.line}" if row.line else f"row {row.ordinal + 1}"
        if row.error:
            raise InputError(f"{path}: {place}: {row.error}; mend it, or leave the answer empty")
        value = _row_value(row, task, found)
        yield _truth_line(str(path), place, row.line, row.id if named else None, value, task, found)


def _row_value(row: Row, task: Task, column: str | None) -> Any:
    """Gives what a row says, as the JSON line that says the same would."""
    if row.kind == "sequence":
        if not task.answers.counts_residues:
            return row.value
        places = row.columns.get(column, "") if column else list(row.pocket)
        return {"sequence": row.value, "pocket": places, column or "pocket": places}
    value = list(row.value) if isinstance(row.value, tuple) else row.value
    return {**row.columns, column: value} if column else value


def _table_column(path: Path, task: Task, column: str | None) -> str | None:
    """Finds the column that has the right answers; None if the file is no table. Raises InputError for a table without one."""
    for _, text in filled(read_lines(str(path)), Blank()):
        if text is None or text.startswith("#") or text.lower().startswith("sep="):
            continue
        table = path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
        wanted = (column.lower(),) if column else task.answer_keys
        for mark in (",", ";", "\t"):
            names = [name.strip().strip('"') for name in text.split(mark)]
            found = next((name for key in wanted for name in names if name.lower() == key), None)
            if found and (len(names) > 1 or table or column):
                return found
        if table or column:
            has = ", ".join(re.split(r"[,;\t]", text))[:200]
            named = f"{column!r}" if column else f"with right answers ({', '.join(task.answer_keys)})"
            raise InputError(f"{path}: no column {named}; it has: {has}; name one with --truth-column")
        return None
    return None


def _name(value: Any) -> str | None:
    named = lowered(value) if isinstance(value, dict) else {}
    return next((str(named[key]) for key in ("id", "name") if named.get(key) not in (None, "")), None)


def _truth_line(path: str, place: str, line: int, name: str | None, value: Any, task: Task, column: str | None) -> TruthLine:
    if isinstance(value, dict):
        value = lowered(plain_reaction(value))
        if column is not None and column.lower() not in value:
            raise InputError(f"{path}: {place} has no key {column!r}; name one with --truth-column")
        answered = value[column.lower()] if column is not None else stated(value, task.answer_keys)
    else:
        answered = value
    question = question_of(value, task)
    if left_empty(answered, task):
        return TruthLine(place, line, name, question, None)
    truth = task.truth(answered)
    if truth is None:
        empty = SIDES[task.side].empty if task.side else ""
        raise InputError(
            f"{path}: {place} holds no right answer for {task.name}: {shortened(str(answered), 80)}; mend it, or leave the "
            f"answer empty{empty}: the rows stay where they are"
        )
    return TruthLine(place, line, name, question, truth)


def left_empty(answered: Any, task: Task) -> bool:
    """Whether a line says that it has no right answer."""
    if isinstance(answered, str) and task.side:
        parts = reaction_parts(answered)
        answered = parts[SIDES[task.side].other] if len(parts) == 3 else answered
    return answered is None or (answered.strip() == "" if isinstance(answered, str) else answered == [])


def question_of(value: Any, task: Task) -> Question | None:
    """Gives what a line says that it answers: the other side of a reaction, the sequence of a site; None if it does not
    say."""
    if not task.side:
        return sequence_key(value.get("sequence")) if isinstance(value, Mapping) and task.about_sequence else None
    side = SIDES[task.side]
    if isinstance(value, Mapping):
        named = next((value[key] for key in side.keys if value.get(key)), None)
        if named is not None:
            return molecules_key(named)
        whole = (value[key] for key in (*_PROMPT_KEYS, *task.answer_keys) if isinstance(value.get(key), str))
        return next((question for text in whole if (question := question_of(text, task))), None)
    if not isinstance(value, str):
        return None
    if value.endswith(("<ReverseReact>", "<React>")):
        return canonical_set(MOLECULE.findall(value))
    parts = reaction_parts(value)
    return molecules_key(parts[side.place]) if len(parts) == 3 else None


def molecules_key(value: Any) -> Question | None:
    """Gives what is equal for equal molecules, and no row's question for what is no SMILES; None where nothing is said."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(one, str) for one in parts) or not "".join(parts).strip():
        return None
    return canonical_set(part.strip() for part in parts) or tuple(parts)


def sequence_key(value: Any) -> Question | None:
    return ("".join(value.split()).upper().removesuffix("*"),) if isinstance(value, str) and value.strip() else None
