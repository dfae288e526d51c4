"""Rows of SDF and MOL files, V2000 and V3000: each record's SMILES, its title as the id, its data fields as columns.

The SMILES and the id may be taken from data fields instead, by the options that name a table's columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from logos_cli.chemistry.smiles import MAX_SMILES, rdkit
from logos_cli.chemistry.smiles_text import read_cell
from logos_cli.rows.column_names import ID, asked_for, first_of
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import LONGEST_LINE, Line

OTHERS = "other_fields"
LONGEST_RECORD = 20_000  # lines; a molecule of 999 atoms with hundreds of data fields has some thousands
# Programs of the eighties leave the version out; numbers of three digits stand without blanks between.
_COUNTS = re.compile(rb".*V[23]000\s*$|(?=\d* )(?:[ \d]{2}\d){2}(?:[ \d]{3}){3,9}\s*$")


def looks_like_sdf(start: bytes) -> bool:
    """Whether the fourth line is a counts line: title, program and comment before it may hold anything."""
    lines = start.replace(b"\r\n", b"\n").split(b"\n", 4)
    return len(lines) > 4 and bool(_COUNTS.match(lines[3]))


def sdf_rows(path: str, lines: Iterator[Line], reading: Reading) -> Iterator[Row]:
    """Raises UsageError for a data field that the user named and the first record has not."""
    ordinal, start, record = 0, 1, list[str]()
    error: str | None = None
    names: list[str] | None = None
    for number, text in chain(lines, [(0, "$$$$")]):
        if text is None or text.rstrip() != "$$$$":
            start = number if not record else start
            if text is None:
                error = f"line {number} is longer than {LONGEST_LINE:,} characters"
                record.append("")
            elif len(record) >= LONGEST_RECORD:
                error = f"line {start}: a record of over {LONGEST_RECORD:,} lines"
            else:
                record.append(text)
        elif number or any(line.strip() for line in record):  # a lone molecule may lack the last $$$$
            fields = dict(data_fields(record))
            if names is None:
                names = list(fields)
                for wanted in filter(None, (reading.smiles_column, reading.id_column)):
                    asked_for(path, "data field", names, wanted)
            start = start if record else number
            yield sdf_row(ordinal, start, record, error, fields, reading, columns_of(fields, names))
            ordinal, record, error = ordinal + 1, [], None


def columns_of(fields: dict[str, str], names: list[str]) -> dict[str, str]:
    """The first record's fields make a csv's columns; what another has besides goes into one more, none is lost."""
    others = {name: value for name, value in fields.items() if name not in names}
    found = {name: fields.get(name, "") for name in names}
    return found | {OTHERS: json.dumps(others, ensure_ascii=False) if others else ""}


def sdf_row(
    ordinal: int, number: int, record: list[str], error: str | None, fields: dict[str, str], reading: Reading,
    columns: dict[str, str],
) -> Row:  # fmt: skip
    title = " ".join(record[0].split()) if record else ""
    name = named(title, fields, reading) or str(number)
    if error is None and not any(text.strip() for text in record):
        error = f"line {number}: an empty record"
    if error is None and reading.smiles_column:
        wanted = next((field for field in fields if field.lower() == reading.smiles_column.strip().lower()), None)
        value = None if wanted is None else read_cell(fields[wanted]).smiles
        error = None if value else f"line {number}: the record has no data field {reading.smiles_column!r}"
        return Row(ordinal, name, value, columns=columns, error=error)
    if error is None and not any(text.startswith("M  END") for text in record):
        error = f"line {number}: the record is cut, it has no M  END"
    smiles = None
    if error is None:
        smiles, error = smiles_of("\n".join(record) + "\n", number)
    return Row(ordinal, name, smiles, columns=columns, error=error)


def named(title: str, fields: dict[str, str], reading: Reading) -> str:
    """The id: the data field that the user named, else the title, else a field that is known to hold ids."""
    kept = [field for field, value in fields.items() if value.strip()]
    if reading.id_column:
        found = [field for field in kept if field.lower() == reading.id_column.strip().lower()]
        return " ".join(fields[found[0]].split()) if found else ""
    at = None if title else first_of(kept, ID)
    return title if at is None else " ".join(fields[kept[at]].split())


def smiles_of(block: str, number: int) -> tuple[str | None, str | None]:
    """(SMILES, error). Stereo comes from the coordinates, explicit hydrogens become implicit."""
    mol = rdkit().MolFromMolBlock(block)
    if mol is None:
        return None, f"line {number}: RDKit cannot read this record as a molecule"
    if mol.GetNumAtoms() == 0:
        return None, f"line {number}: a molecule without atoms"
    if query := query_of(mol):
        return None, f"line {number}: {query}; a query is no molecule"
    smiles = str(rdkit().MolToSmiles(mol))
    return (smiles, None) if len(smiles) <= MAX_SMILES else (None, f"line {number}: a SMILES of over {MAX_SMILES:,} characters")


def query_of(mol: Any) -> str | None:
    """What makes a structure a query, which stands for many molecules; None if it is one molecule."""
    for atom in mol.GetAtoms():
        if atom.HasQuery() or atom.GetAtomicNum() == 0:
            label = atom.GetSymbol()
            what = "an R group" if label.startswith("R") else "a list of atoms or an atom of any kind"
            return f"atom {atom.GetIdx() + 1} is {what}"
        if atom.HasProp("molAttchpt"):
            return f"atom {atom.GetIdx() + 1} is a point of attachment"
    found = next((bond for bond in mol.GetBonds() if bond.HasQuery()), None)
    return None if found is None else f"bond {found.GetIdx() + 1} is of any kind"


def data_fields(record: list[str]) -> Iterator[tuple[str, str]]:
    """(name, value) of the fields after the molecule: `> <NAME>`, lines, a blank line."""
    for at, text in enumerate(record):
        if text.startswith(">") and (name := re.search(r"<([^<>]+)>", text)):
            value = []
            for line in islice(record, at + 1, None):
                if not line.strip():
                    break
                value.append(line)
            yield name[1], "\n".join(value)
