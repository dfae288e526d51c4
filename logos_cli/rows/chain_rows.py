"""Rows that hold several chains, each of which becomes a row of its own: heavy and light chains from two columns or keys,
complexes written `HEAVY:LIGHT`, and for antibodies the variable domains of a single-chain Fv."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from logos_cli.chemistry.antibody import domains
from logos_cli.chemistry.grammar import RowError, residues
from logos_cli.errors import MissingDependency
from logos_cli.rows.row import Row
from logos_cli.structures.chains import Site

# Between two chains of one record; ColabFold's is the first.
_JOINED = re.compile(r"[A-Za-z*\s]{5,}(?:[:/|][A-Za-z*\s]{5,})+")
_MARK = re.compile(r"[:/|]")
ONE_DOMAIN = 160  # residues; two variable domains have some 210 at least
ABSENT = ("", "-", "na", "n/a", "nan", "none", "null")  # of a chain that an antibody does not have


def chain_rows(rows: Iterator[Row], antibodies: bool) -> Iterator[Row]:
    """The rows, each chain of those that hold several a row, `name/H`; `antibodies`: each variable domain too."""
    ordinal = 0
    for row in rows:
        for one in parted(row, antibodies):
            yield one if one.ordinal == ordinal else replace(one, ordinal=ordinal)
            ordinal += 1


def parted(row: Row, antibodies: bool) -> list[Row]:
    if row.error is not None or row.kind != "sequence":
        return [row]
    if row.chains:
        there = [(label, chain) for label, chain in row.chains if chain.strip().lower() not in ABSENT]
        if not there:
            return [replace(row, chains=(), error="no sequence of any of its chains")]
        pieces = [one for label, chain in there for one in domains_of(part_of(row, label, chain, len(there)), antibodies)]
        return named(row, pieces)
    if not isinstance(row.value, str) or row.pocket or row.recorded is not None:
        return [row]
    if _JOINED.fullmatch(row.value):
        chains = [part_of(row, str(at), chain, 2) for at, chain in enumerate(_MARK.split(row.value), 1)]
        return named(row, [one for chain in chains for one in domains_of(chain, antibodies, alone=True)])
    return named(row, domains_of(row, antibodies))


def part_of(row: Row, label: str, chain: str, of: int) -> Row:
    value = "".join(chain.split())
    if of == 1 and label:  # a heavy chain alone needs no other name
        return replace(row, value=value, chains=(), part=label)
    numbers = tuple(f"{label}:{place}" for place in range(1, len(value) + 1))
    site = Site(label, numbers, (), None) if label.isalpha() else None
    return replace(row, value=value, chains=(), part=label, site=site)


def domains_of(row: Row, antibodies: bool, alone: bool = False) -> list[Row]:
    """The variable domains of an antibody's row, if there are several; with `alone` a single one too tells whose it is."""
    if not antibodies or not isinstance(row.value, str) or (len(row.value) <= ONE_DOMAIN and not alone):
        return [row]
    try:
        sequence = residues(row.value)
        found = domains(sequence, "imgt")
    except RowError:
        return [row]  # which its task refuses, or takes as it is
    except MissingDependency as error:
        return [replace(row, error=f"{len(row.value)} residues, which may be several variable domains: {error}")]
    if len(found) == 1:
        return [part_of(row, "H" if found[0].heavy else "L", sequence, 2)] if alone else [row]
    labels = numbered(["H" if one.heavy else "L" for one in found])
    rows = []
    for label, one in zip(labels, found, strict=True):
        last = one.first + len(one.numbers) - 1
        given = row.site or Site(label, tuple(f"{label}:{place}" for place in range(1, len(sequence) + 1)), (), None)
        notes = (*given.notes, f"variable domain {one.first}-{last} of {len(sequence)} residues")
        cut = slice(one.first - 1, last)
        site = replace(given, numbers=given.numbers[cut], notes=notes, plddt=given.plddt[cut])
        rows.append(replace(row, value=sequence[one.first - 1 : last], site=site, part=label))
    return rows


def numbered(labels: Sequence[str]) -> list[str]:
    """`H`, `L`, or where one comes again `H1`, `H2`."""
    count, met = Counter(labels), Counter[str]()
    found = []
    for label in labels:
        met[label] += 1
        found.append(label if count[label] == 1 else f"{label}{met[label]}")
    return found


def named(row: Row, parts: list[Row]) -> list[Row]:
    if len(parts) == 1:
        return parts
    labels = numbered([one.part for one in parts])
    return [replace(one, id=f"{row.id}/{label}", part=label) for one, label in zip(parts, labels, strict=True)]
