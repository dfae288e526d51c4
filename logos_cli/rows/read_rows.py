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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
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
TABLE_OPTIONS = ("--no-header", "--smiles-column", "--sequence-column", "--id-column")


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
    """Reads the rows of a folder or of a file."""
    if Path(path).is_dir():
        yield from folder_rows(path, reading)
        return
    with open_bytes(path) as raw:
        yield from rows_of_stream(path, raw, reading, blank)


def rows_in(data: bytes, name: str, reading: Reading = _DEFAULT) -> Iterator[Row]:
    """Reads the rows of what a file holds; `name` stands for its path in messages. Nothing is unpacked, and a table that names
    structures is refused: it would have files read that whoever sent it may not see. Raises InputError."""
    for row in rows_of_stream(name, io.BytesIO(data), reading, Blank(), listed=False):
        yield with_pocket(row, reading.pocket_from) if reading.pocket_from and row.site is None else row


def rows_of_stream(path: str, raw: io.BufferedIOBase, reading: Reading, blank: Blank, listed: bool = True) -> Iterator[Row]:
    """Reads the rows of an open file in the first format of the table that it is of; `listed`: files that a table names are
    read."""
    start, stream = first_lines(path, raw, partial(clear, wants=reading.wants))
    name = plain_name(path)
    refuse_unread(path, name, start)
    if not looks_like_binary_cif(start):
        refuse_foreign(path, start)
    opened = OpenFile(path, name, stream, start, reading, blank, listed)
    if of_bytes := next((one for one in BY_BYTES if one.is_this(opened)), None):
        yield from of_bytes.read(opened)
    elif (lines := line_file(opened)) is not None:
        yield from next(one for one in BY_LINES if one.is_this(lines)).read(lines)


def clear(lines: list[bytes], wants: str) -> bool:
    """Whether lines are rows of their own: each begins with a SMILES, or with a sequence. The blank title of an SDF is none."""
    texts = [text for line in lines if not (text := decode(line)).startswith("#")]
    if not all(map(str.strip, texts)):
        return False
    words = [text.split()[0] for text in texts]
    if wants == "sequence":
        return all(re.fullmatch(r"[A-Za-z]{8,}\*?", word) for word in words)
    return all(map(parses, words))


def line_file(file: OpenFile) -> OpenFile | None:
    """Reads the first line that holds something, and looks at some more; None if there is none. Raises InputError for what
    only looks like lines."""
    fasta = without_comments(file.start).startswith(b">")  # whose old remarks begin with ;
    remarks = ("#", ";") if fasta else ("#",)
    first, lines = first_line(lines_of(file.path, file.stream), file.reading, file.blank, remarks)
    if first is None:
        return None
    begun = lines_of(file.path, io.BytesIO(file.start))
    opening = [text for _, text in begun if text and text.strip() and not text.startswith("#")]
    head = (first[1] or "").lstrip()
    if first[1] and first[1] not in opening[:1]:  # a header that is written as a comment
        opening = [first[1], *opening]
    if head.startswith("[") and head.rstrip()[-1:] in ("[", ",", "]", "{") and not _ATOM.match(head):
        raise InputError(f"{file.path}: a JSON array; one object a line is read: jq -c '.[]' {file.path}")
    if head.rstrip() == "{" and not opening[1:2] == ["{"]:
        raise InputError(f"{file.path}: JSON over several lines; one object a line is read: jq -c . {file.path}")
    if "\0" in head[:4] or head.startswith(("\xff\xfe", "\xfe\xff")):
        raise InputError(f"{file.path}: looks like UTF-16; save it as UTF-8")
    return replace(file, head=head, opening=opening, lines=chain([first], lines))


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


def named_structures(file: OpenFile) -> Iterator[Row]:
    """Reads the structures that a table names. Raises InputError if they may not be."""
    if not file.listed:
        raise InputError(f"{file.path}: a table that names structures; give the structures themselves")
    return listed_rows(file.path, file.stream, file.reading)


def list_rows(file: OpenFile) -> Iterator[Row]:
    """Reads a list: a SMILES or a sequence a line, and perhaps a name."""
    if file.reading.wants == "sequence":
        refuse_no_sequences(file.path, file.start)
    return smi_rows(file.lines, file.opening, file.blank, file.reading)


@dataclass(frozen=True)
class OpenFile:
    """A file that is being read: its first bytes, of which nothing is taken from `stream`; of one that is read by lines also
    `lines`, the first of them without what stands before it (`head`), and some (`opening`) that are not remarks. `listed`:
    files that it names are read."""

    path: str
    name: str
    stream: io.BufferedIOBase
    start: bytes
    reading: Reading
    blank: Blank
    listed: bool = True
    head: str = ""
    opening: list[str] = field(default_factory=list)
    lines: Iterator[Line] = field(default_factory=lambda: iter(()))


@dataclass(frozen=True)
class Format:
    """One row of the table: how a file of this format is known and read. `name` is for messages. `options` are those of
    tables that it takes; `holds` what it holds, where that is of one kind alone."""

    name: str
    is_this: Callable[[OpenFile], bool]
    rows: Callable[[OpenFile], Iterable[Row]]
    options: tuple[str, ...] = ()
    holds: tuple[str, str] | None = None

    def read(self, file: OpenFile) -> Iterable[Row]:
        """Reads the rows. Raises UsageError for options that are not of this format, InputError if it holds what the task does
        not take."""
        reading = file.reading
        values = (not reading.header, reading.smiles_column, reading.sequence_column, reading.id_column)
        given = [name for name, value in zip(TABLE_OPTIONS, values, strict=True) if value]
        if refused := next((name for name in given if name not in self.options), None):
            raise UsageError(f"{refused} is for tables, and {file.path} holds {self.name}; leave it out")
        if self.holds and reading.wants not in (self.holds[0], "any"):
            wanted = "sequences: FASTA, PDB, mmCIF, or a sequence column" if reading.wants == "sequence" else "SMILES"
            raise InputError(f"{file.path} holds {self.holds[1]}; this task takes {wanted}")
        return self.rows(file)


# The first that fits is taken: formats that are known by their first bytes, then those that are known by their first line.
BY_BYTES: tuple[Format, ...] = (
    Format(
        "a table of structures",
        lambda file: file.reading.wants != "smiles" and looks_like_structure_table(file.start),
        named_structures,
        options=TABLE_OPTIONS,
    ),
    Format(
        "a structure",
        lambda file: looks_like_structure(file.name, file.start),
        lambda file: structure_rows(file.path, file.stream, file.reading),
    ),
    Format(
        "an SDF",
        lambda file: file.name.endswith((".sdf", ".sd", ".mol", ".mdl")) or looks_like_sdf(file.start),
        lambda file: sdf_rows(file.path, lines_of(file.path, file.stream), file.reading),
        options=("--smiles-column", "--id-column"),
        holds=("smiles", "molecules (SDF)"),
    ),
)
BY_LINES: tuple[Format, ...] = (
    Format(
        "JSON lines",
        lambda file: file.head.startswith("{"),
        lambda file: json_rows(file.path, file.lines, file.blank, file.reading),
        options=TABLE_OPTIONS[1:],
    ),
    Format(
        "FASTA",
        lambda file: file.head.startswith(">") and not file.head.startswith(">>"),
        lambda file: alignment_rows(fasta_rows(file.lines, file.blank), chain_lengths(file.start)),
        holds=("sequence", "sequences (FASTA)"),
    ),
    Format(
        "a table",
        lambda file: is_table(file.path, file.opening, file.reading),
        lambda file: table_rows(file.path, file.lines, file.blank, file.reading, file.opening),
        options=TABLE_OPTIONS,
    ),
    Format("a list", lambda _: True, list_rows, options=TABLE_OPTIONS),
)
