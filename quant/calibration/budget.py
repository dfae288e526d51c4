"""A type for each matrix within a budget of bytes, so that the damage of all together is least: an exact knapsack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logos_cli.errors import UsageError
from logos_cli.models.gguf_header import GgufHeader

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]I?)?B", re.IGNORECASE)
_BITS = re.compile(r"\d+(?:\.\d+)?")
_ADDED = 1024  # bytes of header that quantizing adds at most
_MOST_BITS = 16.0
_PLACES = 1 << 17  # the budget's resolution: a matrix takes at most one place more than it needs


@dataclass(frozen=True)
class Budget:
    """What was asked for: bits a weight over all tensors, or bytes of the whole file."""

    bits: float | None = None
    bytes: int | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """`4.5` bits a weight, or `620MB`, `0.6GB`, `590MiB`. Raises UsageError."""
        if _BITS.fullmatch(text.strip()):
            bits = float(text)
            if not 0 < bits <= _MOST_BITS:
                raise UsageError(f"--budget {text}: bits a weight, at most {_MOST_BITS:g}; a size has a unit, as in 620MB")
            return cls(bits=bits)
        found = _SIZE.fullmatch(text.strip())
        if not found:
            raise UsageError(f"--budget {text}: give bits a weight (4.5) or the size of the file (620MB)")
        return cls(bytes=int(float(found[1]) * _UNITS[(found[2] or "").upper()]))

    def data_bytes(self, model: GgufHeader) -> int:
        """Bytes for all tensors of `model` together."""
        if self.bits is not None:
            return int(self.bits * model.elements / 8)
        assert self.bytes is not None
        return self.bytes - model.data_start - _ADDED - 32 * len(model.tensors)

    def __str__(self) -> str:
        return f"{self.bits:g} bits a weight" if self.bits is not None else f"{self.bytes:,} bytes"


def free_bytes(budget: Budget, model: GgufHeader) -> int:
    """What a budget leaves for the matrices: vectors stay as they are, and of a file's size the header goes off, with what
    quantizing writes into it and the padding between tensors."""
    fixed = sum(tensor.nbytes for tensor in model.tensors if len(tensor.shape) != 2)
    return budget.data_bytes(model) - fixed


@dataclass(frozen=True)
class Option:
    """One type that a matrix may get: `bytes` it takes, `damage` it does."""

    type: str
    bytes: int
    damage: float


def cheapest(options: Mapping[str, Sequence[Option]]) -> int:
    """Bytes of the smallest choice."""
    return sum(min(option.bytes for option in several) for several in options.values())


def best_choice(options: Mapping[str, Sequence[Option]], limit: int) -> dict[str, Option]:
    """One option for each name, at most `limit` bytes together, of the least total damage.

    Exact but for rounding sizes up to 1 / 131,072 of the limit; what is left over for that reason then goes to the best single
    exchanges. Raises ValueError if even the smallest options are too large.
    """
    import numpy as np

    if cheapest(options) > limit:
        raise ValueError("the budget is too small")
    place = max(1, limit // _PLACES)
    # The smallest choice must stay possible: its roundings are granted on top, and taken back below.
    places = limit // place + len(options)
    least = np.zeros(places + 1)
    taken = []
    for several in options.values():
        now = np.full(places + 1, np.inf)
        which = np.zeros(places + 1, np.int8)
        for number, option in enumerate(several):
            size = -(-option.bytes // place)
            if size <= places:
                damage = np.full(places + 1, np.inf)
                damage[size:] = least[: places + 1 - size] + option.damage
                better = damage < now
                now[better], which[better] = damage[better], number
        least = now
        taken.append(which)
    for end in range(places, -1, -1):
        if not np.isfinite(least[end]):
            break
        choice = _traced(options, taken, end, place)
        if sum(option.bytes for option in choice.values()) <= limit:
            return _filled(options, choice, limit)
    return _filled(options, {name: min(several, key=lambda o: o.bytes) for name, several in options.items()}, limit)


def _traced(
    options: Mapping[str, Sequence[Option]], taken: Sequence[npt.NDArray[np.int8]], end: int, place: int
) -> dict[str, Option]:
    found: dict[str, Option] = {}
    for name, which in zip(reversed(list(options)), reversed(taken), strict=True):
        found[name] = options[name][int(which[end])]
        end -= -(-found[name].bytes // place)
    return {name: found[name] for name in options}


def _filled(options: Mapping[str, Sequence[Option]], choice: dict[str, Option], limit: int) -> dict[str, Option]:
    """Exchange one option after the other for a better one while any fits."""
    choice = dict(choice)
    while True:
        left = limit - sum(option.bytes for option in choice.values())
        gains = [
            (choice[name].damage - option.damage, name, option)
            for name, several in options.items()
            for option in several
            if option.bytes - choice[name].bytes <= left and option.damage < choice[name].damage
        ]
        if not gains:
            return choice
        _, name, option = max(gains, key=lambda gain: gain[0])
        choice[name] = option
