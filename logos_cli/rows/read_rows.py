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
from functools import partial
from itertools import chain
from pathlib import Path

from logos_cli.chemistry.smiles_text import parses
from logos_cli.errors import InputError, UsageError
from logos_cli.rows.chain_rows import chain_rows
from logos_cli.rows.foreign_format import refuse_foreign
from logos_cli.rows.from_alignment import alignment_rows, chain_lengths
from logos_cli.rows.from_fasta import fasta_rows
from logos_cli.rows.from_json import json_rows
from logos_cli.rows.from_sdf import looks_like_sdf, sdf_rows
from logos_cli.rows.from_smi import SUFFIXES, smi_rows
from logos_cli.rows.from_structure import folder_rows, listed_rows, looks_like_structure, structure_rows
from logos_cli.rows.from_table import delimiter_of, headerless_delimiter, pocket_cell, table_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.rows.sequence_formats import refuse_no_sequences, refuse_unread, without_comments
from logos_cli.rows.structure_folder import looks_like_structure_table
from logos_cli.structures.binary_cif import looks_like_binary_cif
from logos_cli.system.lines import Blank, Line, decode, first_lines, lines_of, open_bytes, plain_name

_ATOM = re.compile(r"\[\d*[A-Za-z*@+-][^\[\]{}\",]*\]")
_DEFAULT = Reading()


def read_rows(path: str, reading: Reading = _DEFAULT, blank: Blank | None = None) -> Iterator[Row]:
    """The rows of a file or of stdin (`-`), in order. Raises InputError for a file that cannot be read at all."""
    blank = blank if blank is not None else Blank()
    for row in chain_rows(rows_as_found(path, reading, blank), reading.antibodies):
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
    with open_bytes(path) as raw:
        yield from rows_of_stream(path, raw, reading, blank)


def rows_in(data: bytes, name: str, reading: Reading = _DEFAULT) -> Iterator[Row]:
    """The rows of what a file holds; `name` stands for its path in messages. Nothing is unpacked, and a table that names
    structures is refused: it would have files read that whoever sent it may not see. Raises InputError."""
    for row in rows_of_stream(name, io.BytesIO(data), reading, Blank(), listed=False):
        yield with_pocket(row, reading.pocket_from) if reading.pocket_from and row.site is None else row


def rows_of_stream(path: str, raw: io.BufferedIOBase, reading: Reading, blank: Blank, listed: bool = True) -> Iterator[Row]:
    """The rows of an open file; `listed`: files that a table names are read."""
    start, stream = first_lines(path, raw, partial(clear, wants=reading.wants))
    name = plain_name(path)
    refuse_unread(path, name, start)
    if not looks_like_binary_cif(start):
        refuse_foreign(path, start)
    if reading.wants != "smiles" and looks_like_structure_table(start):
        if not listed:
            raise InputError(f"{path}: a table that names structures; give the structures themselves")
        yield from listed_rows(path, stream, reading)
    elif looks_like_structure(name, start):
        refuse_options(path, "a structure", reading)
        yield from structure_rows(path, stream, reading)
    elif name.endswith((".sdf", ".sd", ".mol", ".mdl")) or looks_like_sdf(start):
        refuse_options(path, "an SDF", reading, named=not reading.sequence_column)
        rows = sdf_rows(path, lines_of(path, stream), reading)
        yield from of_kind(path, rows, reading, "molecules (SDF)", "smiles")
    else:
        yield from line_rows(path, stream, start, reading, blank)


def clear(lines: list[bytes], wants: str) -> bool:
    """Whether lines are rows of their own: each begins with a SMILES, or with a sequence. The blank title of an SDF is none."""
    texts = [text for line in lines if not (text := decode(line)).startswith("#")]
    if not all(map(str.strip, texts)):
        return False
    words = [text.split()[0] for text in texts]
    if wants == "sequence":
        return all(re.fullmatch(r"[A-Za-z]{8,}\*?", word) for word in words)
    return all(map(parses, words))


def line_rows(path: str, stream: io.BufferedIOBase, start: bytes, reading: Reading, blank: Blank) -> Iterator[Row]:
    """Rows of the formats whose first lines say what they are."""
    fasta = without_comments(start).startswith(b">")  # whose old remarks begin with ;
    first, lines = first_line(lines_of(path, stream), reading, blank, ("#", ";") if fasta else ("#",))
    if first is None:
        return
    opening = [text for _, text in lines_of(path, io.BytesIO(start)) if text and text.strip() and not text.startswith("#")]
    head = (first[1] or "").lstrip()
    if first[1] and first[1] not in opening[:1]:  # a header that is written as a comment
        opening = [first[1], *opening]
    joined = chain([first], lines)
    if head.startswith("[") and head.rstrip()[-1:] in ("[", ",", "]", "{") and not _ATOM.match(head):
        raise InputError(f"{path}: a JSON array; one object a line is read: jq -c '.[]' {path}")
    if head.rstrip() == "{" and not opening[1:2] == ["{"]:
        raise InputError(f"{path}: JSON over several lines; one object a line is read: jq -c . {path}")
    if "\0" in head[:4] or head.startswith(("\xff\xfe", "\xfe\xff")):
        raise InputError(f"{path}: looks like UTF-16; save it as UTF-8")
    if head.startswith("{"):
        refuse_options(path, "JSON lines", reading, named=True)
        yield from json_rows(path, joined, blank, reading)
    elif head.startswith(">") and not head.startswith(">>"):
        refuse_options(path, "FASTA", reading)
        rows = alignment_rows(fasta_rows(joined, blank), chain_lengths(start))
        yield from of_kind(path, rows, reading, "sequences (FASTA)", "sequence")
    elif is_table(path, opening, reading):
        yield from table_rows(path, joined, blank, reading, opening)
    else:
        if reading.wants == "sequence":
            refuse_no_sequences(path, start)
        yield from smi_rows(joined, opening, blank, reading)


def first_line(
    lines: Iterator[Line], reading: Reading, blank: Blank, remarks: tuple[str, ...]
) -> tuple[Line | None, Iterator[Line]]:
    """(the first line that holds something, what follows). Comments before it are left out, unless the last of them is a
    table's header and what follows is none."""
    header: Line | None = None
    for number, text in lines:
        if text is not None and not text.strip():
            blank.lines += 1
        elif text is None or not text.startswith(remarks):
            if header and not delimiter_of([text or ""], reading.wants, reading.side):
                blank.comments -= 1
                return header, chain([(number, text)], lines)
            return (number, text), lines
        else:
            blank.comments += 1
            plain = text.lstrip("# ")
            header = (number, plain) if reading.header and delimiter_of([plain], reading.wants, reading.side) else None
    return None, lines


def is_table(path: str, opening: list[str], reading: Reading) -> bool:
    name = plain_name(path)
    if name.endswith((".csv", ".tsv")) or reading.smiles_column or reading.sequence_column or reading.id_column:
        return True
    if delimiter_of(opening, reading.wants, reading.side):
        return True
    found = headerless_delimiter(opening) if reading.wants == "smiles" else None
    # What a tab parts is read as SMILES and name, in either order; quotes are a table's.
    listed = found == "\t" and not opening[0].lstrip().startswith('"') and (reading.header or name.endswith(SUFFIXES))
    return found is not None and not listed


def refuse_options(path: str, found: str, reading: Reading, named: bool = False) -> None:
    """Refuses options of tables for a file that has no header and, unless its parts are `named`, no columns."""
    columns = {
        "--smiles-column": reading.smiles_column, "--sequence-column": reading.sequence_column,
        "--id-column": reading.id_column,
    }  # fmt: skip
    given = {"--no-header": not reading.header} | ({} if named else columns)
    if option := next((name for name, value in given.items() if value), None):
        raise UsageError(f"{option} is for tables, and {path} holds {found}; leave it out")


def of_kind(path: str, rows: Iterator[Row], reading: Reading, found: str, kind: str) -> Iterator[Row]:
    """The rows of a format that holds only one kind of thing, if the task wants that kind."""
    if reading.wants not in (kind, "any"):
        wanted = "sequences: FASTA, PDB, mmCIF, or a sequence column" if reading.wants == "sequence" else "SMILES"
        raise InputError(f"{path} holds {found}; this task takes {wanted}")
    yield from rows
