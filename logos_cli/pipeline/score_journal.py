"""Figures that an interrupted run of score has found: by the tokens that they are of, so that nothing else can change them."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logos_cli.records.journal import Journal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Pair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class Figures:
    """The natural log-probability of `tokens` tokens together, and of each where that is wanted, else none of them."""

    total: float
    tokens: int
    each: tuple[float, ...] = ()

    @classmethod
    def of(cls, logprobs: npt.NDArray[np.float32], each: bool) -> Figures:
        """From those of the tokens [T]."""
        return cls(float(logprobs.sum(dtype="float64")), len(logprobs), tuple(map(float, logprobs)) if each else ())


class ScoreJournal:
    """What is known of sequences by an earlier run with the same model, and is kept for a later one."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def get(self, pair: Pair) -> Figures | None:
        found = self.journal.get(key_of(pair))
        return None if found is None else Figures(found[0], found[1], tuple(found[2]))

    def put(self, pair: Pair, figures: Figures) -> None:
        """Raises OutputError."""
        self.journal.put([figures.total, figures.tokens, figures.each], key_of(pair))


def key_of(pair: Pair) -> str:
    """What is equal for equal (prompt, continuation)."""
    prompt, continuation = pair
    return hashlib.sha256(array("q", [len(prompt), *prompt, *continuation]).tobytes()).hexdigest()[:32]
