"""What every engine with slots does alike: opening contexts that memory allows, batching, scoring, logits."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from logos_cli.chemistry.alphabet import Grammar
from logos_cli.engines.engine import EngineInfo, EngineSettings, Generation, Request, Work
from logos_cli.engines.reading import CELLS, STREAMS, Blocks, Pair, Reader, Text, Windows, most_outputs
from logos_cli.engines.requests import Requests
from logos_cli.engines.samplers import Samplers
from logos_cli.engines.sampling import Sampling
from logos_cli.engines.slots import Slots
from logos_cli.engines.streams import FIXED_ROWS, PREFILL, ROWS_MIN, ROWS_STEP, Streams, fixed_rows, padded_rows
from logos_cli.errors import EngineError, UsageError
from logos_cli.system.memory import available_bytes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# The part of free memory that KV caches may take: the rest is for compute buffers and other programs.
KV_SHARE = 0.8
# Answers at once unless the user says so. On an H200 64 rows of LOGOS-1B's shape in Q4_K_M take 4.9 ms, 32 take 3.3 and 128
# take 8.9: twice as many are nearly free, four times as many are not.
BATCH, BATCH_ON_GPU = 32, 64
LOGITS_BYTES = 1 << 25  # of logits handed out at a time: 65 tokens of a 128k vocabulary


class Context(Streams, Blocks, Protocol):
    """Streams that can be opened and closed, and that give the logits after every token of a prompt."""

    def prefill_pieces(
        self, stream: int, tokens: Sequence[int], outputs: int, piece: int = PREFILL
    ) -> Iterator[npt.NDArray[np.float32]]: ...


class BatchingEngine(ABC):
    """See `logos_cli.engines.engine.Engine`. A subclass knows its library: tokens, the context, what it takes."""

    path: Path
    settings: EngineSettings
    info: EngineInfo
    vocabulary: int
    grammar: Grammar | None = None  # of a trimmed vocabulary: what it can write
    without_text: Sequence[int] = ()  # rows of the embedding that no token belongs to: never drawn
    block = PREFILL  # tokens of a sequence that are scored in one call
    fixed_rows = False  # whether the kernels depend on the number of rows, so that it must never change

    def __init__(self) -> None:
        self._context: Context | None = None
        self._scoring: Context | None = None
        self._reader: Reader | None = None
        self.work = Work()
        self._told = sys.maxsize  # the fewest streams that a note has named

    def encode(self, text: str) -> tuple[int, ...]:
        """See `Engine`. Raises ForeignText for what a trimmed vocabulary cannot write."""
        if self.grammar is not None:
            self.grammar.check(text)
        return self.tokenize(text)

    @abstractmethod
    def tokenize(self, text: str) -> tuple[int, ...]:
        """Ids of `text`, BOS first."""

    @abstractmethod
    def marker(self, name: str) -> int: ...

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Text of `tokens`, markers kept, the tokenizer's own end and padding tokens left out."""

    @property
    @abstractmethod
    def end(self) -> int: ...

    @property
    @abstractmethod
    def end_tokens(self) -> frozenset[int]:
        """Ids at which every generation stops: the tokenizer's end, turn-end and padding tokens."""

    @abstractmethod
    def open_context(self, streams: int, cells: int, outputs: int = 0) -> Context:
        """`outputs`: logits of how many tokens a call must give, if more than one a stream. Raises EngineError."""

    @property
    @abstractmethod
    def kv_bytes_per_token(self) -> int: ...

    def generate(
        self, requests: Iterable[Request | None], sampling: Sampling, stops: Sequence[str] | None, single: bool = False,
        beam: int = 0,
    ) -> Iterator[Generation | None]:  # fmt: skip
        """Answers in the order in which they end. `single` decodes one answer at a time with one-row kernels."""
        ends = self.stop_tokens(stops)
        samplers = Samplers(self.info.threads, self.without_text)
        queue, streams = Requests(requests, sampling, beam), 1 if single else self.streams(max(self.batch, beam))
        while True:
            try:
                request = queue.look()
            except StopIteration:
                return
            if request is None:
                yield None
                continue
            prompt, most = queue.longest()
            context = self._open(streams, self._cells(prompt, most))
            slots = Slots(context, sampling, ends, self.info.context, self.work, samplers)
            yield from self._generations(slots, queue, streams, most)

    def stop_tokens(self, stops: Sequence[str] | None) -> frozenset[int]:
        """Ids at which an answer ends: the tokenizer's own and the markers `stops`; none for None. Raises TokenizerError."""
        return frozenset() if stops is None else self.end_tokens | {self.marker(name) for name in stops}

    @property
    def batch(self) -> int:
        """The most answers at once: as asked for, else what the device does well. Raises UsageError for less than one."""
        asked = self.settings.batch
        if asked is None:
            return BATCH_ON_GPU if self.fixed_rows else BATCH
        if asked < 1:
            raise UsageError(f"--batch {asked} is out of range; give at least 1")
        return asked

    def streams(self, batch: int) -> int:
        """KV streams for up to `batch` answers at once."""
        return fixed_rows(batch) if self.fixed_rows else padded_rows(batch)

    def free_bytes(self) -> int | None:
        """Memory that KV caches may be taken from; None where it cannot be read."""
        return available_bytes()

    def _generations(self, slots: Slots, queue: Requests, streams: int, most: int) -> Iterator[Generation | None]:
        """Answers to the requests of `queue` that the open context is right for."""

        def fits(request: Request) -> bool:
            return len(request.tokens) + slots.budget(request) <= slots.context.cells

        def better(request: Request) -> bool:
            return self._more_streams(streams, self._cells(len(request.tokens), most))

        tokens: tuple[int, ...] = ()
        text = ""
        for done in slots.finished(queue.fitting(fits, better, lambda: not slots.trees)):
            if done is None:
                yield None
                continue
            if done.tokens is not tokens:  # samples of one branch come one after the other
                tokens, text = done.tokens, self.decode(done.tokens)
            yield Generation(done.row, done.sample, text, done.tokens, done.logprob, done.finish, done.asker)

    def _cells(self, prompt: int, max_tokens: int) -> int:
        """Stream length for prompts about this long, in whole 256s as llama.cpp's attention reads them."""
        wanted = min(max(prompt, 128) * 5 // 4 + max_tokens, max(self.info.context, prompt))
        return -(-wanted // 256) * 256

    def _open(self, streams: int, cells: int) -> Context:
        """A context at least `cells` long with as many streams as memory allows; the last one if it will do."""
        now = self._context
        enough = now and now.cells >= cells and (now.streams == streams or 1 < now.streams < streams)
        if now and enough and not self._more_streams(streams, cells):
            for stream in range(now.streams):
                now.trim(stream, 0)
            return now
        self._close_context()
        for count in self._affordable(streams, cells):
            try:
                self._context = self.open_context(count, cells)
            except EngineError:
                if count == 1:
                    raise
                continue
            if count < min(streams, self._told):
                how = f"{count} answers at a time" if count > 1 else "one answer at a time, by kernels that may change texts"
                self.settings.note(f"memory is short for {streams} answers of {cells} tokens: {how}; or lower --max-tokens")
                self._told = count
            return self._context
        raise AssertionError("the last count is 1, which returns or raises")

    def _more_streams(self, streams: int, cells: int) -> bool:
        """Whether memory for fewer streams than `streams` was found, and shorter ones of `cells` could be more."""
        now = self._context
        if not now or now.streams >= streams or now.cells <= cells:
            return False
        given_back = now.streams * now.cells * self.kv_bytes_per_token
        return next(self._affordable(streams, cells, given_back)) > now.streams

    def _affordable(self, streams: int, cells: int, given_back: int = 0) -> Iterator[int]:
        """Numbers of streams to try: what memory should hold, then half as many, at last a single one."""
        free = self.free_bytes()
        if streams > 1 and free is not None:
            fitting = int((free + given_back) * KV_SHARE) // (cells * self.kv_bytes_per_token)
            streams = min(streams, fitting // ROWS_STEP * ROWS_STEP)
        if self.fixed_rows:
            yield from (rows for rows in reversed(FIXED_ROWS) if rows <= streams)
        while streams >= ROWS_MIN:
            yield streams
            streams = padded_rows(streams // 2) if streams > ROWS_MIN else 0
        yield 1

    def logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        import numpy as np

        return np.concatenate([piece.copy() for piece in self.logits_pieces(tokens)])

    def logits_pieces(self, tokens: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
        # At least eight rows a call, as in decoding: padded at the end, which causal attention cannot see.
        padding = [tokens[-1]] * max(0, ROWS_MIN - len(tokens))
        piece = max(ROWS_MIN, min(PREFILL, LOGITS_BYTES // (4 * self.vocabulary)))
        cells = -(-max(len(tokens), PREFILL) // 256) * 256
        if self._scoring is None or self._scoring.cells < cells:
            self._close_scoring()
            self._scoring = self.open_context(1, cells, piece)
        left = len(tokens)
        for found in self._scoring.prefill_pieces(0, [*tokens, *padding], len(tokens) + len(padding), piece):
            yield found[:left]
            left -= len(found)

    def score(self, prompt: Sequence[int], continuation: Sequence[int]) -> npt.NDArray[np.float32]:
        (found,) = self.score_many([(prompt, continuation)])
        assert found is not None, "only None gives None"
        return found

    def score_many(self, pairs: Iterable[Pair | None]) -> Iterator[npt.NDArray[np.float32] | None]:
        for window in Windows(pairs, self.info.context):
            texts = [text for text in window if text]
            found = iter(self._open_reader(texts).scores(texts) if texts else [])
            for text in window:
                yield next(found) if text else None

    def _open_reader(self, texts: Sequence[Text]) -> Reader:
        """One with streams long enough for each of `texts`, and as many as memory allows; the last one if it will do."""
        outputs = most_outputs(self.vocabulary)
        block = min(self.block, outputs)
        longest = max(text.cells(block) for text in texts)
        if self._reader is None or self._reader.context.cells < longest:
            self._close_reader()
            # Powers of two, so that slowly growing sequences do not open one context after the other.
            cells = max(256, 1 << (longest - 1).bit_length())
            free = self.free_bytes()
            # Where rows are fixed a sequence is read alone: its blocks then have its own sizes.
            count = 1 if self.fixed_rows else min(STREAMS, self.batch, max(1, CELLS // cells))
            if free is not None:
                count = min(count, max(1, int(free * KV_SHARE) // (cells * self.kv_bytes_per_token)))
            while self._reader is None:
                try:
                    self._reader = Reader(self.open_context(count, cells, outputs), block, outputs)
                except EngineError:
                    if count == 1:
                        raise
                    count //= 2
        return self._reader

    def _close_context(self) -> None:
        if self._context:
            self._context.close()
            self._context = None

    def _close_scoring(self) -> None:
        if self._scoring:
            self._scoring.close()
            self._scoring = None

    def _close_reader(self) -> None:
        if self._reader:
            self._reader.context.close()
            self._reader = None

    def release(self) -> None:
        self._close_context()
        self._close_scoring()
        self._close_reader()
