"""One request's answers as a tree: samples that have drawn the same tokens so far share one branch, decoded once.

They have the same keys and values and therefore the same logits to the last bit; what sets them apart is the random
numbers that each draws with. Where they draw different tokens they part: one group goes on, the others become forks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logos_cli.engines.engine import NO_NUMBERS, Asker, Request
from logos_cli.engines.sampling import Sampling, uniforms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FIRST_RANDOMS = 128  # random numbers made at first; few answers are longer, and a thousand numbers are 8 KB a sample


@dataclass(frozen=True)
class Finished:
    """A completed answer: `tokens` drawn, the stop token included. Samples of one branch share one `tokens`."""

    row: int
    sample: int
    tokens: tuple[int, ...]
    logprob: float
    finish: str
    asker: Asker | None = None


class Sample:
    """One wanted answer: its number and its random numbers, one for each token it may draw."""

    __slots__ = ("number", "randoms")

    def __init__(self, number: int, randoms: npt.NDArray[np.float64]) -> None:
        self.number, self.randoms = number, randoms


class Tree:
    """A request being answered. `budget`: most tokens of an answer. `order`: how many requests came before it."""

    def __init__(self, request: Request, budget: int, sampling: Sampling, stops: frozenset[int], order: int) -> None:
        self.request, self.budget, self.stops, self.order = request, budget, stops, order
        self.sampling, self.penalized = sampling, sampling.repetition_penalty != 1
        self.follower = request.asker.follower if request.asker else None
        self.unfinished = len(request.samples)

    def root(self) -> Branch:
        """All samples before their first token."""
        count = min(self.budget, FIRST_RANDOMS)
        samples = [Sample(n, uniforms(self.sampling.seed, self.request.row, n, count)) for n in self.request.samples]
        return Branch(self, samples, [], 0.0)

    def ending(self, before: Sequence[int], token: int) -> str:
        """How an answer of the tokens `before` ends with `token`; nothing if it goes on."""
        if token in self.stops or (self.follower and self.follower.ended((*before, token))):
            return "stop"
        return "length" if len(before) + 1 >= self.budget else ""

    def finished(self, samples: Iterable[Sample], tokens: tuple[int, ...], logprob: float, finish: str) -> list[Finished]:
        request = self.request
        done = [Finished(request.row, sample.number, tokens, logprob, finish, request.asker) for sample in samples]
        self.unfinished -= len(done)
        return done


@dataclass(frozen=True)
class Fork:
    """`samples` that part from a branch after its first `length` tokens by drawing `token`. A stream that holds those
    tokens can be trimmed to it; until then it needs none of its own."""

    length: int
    token: int
    logprob: float
    samples: list[Sample]


class Branch:
    """`samples` that have drawn the same `tokens`, in the order asked for; `logprob` is the sum over those tokens."""

    __slots__ = ("logprob", "samples", "seen", "tokens", "tree")

    def __init__(self, tree: Tree, samples: list[Sample], tokens: list[int], logprob: float) -> None:
        self.tree, self.samples, self.tokens, self.logprob = tree, samples, tokens, logprob
        self.seen = Seen((*tree.request.tokens, *tokens), tree.budget - len(tokens)) if tree.penalized else None

    def randoms(self) -> list[float]:
        """The number that each sample draws its next token with."""
        place, tree = len(self.tokens), self.tree
        if place == FIRST_RANDOMS:
            for sample in self.samples:
                sample.randoms = uniforms(tree.sampling.seed, tree.request.row, sample.number, tree.budget)
        return [sample.randoms[place] for sample in self.samples]

    def part(self, tokens: Sequence[int], logprobs: Sequence[float]) -> tuple[list[Fork], list[Finished]]:
        """Each sample draws its token: the group of the first sample goes on here, the others become forks. Those that
        have ended are finished; a branch that has ended itself is left with no samples. A log-probability of NaN ends
        all, without a token."""
        if math.isnan(logprobs[0]):  # of the row, so of all
            done, self.samples = self.tree.finished(self.samples, tuple(self.tokens), self.logprob, NO_NUMBERS), []
            return [], done
        first, length = tokens[0], len(self.tokens)
        forks, done = list[Fork](), list[Finished]()
        going = self.samples
        others: dict[int, tuple[float, list[Sample]]] = {}
        if len(going) > 1 and any(token != first for token in tokens):
            for sample, token, logprob in zip(self.samples, tokens, logprobs, strict=True):
                others.setdefault(token, (logprob, []))[1].append(sample)
            _, going = others.pop(first)
        for token, (logprob, samples) in others.items():
            total = self.logprob + logprob
            if finish := self.tree.ending(self.tokens, token):
                done += self.tree.finished(samples, (*self.tokens, token), total, finish)
            else:
                forks.append(Fork(length, token, total, samples))
        finish = self.tree.ending(self.tokens, first)
        self.tokens.append(first)
        self.logprob += logprobs[0]
        if self.seen is not None:
            self.seen.add(first)
        if finish:
            done += self.tree.finished(going, tuple(self.tokens), self.logprob, finish)
            going = []
        self.samples = going
        return forks, done

    @property
    def ended(self) -> bool:
        return not self.samples

    def leave(self) -> None:
        """Its answers are wanted no more."""
        self.samples = []

    def at(self, fork: Fork) -> Branch:
        """The branch that `fork`, which parted from this one, is."""
        return Branch(self.tree, fork.samples, [*self.tokens[: fork.length], fork.token], fork.logprob)


class Seen:
    """The distinct ids of a prompt and output, for the repetition penalty."""

    def __init__(self, tokens: Sequence[int], room: int) -> None:
        import numpy as np

        self.known = set(tokens)
        self.count = len(self.known)
        self.buffer = np.zeros(self.count + room, np.int64)
        self.buffer[: self.count] = sorted(self.known)

    def add(self, token: int) -> None:
        if token not in self.known:
            self.known.add(token)
            self.buffer[self.count] = token
            self.count += 1

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        return self.buffer[: self.count]
