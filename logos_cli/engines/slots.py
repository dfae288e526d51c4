"""Continuous batching: answers move through a fixed number of slots, one KV stream each.

Rules that keep an answer's text independent of its neighbours, of the batch size and of a resume:
- each prompt is prefilled alone and copied to the slots of its other samples;
- a step decodes either always one row or always a multiple of four that is at least eight, padded with rows nobody
  reads: llama.cpp multiplies activations four rows at a time and sends the rest through a kernel that sums in another
  order (seen on Q4_K: with 11 rows, rows 8 to 10 differ in the last bits from the same rows among 12);
- on a GPU a step always decodes all streams: which kernel is taken, and so the order of its sums, changes with the number
  of rows in another way for each card and type (an H200 gave a row the same bits among 9 to 128 others in Q4_K_M, but not
  among 16, 32 and 128 in bf16), while slot, neighbours and their lengths changed none there;
- random numbers belong to a sample, not to a slot.
Samples that have drawn the same tokens are decoded as one row (see `engines.tree`), which by these rules changes none.
And one that keeps it fast: live slots have ids 0 … L-1 without holes, else the separate streams lose their advantage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from logos_cli.engines.engine import Request, Work
from logos_cli.engines.sampling import Sampler, Sampling
from logos_cli.engines.tree import Branch, Finished, Fork, Tree

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ROWS_MIN, ROWS_STEP = 8, 4
FIXED_ROWS = (32, 64, 128, 256)  # llama.cpp takes 256 sequences at most
TREES_PART = 4  # slots for each request at work, before free ones are given to requests that have begun
PROMPT_COST = 2  # rows of a step that a token of a prompt takes the time of, at most: a call of its own costs too
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
    fixed_rows: bool  # a step decodes all streams, whatever lives on them

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


def rows_of_step(context: Streams, live: int) -> int:
    """How many rows of `context` a step decodes when `live` of its streams are at work."""
    if context.fixed_rows or context.streams < ROWS_MIN:
        return context.streams
    return padded_rows(live)


def fixed_rows(batch: int) -> int:
    """How many rows every step decodes where the kernels depend on it, for up to `batch` answers at once."""
    return next((rows for rows in FIXED_ROWS if rows >= batch), FIXED_ROWS[-1])


@dataclass
class _Slot:
    """One stream at work: its branch, and forks of that branch that the stream holds, the longest shared beginning last."""

    branch: Branch
    forks: list[Fork] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return not self.branch.samples


class Slots:
    """Runs requests through `context`; `finished()` yields answers in the order in which they end.

    A slot whose branch has ended goes on with the last of its own forks: its stream is trimmed, nothing is copied or
    decoded again. So every row decoded is a beginning that no other row had. A slot without forks takes a new request, or
    a fork of the oldest one by copying a stream that holds it.
    """

    def __init__(
        self, context: Streams, sampler: Sampler, sampling: Sampling, stops: frozenset[int], limit: int, work: Work
    ) -> None:
        """`limit` is the model's context, prompt included; `work` is added to."""
        import numpy as np

        self.context, self.sampler, self.sampling, self.stops = context, sampler, sampling, stops
        self.limit, self.work = limit, work
        # Requests at work before free slots help old ones rather than take new ones: a copy costs more than a prompt
        # that has to be read anyway, but what is begun should be ended, so that records leave in order.
        self.few = max(1, context.streams // TREES_PART)
        self.slots: list[_Slot] = []  # slot b is stream b: no holes in a step
        self.trees: list[Tree] = []  # that have unfinished samples, the oldest first
        self.begun = 0
        # The logits after each prompt that a live stream holds: every sample draws its first token from them.
        self.first: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}
        self.held: list[tuple[int, ...] | None] = [None] * context.streams  # the prompt that a stream begins with
        self.waiting: Request | None = None
        self.credit = 0  # rows that steps before the first request's end have left unused
        self.tokens = np.zeros(context.streams, np.int32)
        self.positions = np.zeros(context.streams, np.int32)

    def budget(self, request: Request) -> int:
        """Tokens an answer may have: the setting, or what the model's context leaves."""
        return min(self.sampling.max_tokens, self.limit - len(request.tokens))

    def finished(self, jobs: Iterable[Request | None]) -> Iterator[Finished | None]:
        """Answers as they end; None whenever the jobs give None, which also means that none is there now."""
        queue = iter(jobs)
        while True:
            yield from self._fill(queue)
            if not self.slots:
                return
            yield from self._step()

    # Who gets which slot

    def _fill(self, queue: Iterator[Request | None]) -> Iterator[Finished | None]:
        """Give free slots work; those that get none are closed."""
        asking = True
        while (place := self._vacancy()) is not None:
            source = self._oldest_fork()
            if source is not None and (len(self.trees) >= self._few() or not asking):
                self._take_over(place, *source)
                continue
            if not asking:
                break
            job = self.waiting or next(queue, _END)
            if job is _END:
                asking = False
            elif job is None:
                yield None
                asking = not self.trees
            elif self._must_wait(job):
                self.waiting, asking = job, False
            else:
                self.waiting = None
                yield from self._begin(place, job)
        self._close_holes()

    def _vacancy(self) -> int | None:
        """The first slot that is free."""
        for place, slot in enumerate(self.slots):
            if slot.ended:
                return place
        return len(self.slots) if len(self.slots) < self.context.streams else None

    def _few(self) -> int:
        """Nothing hinders the very first request, so that the first record comes as early as it can."""
        return 1 if self._first_runs() else self.few

    def _first_runs(self) -> bool:
        return bool(self.trees) and self.trees[0].order == 0

    def _must_wait(self, request: Request) -> bool:
        """Whether reading its prompt now would make the first record late: until then, prompts are read only in place of
        rows that the steps so far had room for."""
        if not self._first_runs() or request.tokens in self.first:
            return False
        cost = PROMPT_COST * len(request.tokens)
        if self.credit < cost:
            return True
        self.credit -= cost
        return False

    def _oldest_fork(self) -> tuple[int, Fork] | None:
        """The fork of the oldest request on which most samples wait, and the slot that holds it."""
        holding = [(slot.branch.tree.order, place) for place, slot in enumerate(self.slots) if slot.forks]
        if not holding:
            return None
        oldest, _ = min(holding)
        forks = [(place, fork) for order, place in holding if order == oldest for fork in self.slots[place].forks]
        return max(forks, key=lambda one: (len(one[1].samples), -one[1].length))

    def _take_over(self, place: int, source: int, fork: Fork) -> None:
        """A fork of slot `source` goes on in slot `place`."""
        slot = self.slots[source]
        slot.forks.remove(fork)
        self._copy(source, place)
        self._resume(place, _Slot(slot.branch.at(fork)))

    def _resume(self, place: int, slot: _Slot) -> None:
        """Trim the stream to what the slot's branch had drawn before its last token, which is decoded next."""
        branch = slot.branch
        length = len(branch.tree.request.tokens) + len(branch.tokens) - 1
        self.context.trim(place, length)
        self.tokens[place], self.positions[place] = branch.tokens[-1], length
        self._put(place, slot)

    def _put(self, place: int, slot: _Slot) -> None:
        if place == len(self.slots):
            self.slots.append(slot)
        else:
            self.slots[place] = slot

    def _copy(self, source: int, target: int) -> None:
        self.context.copy(source, target)
        self.held[target] = self.held[source]
        self.work.copies += 1

    def _begin(self, place: int, request: Request) -> Iterator[Finished]:
        """A new request: the stream to the end of its prompt, and the first token of each sample."""
        tree = Tree(request, self.budget(request), self.sampling, self.stops, self.begun)
        self.begun += 1
        self.trees.append(tree)
        self._read_prompt(place, request.tokens)
        self._put(place, _Slot(tree.root()))
        self.positions[place] = len(request.tokens)
        yield from self._draw(self.first[request.tokens][None], [place])

    def _read_prompt(self, place: int, prompt: tuple[int, ...]) -> None:
        """The stream may hold the prompt already, or another one; else it is read."""
        if prompt in self.first and prompt in self.held:
            if self.held[place] != prompt:
                self._copy(self.held.index(prompt), place)
            self.context.trim(place, len(prompt))
            return
        live = {tree.request.tokens for tree in self.trees}
        self.first = {tokens: logits for tokens, logits in self.first.items() if tokens in live}
        self.first[prompt] = self.context.prefill(place, prompt)[-1][0]
        self.held[place] = prompt
        self.work.prompt_tokens += len(prompt)

    def _close_holes(self) -> None:
        """The last slot that has work moves into the first that has none."""
        for place in range(len(self.slots)):
            while self.slots and self.slots[-1].ended:
                self.slots.pop()
            last = len(self.slots) - 1
            if place >= last:
                return
            if self.slots[place].ended:
                self._copy(last, place)
                self.slots[place] = self.slots.pop()
                self.tokens[place], self.positions[place] = self.tokens[last], self.positions[last]

    # Decoding

    def _step(self) -> Iterator[Finished]:
        live = len(self.slots)
        rows = rows_of_step(self.context, live)
        for pad in range(live, rows):
            self.context.trim(pad, 0)
            self.held[pad] = None
        self.tokens[live:rows] = self.tokens[0]
        self.positions[live:rows] = 0
        logits = self.context.step(self.tokens[:rows], self.positions[:rows])
        self.positions[:live] += 1
        self.work.steps += 1
        self.work.rows += live
        self.work.padding += rows - live
        if self._first_runs():
            self.credit += self.context.streams - live
        yield from self._draw(logits[:live], range(live))

    def _draw(self, logits: npt.NDArray[np.float32], places: Sequence[int]) -> Iterator[Finished]:
        """The next token of every sample on the slots `places`, from their `logits` [B, V]."""
        import numpy as np

        slots = [self.slots[place] for place in places]
        counts = [len(slot.branch.samples) for slot in slots]
        u = np.array([number for slot in slots for number in slot.branch.randoms()])
        seen = [slot.branch.seen.ids for slot in slots if slot.branch.seen is not None]
        drawn, raw = self.sampler.draw(logits, seen, u, np.repeat(np.arange(len(slots)), counts))
        tokens, logprobs = drawn.tolist(), raw.tolist()
        self.work.tokens += len(tokens)
        start = 0
        ended: list[Finished] = []
        for place, slot, count in zip(places, slots, counts, strict=True):
            forks, done = slot.branch.part(tokens[start : start + count], logprobs[start : start + count])
            start += count
            slot.forks += forks
            ended += done
            if slot.ended and slot.forks:
                fork = slot.forks.pop()
                self._resume(place, _Slot(slot.branch.at(fork), slot.forks))
            elif not slot.ended:
                self.tokens[place] = slot.branch.tokens[-1]
        if ended:
            self.trees = [tree for tree in self.trees if tree.unfinished]
        yield from ended
