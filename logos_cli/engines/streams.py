"""Streams: what slots decode on, and how many rows a step has so that each comes out as it always does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ROWS_MIN, ROWS_STEP = 8, 4
FIXED_ROWS = (32, 64, 128, 256)  # llama.cpp takes 256 sequences at most
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
