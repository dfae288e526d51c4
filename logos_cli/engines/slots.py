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

import math
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from logos_cli.engines.beam import Hypothesis, Search
from logos_cli.engines.engine import Follower, Request, Work
from logos_cli.engines.logits import likeliest_tokens
from logos_cli.engines.places import Places
from logos_cli.engines.samplers import Samplers
from logos_cli.engines.sampling import Sampling
from logos_cli.engines.streams import Streams
from logos_cli.engines.tree import Branch, Finished, Fork, Tree
from logos_cli.errors import EngineError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TREES_PART = 4  # slots for each request at work, before free ones are given to requests that have begun
PROMPT_COST = 2  # rows of a step that a token of a prompt takes the time of, at most: a call of its own costs too


class _End(Enum):
    END = "no more jobs"


_END = _End.END


def unwanted(request: Request) -> bool:
    """Whether nobody waits for its answers any more."""
    return request.asker is not None and not request.asker.wanted


class Slots:
    """Runs requests through `context`; `finished()` yields answers in the order in which they end.

    A slot whose branch has ended goes on with the last of its own forks: its stream is trimmed, nothing is copied or
    decoded again. So every row decoded is a beginning that no other row had. A slot without forks takes a new request, or
    a fork of the oldest one by copying a stream that holds it. A beam begins when as many slots are free as it is wide, and
    keeps them until it ends.
    """

    def __init__(
        self, context: Streams, sampling: Sampling, stops: frozenset[int], limit: int, work: Work, samplers: Samplers
    ) -> None:
        """`sampling` and `stops` are for requests that have none of their own; `limit` is the model's context, prompt
        included; `work` is added to."""
        self.context, self.samplers, self.sampling, self.stops = context, samplers, sampling, stops
        self.limit, self.work = limit, work
        # Requests at work before free slots help old ones rather than take new ones: a copy costs more than a prompt
        # that has to be read anyway, but what is begun should be ended, so that records leave in order.
        self.few = max(1, context.streams // TREES_PART)
        self.places = Places(context, work)
        self.trees: list[Tree | Search] = []  # that have unfinished samples, the oldest first
        self.begun = 0
        self.waiting: Request | None = None
        self.credit = 0  # rows that steps before the first request's end have left unused

    def budget(self, request: Request) -> int:
        """Tokens an answer may have: the setting, or what the model's context leaves."""
        return min((request.sampling or self.sampling).max_tokens, self.limit - len(request.tokens))

    def finished(self, jobs: Iterable[Request | None]) -> Iterator[Finished | None]:
        """Answers as they end; None whenever the jobs give None, which also means that none is there now."""
        queue = iter(jobs)
        while True:
            yield from self._fill(queue)
            if not self.places.slots:
                return
            yield from self._step()

    # Who gets which slot

    def _fill(self, queue: Iterator[Request | None]) -> Iterator[Finished | None]:
        """Give free slots work; those that get none are closed."""
        self._leave_unwanted()
        asking = True
        while self._room() > 0:
            place, source = self.places.vacancy(), self._oldest_fork()
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
            elif unwanted(job):
                self.waiting = None
            elif self._must_wait(job):
                self.waiting, asking = job, False
            else:
                self.waiting = None
                yield from self._begin(place, job)
        self.places.close_holes()

    def _leave_unwanted(self) -> None:
        """Free the slots of requests whose answers nobody waits for any more."""
        left = [tree for tree in self.trees if unwanted(tree.request)]
        for slot in self.places.slots if left else ():
            if slot.work.tree in left:
                slot.work.leave()
                slot.forks.clear()
        self.trees = [tree for tree in self.trees if tree not in left]

    def _room(self) -> int:
        """How many streams no request has, or may come to need for its beam."""
        branches = sum(isinstance(slot.work, Branch) and not slot.work.ended for slot in self.places.slots)
        return self.context.streams - branches - sum(tree.width for tree in self.trees if isinstance(tree, Search))

    def _few(self) -> int:
        """Nothing hinders the very first request, so that the first record comes as early as it can."""
        return 1 if self._first_runs() else self.few

    def _first_runs(self) -> bool:
        return bool(self.trees) and self.trees[0].order == 0

    def _must_wait(self, request: Request) -> bool:
        """Whether there is no room for its beam, or reading its prompt now would make the first record late: until then,
        prompts are read only in place of rows that the steps so far had room for."""
        if request.beam > self.context.streams:
            raise EngineError(
                f"memory is short for a beam of {request.beam} answers, it has room for {self.context.streams}; lower "
                "--beam-width or --max-tokens"
            )
        if request.beam > self._room():
            return True
        if not self._first_runs() or request.tokens in self.places.first:
            return False
        cost = PROMPT_COST * len(request.tokens)
        if self.credit < cost:
            return True
        self.credit -= cost
        return False

    def _oldest_fork(self) -> tuple[int, Fork] | None:
        """The fork of the oldest request on which most samples wait, and the slot that holds it."""
        holding = [(slot.work.tree.order, place) for place, slot in enumerate(self.places.slots) if slot.forks]
        if not holding:
            return None
        oldest, _ = min(holding)
        forks = [(place, fork) for order, place in holding if order == oldest for fork in self.places.slots[place].forks]
        return max(forks, key=lambda one: (len(one[1].samples), -one[1].length))

    def _take_over(self, place: int, source: int, fork: Fork) -> None:
        """A fork of slot `source` goes on in slot `place`."""
        slot = self.places.slots[source]
        slot.forks.remove(fork)
        self.places.copy(source, place)
        self.places.resume(place, slot, fork)

    def _begin(self, place: int, request: Request) -> Iterator[Finished]:
        """A new request: the stream to the end of its prompt, and the first token of each sample or hypothesis."""
        budget, stops = self.budget(request), self.stops if request.stops is None else request.stops
        self.places.read_prompt(place, request.tokens, {tree.request.tokens for tree in self.trees})
        self.begun += 1
        if request.beam:
            search = Search(request, request.beam, budget, stops, self.begun - 1)
            self.trees.append(search)
            self.places.put(place, search.beam[0])
            yield from self._grow(self.places.first[request.tokens][None].copy(), [place])
            return
        tree = Tree(request, budget, request.sampling or self.sampling, stops, self.begun - 1)
        self.trees.append(tree)
        self.places.put(place, tree.root())
        yield from self._draw(self.places.first[request.tokens][None], [place])

    # Decoding

    def _step(self) -> Iterator[Finished]:
        logits = self.places.step()
        slots = self.places.slots
        if self._first_runs():
            self.credit += self.context.streams - len(slots)
        beams = [place for place, slot in enumerate(slots) if isinstance(slot.work, Hypothesis)]
        if not beams:
            yield from self._draw(logits, range(len(slots)))
            return
        grown = logits[beams]
        if len(beams) < len(slots):
            draws = [place for place, slot in enumerate(slots) if isinstance(slot.work, Branch)]
            yield from self._draw(logits[draws], draws)
        yield from self._grow(grown, beams)

    def _draw(self, logits: npt.NDArray[np.float32], places: Sequence[int]) -> Iterator[Finished]:
        """The next token of every sample on the slots `places`, from their `logits` [B, V]."""
        import numpy as np

        slots = [self.places.slots[place] for place in places]
        branches = [slot.work for slot in slots if isinstance(slot.work, Branch)]
        counts = [len(branch.samples) for branch in branches]
        u = np.array([number for branch in branches for number in branch.randoms()])
        seen = [branch.seen.ids if branch.seen else None for branch in branches]
        shapes = [branch.tree.sampling.shape for branch in branches]
        drawn, raw = self.samplers.draw(shapes, logits, seen, u, counts)
        tokens, logprobs = drawn.tolist(), raw.tolist()
        self.work.tokens += len(tokens)
        start = 0
        ended: list[Finished] = []
        for row, (place, slot, branch) in enumerate(zip(places, slots, branches, strict=True)):
            stop = start + counts[row]
            if branch.tree.follower:
                self._tell(branch, branch.tree.follower, tokens[start:stop], logprobs[start:stop], logits[row])
            forks, done = branch.part(tokens[start:stop], logprobs[start:stop])
            start = stop
            slot.forks += forks
            ended += done
            if branch.ended and slot.forks:
                self.places.resume(place, slot, slot.forks.pop(), slot.forks)
            elif not branch.ended:
                self.places.tokens[place] = branch.tokens[-1]
        if ended:
            self.trees = [tree for tree in self.trees if tree.unfinished]
        yield from ended

    def _tell(
        self, branch: Branch, follower: Follower, tokens: list[int], logprobs: list[float], logits: npt.NDArray[np.float32]
    ) -> None:
        """Let who looks on hear what each sample of `branch` has drawn from `logits` [V], unless these are no numbers."""
        best: Sequence[tuple[int, float]] | None = ()
        if follower.likeliest:
            best = likeliest_tokens(logits[None].copy(), follower.likeliest, self.samplers.without_text)[0]
        if best is not None and not math.isnan(logprobs[0]):
            row = branch.tree.request.row
            for sample, token, logprob in zip(branch.samples, tokens, logprobs, strict=True):
                follower.drawn(row, sample.number, token, logprob, best)

    def _grow(self, logits: npt.NDArray[np.float32], places: Sequence[int]) -> Iterator[Finished]:
        """The next beams of the searches on the slots `places`, from their `logits` [B, V]."""
        at: dict[Branch | Hypothesis, int] = {self.places.slots[place].work: row for row, place in enumerate(places)}
        searches = list(dict.fromkeys(one.tree for one in at if isinstance(one, Hypothesis)))
        widest = max(search.width for search in searches)
        if logits.shape[1] < widest:
            raise UsageError(f"--beam-width {widest} is more than the {logits.shape[1]} tokens of the vocabulary")
        found = likeliest_tokens(logits, widest, self.samplers.without_text)
        for search in searches:
            live = search.live
            rows = [at[one] for one in live]
            likeliest = [tokens[: search.width] for row in rows if (tokens := found[row]) is not None]
            for one in live:
                one.leave()
            if len(likeliest) < len(live):
                search.give_up()
            else:
                self.places.settle([(places[rows[origin]], one) for origin, one in search.grow(likeliest)])
            if not search.live:
                self.trees.remove(search)
                yield from search.finished()
