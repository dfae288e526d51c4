"""Point mutations of a sequence: `A23V`, several at once as `A23V+K45R`, all nineteen at a place as `23`.

Of a plain sequence numbers count from 1. Of a structure's they are its own, `S195A`, `A:S195A`, `184A` with an insertion
code, and `@177` is a place from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import isfile

from logos_cli.chem import shortened
from logos_cli.errors import UsageError
from logos_cli.lines import read_lines
from logos_cli.own_numbers import NumberError, OwnNumbers
from logos_cli.residues import STANDARD

# A chain's name keeps its case, and may hold anything but what parts mutations.
_CHAIN = r"(?:(?P<chain>[^:,+\s]*):)?"
_NUMBER = r"(?:@\d{1,6}|-?\d{1,6}[A-Z]?)"
_MUTATION = re.compile(rf"{_CHAIN}(?P<old>[A-Z])(?P<at>{_NUMBER})(?P<new>[A-Z])")
_PLACES = re.compile(rf"{_CHAIN}(?P<first>{_NUMBER})(?:-(?P<last>{_NUMBER}))?")
_PREFIX = re.compile(r"^([^:,+\s]*:)(.*)$")


@dataclass(frozen=True)
class Mutant:
    """`name` in the numbers asked for; `sequence` empty and `error` set if the sequence does not allow it. `places` are
    those that it changes, from 1."""

    name: str
    sequence: str = ""
    error: str | None = None
    places: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mutations:
    """What --mutants asks for: variants by name, and ranges of places of which all single mutants are wanted."""

    items: tuple[str, ...]

    @classmethod
    def parse(cls, spec: str) -> Mutations:
        """From `A23V,K45R`, `23,45-50`, any mix of them, or a file with one of them a line, `#` before remarks. Raises
        UsageError, InputError."""
        # Not pathlib's, which raises for a list that is longer than a file's name may be.
        if isfile(spec):
            spec = ",".join(part for _, line in read_lines(spec) for part in first_columns((line or "").partition("#")[0]))
        items = []
        for part in filter(None, map(capitals, spec.split(","))):
            if places := _PLACES.fullmatch(part):
                first, last = places["first"], places["last"] or places["first"]
                if (
                    first.lstrip("@").isdigit()
                    and last.lstrip("@").isdigit()
                    and int(last.lstrip("@")) < int(first.lstrip("@"))
                ):
                    raise UsageError(f"--mutants {part}: the range runs backwards; give {last}-{first}")
            elif not all(_MUTATION.fullmatch(one) for one in part.split("+")):
                raise UsageError(f"--mutants {shortened(part)}: give mutations as A23V, A23V+K45R, or places as 23 or 45-50")
            items.append(part)
        if not items:
            raise UsageError("--mutants is empty: give mutations as A23V, or places as 23 or 45-50")
        return cls(tuple(items))

    def of(self, sequence: str, own: OwnNumbers | None = None) -> Iterator[Mutant]:
        """Each variant once, in the order asked for; one that does not fit the sequence says why. `own`: the numbers of a
        structure's sequence."""
        seen: set[str] = set()
        for item in self.items:
            for mutant in all_at(item, sequence, own) if _PLACES.fullmatch(item) else [named(item, sequence, own)]:
                if mutant.name not in seen:
                    seen.add(mutant.name)
                    yield mutant


def first_columns(line: str) -> list[str]:
    """The mutations of a line: all that it holds, but no numbers that follow one, which are its measured values."""
    fields = line.split()
    if fields and _MUTATION.fullmatch(capitals(fields[0].split("+")[0])):
        return [field for field in fields if not re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?|nan|NA|None", field)]
    return fields


def capitals(part: str) -> str:
    """A mutation or a place in capitals, chains as they are written."""

    def one(text: str) -> str:
        match = _PREFIX.match(text)
        return match[1] + match[2].upper() if match else text.upper()

    return "+".join(one(text.strip()) for text in part.strip().split("+"))


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
    letters = list(sequence)
    touched: list[int] = []
    names: list[str] = []
    for match in map(_MUTATION.fullmatch, name.split("+")):
        if match is None:
            return Mutant(name, error="no mutation such as A23V")
        old, new = match["old"], match["new"]
        try:
            place = place_of(match["chain"], match["at"], len(sequence), own)
        except NumberError as error:
            return Mutant(name, error=str(error))
        if sequence[place - 1] != old:
            where = f", place {place}" if own is not None and not match["at"].startswith("@") else ""
            return Mutant(name, error=f"residue {match['at']}{where} is {sequence[place - 1]}, not {old}")
        if new not in STANDARD:
            return Mutant(name, error=f"{new} is not one of the twenty standard residues")
        if new == old or place in touched:
            return Mutant(name, error="changes nothing" if new == old else f"changes residue {match['at']} twice")
        touched.append(place)
        names.append(name_of(old, place, new, own))
        letters[place - 1] = new
    return Mutant("+".join(names), "".join(letters), places=tuple(touched))


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
