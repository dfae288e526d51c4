"""Continuous batching: answers move through a fixed number of slots, one KV stream each.

Rules that keep an answer's text independent of its neighbours, of the batch size and of a resume:
- each prompt is prefilled alone and copied to the slots of its other samples;
- a step decodes either always one row or always a multiple of four that is at least eight, padded with rows nobody
  reads: llama.cpp multiplies activations four rows at a time and sends the rest through a kernel that sums in another
  order (seen on Q4_K: with 11 rows, rows 8 to 10 differ in the last bits from the same rows among 12);
- random numbers belong to a sample, not to a slot.
And one that keeps it fast: live slots have ids 0 … L-1 without holes, else the separate streams lose their advantage.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from logos_cli.engine import NO_NUMBERS, Request
from logos_cli.sampling import Sampler, Sampling, uniforms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ROWS_MIN, ROWS_STEP = 8, 4
PREFILL = 512  # prompt tokens a call; fixed, since the split of a prompt changes the last bits of its cache


def prefill_spans(length: int, piece: int = PREFILL) -> Iterator[tuple[int, int]]:
    """How a prompt is cut: a function of its length alone, and never into a last piece of one token.

    llama.cpp decodes a lone token over a long cache by dividing the cache among its threads, and the sum then depends
    on their number.
    """
    start = 0
    while start < length:
        stop = min(start + piece, length)
        if length - stop == 1:
            stop -= 1
        yield start, stop
        start = stop


class Streams(Protocol):
    """`streams` KV streams of up to `cells` tokens each, and the model that writes them."""

    streams: int
    cells: int

    def prefill(self, stream: int, tokens: Sequence[int]) -> list[npt.NDArray[np.float32]]:
        """Replace `stream` by `tokens`; the logits [1, V] after the last of them, in a list of one."""
        ...

    def step(self, tokens: npt.NDArray[np.int32], positions: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Decode token b in stream b for b < len(tokens); logits [B, V], valid until the next call."""
        ...

    def trim(self, stream: int, length: int) -> None:
        """Keep the first `length` tokens of a stream."""
        ...

    def copy(self, source: int, target: int) -> None:
        """Make stream `target` a copy of `source`."""
        ...


class _End(Enum):
    END = "no more jobs"


_END = _End.END


def padded_rows(live: int) -> int:
    """How many rows to decode so that `live` of them come out as they always do."""
    return max(ROWS_MIN, -(-live // ROWS_STEP) * ROWS_STEP)


@dataclass(frozen=True)
class Finished:
    """A completed answer: `tokens` drawn, the stop token included."""

    row: int
    sample: int
    tokens: tuple[int, ...]
    logprob: float
    finish: str


@dataclass
class _Answer:
    """An answer being written in a slot."""

    request: Request
    sample: int
    budget: int
    randoms: npt.NDArray[np.float64]
    seen: npt.NDArray[np.int64] | None
    seen_set: set[int] = field(default_factory=set)
    seen_count: int = 0
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish: str = ""

    def add(self, token: int, logprob: float, stops: frozenset[int]) -> None:
        if math.isnan(logprob):
            self.finish = NO_NUMBERS
            return
        self.tokens.append(token)
        self.logprob += logprob
        if token in stops:
            self.finish = "stop"
        elif len(self.tokens) >= self.budget:
            self.finish = "length"
        if self.seen is not None and token not in self.seen_set:
            self.seen_set.add(token)
            self.seen[self.seen_count] = token
            self.seen_count += 1


class Slots:
    """Runs requests through `context`; `finished()` yields answers in the order in which they end."""

    def __init__(
        self, context: Streams, sampler: Sampler, sampling: Sampling, stops: frozenset[int], limit: int, most: int
    ) -> None:
        """At most `most` answers are live at once; `limit` is the model's context, prompt included."""
        import numpy as np

        self.context, self.sampler, self.sampling, self.stops = context, sampler, sampling, stops
        self.limit, self.most = limit, most
        self.single = context.streams < ROWS_MIN
        self.answers: list[_Answer] = []  # slot b holds answers[b]: no holes by construction
        # The logits after each prompt that a slot holds: every sample draws its first token from them.
        self.first: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}
        self.tokens = np.zeros(context.streams, np.int32)
        self.positions = np.zeros(context.streams, np.int32)

    def budget(self, request: Request) -> int:
        """Tokens an answer may have: the setting, or what the model's context leaves."""
        return min(self.sampling.max_tokens, self.limit - len(request.tokens))

    def finished(self, jobs: Iterable[tuple[Request, int] | None]) -> Iterator[Finished | None]:
        """Answers as they end; None whenever the jobs give None."""
        import numpy as np

        queue = iter(jobs)
        while True:
            while len(self.answers) < self.most and (job := next(queue, _END)) is not _END:
                if job is None:
                    yield None
                    continue
                self.answers.append(self._answer(*job))
                self._place(len(self.answers) - 1, held=None)
            fresh = [i for i, answer in enumerate(self.answers) if not answer.tokens]
            if fresh:
                self._draw(np.stack([self.first[self.answers[i].request.tokens] for i in fresh]), fresh)
            elif self.answers:
                self._step()
            else:
                return
            # From the end, so that the slot that moves into a hole is never a finished one.
            for slot in reversed([i for i, answer in enumerate(self.answers) if answer.finish]):
                done = self.answers[slot]
                yield Finished(done.request.row, done.sample, tuple(done.tokens), done.logprob, done.finish)
                while (job := next(queue, _END)) is None:
                    yield None
                if job is _END:
                    self._close(slot)
                else:
                    self.answers[slot] = self._answer(*job)
                    self._place(slot, held=done.request.tokens)

    def _answer(self, request: Request, sample: int) -> _Answer:
        import numpy as np

        budget = self.budget(request)
        randoms = uniforms(self.sampling.seed, request.row, sample, budget)
        answer = _Answer(request, sample, budget, randoms, None)
        if self.sampling.repetition_penalty != 1:
            answer.seen_set = set(request.tokens)
            answer.seen_count = len(answer.seen_set)
            answer.seen = np.zeros(answer.seen_count + budget, np.int64)
            answer.seen[: answer.seen_count] = sorted(answer.seen_set)
        return answer

    def _place(self, slot: int, held: tuple[int, ...] | None) -> None:
        """Bring the slot's stream to the end of its prompt: it may hold it already, else another slot, else prefill."""
        prompt = self.answers[slot].request.tokens
        holders = (i for i, a in enumerate(self.answers) if i != slot and a.request.tokens == prompt)
        if held == prompt:
            self.context.trim(slot, len(prompt))
        elif (holder := next(holders, None)) is not None:
            self.context.copy(holder, slot)
            self.context.trim(slot, len(prompt))
        else:
            live = {answer.request.tokens for answer in self.answers}
            self.first = {tokens: logits for tokens, logits in self.first.items() if tokens in live}
            self.first[prompt] = self.context.prefill(slot, prompt)[-1][0]
        self.positions[slot] = len(prompt)

    def _draw(self, logits: npt.NDArray[np.float32], slots: Sequence[int]) -> None:
        import numpy as np

        answers = [self.answers[i] for i in slots]
        u = np.array([a.randoms[len(a.tokens)] for a in answers])
        seen = [a.seen[: a.seen_count] for a in answers if a.seen is not None]
        tokens, logprobs = self.sampler.draw(logits, seen, u)
        for slot, answer, token, logprob in zip(slots, answers, tokens.tolist(), logprobs.tolist(), strict=True):
            answer.add(token, logprob, self.stops)
            self.tokens[slot] = token

    def _step(self) -> None:
        live = len(self.answers)
        rows = live if self.single else padded_rows(live)
        for pad in range(live, rows):
            self.context.trim(pad, 0)
        self.tokens[live:rows] = self.tokens[0]
        self.positions[live:rows] = 0
        logits = self.context.step(self.tokens[:rows], self.positions[:rows])
        self.positions[:live] += 1
        self._draw(logits[:live], range(live))

    def _close(self, slot: int) -> None:
        """Give up a slot: the last live one moves into the hole."""
        last = len(self.answers) - 1
        if slot != last:
            self.context.copy(last, slot)
            self.answers[slot] = self.answers[last]
            self.tokens[slot], self.positions[slot] = self.tokens[last], self.positions[last]
        self.answers.pop()
