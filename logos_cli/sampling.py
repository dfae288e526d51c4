"""How the next token is chosen: settings, their sources, and one vectorized draw for all slots.

The order is that of `transformers`: repetition penalty over prompt and output, temperature, top-k, top-p. The
log-probability of a drawn token comes from the raw logits, before all four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from logos_cli.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int64]


_GROUP = 64  # values whose maximum is looked at first, when the largest are sought


@dataclass(frozen=True)
class Sampling:
    """`temperature` 0 is greedy; `top_k` 0 and `top_p` 1 are off; a `repetition_penalty` of 1 is off."""

    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    max_tokens: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        checks = {
            "temperature": 0 <= self.temperature <= 100,
            "top_k": self.top_k >= 0,
            "top_p": 0 < self.top_p <= 1,
            "repetition_penalty": 0 < self.repetition_penalty <= 100,
            "max_tokens": self.max_tokens >= 1,
            "seed": 0 <= self.seed < 2**64,
        }
        for name, good in checks.items():
            if not good:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)} is out of range")


@dataclass(frozen=True)
class ResolvedSampling:
    """The settings of a run and where each came from."""

    settings: Sampling
    sources: dict[str, str]


def resolve(
    task: str, default: Sampling, default_source: str, model_table: Mapping[str, Any], flags: Mapping[str, Any]
) -> ResolvedSampling:
    """Settings by the first that is given: flag, the model file's table for the task, the task's default."""
    found, sources = default, dict.fromkeys(asdict(default), default_source) | {"seed": "fixed, so that runs repeat"}
    table = model_table.get(task, {})
    known = {f.name: type(getattr(default, f.name)) for f in fields(Sampling)}
    for name, value in table.items():
        if name not in known or isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ModelFileError(f"the model's sampling table has {name}={value!r} for {task}; convert the model again")
        found, sources[name] = replace(found, **{name: known[name](value)}), "model file"
    for name, value in flags.items():
        if value is not None:
            found, sources[name] = replace(found, **{name: value}), "flag"
    return ResolvedSampling(found, sources)


def uniforms(seed: int, row: int, sample: int, count: int) -> npt.NDArray[np.float64]:
    """The random numbers of one sample, one for each token it may draw: nothing else consumes from its generator."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, row, sample]))).random(count)


def log_sum_exp(logits: Floats) -> npt.NDArray[np.float64]:
    """log Σ exp over the last axis of `logits` [B, V], each row by itself."""
    import numpy as np

    # Row by row: one row's scratch stays in the cache, where a [B, V] temporary would go through memory three times.
    scratch = np.empty(logits.shape[1], np.float32)
    found = np.empty(len(logits), np.float64)
    for i, row in enumerate(logits):
        top = row.max()
        np.exp(np.subtract(row, top, out=scratch), out=scratch)
        found[i] = np.log(np.float64(scratch.sum())) + top
    return found


def largest(logits: Floats, k: int) -> Ints:
    """Ids [B, k] of the k largest logits of each row, in descending order (ties: the smaller id first)."""
    import numpy as np

    return np.stack([_largest_of_row(row, k) for row in logits])


def _largest_of_row(row: npt.NDArray[np.float32], k: int) -> Ints:
    """Two passes: the k-th largest of the maxima of strided groups is a floor that at least k values reach, so the exact
    selection sees some dozens of values instead of a 128,000-token vocabulary."""
    import numpy as np

    groups = len(row) // _GROUP
    if groups > 4 * k:
        best = row[: groups * _GROUP].reshape(_GROUP, groups).max(axis=0)
        floor = np.partition(best, groups - k)[groups - k]
        members = (np.flatnonzero(best >= floor) + np.arange(_GROUP)[:, None] * groups).ravel()
        members = np.concatenate([members, np.arange(groups * _GROUP, len(row))])
        ids = members[row[members] >= floor]
    elif k < len(row):
        ids = np.flatnonzero(row >= np.partition(row, len(row) - k)[len(row) - k])
    else:
        ids = np.arange(len(row))
    found: Ints = ids[np.lexsort((ids, -row[ids]))[:k]]
    return found


class Sampler:
    """Draws one token for each of B slots from their logits [B, V]."""

    def __init__(self, settings: Sampling, without_text: Sequence[int] = ()) -> None:
        """`without_text`: ids that are never drawn, since no token belongs to them."""
        import numpy as np

        self.settings = settings
        self.without_text = np.array(without_text, np.int64)

    def draw(self, logits: Floats, seen: Sequence[Ints], u: npt.NDArray[np.float64]) -> tuple[Ints, Floats]:
        """Tokens [B] and their raw log-probabilities [B].

        `logits` [B, V] float32 is used as scratch space and left as it was; `seen[b]` are the distinct ids of slot
        b's prompt and output (needed only with a repetition penalty); `u` [B] are uniform numbers in [0, 1).
        Raises FloatingPointError for logits that are no numbers.
        """
        import numpy as np

        total = log_sum_exp(logits)
        if not np.isfinite(total).all():
            raise FloatingPointError("NaN or infinity among the logits")
        penalty = np.float32(self.settings.repetition_penalty)
        where: tuple[Any, Any] | None = None
        if penalty != 1:
            where = (np.repeat(np.arange(len(seen)), [len(ids) for ids in seen]), np.concatenate(seen))
            raw = logits[where]
            logits[where] = np.where(raw > 0, raw / penalty, raw * penalty)
        barred = logits[:, self.without_text]
        logits[:, self.without_text] = -np.inf
        tokens = self._choose(logits, u)
        logits[:, self.without_text] = barred
        if where is not None:
            logits[where] = raw
        chosen = np.take_along_axis(logits, tokens[:, None], axis=1)[:, 0]
        return tokens, (chosen - total).astype(np.float32)

    def _choose(self, logits: Floats, u: npt.NDArray[np.float64]) -> Ints:
        import numpy as np

        settings, vocabulary = self.settings, logits.shape[1]
        if settings.temperature == 0:
            best: Ints = np.argmax(logits, axis=1)
            return best
        cold = 1.0 / settings.temperature
        if settings.top_k == 0 and settings.top_p == 1:
            # No order is needed: the inverse of the cumulative distribution over ids.
            weights = np.exp((logits - logits.max(axis=1, keepdims=True)) * np.float32(cold)).astype(np.float64)
            return _invert(weights.cumsum(axis=1), u)
        k = min(settings.top_k or 512, vocabulary)
        while True:
            ids = largest(logits, k)
            values = np.take_along_axis(logits, ids, axis=1).astype(np.float64)
            weights = np.exp((values - values[:, :1]) * cold)
            if settings.top_k or k == vocabulary:
                whole = weights.sum(axis=1)
            else:
                # Nucleus over the full distribution: the k largest do if together they reach top_p.
                scaled = np.exp((logits - logits.max(axis=1, keepdims=True)) * np.float32(cold))
                whole = scaled.sum(axis=1, dtype=np.float64)
            summed = weights.cumsum(axis=1)
            if settings.top_k or k == vocabulary or bool((summed[:, -1] >= settings.top_p * whole).all()):
                break
            k = min(k * 8, vocabulary)
        if settings.top_p < 1:
            # transformers keeps a token while the mass before it is below top_p, so at least one stays.
            before = summed - weights
            weights = np.where(before < settings.top_p * whole[:, None], weights, 0.0)
            weights[:, 0] = np.maximum(weights[:, 0], 1e-300)
            summed = weights.cumsum(axis=1)
        place = _invert(summed, u)
        chosen: Ints = np.take_along_axis(ids, place[:, None], axis=1)[:, 0]
        return chosen


def _invert(summed: npt.NDArray[np.float64], u: npt.NDArray[np.float64]) -> Ints:
    """The first place of each row of cumulative weights that exceeds u × the row's total."""
    import numpy as np

    target = u * summed[:, -1]
    found = [np.searchsorted(row, t, side="right") for row, t in zip(summed, target, strict=True)]
    # u × total can round up to the total itself.
    places: Ints = np.minimum(np.array(found, np.int64), summed.shape[1] - 1)
    return places
