"""Point mutations of a sequence: `A23V` (counted from 1), several at once as `A23V+K45R`, all nineteen at a place as `23`.

Other notations of the same are read by `logos_cli.mutation_names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import isfile

from logos_cli.antibody import REGION, region_places
from logos_cli.chem import shortened
from logos_cli.errors import UsageError
from logos_cli.grammar import RowError
from logos_cli.mutation_names import MUTATION, SEPARATORS, listed, one_letter, other_change, refuse_missing
from logos_cli.residues import STANDARD

_PLACES = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


@dataclass(frozen=True)
class Mutant:
    """`name` as asked for; `sequence` empty and `error` set if the sequence does not allow it."""

    name: str
    sequence: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Mutations:
    """What --mutants asks for: variants by name, and places (first, last) of which all single mutants are wanted, or a region
    of an antibody (`CDR3`) for its places by the numbering `scheme`."""

    items: tuple[str | tuple[int, int], ...]
    scheme: str = "imgt"

    @classmethod
    def parse(cls, spec: str, scheme: str = "imgt") -> Mutations:
        """From `A23V,K45R`, `23,45-50`, any mix of them, or a file of them (see `listed`). What is no substitution, or on its
        line of a file cannot be read, becomes a variant with an error. Raises UsageError, InputError."""
        # Not pathlib's, which raises for a list that is longer than a file's name may be.
        file = isfile(spec)
        items: list[str | tuple[int, int]] = []
        readable = 0
        for part in filter(None, map(str.strip, listed(spec) if file else spec.split(","))):
            places, name = _PLACES.fullmatch(part), one_letter(part)
            region = REGION.fullmatch(part)
            readable += bool(places or name or region)
            if places:
                first, last = int(places[1]), int(places[2] or places[1])
                if last < first:
                    raise UsageError(f"--mutants {part}: the range runs backwards; give {last}-{first}")
                items.append((first, last))
            elif region:
                items.append(part.upper())
            elif name or file or other_change(part):
                items.append(name or part)
            else:
                refuse_missing(spec)
                raise UsageError(f"--mutants {shortened(part)}: give mutations as A23V, A23V+K45R, or places as 23 or 45-50")
        if file and items and not readable:
            raise UsageError(f"--mutants {spec}: no mutation such as A23V in it, but {shortened(str(items[0]), 30)!r}")
        if not items:
            raise UsageError("--mutants is empty: give mutations as A23V, or places as 23 or 45-50")
        return cls(tuple(items), scheme)

    def of(self, sequence: str) -> Iterator[Mutant]:
        """Each variant once, in the order asked for; one that does not fit the sequence says why."""
        seen: set[str] = set()
        for item in self.items:
            for mutant in self.asked_by(item, sequence):
                if mutant.name not in seen:
                    seen.add(mutant.name)
                    yield mutant

    def asked_by(self, item: str | tuple[int, int], sequence: str) -> Iterator[Mutant]:
        if not isinstance(item, str):
            yield from all_at(*item, sequence)
        elif REGION.fullmatch(item):
            try:
                for place in region_places(sequence, self.scheme, item):
                    yield from all_at(place, place, sequence)
            except RowError as error:
                yield Mutant(item, error=str(error))
        else:
            yield named(item, sequence)


def named(name: str, sequence: str) -> Mutant:
    if one_letter(name) is None:
        change = other_change(name)
        return Mutant(name, error=f"{change}, no substitution such as A23V" if change else "no mutation such as A23V")
    letters = list(sequence)
    touched: set[int] = set()
    for match in map(MUTATION.fullmatch, SEPARATORS.split(name)):
        assert match
        old, place, new = match[1], int(match[2]), match[3]
        if not 1 <= place <= len(sequence):
            return Mutant(name, error=f"residue {place} is out of range: the sequence has {len(sequence)} residues, from 1")
        if sequence[place - 1] != old:
            return Mutant(name, error=f"residue {place} is {sequence[place - 1]}, not {old}")
        if new not in STANDARD:
            return Mutant(name, error=f"{new} is not one of the twenty standard residues")
        if new == old or place in touched:
            return Mutant(name, error="changes nothing" if new == old else f"changes residue {place} twice")
        touched.add(place)
        letters[place - 1] = new
    return Mutant(name, "".join(letters))


def all_at(first: int, last: int, sequence: str) -> Iterator[Mutant]:
    """The nineteen others at each place from `first` to `last`."""
    if not 1 <= first <= last <= len(sequence):
        asked = str(first) if first == last else f"{first}-{last}"
        yield Mutant(asked, error=f"place {asked} is out of range: the sequence has {len(sequence)} residues, from 1")
        return
    for place in range(first, last + 1):
        old = sequence[place - 1]
        yield from (named(f"{old}{place}{new}", sequence) for new in STANDARD if new != old)
