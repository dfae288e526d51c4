"""Point mutations of a sequence: `A23V`, several at once as `A23V+K45R`, all nineteen at a place as `23`.

Other notations of the same are read by `logos_cli.chemistry.mutation_names`.

Of a plain sequence numbers count from 1. Of a structure's they are its own, `S195A`, `A:S195A`, `184A` with an insertion
code, and `@177` is a place from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import isfile

from logos_cli.chemistry.antibody import REGION, region_places
from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.mutation_names import (
    CHAIN,
    MUTATION,
    NUMBER,
    OWN,
    ListedNames,
    capitals,
    listed,
    one_letter,
    other_change,
    parts_of,
    refuse_missing,
    written,
)
from logos_cli.chemistry.own_numbers import NumberError, OwnNumbers
from logos_cli.chemistry.residues import STANDARD
from logos_cli.chemistry.smiles import shortened
from logos_cli.errors import UsageError

NAMELESS = "(no name)"  # of a table's row whose cell is empty
ENOUGH = 5  # different residues that agree by chance once in some million places
_PLACES = re.compile(rf"{CHAIN}(?P<first>{NUMBER})(?:-(?P<last>{NUMBER}))?")


@dataclass(frozen=True)
class Mutant:
    """`name` in the numbers asked for; `sequence` empty and `error` set if the sequence does not allow it. `places` are
    those that it changes, from 1. `misplaced`: there is no such residue under its number."""

    name: str
    sequence: str = ""
    error: str | None = None
    places: tuple[int, ...] = ()
    misplaced: bool = False


@dataclass(frozen=True)
class Mutations:
    """What --mutants asks for: variants by name, and ranges of places of which all single mutants are wanted, or a region of
    an antibody (`CDR3`) for its places by the numbering `scheme`. `table`: each item is of a row of its own, and one that comes
    twice is given twice; `sequences` are what the rows say that they give, none or one an item."""

    items: tuple[str, ...]
    scheme: str = "imgt"
    table: bool = False
    sequences: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, spec: str, scheme: str = "imgt", files: bool = True) -> Mutations:
        """From `A23V,K45R`, `23,45-50`, any mix of them, or, where `files` may be read, a file of them (see `listed`). What is
        no substitution, or on its line of a file cannot be read, becomes a variant with an error. Raises UsageError and
        InputError."""
        # Not pathlib's, which raises for a list that is longer than a file's name may be.
        file = files and isfile(spec)
        found = listed(spec) if file else ListedNames(tuple(spec.split(",")))
        items: list[str] = []
        readable = 0
        for part in map(str.strip, found.names):
            if not part and not found.table:
                continue
            places, name, region = _PLACES.fullmatch(capitals(part)), written(part), REGION.fullmatch(part)
            readable += bool(places or name or region)
            if places:
                refuse_backwards(part, places["first"].lstrip("@"), (places["last"] or places["first"]).lstrip("@"))
                items.append(capitals(part))
            elif region:
                items.append(part.upper())
            elif name or file or other_change(part):
                items.append(name or part or NAMELESS)
            else:
                if files:
                    refuse_missing(spec)
                raise UsageError(f"--mutants {shortened(part)}: give mutations as A23V, A23V+K45R, or places as 23 or 45-50")
        if file and items and not readable:
            raise UsageError(f"--mutants {spec}: no mutation such as A23V in it, but {shortened(items[0], 30)!r}")
        if not items:
            raise UsageError("--mutants is empty: give mutations as A23V, or places as 23 or 45-50")
        return cls(tuple(items), scheme, found.table, found.sequences)

    def of(self, sequence: str, own: OwnNumbers | None = None, part: str = "") -> Iterator[Mutant]:
        """Each variant in the order asked for, once unless a table has it more often; one that does not fit the sequence says
        why. `own`: the numbers of a structure's sequence. `part`: it is chain `H` or `L` of an antibody, and what is asked of
        the other is not for it."""
        seen: set[str] = set()
        for at, item in enumerate(self.items):
            if part and (asked := chain_asked(item)) and asked != part[0]:
                continue
            for mutant in self.asked_by(item, sequence, own):
                if self.table or mutant.name not in seen:
                    seen.add(mutant.name)
                    yield mutant if self.sequences is None else compared(mutant, self.sequences[at])

    def asked_by(self, item: str, sequence: str, own: OwnNumbers | None) -> Iterator[Mutant]:
        if _PLACES.fullmatch(item):
            yield from all_at(item, sequence, own)
        elif REGION.fullmatch(item):
            try:
                for place in region_places(sequence, self.scheme, item):
                    yield from all_at(f"@{place}", sequence, own)
            except RowError as error:
                yield Mutant(item, error=str(error))
        else:
            yield named(item, sequence, own)

    def first_number(self, sequence: str) -> int | None:
        """The only number of the first residue of `sequence` with which all of these variants have their old residues where
        they say; None if there is none or more than one, or if too few are named to tell."""
        parts = {part for item in self.items if one_letter(item) for part in parts_of(item)}
        old = {(int(match[2]), match[1]) for part in parts if (match := MUTATION.fullmatch(part))}
        if len(old) < ENOUGH:
            return None
        lowest, highest = min(old)[0], max(old)[0]
        starts = [
            first for first in range(highest - len(sequence) + 1, lowest + 1)
            if all(sequence[number - first] == letter for number, letter in old)
        ]  # fmt: skip
        return starts[0] if len(starts) == 1 else None


def compared(mutant: Mutant, stated: str) -> Mutant:
    """A variant, with an error if its table says that it is another sequence."""
    stated = stated.upper()
    if mutant.error or not stated or mutant.sequence == stated:
        return mutant
    ours = len(mutant.sequence)
    if ours != len(stated):
        told = f"has {ours} residues, mutated_sequence {len(stated)}"
    else:
        at = next(at for at in range(ours) if mutant.sequence[at] != stated[at])
        told = f"has {mutant.sequence[at]} at place {at + 1}, mutated_sequence {stated[at]}"
    return Mutant(mutant.name, error=f"{mutant.name} of this sequence {told}; give the sequence that the table is of")


def chain_asked(item: str) -> str:
    """The chain of an antibody, `H` or `L`, that a mutation or a region is asked of; empty if it names none of them."""
    region = REGION.fullmatch(item)
    found = (region["chain"] or "") if region else item.partition(":")[0] if ":" in item else ""
    return found.upper() if found.upper() in ("H", "L") else ""


def refuse_backwards(part: str, first: str, last: str) -> None:
    if first.isdigit() and last.isdigit() and int(last) < int(first):
        raise UsageError(f"--mutants {part}: the range runs backwards; give {last}-{first}")


def place_of(chain: str | None, number: str, length: int, own: OwnNumbers | None) -> int:
    """The place from 1 of a number as asked for. Raises NumberError."""
    if own is None and chain:
        raise NumberError(f"{chain}:{number} names a chain, and this is a plain sequence; leave out {chain}:")
    if own is not None and not number.startswith("@"):
        return own.place(number if chain is None else f"{chain}:{number}")
    digits = number.removeprefix("@")
    if not digits.isdigit():
        raise NumberError(f"{number} is a structure's number, and this is a plain sequence, counted from 1")
    if not 1 <= int(digits) <= length:
        raise NumberError(f"residue {digits} is out of range: the sequence has {length} residues, from 1")
    return int(digits)


def name_of(old: str, place: int, new: str, own: OwnNumbers | None) -> str:
    """A mutation in a structure's own numbers where it has one there; a plain sequence's counts from 1."""
    number = str(place) if own is None else own.name(place)
    if number is None:
        return f"{old}@{place}{new}"
    chain, colon, number = number.rpartition(":")
    return f"{chain}{colon}{old}{number}{new}"


def named(name: str, sequence: str, own: OwnNumbers | None = None) -> Mutant:
    if written(name) is None:
        change = other_change(name)
        return Mutant(name, error=f"{change}, no substitution such as A23V" if change else "no mutation such as A23V")
    letters = list(sequence)
    touched: list[int] = []
    names: list[str] = []
    for match in map(OWN.fullmatch, parts_of(name)):
        assert match, "what is written is matched"
        old, new = match["old"], match["new"]
        try:
            place = place_of(match["chain"], match["at"], len(sequence), own)
        except NumberError as error:
            return Mutant(name, error=str(error), misplaced=True)
        if sequence[place - 1] != old:
            where = f", place {place}" if own is not None and not match["at"].startswith("@") else ""
            return Mutant(name, error=f"residue {match['at']}{where} is {sequence[place - 1]}, not {old}", misplaced=True)
        if new not in STANDARD:
            return Mutant(name, error=f"{new} is not one of the twenty standard residues")
        if new == old or place in touched:
            return Mutant(name, error="changes nothing" if new == old else f"changes residue {match['at']} twice")
        touched.append(place)
        names.append(name_of(old, place, new, own))
        letters[place - 1] = new
    return Mutant(name if own is None else "+".join(names), "".join(letters), places=tuple(touched))


def all_at(asked: str, sequence: str, own: OwnNumbers | None = None) -> Iterator[Mutant]:
    """The nineteen others at each place of a range such as `45-50`."""
    match = _PLACES.fullmatch(asked)
    assert match is not None
    try:
        first, last = (
            place_of(match["chain"], number, len(sequence), own) for number in (match["first"], match["last"] or match["first"])
        )
    except NumberError as error:
        told = str(error)
        if "out of range" in told:  # all of what was asked for, not the end that does not fit
            told = f"place {asked} is out of range: the sequence has {len(sequence)} residues, from 1"
        yield Mutant(asked, error=told)
        return
    if last < first:
        yield Mutant(asked, error=f"the range {asked} runs backwards in the sequence")
        return
    for place in range(first, last + 1):
        old = sequence[place - 1]
        for new in STANDARD:
            if new != old:
                changed = sequence[: place - 1] + new + sequence[place:]
                yield Mutant(name_of(old, place, new, own), changed, places=(place,))
