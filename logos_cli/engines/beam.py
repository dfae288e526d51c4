"""Beam search: the likeliest answers of a prompt, by log-probability, without chance.

A beam holds `width` hypotheses. In each step every one that has not ended is continued by every token; of these and of
those that have ended the `width` likeliest are the next beam; equal ones keep the order of their hypotheses, then of their
token ids. The search ends when all have ended. Lengths are not normalized: the order is that of log-probabilities.
Hypotheses that go on are decoded among the slots of all requests (see `engines.slots`), whose rules make what is found
independent of other rows and of how many are searched at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli.engines.engine import NO_NUMBERS, Request
from logos_cli.engines.tree import Finished


@dataclass(eq=False)
class Hypothesis:
    """A stream holds the prompt and all of `tokens` but the last, until it has a `finish` or is `left`."""

    tree: Search
    tokens: tuple[int, ...] = ()
    logprob: float = 0.0
    finish: str = ""
    left: bool = False

    @property
    def ended(self) -> bool:
        return self.left or bool(self.finish)

    def leave(self) -> None:
        """No stream need hold it any more."""
        self.left = True


class Search:
    """A request being answered by a beam. `budget`: most tokens of an answer. `order`: how many requests came before it."""

    def __init__(self, request: Request, width: int, budget: int, stops: frozenset[int], order: int) -> None:
        self.request, self.width, self.budget, self.stops, self.order = request, width, budget, stops, order
        self.beam = [Hypothesis(self)]

    @property
    def live(self) -> list[Hypothesis]:
        return [one for one in self.beam if not one.finish]

    @property
    def unfinished(self) -> int:
        return len(self.live)

    def grow(self, likeliest: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, Hypothesis]]:
        """Make the next beam of the likeliest tokens after each live hypothesis; of those that go on, the place among the
        live ones of what each came from, and it."""
        found: list[tuple[float, int, int, int, Hypothesis]] = []
        live = 0
        for place, one in enumerate(self.beam):
            if one.finish:
                found.append((-one.logprob, place, -1, -1, one))
                continue
            for token, logprob in likeliest[live]:
                total, tokens = one.logprob + logprob, (*one.tokens, token)
                finish = "stop" if token in self.stops else "length" if len(tokens) >= self.budget else ""
                found.append((-total, place, token, live, Hypothesis(self, tokens, total, finish)))
            live += 1
        found.sort(key=lambda item: item[:3])
        self.beam = [item[4] for item in found[: self.width]]
        return [(item[3], item[4]) for item in found[: self.width] if not item[4].finish]

    def give_up(self) -> None:
        """What is likeliest cannot be told any more: logits were no numbers."""
        self.beam = [Hypothesis(self, finish=NO_NUMBERS) for _ in self.request.samples]

    def finished(self) -> list[Finished]:
        """The beam of a search that has ended, each with its place in it as sample number."""
        row, asker, numbers = self.request.row, self.request.asker, self.request.samples
        return [
            Finished(row, number, one.tokens, one.logprob, one.finish, asker)
            for number, one in zip(numbers, self.beam, strict=False)
        ]
