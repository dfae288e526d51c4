"""Draws for slots that are at work for requests with settings of their own: one call of a `Sampler` for each setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from logos_cli.engines.sampling import Sampler, Shape

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from logos_cli.engines.sampling import Doubles, Floats, Ints

KEPT = 64  # samplers of settings that may come again


class Samplers:
    """A row's draws depend on that row and its own settings alone."""

    def __init__(self, threads: int = 1, without_text: Sequence[int] = ()) -> None:
        """`without_text`: ids that are never drawn, since no token belongs to them."""
        self.threads, self.without_text = threads, without_text
        self._made: dict[Shape, Sampler] = {}

    def draw(
        self, shapes: Sequence[Shape], logits: Floats, seen: Sequence[Ints | None], u: Doubles, counts: Sequence[int]
    ) -> tuple[Ints, Floats]:
        """Tokens [S] and their raw log-probabilities [S]: `counts[b]` of them from row b of `logits` [B, V], by `shapes[b]`.
        The rest is as in `Sampler.draw`; `seen[b]` may be None where nothing is penalized."""
        import numpy as np

        rows = np.repeat(np.arange(len(counts)), counts)
        kinds = dict.fromkeys(shapes)
        if len(kinds) == 1:
            return self._of(shapes[0]).draw(logits, [ids for ids in seen if ids is not None], u, rows)
        tokens, logprobs = np.empty(len(u), np.int64), np.empty(len(u), np.float32)
        for kind in kinds:
            own = [row for row, shape in enumerate(shapes) if shape == kind]
            samples = np.flatnonzero(np.isin(rows, own))
            place: npt.NDArray[np.int64] = np.searchsorted(own, rows[samples])
            known = [ids for row in own if (ids := seen[row]) is not None]
            tokens[samples], logprobs[samples] = self._of(kind).draw(logits[own], known, u[samples], place)
        return tokens, logprobs

    def _of(self, shape: Shape) -> Sampler:
        if shape not in self._made:
            if len(self._made) >= KEPT:
                self._made.clear()
            self._made[shape] = Sampler(shape, self.threads, self.without_text)
        return self._made[shape]
