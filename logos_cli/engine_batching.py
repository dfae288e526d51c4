"""What every engine with slots does alike: opening contexts that memory allows, batching, scoring, logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from logos_cli.alphabet import Grammar
from logos_cli.engine import EngineInfo, EngineSettings, Generation, Request
from logos_cli.engine_scoring import CELLS, STREAMS, Blocks, Pair, Reader, Text, Windows, most_outputs
from logos_cli.engine_slots import PREFILL, ROWS_MIN, ROWS_STEP, Slots, Streams, padded_rows
from logos_cli.errors import EngineError, UsageError
from logos_cli.memory import available_bytes
from logos_cli.sampling import Sampler, Sampling

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# The part of free memory that KV caches may take: the rest is for compute buffers and other programs.
KV_SHARE = 0.8
LOGITS_BYTES = 1 << 25  # of logits handed out at a time: 65 tokens of a 128k vocabulary


class Context(Streams, Blocks, Protocol):
    """Streams that can be opened and closed, and that give the logits after every token of a prompt."""

    def prefill_pieces(
        self, stream: int, tokens: Sequence[int], outputs: int, piece: int = PREFILL
    ) -> Iterator[npt.NDArray[np.float32]]: ...


class BatchingEngine(ABC):
    """See `logos_cli.engine.Engine`. A subclass knows its library: tokens, the context, what it takes."""

    path: Path
    settings: EngineSettings
    info: EngineInfo
    vocabulary: int
    grammar: Grammar | None = None  # of a trimmed vocabulary: what it can write
    without_text: Sequence[int] = ()  # rows of the embedding that no token belongs to: never drawn
    block = PREFILL  # tokens of a sequence that are scored in one call

    def __init__(self) -> None:
        self._context: Context | None = None
        self._scoring: Context | None = None
        self._reader: Reader | None = None

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
        self, requests: Iterable[Request | None], sampling: Sampling, stops: Sequence[str] | None, single: bool = False
    ) -> Iterator[Generation | None]:
        """Answers in the order in which they end. `single` decodes one answer at a time with one-row kernels."""
        if self.settings.batch < 1:
            raise UsageError(f"--batch {self.settings.batch} is out of range; give at least 1")
        ends = frozenset() if stops is None else self.end_tokens | {self.marker(name) for name in stops}
        sampler = Sampler(sampling, self.without_text)
        waiting = _Waiting(requests)
        while waiting.look():
            request = waiting.head
            if request is None:
                waiting.take()
                yield None
                continue
            cells = self._cells(len(request.tokens), sampling.max_tokens)
            context = self._open(1 if single else padded_rows(self.settings.batch), cells)
            most = min(self.settings.batch, context.streams)
            slots = Slots(context, sampler, sampling, ends, self.info.context, most)
            try:
                for done in slots.finished(waiting.jobs(context.cells, slots.budget)):
                    if done is None:
                        yield None
                        continue
                    text = self.decode(done.tokens)
                    yield Generation(done.row, done.sample, text, done.tokens, done.logprob, done.finish)
            except FloatingPointError as error:
                raise self._damaged(error) from None

    def _damaged(self, error: FloatingPointError) -> EngineError:
        return EngineError(f"{self.path}: {error}, the file is damaged; see: logos inspect {self.path}")

    def _cells(self, prompt: int, max_tokens: int) -> int:
        """Stream length for prompts about this long, in whole 256s as llama.cpp's attention reads them."""
        wanted = min(max(prompt, 128) * 5 // 4 + max_tokens, max(self.info.context, prompt))
        return -(-wanted // 256) * 256

    def _open(self, streams: int, cells: int) -> Context:
        """A context at least `cells` long with as many streams as memory allows; the last one if it will do."""
        now = self._context
        if now and now.cells >= cells and (now.streams == streams or 1 < now.streams < streams):
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
            if count < streams:
                how = f"{count} answers at a time" if count > 1 else "one answer at a time, by kernels that may change texts"
                self.settings.note(f"memory is short for {streams} answers of {cells} tokens: {how}; or lower --max-tokens")
            return self._context
        raise AssertionError("the last count is 1, which returns or raises")

    def _affordable(self, streams: int, cells: int) -> Iterator[int]:
        """Numbers of streams to try: what memory should hold, then half as many, at last a single one."""
        free = available_bytes()
        if streams > 1 and free is not None:
            fitting = int(free * KV_SHARE) // (cells * self.kv_bytes_per_token)
            streams = min(streams, fitting // ROWS_STEP * ROWS_STEP)
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
        if self.settings.batch < 1:
            raise UsageError(f"--batch {self.settings.batch} is out of range; give at least 1")
        for window in Windows(pairs, self.info.context):
            texts = [text for text in window if text]
            try:
                found = iter(self._open_reader(texts).scores(texts) if texts else [])
            except FloatingPointError as error:
                raise self._damaged(error) from None
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
            free = available_bytes()
            count = min(STREAMS, self.settings.batch, max(1, CELLS // cells))
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


class _Waiting:
    """Requests with one looked at ahead, so that one that needs a longer context waits for it."""

    def __init__(self, requests: Iterable[Request | None]) -> None:
        self.rest = iter(requests)
        self.loaded = False
        self.head: Request | None = None

    def look(self) -> bool:
        """Whether there is another request, which is then `head`."""
        if not self.loaded:
            try:
                self.head, self.loaded = next(self.rest), True
            except StopIteration:
                return False
        return True

    def take(self) -> Request | None:
        self.loaded = False
        return self.head

    def jobs(self, cells: int, budget: Callable[[Request], int]) -> Iterator[tuple[Request, int] | None]:
        """(request, sample) as long as requests fit into `cells`; None for None."""
        while self.look():
            request = self.head
            if request is None:
                self.take()
                yield None
            elif len(request.tokens) + budget(request) > cells:
                return
            else:
                self.take()
                yield from ((request, sample) for sample in request.samples)
