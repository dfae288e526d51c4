"""Beam search: the likeliest answers of a prompt, by log-probability, without chance.

A beam holds `width` hypotheses. In each step every one that has not ended is continued by every token; of these and of
those that have ended the `width` likeliest are the next beam; equal ones keep the order of their hypotheses, then of their
token ids. The search ends when all have ended. Lengths are not normalized: the order is that of log-probabilities. Steps
are padded as everywhere (see `engines.slots`), so what is found does not depend on other rows or on how many are searched at
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logos_cli.engines.engine import NO_NUMBERS, Request, Work
from logos_cli.engines.sampling import largest, log_sum_exp
from logos_cli.engines.slots import Streams, rows_of_step
from logos_cli.engines.tree import Finished
from logos_cli.errors import EngineError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class _Hypothesis:
    """`stream` holds the prompt and all of `tokens` but the last; one that has a `finish` needs none."""

    tokens: tuple[int, ...]
    logprob: float
    finish: str
    stream: int


@dataclass
class _Search:
    request: Request
    budget: int
    beam: list[_Hypothesis]

    @property
    def live(self) -> list[_Hypothesis]:
        return [one for one in self.beam if not one.finish]


class Beams:
    """Runs requests through `context`; `finished()` yields their beams, each with its place in it as sample number."""

    def __init__(
        self, context: Streams, width: int, max_tokens: int, stops: frozenset[int], limit: int, work: Work,
        without_text: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """`limit` is the model's context, prompt included; ids `without_text` are no token's. Raises EngineError for fewer
        streams than hypotheses."""
        import numpy as np

        self.without_text = np.array(without_text, np.int64)
        self.context, self.stops, self.limit, self.work = context, stops, limit, work
        self.width, self.max_tokens = width, max_tokens
        if self.width > context.streams:
            raise EngineError(
                f"memory is short for a beam of {self.width} answers, it has room for {context.streams}; lower --beam-width or "
                "--max-tokens"
            )
        self.trees: list[_Search] = []
        self.tokens = np.zeros(context.streams, np.int32)
        self.positions = np.zeros(context.streams, np.int32)

    def budget(self, request: Request) -> int:
        return min(self.max_tokens, self.limit - len(request.tokens))

    def finished(self, jobs: Iterable[Request | None]) -> Iterator[Finished | None]:
        """Beams as their searches end; None whenever the jobs give None."""
        queue = iter(jobs)
        while True:
            asking = True
            while asking and (len(self.trees) + 1) * self.width <= self.context.streams:
                job = next(queue, False)
                if job is None:
                    yield None
                    asking = not self.trees
                elif isinstance(job, Request):
                    self._begin(job)
                else:
                    asking = False
            if not self.trees:
                return
            for search in [one for one in self.trees if not one.live]:
                self.trees.remove(search)
                for place, one in enumerate(search.beam):
                    yield Finished(search.request.row, search.request.samples[place], one.tokens, one.logprob, one.finish)
            if self.trees:
                self._step()

    def _begin(self, request: Request) -> None:
        """Read the prompt in the first stream that is free."""
        stream = sum(len(search.live) for search in self.trees)
        logits = self.context.prefill(stream, request.tokens)[-1]
        if logits.shape[1] < self.width:
            raise UsageError(f"--beam-width {self.width} is more than the {logits.shape[1]} tokens of the vocabulary")
        self.work.prompt_tokens += len(request.tokens)
        search = _Search(request, self.budget(request), [_Hypothesis((), 0.0, "", stream)])
        self._grow([search], logits, stream)
        self.trees.append(search)

    def _step(self) -> None:
        live = sum(len(search.live) for search in self.trees)
        rows = rows_of_step(self.context, live)
        for pad in range(live, rows):
            self.context.trim(pad, 0)
        self.tokens[live:rows] = self.tokens[0]
        self.positions[live:rows] = 0
        logits = self.context.step(self.tokens[:rows], self.positions[:rows])
        self.work.steps += 1
        self.work.rows += live
        self.work.tokens += live
        self.work.padding += rows - live
        self._grow(self.trees, logits[:live], 0)

    def _grow(self, searches: list[_Search], logits: npt.NDArray[np.float32], first: int) -> None:
        """The next beams of `searches`, from the logits [B, V] of streams `first` … first + B - 1, which are all theirs."""
        import numpy as np

        total = log_sum_exp(logits)
        bad = ~np.isfinite(total)
        if bad.any():
            logits = np.where(bad[:, None], np.float32(0), logits)
        logits[:, self.without_text] = -np.inf
        ids = largest(logits, self.width)
        logprobs = (np.take_along_axis(logits, ids, axis=1) - total[:, None]).astype(np.float32)
        for search in searches:
            if any(bad[one.stream - first] for one in search.live):
                # What is likeliest cannot be told any more.
                search.beam = [_Hypothesis((), 0.0, NO_NUMBERS, 0) for _ in search.request.samples]
            else:
                search.beam = self._next(search, ids.tolist(), logprobs.tolist(), first)
        self._settle(searches, first)

    def _next(self, search: _Search, ids: list[list[int]], logprobs: list[list[float]], first: int) -> list[_Hypothesis]:
        found: list[tuple[float, int, int, _Hypothesis]] = []
        for place, one in enumerate(search.beam):
            if one.finish:
                found.append((-one.logprob, place, -1, one))
                continue
            row = one.stream - first
            for token, logprob in zip(ids[row], logprobs[row], strict=True):
                total, tokens = one.logprob + logprob, (*one.tokens, token)
                finish = "stop" if token in self.stops else "length" if len(tokens) >= search.budget else ""
                found.append((-total, place, token, _Hypothesis(tokens, total, finish, one.stream)))
        found.sort(key=lambda item: item[:3])
        return [item[3] for item in found[: self.width]]

    def _settle(self, searches: list[_Search], first: int) -> None:
        """Give each live hypothesis a stream of its own, without holes from `first` on: one of those that parted stays, the
        others are copied to streams that nobody goes on from."""
        going = [(search, place) for search in searches for place, one in enumerate(search.beam) if not one.finish]
        free = dict.fromkeys(range(first, first + len(going)))
        moving = []
        for search, place in going:
            one = search.beam[place]
            if one.stream in free:
                del free[one.stream]
                self._set(search, place, one.stream)
            else:
                moving.append((search, place))
        for (search, place), target in zip(moving, free, strict=True):
            self.context.copy(search.beam[place].stream, target)
            self.work.copies += 1
            self._set(search, place, target)

    def _set(self, search: _Search, place: int, stream: int) -> None:
        one = search.beam[place]
        search.beam[place] = _Hypothesis(one.tokens, one.logprob, one.finish, stream)
        self.tokens[stream] = one.tokens[-1]
        self.positions[stream] = len(search.request.tokens) + len(one.tokens) - 1
