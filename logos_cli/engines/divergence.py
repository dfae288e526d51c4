"""How far a model's next-token distributions are from a baseline's, from exact float32 logits, in constant memory.

For each position: KL(baseline ‖ model), whether both put the same token first, and the probability of the token that
stands there. Logarithms are natural. llama-perplexity --kl-divergence keeps log-probabilities in 16 bits and reads 5e-4
for a model against itself; here that is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

_ROWS = 16  # positions at a time: 16 × 128k float64 values are 16 MB


@dataclass(frozen=True)
class Shared:
    """The tokens that two different vocabularies have in common: `baseline[i]` and `model[i]` are ids of the same text."""

    baseline: Ints
    model: Ints

    @classmethod
    def of(cls, baseline: Sequence[str], model: Sequence[str]) -> Shared | None:
        """None if the two vocabularies [V] are the same."""
        if list(baseline) == list(model):
            return None
        ids = {text: i for i, text in enumerate(model)}
        pairs = [(i, ids[text]) for i, text in enumerate(baseline) if text in ids]
        return cls(np.array([i for i, _ in pairs], np.int64), np.array([j for _, j in pairs], np.int64))


@dataclass(frozen=True)
class TokenComparison:
    """One value a predicted token [T]: `kl` ≥ 0, `same` top token, log-probabilities of the token that came.

    `outside` is the baseline's probability of the tokens that the model does not have, `model_outside` the model's of those
    that the baseline does not have; zeros for equal vocabularies.
    """

    kl: Doubles
    same: npt.NDArray[np.bool_]
    baseline_logprob: Doubles
    model_logprob: Doubles
    outside: Doubles
    model_outside: Doubles

    @classmethod
    def joined(cls, parts: Sequence[TokenComparison]) -> TokenComparison:
        names = ("kl", "same", "baseline_logprob", "model_logprob", "outside", "model_outside")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def log_softmax(logits: Floats) -> Doubles:
    """Natural log-probabilities [T, V] in float64."""
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=1, keepdims=True))
    return values


def compare(baseline: Floats, model: Floats, after: Ints, after_model: Ints, shared: Shared | None = None) -> TokenComparison:
    """Compare logits [T, V] at the same T positions.

    `after` [T] are the tokens that follow, `after_model` the same in the model's ids. With `shared` the divergence is taken
    over the tokens both have, each side scaled to sum to 1 there. Raises FloatingPointError for logits that are no numbers.
    """
    for name, logits in (("baseline", baseline), ("model", model)):
        if not np.isfinite(logits).all():
            raise FloatingPointError(f"NaN or infinity among the {name}'s logits")
    parts = []
    for i in range(0, len(after), _ROWS):
        rows = slice(i, i + _ROWS)
        parts.append(_compare(baseline[rows], model[rows], after[rows], after_model[rows], shared))
    return TokenComparison.joined(parts)


def _compare(baseline: Floats, model: Floats, after: Ints, after_model: Ints, shared: Shared | None) -> TokenComparison:
    p, q = log_softmax(baseline), log_softmax(model)
    row = np.arange(len(after))
    came, came_model = p[row, after], q[row, after_model]
    outside = model_outside = np.zeros(len(p))
    if shared is not None:
        p, q = p[:, shared.baseline], q[:, shared.model]
        inside, model_inside = np.exp(p).sum(axis=1), np.exp(q).sum(axis=1)
        outside, model_outside = np.maximum(1 - inside, 0.0), np.maximum(1 - model_inside, 0.0)
        p, q = p - np.log(inside)[:, None], q - np.log(model_inside)[:, None]
    same = p.argmax(axis=1) == q.argmax(axis=1)
    kl = np.maximum((np.exp(p) * (p - q)).sum(axis=1), 0.0)
    return TokenComparison(kl, same, came, came_model, outside, model_outside)
