"""A structure's own residue numbers (`A:57`, `184A`) and places in its sequence, counted from 1, in both directions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

_OWN = re.compile(r"(?:(?P<chain>[^:\s]*):)?(?P<number>-?\d+)(?P<code>[A-Za-z]?)")
_RUN = re.compile(r"(?P<chain>[^:\s]*):(?P<first>-?\d+)(?:-(?P<last>-?\d+))?(?P<code>[A-Za-z]?)")
_UNNUMBERED = re.compile(r"\?(\d{1,6})")
LONGEST = 200_000  # residues that a run may stand for; the longest known protein has 35,000


class NumberError(ValueError):
    """A number that names no residue, or more than one; the message says why."""


@dataclass(frozen=True)
class OwnNumbers:
    """`numbers` are as of `structures.Chain`: `A:45`, `A:45B`, None for a residue that only the stated sequence has."""

    numbers: tuple[str | None, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        return {number: place for place, number in enumerate(self.numbers, 1) if number}

    @cached_property
    def chains(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(number.rpartition(":")[0] for number in self.numbers if number))

    def place(self, asked: str) -> int:
        """The place from 1 of `A:57`, or of `57` where one chain alone has it. Raises NumberError."""
        match = _OWN.fullmatch(asked)
        if match is None:
            raise NumberError(f"{asked} is no residue number; give one such as {self.example()}")
        number = match["number"].lstrip("0") or "0"
        number += match["code"]
        chains = self.chains if match["chain"] is None else (match["chain"],)
        found = [f"{chain}:{one}" for chain in chains for one in (number, number.upper()) if f"{chain}:{one}" in self.places]
        found = list(dict.fromkeys(found))
        if not found:
            raise NumberError(f"residue {asked} is not in this sequence, which has {self.spans()}")
        if len(found) > 1:
            raise NumberError(f"residue {asked} may be {' or '.join(found)}; name the chain")
        return self.places[found[0]]

    def name(self, place: int) -> str | None:
        """The number of a place, with its chain only where there are several; None for a residue without one."""
        number = self.numbers[place - 1]
        return number if number is None or len(self.chains) > 1 else number.rpartition(":")[2]

    def example(self) -> str:
        return next(iter(self.places), "A:57")

    def spans(self) -> str:
        """First and last residue of each chain: `A:16 to A:245`."""
        ends = []
        for chain in self.chains:
            own = [number for number in self.numbers if number and number.rpartition(":")[0] == chain]
            ends.append(f"{own[0]} to {own[-1]}")
        return ", ".join(ends) or "no numbered residue"

    def runs(self) -> str:
        """All numbers as a short text, `A:16-34 A:37-67 ?5 A:184A`: `?5` are five residues without one."""
        parts: list[str] = []
        at = 0
        while at < len(self.numbers):
            last = at
            if (number := self.numbers[at]) is None:
                while last + 1 < len(self.numbers) and self.numbers[last + 1] is None:
                    last += 1
                parts.append(f"?{last - at + 1}")
            else:
                chain, _, first = number.rpartition(":")
                if first.lstrip("-").isdigit():
                    wanted = (f"{chain}:{following}" for following in count(int(first) + 1))
                    while last + 1 < len(self.numbers) and self.numbers[last + 1] == next(wanted):
                        last += 1
                parts.append(number if last == at else f"{number}-{int(first) + last - at}")
            at = last + 1
        return " ".join(parts)

    @classmethod
    def counted_from(cls, first: int, residues: int) -> OwnNumbers:
        """Those of a plain sequence whose first residue has the number `first`; its chain has no name."""
        return cls(tuple(f":{number}" for number in range(first, first + residues)))

    @classmethod
    def from_runs(cls, text: str) -> OwnNumbers:
        """What `runs` wrote. Raises NumberError."""
        numbers: list[str | None] = []
        for part in text.split():
            if unnumbered := _UNNUMBERED.fullmatch(part):
                numbers += [None] * min(int(unnumbered[1]), LONGEST)
            elif run := _RUN.fullmatch(part):
                first, last = int(run["first"]), int(run["last"] or run["first"])
                if not 0 <= last - first < LONGEST:
                    raise NumberError(f"not a run of residue numbers: {part[:40]}")
                numbers += [f"{run['chain']}:{number}{run['code']}" for number in range(first, last + 1)]
            else:
                raise NumberError(f"not a run of residue numbers: {part[:40]}")
        return cls(tuple(numbers))


def own_numbers(numbers: Sequence[str | None] | None) -> OwnNumbers | None:
    return OwnNumbers(tuple(numbers)) if numbers else None
