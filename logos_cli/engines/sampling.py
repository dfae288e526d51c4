"""How the next token is chosen: settings, their sources, and one vectorized draw for all slots.

The order is that of `transformers`: repetition penalty over prompt and output, temperature, top-k, top-p. The
log-probability of a drawn token comes from the raw logits, before all four.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from logos_cli.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]


BEAM_MOST = 128  # hypotheses of a beam search
_GROUP = 64  # values at most whose maximum is looked at first, when the largest are sought
_SMALL = 4096  # values of a row, of which the largest are found faster without
_BLOCK = 1 << 15  # logits looked at together
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


def log_sum_exp(logits: Floats) -> Doubles:
    """log Σ exp over the last axis of `logits` [B, V], each row by itself."""
    import numpy as np

    found = np.empty(len(logits), np.float64)
    scratch: Floats | None = None
    with np.errstate(invalid="ignore"):  # a row with infinities becomes NaN, which the caller looks for
        for start, stop in _blocks(logits):
            block = logits[start:stop]
            scratch = np.empty_like(block) if scratch is None else scratch[: stop - start]
            top = block.max(axis=1)
            np.exp(np.subtract(block, top[:, None], out=scratch), out=scratch)
            found[start:stop] = np.log(scratch.sum(axis=1).astype(np.float64)) + top
    return found


def _blocks(logits: Floats) -> Iterator[tuple[int, int]]:
    """Rows to look at together: one of a large vocabulary, whose temporaries then stay in a core's cache, many of a small
    one, which saves calls."""
    rows, vocabulary = logits.shape
    step = max(1, _BLOCK // vocabulary)
    return ((start, min(start + step, rows)) for start in range(0, rows, step))


def largest(logits: Floats, k: int) -> Ints:
    """Ids [B, k] of the k largest logits of each row, in descending order (ties: the smaller id first)."""
    import numpy as np

    rows, vocabulary = logits.shape
    if rows > 1 and k < vocabulary <= _SMALL:
        floors = np.partition(logits, vocabulary - k, axis=1)[:, vocabulary - k]
        _, ids = np.nonzero(logits >= floors[:, None])
        if len(ids) == rows * k:  # no row has more, for a tie at its floor
            found: Ints = ids.reshape(rows, k)
            order = np.argsort(-np.take_along_axis(logits, found, axis=1), axis=1, kind="stable")
            return np.take_along_axis(found, order, axis=1)
    return np.stack([_largest_of_row(row, k) for row in logits])


def _largest_of_row(row: npt.NDArray[np.float32], k: int) -> Ints:
    """Two passes: the k-th largest of the maxima of strided groups is a floor that at least k values reach, so the exact
    selection sees some dozens of values instead of a 128,000-token vocabulary."""
    import numpy as np

    size = min(_GROUP, len(row) // (4 * k + 1))
    if size >= _GROUP // 8:
        groups = len(row) // size
        best = row[: groups * size].reshape(size, groups).max(axis=0)
        floor = np.partition(best, groups - k)[groups - k]
        members = (np.flatnonzero(best >= floor) + np.arange(size)[:, None] * groups).ravel()
        members = np.concatenate([members, np.arange(groups * size, len(row))])
        ids = members[row[members] >= floor]
    elif k < len(row):
        ids = np.flatnonzero(row >= np.partition(row, len(row) - k)[len(row) - k])
    else:
        ids = np.arange(len(row))
    found: Ints = ids[np.lexsort((ids, -row[ids]))[:k]]
    return found


class Sampler:
    """Draws tokens from the logits [B, V] of B slots, one or more from each. A row's draws depend on that row alone."""

    def __init__(self, settings: Sampling, threads: int = 1, without_text: Sequence[int] = ()) -> None:
        """`without_text`: ids that are never drawn, since no token belongs to them."""
        import numpy as np

        self.settings, self.threads = settings, threads
        self.without_text = np.array(without_text, np.int64)
        self._pool: ThreadPoolExecutor | None = None

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
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.threads - 1)
        edges = np.linspace(0, len(logits), parts + 1).astype(int).tolist()
        cuts = np.searchsorted(rows, edges).tolist()
        work = [
            (logits[a:b], seen[a:b], u[c:d], rows[c:d] - a)
            for a, b, c, d in zip(edges, edges[1:], cuts, cuts[1:], strict=False)
        ]
        others = [self._pool.submit(self._draw, *one) for one in work[1:]]
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
        for start, stop in _blocks(logits):
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
