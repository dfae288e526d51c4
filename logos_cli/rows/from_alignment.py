"""Rows of alignments: a3m, as ColabFold and HHsuite write it, and FASTA with gaps, both read as the sequences they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

from logos_cli.rows.row import Row

# ColabFold's first line: the lengths of the query's chains and how often each stands in the complex.
_CHAINS = re.compile(rb"\A(?:\xef\xbb\xbf)?#(\d+(?:,\d+)*)[ \t]+(\d+(?:,\d+)*)[ \t]*$", re.MULTILINE)
_GAPS = str.maketrans("", "", "-.~")


def chain_lengths(start: bytes) -> tuple[int, ...]:
    """The lengths of the chains that ColabFold's first line names; empty if there is no such line."""
    found = _CHAINS.match(start.replace(b"\r", b"\n"))
    return tuple(map(int, found[1].split(b","))) if found else ()


def alignment_rows(rows: Iterator[Row], lengths: tuple[int, ...]) -> Iterator[Row]:
    """Read rows that are aligned, by the first two, without their gaps; others as they are. The first is the query. In an
    a3m, small letters are residues that the query does not have. `lengths`: the query holds that many chains, which become
    a row each, and so do the chains of its homologs where they have residues."""
    first = list(islice(rows, 2))
    every = chain(first, rows)
    if len(lengths) > 1:
        yield from (replace(row, ordinal=place) for place, row in enumerate(parted(every, lengths)))
    elif lengths or aligned([row.value for row in first]):
        yield from map(without_gaps, every)
    else:
        yield from every


def aligned(values: list[object]) -> bool:
    """Whether two sequences have as many places, gaps among them; small letters of an a3m have none."""
    if len(values) < 2 or not all(isinstance(value, str) for value in values):
        return False
    one, other = map(str, values)
    return len(one) == len(other) or columns(one) == columns(other)


def columns(value: str) -> int:
    return sum(letter.isupper() or letter == "-" for letter in value)


def without_gaps(row: Row) -> Row:
    if not isinstance(row.value, str):
        return row
    found = row.value.translate(_GAPS).upper()
    return replace(row, value=found) if found else replace(row, value=None, error="nothing but gaps")


def parted(rows: Iterator[Row], lengths: tuple[int, ...]) -> Iterator[Row]:
    for row in rows:
        if not isinstance(row.value, str):
            yield row
            continue
        pieces = cut(row.value, lengths)
        if pieces is None:
            error = f"{columns(row.value)} columns; the first line says {' + '.join(map(str, lengths))}"
            yield replace(row, value=None, error=error)
            continue
        names = row.id.split() + row.columns.get("description", "").split()
        for place, piece in enumerate(pieces):
            one = replace(without_gaps(replace(row, value=piece)), id=chain_name(row.id, names, place, len(lengths)))
            if one.error is None:  # a homolog of one chain has no residues of the others
                yield one


def chain_name(whole: str, names: list[str], place: int, chains: int) -> str:
    """The query's and a paired homolog's header has a name for each chain; others' have figures behind one name."""
    named = len(names) == chains and (all(map(str.isdigit, names)) or not any(name[0].isdigit() for name in names))
    return names[place] if named else f"{whole}/{place + 1}"


def cut(value: str, lengths: tuple[int, ...]) -> list[str] | None:
    """Cut a row of an a3m after so many columns each; an insertion goes with the column before it."""
    pieces = [""]
    left = list(lengths)
    for letter in value:
        if letter.isupper() or letter == "-":
            if not left[0]:
                if len(left) == 1:
                    return None
                left.pop(0)
                pieces.append("")
            left[0] -= 1
        pieces[-1] += letter
    return pieces if len(pieces) == len(lengths) and not left[0] else None
