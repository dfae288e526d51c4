"""What is at work on which stream: slot b is stream b, and a step has no holes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from logos_cli.engines.beam import Hypothesis
from logos_cli.engines.engine import Work
from logos_cli.engines.streams import Streams, rows_of_step
from logos_cli.engines.tree import Branch, Fork

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass
class Slot:
    """One stream at work: its branch, and forks of that branch that the stream holds, the longest shared beginning last; or
    the hypothesis of a beam that it holds."""

    work: Branch | Hypothesis
    forks: list[Fork] = field(default_factory=list)


class Places:
    """The slots that are taken, and what their streams hold. `work` is added to."""

    def __init__(self, context: Streams, work: Work) -> None:
        import numpy as np

        self.context, self.work = context, work
        self.slots: list[Slot] = []
        # The logits after each prompt that a live stream holds: every sample draws its first token from them.
        self.first: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}
        self.held: list[tuple[int, ...] | None] = [None] * context.streams  # the prompt that a stream begins with
        self.tokens = np.zeros(context.streams, np.int32)
        self.positions = np.zeros(context.streams, np.int32)

    def vacancy(self) -> int:
        """The first slot that is free."""
        return next((place for place, slot in enumerate(self.slots) if slot.work.ended), len(self.slots))

    def put(self, place: int, work: Branch | Hypothesis) -> None:
        """Let slot `place` go on with `work`, whose last token is decoded next."""
        slot = Slot(work)
        if place == len(self.slots):
            self.slots.append(slot)
        else:
            self.slots[place] = slot
        self.positions[place] = len(work.tree.request.tokens)
        if work.tokens:
            self.tokens[place] = work.tokens[-1]
            self.positions[place] += len(work.tokens) - 1

    def resume(self, place: int, slot: Slot, fork: Fork, forks: Sequence[Fork] = ()) -> None:
        """Go on in slot `place` with a fork of the branch of `slot`, and with `forks` after it."""
        assert isinstance(slot.work, Branch)
        self.put(place, slot.work.at(fork))
        self.slots[place].forks = list(forks)
        # To what the branch had drawn before its last token.
        self.context.trim(place, int(self.positions[place]))

    def settle(self, going: Sequence[tuple[int, Hypothesis]]) -> None:
        """Give hypotheses slots, from those of what they came from: one of those that parted stays, the others are copied to
        slots that are free."""
        moving = []
        for source, one in going:
            if self.slots[source].work.ended:
                self.put(source, one)
            else:
                moving.append((source, one))
        for source, one in moving:
            target = self.vacancy()
            self.copy(source, target)
            self.put(target, one)

    def copy(self, source: int, target: int) -> None:
        """Make the stream of slot `target` a copy of that of `source`."""
        self.context.copy(source, target)
        self.held[target] = self.held[source]
        self.work.copies += 1

    def read_prompt(self, place: int, prompt: tuple[int, ...], wanted: Collection[tuple[int, ...]]) -> None:
        """Make the stream of slot `place` hold `prompt`, which it or another may hold already; else it is read. The logits
        after prompts that are not `wanted` any more are forgotten."""
        if prompt in self.first and prompt in self.held:
            if self.held[place] != prompt:
                self.copy(self.held.index(prompt), place)
            self.context.trim(place, len(prompt))
            return
        self.first = {tokens: logits for tokens, logits in self.first.items() if tokens in wanted}
        self.first[prompt] = self.context.prefill(place, prompt)[-1][0]
        self.held[place] = prompt
        self.work.prompt_tokens += len(prompt)

    def close_holes(self) -> None:
        """The last slot that has work moves into the first that has none."""
        for place in range(len(self.slots)):
            while self.slots and self.slots[-1].work.ended:
                self.slots.pop()
            last = len(self.slots) - 1
            if place >= last:
                return
            if self.slots[place].work.ended:
                self.copy(last, place)
                self.slots[place] = self.slots.pop()
                self.tokens[place], self.positions[place] = self.tokens[last], self.positions[last]

    def step(self) -> npt.NDArray[np.float32]:
        """Decode the next token of every slot; the logits [B, V] of the B that are taken."""
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
        return logits[:live]
