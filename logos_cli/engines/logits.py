"""Logits seen as numbers: their sums, and the largest of a vocabulary of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

_GROUP = 64  # values at most whose maximum is looked at first, when the largest are sought
_SMALL = 4096  # values of a row, of which the largest are found faster without
_BLOCK = 1 << 15  # logits looked at together


def log_sum_exp(logits: Floats) -> Doubles:
    """log Σ exp over the last axis of `logits` [B, V], each row by itself."""
    import numpy as np

    found = np.empty(len(logits), np.float64)
    scratch: Floats | None = None
    with np.errstate(invalid="ignore"):  # a row with infinities becomes NaN, which the caller looks for
        for start, stop in blocks(logits):
            block = logits[start:stop]
            scratch = np.empty_like(block) if scratch is None else scratch[: stop - start]
            top = block.max(axis=1)
            np.exp(np.subtract(block, top[:, None], out=scratch), out=scratch)
            found[start:stop] = np.log(scratch.sum(axis=1).astype(np.float64)) + top
    return found


def blocks(logits: Floats) -> Iterator[tuple[int, int]]:
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


def likeliest_tokens(
    logits: npt.NDArray[np.float32], width: int, without_text: Sequence[int]
) -> list[list[tuple[int, float]] | None]:
    """The `width` likeliest tokens after each row of `logits` [B, V] with their log-probabilities, equal ones by id; None for
    a row that is no numbers. Ids `without_text` are no token's; `logits` is used as scratch space."""
    import numpy as np

    total = log_sum_exp(logits)
    bad = ~np.isfinite(total)
    if bad.any():
        logits = np.where(bad[:, None], np.float32(0), logits)
    logits[:, np.array(without_text, np.int64)] = -np.inf
    ids = largest(logits, width)
    logprobs = (np.take_along_axis(logits, ids, axis=1) - total[:, None]).astype(np.float32)
    rows = zip(ids.tolist(), logprobs.tolist(), bad.tolist(), strict=True)
    return [None if wrong else list(zip(tokens, values, strict=True)) for tokens, values, wrong in rows]
