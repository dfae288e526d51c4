"""Rows of FASTA files: one a record, its first word as the id."""

from __future__ import annotations

from collections.abc import Iterator

from logos_cli.chemistry.residue_text import stated_kind, three_letter
from logos_cli.chemistry.smiles import shortened
from logos_cli.rows.row import Row, too_long
from logos_cli.system.lines import Blank, Line, filled

LONGEST_SEQUENCE = 100_000  # residues; the longest known protein has 35,000


def fasta_rows(lines: Iterator[Line], blank: Blank) -> Iterator[Row]:
    """Letters are judged by the task, which knows what it takes; here only what the format itself can have wrong."""
    header: tuple[int, str] | None = None
    parts: list[str] = []
    error: str | None = None
    ordinal = 0
    for number, text in filled(lines, blank):
        if text is None:
            error = error or too_long(ordinal, number).error
        elif text.startswith(">"):
            if header is not None:
                yield fasta_row(ordinal, header, parts, error)
                ordinal += 1
            header, parts, error = (number, text[1:].strip()), [], None
        elif header is not None and not text.startswith(";"):
            if sum(map(len, parts)) > LONGEST_SEQUENCE:
                error = error or f"line {number}: a sequence of over {LONGEST_SEQUENCE:,} residues"
            elif three_letter(text):
                error = error or f"line {number}: three-letter code, write one letter a residue: {shortened(text, 30)}"
            else:
                parts.append("".join(text.split()))
    if header is not None:
        yield fasta_row(ordinal, header, parts, error)


def fasta_row(ordinal: int, header: tuple[int, str], parts: list[str], error: str | None) -> Row:
    number, title = header
    name, *others = title.split(None, 1) or [""]
    columns = {"description": "".join(others)}  # always, so that a csv's columns do not depend on the first record
    if error is None and (kind := stated_kind(title)):
        error = f"line {number}: its name says that it is no protein but {kind}"
    if error is None and not any(parts):
        error = f"line {number}: no sequence follows the name"
    return Row(ordinal, name or str(number), None if error else "".join(parts), columns=columns, error=error, kind="sequence")
