"""How the next token is chosen: settings, their sources, and one vectorized draw for all slots.

The order is that of `transformers`: repetition penalty over prompt and output, temperature, top-k, top-p. The
log-probability of a drawn token comes from the raw logits, before all four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from logos_cli.engines.logits import blocks, largest, log_sum_exp
from logos_cli.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]


BEAM_MOST = 128  # hypotheses of a beam search
_PARALLEL = 1 << 19  # logits that are worth a second thread: below, handing over costs what it gains
_NUCLEUS = 64  # ids that most nuclei have room in
_SORTED = 512  # ids of a vocabulary that is sorted whole
_COUNTED = 1024  # places that are counted faster than searched


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

    @property
    def shape(self) -> Shape:
        """What a distribution is shaped by, which many requests may have in common."""
        return Shape(self.temperature, self.top_k, self.top_p, self.repetition_penalty)


class Shape(NamedTuple):
    """What `Sampling` does to a distribution."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


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


def uniforms(seed: int, row: int, sample: int, count: int) -> Doubles:
    """The random numbers of one sample, one for each token it may draw: nothing else consumes from its generator."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, row, sample]))).random(count)


@cache
def helpers(count: int) -> ThreadPoolExecutor:
    """Threads that help with large draws, the same for all samplers."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(count)


class Sampler:
    """Draws tokens from the logits [B, V] of B slots, one or more from each. A row's draws depend on that row alone."""

    def __init__(self, settings: Sampling | Shape, threads: int = 1, without_text: Sequence[int] = ()) -> None:
        """`without_text`: ids that are never drawn, since no token belongs to them."""
        import numpy as np

        self.settings, self.threads = settings, threads
        self.without_text = np.array(without_text, np.int64)

    def draw(self, logits: Floats, seen: Sequence[Ints], u: Doubles, rows: Ints | None = None) -> tuple[Ints, Floats]:
        """Tokens [S] and their raw log-probabilities [S], sample s from row `rows[s]`, ascending (None: from row s).

        `logits` [B, V] float32 is used as scratch space and left as it was; `seen[b]` are the distinct ids of slot
        b's prompt and output (needed only with a repetition penalty); `u` [S] are uniform numbers in [0, 1).
        A row whose logits are no numbers gives log-probability NaN, and its tokens mean nothing.
        """
        import numpy as np

        if rows is None:
            rows = np.arange(len(logits))
        parts = min(self.threads, len(logits)) if logits.size >= _PARALLEL else 1
        if parts == 1:
            return self._draw(logits, seen, u, rows)
        edges = np.linspace(0, len(logits), parts + 1).astype(int).tolist()
        cuts = np.searchsorted(rows, edges).tolist()
        work = [
            (logits[a:b], seen[a:b], u[c:d], rows[c:d] - a)
            for a, b, c, d in zip(edges, edges[1:], cuts, cuts[1:], strict=False)
        ]
        others = [helpers(self.threads - 1).submit(self._draw, *one) for one in work[1:]]
        try:
            found = [self._draw(*work[0])]
        finally:
            rest = [other.result() for other in others]  # nobody may be using the logits any more
        tokens, logprobs = zip(*found, *rest, strict=True)
        return np.concatenate(tokens), np.concatenate(logprobs)

    def _draw(self, logits: Floats, seen: Sequence[Ints], u: Doubles, rows: Ints) -> tuple[Ints, Floats]:
        import numpy as np

        total = log_sum_exp(logits)
        if (bad := ~np.isfinite(total)).any():
            logits = np.where(bad[:, None], np.float32(0), logits)
            total[bad] = np.nan
        penalty = np.float32(self.settings.repetition_penalty)
        where: tuple[Any, Any] | None = None
        if penalty != 1:
            where = (np.repeat(np.arange(len(seen)), [len(ids) for ids in seen]), np.concatenate(seen))
            raw = logits[where]
            logits[where] = np.where(raw > 0, raw / penalty, raw * penalty)
        barred = logits[:, self.without_text]
        logits[:, self.without_text] = -np.inf
        tokens = self._choose(logits, u, rows)
        logits[:, self.without_text] = barred
        if where is not None:
            logits[where] = raw
        return tokens, (logits[rows, tokens] - total[rows]).astype(np.float32)

    def _choose(self, logits: Floats, u: Doubles, rows: Ints) -> Ints:
        import numpy as np

        settings, vocabulary = self.settings, logits.shape[1]
        if settings.temperature == 0:
            best: Ints = np.argmax(logits, axis=1)[rows]
            return best
        if settings.top_k or (settings.top_p < 1 and vocabulary <= _SORTED):
            ids, weights = self._likeliest(logits, min(settings.top_k or vocabulary, vocabulary))
            return self._picked(ids, weights, weights.sum(axis=1), u, rows)
        tokens = np.empty(len(u), np.int64)
        for start, stop in blocks(logits):
            first, last = np.searchsorted(rows, (start, stop)).tolist()
            tokens[first:last] = self._from_all(logits[start:stop], u[first:last], rows[first:last] - start)
        return tokens

    def _from_all(self, logits: Floats, u: Doubles, rows: Ints) -> Ints:
        """Draw from distributions over the whole vocabulary, or from their nuclei."""
        import numpy as np

        scaled = logits - logits.max(axis=1, keepdims=True)
        if self.settings.temperature != 1:
            scaled *= np.float32(1.0 / self.settings.temperature)
        np.exp(scaled, out=scaled)
        if self.settings.top_p == 1:
            # No order is needed: the inverse of the cumulative distribution over ids.
            return _invert(scaled.astype(np.float64).cumsum(axis=1), u, rows)
        return self._from_nucleus(logits, scaled.sum(axis=1, dtype=np.float64), u, rows)

    def _likeliest(self, logits: Floats, k: int) -> tuple[Ints, Doubles]:
        """The `k` likeliest ids [B, k] of each row and their weights [B, k], that of the first being 1."""
        import numpy as np

        ids = largest(logits, k)
        values = np.take_along_axis(logits, ids, axis=1).astype(np.float64)
        return ids, np.exp((values - values[:, :1]) * (1.0 / self.settings.temperature))

    def _from_nucleus(self, logits: Floats, whole: Doubles, u: Doubles, rows: Ints) -> Ints:
        """Draw from the nuclei of distributions whose weights sum to `whole` [B]. Of each row as many of its likeliest ids are
        sorted as together reach top_p, and no more for a flat neighbour's sake."""
        import numpy as np

        vocabulary = logits.shape[1]
        tokens = np.empty(len(u), np.int64)
        left, k = np.arange(len(logits)), _NUCLEUS
        while True:
            ids, weights = self._likeliest(logits[left], k)
            if k == vocabulary:
                whole[left] = weights.sum(axis=1)
            settled = (weights.cumsum(axis=1)[:, -1] >= self.settings.top_p * whole[left]) | (k == vocabulary)
            place = np.full(len(logits), -1)
            place[left[settled]] = np.arange(settled.sum())
            mine = place[rows] >= 0
            tokens[mine] = self._picked(ids[settled], weights[settled], whole[left[settled]], u[mine], place[rows[mine]])
            left = left[~settled]
            if not len(left):
                return tokens
            k = min(k * 8, vocabulary)

    def _picked(
        self,
        ids: Ints,
        weights: Doubles,
        whole: Doubles,
        u: Doubles,
        rows: Ints,
    ) -> Ints:
        """Draw from sorted ids [B, k] by their weights [B, k], of a distribution whose weights sum to `whole` [B]."""
        import numpy as np

        summed = weights.cumsum(axis=1)
        if self.settings.top_p < 1:
            # transformers keeps a token while the mass before it is below top_p, so at least one stays.
            weights = np.where(summed - weights < self.settings.top_p * whole[:, None], weights, 0.0)
            weights[:, 0] = np.maximum(weights[:, 0], 1e-300)
            summed = weights.cumsum(axis=1)
        chosen: Ints = ids[rows, _invert(summed, u, rows)]
        return chosen


def _invert(summed: Doubles, u: Doubles, rows: Ints) -> Ints:
    """The first place of each sample's row of cumulative weights that exceeds u × the row's total."""
    import numpy as np

    target = u * summed[rows, -1]
    if summed.shape[1] <= _COUNTED:
        found = (summed[rows] <= target[:, None]).sum(axis=1)
    else:
        one = [np.searchsorted(summed[row], t, side="right") for row, t in zip(rows.tolist(), target, strict=True)]
        found = np.array(one, np.int64)
    # u × total can round up to the total itself.
    places: Ints = np.minimum(found, summed.shape[1] - 1)
    return places
