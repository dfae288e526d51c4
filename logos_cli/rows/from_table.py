"""Rows of `.csv`, `.tsv` and `;` tables: a SMILES or a sequence column, by the header or, without one, by content."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from logos_cli.chemistry.smiles_text import parses, read_cell
from logos_cli.errors import InputError
from logos_cli.rows.column_names import (
    HEAVY,
    ID,
    LIGHT,
    PRODUCT,
    REACTANTS,
    REACTION,
    SEQUENCE,
    SMILES,
    asked_for,
    first_of,
    plain,
)
from logos_cli.rows.from_smi import row_of
from logos_cli.rows.row import Reading, Row
from logos_cli.rows.source import Source, only_other_side, source_of
from logos_cli.rows.table_records import table_records
from logos_cli.system.lines import Blank, Line

MARKS = (",", ";", "\t")
WIDEST = 1000  # columns among which SMILES are looked for
HEADER_MARKS = (*MARKS, "|")  # which between two SMILES without a header begins a CXSMILES extension
POCKET_COLUMN, LIGAND_COLUMN = "pocket", "ligand"
_SEPARATOR = re.compile(r'(?i)"?sep=(.)"?[,;\s]*$')


@dataclass(frozen=True)
class Columns:
    """What a header, or the user, says of the columns; a place of -1 for one that is not there."""

    names: tuple[str, ...]
    source: Source
    id_at: int = -1
    pocket_at: int = -1
    ligand_at: int = -1

    @property
    def others(self) -> list[int]:
        chains = (place for _, place in self.source.chains)
        used = (self.source.at, self.source.reactants, self.source.product, self.id_at, *chains)
        return [place for place in range(len(self.names)) if place not in used]


def wanted_names(wants: str, side: str = "") -> tuple[str, ...]:
    """Compared names of columns by which a first line is known to be a header."""
    smiles = (*SMILES, *REACTION, *(REACTANTS if side == "reactants" else ()), *(PRODUCT if side == "product" else ()))
    sequence = (*SEQUENCE, *(name for name in (*HEAVY, *LIGHT) if len(name) > 1))
    return sequence if wants == "sequence" else smiles if wants == "smiles" else (*smiles, *sequence)


def delimiter_of(opening: Sequence[str], wants: str, side: str = "") -> str | None:
    """The delimiter of a table by its first lines, or None if they do not begin with a header that has a wanted column. A
    header's cell may go over several lines."""
    wanted = wanted_names(wants, side)
    for mark in HEADER_MARKS:
        _, names, _ = next(table_records(enumerate(opening, 1), mark, Blank()), (0, [], None))
        if len(names) > 1 and any(plain(name) in wanted for name in names):
            return mark
    return separator_line(opening[0]) if opening else None


def separator_line(line: str) -> str | None:
    """The delimiter that Excel's first line `sep=;` names."""
    found = _SEPARATOR.match(line.removeprefix("\ufeff"))
    return found[1] if found else None


def headerless_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter of lines without a header that all have the same cells, of which one column holds SMILES."""
    for mark in MARKS:
        cells = [next(csv.reader([line], delimiter=mark)) for line in lines]
        if cells and len(cells[0]) > 1 and len({len(line) for line in cells}) == 1 and smiles_columns(cells):
            return mark
    return None


def smiles_columns(records: Sequence[Sequence[str]]) -> list[int]:
    """The columns whose every cell is a valid SMILES, those with the longest first."""
    shared = min(*map(len, records), WIDEST) if records else 0
    found = [at for at in range(shared) if all(parses(record[at].strip()) for record in records)]
    return sorted(found, key=lambda at: -sum(len(record[at]) for record in records))


def table_rows(path: str, lines: Iterator[Line], blank: Blank, reading: Reading, opening: Sequence[str] = ()) -> Iterator[Row]:
    """`opening`: the first lines, by which a table without a header is known."""
    first = next(lines)
    mark = separator_line(first[1] or "")
    if mark:
        opening = opening[1:]
    else:
        lines = chain([first], lines)
    head = opening[0] if opening else ""
    mark = mark or delimiter_of(opening, reading.wants, reading.side) or next((one for one in ("\t", ";") if one in head), ",")
    records = table_records(lines, mark, blank)
    start = [cells for _, cells, error in table_records(enumerate(opening, 1), mark, Blank()) if error is None]
    headed = next(records, None)
    if headed is None:
        return
    if headed[2] is not None:  # a quote of the header does not close
        headed = headed[0], next(csv.reader([head], delimiter=mark), []), None
    columns = without_header(path, start, reading, blank) if reading.header else numbered(path, start, reading)
    if columns is None:
        columns = header_columns(path, headed[1], reading, blank)
    else:
        records = chain([headed], records)
    ordinal = 0
    for number, cells, error in records:
        if error is None and is_comment(cells, columns):
            blank.comments += 1
            continue
        if error is None:
            cells, error = fitted(cells, columns, mark, number)
        yield table_row(ordinal, number, cells, error, columns, blank, reading)
        ordinal += 1


def header_columns(path: str, header: Sequence[str], reading: Reading, blank: Blank) -> Columns:
    names = [" ".join(name.split()) for name in header]
    while len(names) > 1 and not names[-1]:
        names.pop()
    source = source_of(path, "column", names, reading)
    if source is None:
        column = "sequence" if reading.wants == "sequence" else "smiles"
        told = f"no column named {column}; it has: {', '.join(names)[:200]}; name one with --{column}-column"
        if other := only_other_side(names, reading.side):
            told = f"{other} is the other side of the reaction; no column named {reading.side}; name one with --smiles-column"
        raise InputError(f"{path}: {told}")
    if source.guessed:
        blank.note(f"the SMILES are read from column {names[source.at]}; name another with --smiles-column")
    if source.unused and not reading.smiles_column:
        unused = ", ".join(names[place] for place in source.unused)
        blank.note(f"the SMILES are read from column {names[source.at]}, not from {unused}; name another with --smiles-column")
    id_at = asked_for(path, "column", names, reading.id_column) if reading.id_column else first_of(names, ID)
    if id_at is None and len(names) > 1:
        blank.note("no column is known to hold ids: lines are numbered; name one with --id-column")
    columns = Columns(tuple(names), source, -1 if id_at is None else id_at)
    if not source.sequence:
        return columns
    compared = [name.lower() for name in names]
    pocket, ligand = (compared.index(one) if one in compared else -1 for one in (POCKET_COLUMN, LIGAND_COLUMN))
    return replace(columns, pocket_at=pocket, ligand_at=ligand)


def without_header(path: str, start: Sequence[Sequence[str]], reading: Reading, blank: Blank) -> Columns | None:
    """The columns of a table whose first line is a row already; None if that line is a header."""
    named = reading.smiles_column or reading.sequence_column or reading.id_column
    if not start or named or reading.wants == "sequence" or source_of(path, "column", start[0], reading):
        return None
    found = smiles_columns(start)
    if not found:
        return None
    columns = numbered(path, start, reading)
    told = f"the first line looks like a molecule and not like a header: column {columns.source.at + 1} is read as SMILES"
    blank.note(f"{told}{f', {columns.id_at + 1} as ids' if columns.id_at >= 0 else ''}; --no-header says so")
    return columns


def numbered(path: str, start: Sequence[Sequence[str]], reading: Reading) -> Columns:
    """The columns of a table without a header, named by their numbers. Raises UsageError for an option that is no such
    number, InputError where none holds SMILES."""
    width = len(start[0]) if start else 0
    names = [str(place) for place in range(1, width + 1)]
    asked = reading.sequence_column or reading.smiles_column
    sequence = bool(reading.sequence_column) or (reading.wants == "sequence" and not reading.smiles_column)
    if asked:
        at = asked_for(path, "column", names, asked)
    elif sequence:
        at = max(range(width), key=lambda place: len(start[0][place]), default=0)
    elif found := smiles_columns(start) or smiles_columns(start[:1]):
        at = found[0]
    else:
        raise InputError(f"{path}: no column of the first lines holds SMILES; name one by its number: --smiles-column 2")
    if reading.id_column:
        id_at = asked_for(path, "column", names, reading.id_column)
    else:
        id_at = next((place for place in range(width) if place != at), -1)
    return Columns(tuple(f"column_{name}" for name in names), Source(at, sequence=sequence), id_at)


def is_comment(cells: Sequence[str], columns: Columns) -> bool:
    """Whether a line that begins with `#` is no row: a row's first cell may be an id such as `#1`."""
    return bool(cells) and cells[0].startswith("#") and (columns.source.at == 0 or len(cells) != len(columns.names))


def fitted(cells: list[str], columns: Columns, mark: str, number: int) -> tuple[list[str], str | None]:
    """(cells, error): a CXSMILES extension that the delimiter cut is put together again, empty cells at the end are let go."""
    at, width = columns.source.at, len(columns.names)
    while len(cells) > width and 0 <= at < len(cells) - 1 and cells[at].count("|") == 1:
        cells = [*cells[:at], mark.join(cells[at : at + 2]), *cells[at + 2 :]]
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > width:
        return cells, f"line {number} has {len(cells)} cells, the header {width}; put a cell that holds {mark!r} into quotes"
    return cells, None


def table_row(
    ordinal: int, number: int, cells: list[str], error: str | None, columns: Columns, blank: Blank, reading: Reading
) -> Row:
    source, names = columns.source, columns.names

    def cell(at: int) -> str:
        return cells[at].strip() if 0 <= at < len(cells) else ""

    # Every row has every column, so that a csv of records can begin with any of them.
    others = {names[place]: cells[place] if place < len(cells) else "" for place in columns.others}
    name = cell(columns.id_at) or str(number)
    last = max(source.at, source.reactants, source.product)
    if error is None and len(cells) <= last:
        error = f"line {number} has {len(cells)} columns; {names[last]} is column {last + 1}"
    if error is not None:
        return Row(ordinal, name, columns=others, error=error, kind="sequence" if source.sequence else "smiles", line=number)
    if source.sequence:
        pocket, error = pocket_cell(cell(columns.pocket_at), number)
        value = None if error or source.chains else cell(source.at)
        ligand = cell(columns.ligand_at) or None
        chains = tuple((label, cell(place)) for label, place in source.chains)
        return Row(
            ordinal, name, value, columns=others, error=error, kind="sequence", pocket=pocket, ligand=ligand, line=number,
            chains=chains,
        )  # fmt: skip
    written = f"{cell(source.reactants)}>>{cell(source.product)}" if source.at < 0 else cell(source.at)
    found = read_cell(written, grouped=reading.side == "reactants")
    blank.left_out.update(found.left_out)
    return row_of(found, ordinal, name, number, reading, others)


def pocket_cell(cell: str, number: int) -> tuple[tuple[int, ...], str | None]:
    """(residue numbers, error) of a cell such as `45 46 82`; commas, semicolons and a list's brackets do not matter."""
    parts = re.split(r"[\s,;]+", cell.strip().strip("[]"))
    if parts == [""]:
        return (), None
    if not all(re.fullmatch(r"\d{1,9}", part) for part in parts):
        return (), f"line {number}: the pocket {cell[:60]!r} is no list of residue numbers"
    return tuple(map(int, parts)), None
