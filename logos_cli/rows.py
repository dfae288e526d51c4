"""Rows: one input each, from any file a chemist has.

`.smi` (blank or tab separated, optional header, CXSMILES), lists of sequences in the same form, `.csv`/`.tsv`/`;` with a
SMILES or a sequence column, `.jsonl` (ours, our records, the published input files), FASTA, SDF, PDB and mmCIF; each
plain or gzipped, from a path or stdin; a folder of structures is read file by file. The format is read off the content,
so pipes need no name. Line ends, a byte order mark and Latin-1 names do not matter. Blank lines are skipped and counted;
everything else becomes exactly one Row, with `error` when it cannot be used: nothing is dropped.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from logos_cli.errors import InputError
from logos_cli.lines import Blank, Line, filled, first_bytes, lines_of, open_bytes
from logos_cli.row import Reading, Row, too_long
from logos_cli.rows_fasta import fasta_rows
from logos_cli.rows_json import json_rows
from logos_cli.rows_sdf import looks_like_sdf, sdf_rows
from logos_cli.rows_structure import folder_rows, looks_like_structure, structure_row
from logos_cli.rows_table import delimiter_of, pocket_cell, table_rows

_ATOM = re.compile(r"\[\d*[A-Za-z*@+-][^\[\]{}\",]*\]")
_HEADER_WORDS = {"smiles", "canonical_smiles", "smile", "structure", "molecule", "sequence", "seq"}
_DEFAULT = Reading()


def read_rows(path: str, reading: Reading = _DEFAULT, blank: Blank | None = None) -> Iterator[Row]:
    """The rows of a file or of stdin (`-`), in order. Raises InputError for a file that cannot be read at all."""
    blank = blank if blank is not None else Blank()
    for row in rows_as_found(path, reading, blank):
        # A structure's rows have found their pocket already, in its own numbers.
        yield with_pocket(row, reading.pocket_from) if reading.pocket_from and row.site is None else row


def with_pocket(row: Row, places: str) -> Row:
    """A row whose pocket was named on the command line, as residues counted from 1."""
    if row.kind != "sequence" or row.error is not None:
        return row
    pocket, error = pocket_cell(places, 0)
    told = f"--pocket-from {places}: a ligand's name needs a structure; of a sequence name residues, from 1: 45,46,82"
    return replace(row, pocket=pocket, error=told if error else None)


def rows_as_found(path: str, reading: Reading, blank: Blank) -> Iterator[Row]:
    if Path(path).is_dir():
        yield from folder_rows(path, reading)
        return
    with open_bytes(path) as stream:
        start = first_bytes(path, stream)
        name = Path(path).name.lower().removesuffix(".gz")
        if looks_like_structure(name, start):
            yield structure_row(path, stream, reading)
        elif name.endswith((".sdf", ".sd", ".mol", ".mdl")) or looks_like_sdf(start):
            yield from of_kind(path, sdf_rows(lines_of(path, stream)), reading, "molecules (SDF)", "smiles")
        else:
            yield from line_rows(path, stream, reading, blank)


def line_rows(path: str, stream: io.BufferedIOBase, reading: Reading, blank: Blank) -> Iterator[Row]:
    """Rows of the formats whose first line that holds something says what they are."""
    lines = lines_of(path, stream)
    first: Line | None = None
    for number, text in lines:
        if text is None or text.strip():
            first = (number, text)
            break
        blank.lines += 1
    if first is None:
        return
    head = (first[1] or "").lstrip()
    joined = chain([first], lines)
    table = Path(path).name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
    if head.startswith("[") and head.rstrip()[-1:] in ("[", ",", "]", "{") and not _ATOM.match(head):
        raise InputError(f"{path}: a JSON array; one object a line is read: jq -c '.[]' {path}")
    if "\0" in head[:4] or head.startswith(("\xff\xfe", "\xfe\xff")):
        raise InputError(f"{path}: looks like UTF-16; save it as UTF-8")
    named = reading.smiles_column or reading.sequence_column or reading.id_column
    if head.startswith("{"):
        yield from json_rows(joined, blank, reading.wants)
    elif head.startswith(">") and not head.startswith(">>"):  # which is a reaction without reactants
        yield from of_kind(path, fasta_rows(joined, blank), reading, "sequences (FASTA)", "sequence")
    elif table or named or delimiter_of(head, reading.wants):
        yield from table_rows(path, joined, blank, reading)
    else:
        yield from plain_rows(joined, blank, "sequence" if reading.wants == "sequence" else "smiles")


def of_kind(path: str, rows: Iterator[Row], reading: Reading, found: str, kind: str) -> Iterator[Row]:
    """The rows of a format that holds only one kind of thing, if the task wants that kind."""
    if reading.wants not in (kind, "any"):
        wanted = "sequences: FASTA, PDB, mmCIF, or a sequence column" if reading.wants == "sequence" else "SMILES"
        raise InputError(f"{path} holds {found}; this task takes {wanted}")
    yield from rows


def plain_rows(lines: Iterator[Line], blank: Blank, kind: str) -> Iterator[Row]:
    """`.smi` lines, or a sequence and its name in the same form."""
    ordinal = 0
    for number, text in filled(lines, blank):
        if text is None:
            yield too_long(ordinal, number)
        else:
            value, name = split_smi(text)
            if ordinal == 0 and value.lower() in _HEADER_WORDS:
                continue
            yield Row(ordinal, name or str(number), value, kind=kind, line=number)
        ordinal += 1


def split_smi(line: str) -> tuple[str, str]:
    """SMILES and name of one line; a CXSMILES extension `|…|` between or after them is left out."""
    smiles, _, rest = line.strip().replace("\t", " ").partition(" ")
    rest = rest.strip()
    if rest.startswith("|") and "|" in rest[1:]:
        rest = rest[1:].partition("|")[2].strip()
    return smiles, rest
