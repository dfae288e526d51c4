"""Rows of `.csv`, `.tsv` and `;` tables: a header with a SMILES or a sequence column, quoted cells over several lines."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from logos_cli.errors import InputError, UsageError
from logos_cli.lines import LONGEST_LINE, Blank, Line
from logos_cli.row import Reading, Row

SMILES_COLUMNS = ("smiles", "canonical_smiles")
SEQUENCE_COLUMNS = ("sequence", "seq", "protein_sequence", "protein")
ID_COLUMNS = ("id", "name", "title", "compound_id", "molecule_id")
POCKET_COLUMN, LIGAND_COLUMN = "pocket", "ligand"
LONGEST_CELL = 50  # lines that a quoted cell of a table may span


def wanted_columns(wants: str) -> tuple[str, ...]:
    """Names of the column that holds the input, those first that the task rather wants."""
    if wants == "any":
        return (*SMILES_COLUMNS, *SEQUENCE_COLUMNS)
    return SEQUENCE_COLUMNS if wants == "sequence" else SMILES_COLUMNS


def delimiter_of(header: str, wants: str) -> str | None:
    """The delimiter of a table's header line, or None if the line is no header with the wanted column."""
    for mark in (",", ";", "\t"):
        names = [name.strip().strip('"').lower() for name in header.split(mark)]
        if len(names) > 1 and any(name in wanted_columns(wants) for name in names):
            return mark
    return None


def table_rows(path: str, lines: Iterator[Line], blank: Blank, reading: Reading) -> Iterator[Row]:
    _, header = next(lines)
    head = header or ""
    mark = delimiter_of(head, reading.wants) or ("\t" if "\t" in head else ";" if ";" in head else ",")
    names = next(csv.reader([head], delimiter=mark))
    lowered = [name.strip().lower() for name in names]

    def find(asked: str | None, known: tuple[str, ...]) -> int | None:
        for name in [asked.lower()] if asked else known:
            if name in lowered:
                return lowered.index(name)
        if asked:
            raise UsageError(f"{path}: no column {asked!r}; it has: {', '.join(names)[:200]}")
        return None

    asked = reading.sequence_column or reading.smiles_column
    at = find(asked, wanted_columns(reading.wants))
    if at is None:
        column = "sequence" if reading.wants == "sequence" else "smiles"
        raise InputError(f"{path}: no column named {column}; it has: {', '.join(names)[:200]}; name one with --{column}-column")
    sequence = bool(reading.sequence_column) or (
        reading.wants != "smiles"
        and not reading.smiles_column
        and (reading.wants == "sequence" or lowered[at] in SEQUENCE_COLUMNS)
    )
    id_at = find(reading.id_column, ID_COLUMNS)
    pocket_at = find(None, (POCKET_COLUMN,)) if sequence else None
    ligand_at = find(None, (LIGAND_COLUMN,)) if sequence else None
    for ordinal, (number, cells, error) in enumerate(table_records(lines, mark, blank)):
        # Every row has every column, so that a csv of records can begin with any of them.
        others = {n: cells[i] if i < len(cells) else "" for i, n in enumerate(names) if i not in (at, id_at)}
        name = cells[id_at].strip() if id_at is not None and id_at < len(cells) else ""
        pocket: tuple[int, ...] = ()
        if error is None and len(cells) <= at:
            error = f"line {number} has {len(cells)} columns; {names[at]} is column {at + 1}"
        if error is None and pocket_at is not None and pocket_at < len(cells):
            pocket, error = pocket_cell(cells[pocket_at], number)
        value = None if error else cells[at].strip() if sequence else without_extension(cells[at])
        ligand = cells[ligand_at].strip() or None if ligand_at is not None and ligand_at < len(cells) else None
        kind = "sequence" if sequence else "smiles"
        row = Row(ordinal, name or str(number), value, columns=others, error=error, kind=kind, pocket=pocket, ligand=ligand)
        yield replace(row, line=number)


def pocket_cell(cell: str, number: int) -> tuple[tuple[int, ...], str | None]:
    """(residue numbers, error) of a cell such as `45 46 82`; commas, semicolons and a list's brackets do not matter."""
    parts = re.split(r"[\s,;]+", cell.strip().strip("[]"))
    if parts == [""]:
        return (), None
    if not all(re.fullmatch(r"\d{1,9}", part) for part in parts):
        return (), f"line {number}: the pocket {cell[:60]!r} is no list of residue numbers"
    return tuple(map(int, parts)), None


def table_records(lines: Iterator[Line], mark: str, blank: Blank) -> Iterator[tuple[int, list[str], str | None]]:
    """(line number, cells, error) of each record; an unclosed quote costs its own line, not the rest of the file."""
    again: deque[Line] = deque()

    def following() -> Line | None:
        return again.popleft() if again else next(lines, None)

    while (line := following()) is not None:
        number, text = line
        if text is None:
            yield number, [], f"line {number} is longer than {LONGEST_LINE:,} characters"
            continue
        if not text.strip():
            blank.lines += 1
            continue
        taken: list[Line] = []
        whole: str | None = text
        while whole is not None and unclosed(whole, mark, first=not taken):
            more = following() if len(taken) < LONGEST_CELL else None
            if more is not None:
                taken.append(more)
            whole = None if more is None or more[1] is None else f"{whole}\n{more[1]}"
        if whole is None:
            again.extendleft(reversed(taken))
            yield number, [], f"line {number} opens a quote that does not close"
        else:
            yield number, next(csv.reader(io.StringIO(whole, newline=""), delimiter=mark)), None


def unclosed(text: str, mark: str, first: bool) -> bool:
    """Whether a table record ends inside a quoted cell. After its first line, a quote that is followed by anything but a
    delimiter was the next cell's: the record goes on too, and in the end will not close."""
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True):
            pass
    except csv.Error as error:
        return not first or "unexpected end of data" in str(error)
    return False


def without_extension(cell: str) -> str:
    """A cell's SMILES without the CXSMILES extension `|…|` that may follow it."""
    smiles, _, rest = cell.strip().partition(" ")
    return smiles if rest.lstrip().startswith("|") else cell.strip()
