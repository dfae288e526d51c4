"""Rows: one input molecule, reaction or text each, from any file a chemist has.

`.smi` (blank or tab separated, optional header, CXSMILES), `.csv`/`.tsv`/`;` with a SMILES column, `.jsonl` (ours, our
records, the published input files), each plain or gzipped, from a path or stdin. The format is read off the content, so
pipes need no name. Line ends, a byte order mark and Latin-1 names do not matter. Blank lines are skipped and counted;
everything else becomes exactly one Row, with `error` when it cannot be used: nothing is dropped.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from logos_cli.chem import shortened
from logos_cli.errors import InputError, UsageError

SMILES_COLUMNS = ("smiles", "canonical_smiles")
ID_COLUMNS = ("id", "name", "title", "compound_id", "molecule_id")
# Keys of a JSON line that hold the input, in order of preference; the first two are LOGOS's published files'.
TEXT_KEYS = ("test_input", "text")
VALUE_KEYS = (*SMILES_COLUMNS, "reaction", "input", "product", "reactants")
LONGEST_LINE = 1_000_000  # characters; longer lines give an error row without being kept
LONGEST_CELL = 50  # lines that a quoted cell of a table may span
_ATOM = re.compile(r"\[\d*[A-Za-z*@+-][^\[\]{}\",]*\]")
_HEADER_WORDS = {*SMILES_COLUMNS, "smile", "structure", "molecule"}


@dataclass(frozen=True)
class Row:
    """One input. `value` is a SMILES, a reaction SMILES or a list of SMILES; `text` is grammar text given whole;
    `reactants` are those of a reaction that came as a list, which says what belongs together."""

    ordinal: int
    id: str
    value: str | tuple[str, ...] | None = None
    text: str | None = None
    reactants: tuple[str, ...] = ()
    truth: Any = None
    columns: dict[str, str] = field(default_factory=dict)
    error: str | None = None


# (line number, text without its end; None for a line over LONGEST_LINE)
Line = tuple[int, str | None]


@dataclass
class Blank:
    """How many blank lines were skipped, known when the rows are through."""

    lines: int = 0


@contextmanager
def open_bytes(path: str) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file or of stdin (`-`), unpacked if they are gzip whatever the name says."""
    with ExitStack() as opened:
        try:
            raw: BinaryIO = sys.stdin.buffer if path == "-" else opened.enter_context(open(path, "rb"))
            assert isinstance(raw, io.BufferedReader)
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give a readable file, or - for stdin") from error
        yield gzip.GzipFile(fileobj=raw) if packed else raw


def decode(line: bytes) -> str:
    """UTF-8, else Latin-1: names from old vendors' files are often the latter."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def read_lines(path: str) -> Iterator[Line]:
    """(line number, text without its end) of each line; None for one over `LONGEST_LINE`, which is not kept."""
    number = 0
    with open_bytes(path) as stream:
        try:
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                        pass
                    yield number, None
                    continue
                text = decode(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).rstrip("\r\n")
                # Old Mac line ends: one physical line that holds many.
                for part in text.split("\r"):
                    yield number, part
                    number += 1
                number -= 1
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path}: damaged gzip data after line {number} ({error}); unpack it again") from error
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; give a readable file, or - for stdin") from error


def delimiter_of(header: str) -> str | None:
    """The delimiter of a table's header line, or None if the line is no header with a SMILES column."""
    for mark in (",", ";", "\t"):
        names = [name.strip().strip('"').lower() for name in header.split(mark)]
        if len(names) > 1 and any(name in SMILES_COLUMNS for name in names):
            return mark
    return None


def read_rows(
    path: str, smiles_column: str | None = None, id_column: str | None = None, blank: Blank | None = None
) -> Iterator[Row]:
    """The rows of a file or of stdin (`-`), in order. Raises InputError for a file that cannot be read at all."""
    blank = blank if blank is not None else Blank()
    lines = read_lines(path)
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
    if head.startswith("{"):
        yield from json_rows(joined, blank)
    elif table or smiles_column or id_column or delimiter_of(head):
        yield from table_rows(path, joined, blank, smiles_column, id_column)
    else:
        yield from smi_rows(joined, blank)


def too_long(ordinal: int, number: int) -> Row:
    return Row(ordinal, str(number), error=f"line {number} is longer than {LONGEST_LINE:,} characters")


def filled(lines: Iterator[Line], blank: Blank) -> Iterator[Line]:
    """The lines that hold something; the others are counted."""
    for number, text in lines:
        if text is None or text.strip():
            yield number, text
        else:
            blank.lines += 1


def smi_rows(lines: Iterator[Line], blank: Blank) -> Iterator[Row]:
    ordinal = 0
    for number, text in filled(lines, blank):
        if text is None:
            yield too_long(ordinal, number)
        else:
            smiles, name = split_smi(text)
            if ordinal == 0 and smiles.lower() in _HEADER_WORDS:
                continue
            yield Row(ordinal, name or str(number), smiles)
        ordinal += 1


def split_smi(line: str) -> tuple[str, str]:
    """SMILES and name of one line; a CXSMILES extension `|…|` between or after them is left out."""
    smiles, _, rest = line.strip().replace("\t", " ").partition(" ")
    rest = rest.strip()
    if rest.startswith("|") and "|" in rest[1:]:
        rest = rest[1:].partition("|")[2].strip()
    return smiles, rest


def table_rows(
    path: str, lines: Iterator[Line], blank: Blank, smiles_column: str | None, id_column: str | None
) -> Iterator[Row]:
    _, header = next(lines)
    mark = delimiter_of(header or "") or ("\t" if "\t" in (header or "") else ";" if ";" in (header or "") else ",")
    names = next(csv.reader([header or ""], delimiter=mark))
    lowered = [name.strip().lower() for name in names]

    def find(asked: str | None, known: tuple[str, ...]) -> int | None:
        for name in [asked.lower()] if asked else known:
            if name in lowered:
                return lowered.index(name)
        if asked:
            raise UsageError(f"{path}: no column {asked!r}; it has: {', '.join(names)[:200]}")
        return None

    at = find(smiles_column, SMILES_COLUMNS)
    if at is None:
        raise InputError(f"{path}: no column named smiles; it has: {', '.join(names)[:200]}; name one with --smiles-column")
    id_at = find(id_column, ID_COLUMNS)
    for ordinal, (number, cells, error) in enumerate(table_records(lines, mark, blank)):
        # Every row has every column, so that a csv of records can begin with any of them.
        others = {n: cells[i] if i < len(cells) else "" for i, n in enumerate(names) if i not in (at, id_at)}
        name = cells[id_at].strip() if id_at is not None and id_at < len(cells) else ""
        if error is None and len(cells) <= at:
            error = f"line {number} has {len(cells)} columns; {names[at]} is column {at + 1}"
        value = None if error else without_extension(cells[at])
        yield Row(ordinal, name or str(number), value, columns=others, error=error)


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


def json_rows(lines: Iterator[Line], blank: Blank) -> Iterator[Row]:
    for ordinal, (number, text) in enumerate(filled(lines, blank)):
        yield too_long(ordinal, number) if text is None else json_row(ordinal, number, text)


def json_row(ordinal: int, number: int, line: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(ordinal, str(number), error=f"line {number} is not JSON: {error}")
    if not isinstance(found, dict):
        return Row(ordinal, str(number), error=f"line {number} is not a JSON object: {shortened(line)}")
    name = next((str(found[key]) for key in ("id", "name") if found.get(key) not in (None, "")), str(number))
    truth = found.get("groundtruth", found.get("truth"))
    # One of our own records, fed on to the next task: what it answered goes in; its truth was that of another question.
    if "schema" in found and "answer" in found:
        if found["answer"] is None or not found.get("valid"):
            return Row(ordinal, name, error="the record has no valid answer")
        value, truth = found["answer"], None
    else:
        value = next((found[key] for key in VALUE_KEYS if found.get(key) is not None), None)
        texts = [found[key] for key in TEXT_KEYS if isinstance(found.get(key), str)]
        # A molecule may come with a remark under `text`; grammar begins with a marker.
        if texts and (value is None or texts[0].startswith("<")):
            return Row(ordinal, name, text=texts[0], truth=truth)
        if value is None:
            wanted = ", ".join((*TEXT_KEYS, *VALUE_KEYS))
            return Row(ordinal, name, truth=truth, error=f"line {number} has none of the keys {wanted}")
    product, parts = found.get("product"), found.get("reactants")
    if value is product and isinstance(product, str) and isinstance(parts, list) and all(isinstance(p, str) for p in parts):
        # A whole reaction: each task takes its side.
        return Row(ordinal, name, f"{'.'.join(parts)}>>{product}", reactants=tuple(parts), truth=truth)
    if isinstance(value, str):
        return Row(ordinal, name, without_extension(value), truth=truth)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return Row(ordinal, name, tuple(value), truth=truth)
    return Row(ordinal, name, truth=truth, error=f"line {number}: expected a SMILES or a list of SMILES")
