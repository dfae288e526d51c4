"""Scoring: sequences are read many at a time, and each comes out bit for bit as if it were read alone.

Rules for that, each measured against reading alone (q4_0 to q8_0, iq4_xs, bf16, f16, f32; ONNX f32, f16, int8, int4):
- a sequence is read in blocks cut at fixed places, the last one padded to a multiple of four that is at least eight:
  llama.cpp's kernels depend on the number of rows (see `engines.slots`) and, in attention, on the rows of a sequence;
- a call reads blocks of one place and one length, so the kernels are those that a single sequence gets;
- logits are asked for in such multiples too, since the output head is one more product of rows.
A block's keys and values then depend on the tokens up to its end and on nothing else. So a sequence goes on from the
blocks its stream holds of the one before, where both begin alike: the mutants of a protein are read from about their
mutation on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from logos_cli.engines.logits import log_sum_exp
from logos_cli.engines.streams import PREFILL, ROWS_STEP, padded_rows
from logos_cli.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int32]

Pair = tuple[Sequence[int], Sequence[int]]

ROWS = PREFILL  # tokens a call: more gains nothing on a CPU
OUTPUT_BYTES = 1 << 26  # of logits a call: 128 tokens of a 128k vocabulary, which its short sequences need
OUTPUTS_MIN = 64
STREAMS = 16
CELLS = 8192  # of KV cache, all streams together; a longer sequence is read alone
# The look-ahead: sorted by length, many sequences fill calls better; but results wait for their whole window.
WINDOW_PAIRS, WINDOW_TOKENS, WINDOW_SECONDS = 512, 32768, 4.0
FIRST_WINDOW = 1024  # tokens, until the speed is known


class Blocks(Protocol):
    """`streams` KV streams of up to `cells` tokens each, to which blocks of tokens are appended, several side by side."""

    streams: int
    cells: int

    def read(self, first: int, start: int, tokens: Ids, keep: int) -> Iterator[Floats]:
        """Append `tokens` [S, n] at position `start` of streams first … first + S - 1; the last `keep` logits [keep, V]
        of each, every array valid until the next."""
        ...

    def trim(self, stream: int, length: int) -> None:
        """Keep the first `length` tokens of a stream."""
        ...

    def close(self) -> None: ...


def most_outputs(vocabulary: int) -> int:
    """Logits of how many tokens to ask of a call, a multiple of four."""
    return max(OUTPUTS_MIN, min(ROWS, OUTPUT_BYTES // (4 * vocabulary) // ROWS_STEP * ROWS_STEP))


@dataclass(frozen=True)
class Text:
    """`ids` [T] of a sequence; the logits that count come after its token number `first` and later."""

    ids: Ids
    first: int

    @classmethod
    def of(cls, pair: Pair, context: int) -> Text:
        """Raises EngineError for what cannot be scored: no prompt, or more tokens than the model's context."""
        import numpy as np

        prompt, continuation = pair
        if not len(prompt):
            raise EngineError("nothing comes before the first token to score; give a prompt of at least one token")
        if len(prompt) + len(continuation) > context:
            raise EngineError(f"a sequence of {len(prompt) + len(continuation):,} tokens; the model's context is {context:,}")
        return cls(np.array([*prompt, *continuation], np.int32), len(prompt) - 1)

    @property
    def length(self) -> int:
        """Tokens to read: nothing comes after the last one."""
        return len(self.ids) - 1

    def shape(self, block: int) -> tuple[int, int]:
        """How many whole blocks are read, and the padded length of the last, broken one (0 if there is none)."""
        whole, rest = divmod(self.length, block)
        return whole, padded_rows(rest) if rest else 0

    def cells(self, block: int) -> int:
        """Places that it takes in a stream, its padding included."""
        whole, last = self.shape(block)
        return whole * block + last


@dataclass
class _Held:
    """What a stream holds: a text and the log-probability [T - 1] of each token after the first that counts."""

    text: Text
    scores: Floats

    def shared(self, text: Text, block: int) -> int:
        """How many whole blocks `text` can take over. The token after a block was scored with it, so it must agree too."""
        import numpy as np

        if self.text.first > text.first:
            return 0
        most = min(len(self.text.ids), len(text.ids))
        differing = np.flatnonzero(self.text.ids[:most] != text.ids[:most])
        return max(0, int(differing[0] if len(differing) else most) - 1) // block


class Reader:
    """Scores texts on `context`, in blocks of `block` tokens, at most `outputs` logits a call."""

    def __init__(self, context: Blocks, block: int, outputs: int) -> None:
        self.context, self.block, self.outputs = context, block, outputs
        self.held: list[_Held | None] = [None] * context.streams

    def scores(self, texts: Sequence[Text]) -> list[Floats]:
        """Log-probabilities [T - 1 - first] of each; NaN or infinite where the logits are."""
        import numpy as np

        found = [np.empty(0, np.float32) for _ in texts]
        for numbers in self._batches(texts):
            for i, scores in zip(numbers, self._read([texts[i] for i in numbers]), strict=True):
                found[i] = scores
        return found

    def _batches(self, texts: Sequence[Text]) -> Iterator[list[int]]:
        """Numbers of texts to read side by side: of like length, and next to each other those that begin alike."""
        shapes = [text.shape(self.block) for text in texts]
        wanted = [i for i, text in enumerate(texts) if text.first < text.length]
        # As big-endian bytes, ids sort like tuples of numbers, without making any.
        order = sorted(wanted, key=lambda i: (shapes[i], texts[i].ids.astype(">i4").tobytes()))
        batch: list[int] = []
        for i in order:
            whole, last = shapes[i]
            if batch:
                alike = shapes[batch[0]] == shapes[i] if not whole else shapes[batch[0]][0] == whole
                most = min(self.context.streams, ROWS // (self.block if whole else last))
                if not alike or len(batch) >= most:
                    yield batch
                    batch = []
            batch.append(i)
        if batch:
            yield batch

    def _read(self, texts: Sequence[Text]) -> list[Floats]:
        """Text b in stream b."""
        import numpy as np

        begins, scores = [], [np.empty(text.length, np.float32) for text in texts]
        for stream, (text, score) in enumerate(zip(texts, scores, strict=True)):
            held, self.held[stream] = self.held[stream], None  # in case of an interrupt
            begin = self.block * held.shared(text, self.block) if held else 0
            if held:
                score[:begin] = held.scores[:begin]
            self.context.trim(stream, begin)
            begins.append(begin)
        ends = [text.cells(self.block) for text in texts]
        for start in range(min(begins), max(ends), self.block):
            lengths = [min(self.block, end - start) if begin <= start else 0 for begin, end in zip(begins, ends, strict=True)]
            for first, stop in self._calls(texts, lengths, start):
                self._call(texts[first:stop], scores[first:stop], first, start, lengths[first])
        for stream, (text, score) in enumerate(zip(texts, scores, strict=True)):
            self.held[stream] = _Held(text, score)
        return [score[text.first :].copy() for text, score in zip(texts, scores, strict=True)]

    def _calls(self, texts: Sequence[Text], lengths: Sequence[int], start: int) -> Iterator[tuple[int, int]]:
        """Runs of neighbouring streams with blocks of one length, as long as one call may be."""
        first = 0
        while first < len(texts):
            n, stop = lengths[first], first + 1
            keep = self._keep(texts[first], start, n)
            while stop < len(texts) and lengths[stop] == n and n > 0:
                keep = max(keep, self._keep(texts[stop], start, n))
                if (stop + 1 - first) * n > ROWS or (stop + 1 - first) * keep > self.outputs:
                    break
                stop += 1
            if n > 0:
                yield first, stop
            first = stop

    @staticmethod
    def _keep(text: Text, start: int, n: int) -> int:
        """Logits to ask for, from the first that counts to the end of the block."""
        wanted = min(n, start + n - text.first)
        return padded_rows(wanted) if wanted > 0 else 0

    def _call(self, texts: Sequence[Text], scores: Sequence[Floats], first: int, start: int, n: int) -> None:
        import numpy as np

        tokens = np.empty((len(texts), n), np.int32)
        for row, text in zip(tokens, texts, strict=True):
            here = text.ids[start : min(start + n, text.length)]
            row[: len(here)], row[len(here) :] = here, here[-1]  # padding, which causal attention cannot see
        keep = max(self._keep(text, start, n) for text in texts)
        for text, score, logits in zip(texts, scores, self.context.read(first, start, tokens, keep), strict=True):
            begin, end = max(start, text.first), min(start + n, text.length)
            if begin < end:
                rows = logits[keep - (start + n - begin) :][: end - begin]
                raw = np.take_along_axis(rows, text.ids[begin + 1 : end + 1, None], axis=1)[:, 0]
                score[begin:end] = raw - log_sum_exp(rows)


class Windows:
    """Pairs from an iterator, so many at a time as are scored in a few seconds."""

    def __init__(self, pairs: Iterable[Pair | None], context: int) -> None:
        self.pairs, self.context = pairs, context
        self.tokens = FIRST_WINDOW

    def __iter__(self) -> Iterator[list[Text | None]]:
        """What comes before an error among the pairs is given out before it is raised."""
        window: list[Text | None] = []
        try:
            size = 0
            for pair in self.pairs:
                text = None if pair is None else Text.of(pair, self.context)
                window.append(text)
                size += text.length if text else 0
                if len(window) >= WINDOW_PAIRS or size >= self.tokens:
                    began = time.monotonic()
                    yield window
                    seconds = max(time.monotonic() - began, 1e-3)
                    if size:
                        self.tokens = int(min(max(FIRST_WINDOW, size / seconds * WINDOW_SECONDS), WINDOW_TOKENS))
                    window, size = [], 0
        except Exception:
            if window:
                yield window
            raise
        if window:
            yield window
