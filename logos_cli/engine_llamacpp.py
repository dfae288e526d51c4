"""GGUF files on llama.cpp through its low-level API (the high-level one has neither batches nor several samples)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli import engine_llamacpp_library as library
from logos_cli.engine import EngineInfo, EngineSettings, Generation, Request
from logos_cli.engine_llamacpp_context import PREFILL, Context
from logos_cli.engine_llamacpp_probe import probe
from logos_cli.engine_llamacpp_slots import ROWS_MIN, ROWS_STEP, Slots, padded_rows
from logos_cli.errors import EngineError, ModelFileError, TokenizerError, UsageError
from logos_cli.gguf_header import read_header
from logos_cli.memory import available_bytes
from logos_cli.sampling import Sampler, Sampling

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# The part of free memory that KV caches may take: the rest is for compute buffers and other programs.
KV_SHARE = 0.8
LOGITS_BYTES = 1 << 25  # of logits handed out at a time: 65 tokens of a 128k vocabulary


class LlamaCppEngine:
    """See `logos_cli.engine.Engine`. Loading raises ModelFileError, opening a device that is not there EngineError."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        self.path, self.settings = path, settings
        self.header = read_header(path)
        probe(self.header)
        self.binding = binding = library.load()
        device, offload = library.choose_device(settings.device)
        self.threads = library.chosen_threads(settings.threads)
        self.model = self._load(offload)
        self.vocab = binding.llama_model_get_vocab(self.model)
        self.vocabulary = binding.llama_vocab_n_tokens(self.vocab)
        self.full_precision = self.header.scheme == "f32"
        self.info = EngineInfo(
            name=path.stem,
            fingerprint=self.header.fingerprint,
            scheme=self.header.scheme,
            context=self._context_length(),
            device=device,
            threads=self.threads,
            kv_type="f32" if self.full_precision else "f16",
            build=f"llama-cpp-python {library.VERSION}",
            sampling=self.header.sampling,
        )
        self._context: Context | None = None
        self._scoring: Context | None = None
        self._pieces: dict[int, bytes] = {}

    def _load(self, offload: bool) -> Any:
        params = self.binding.llama_model_default_params()
        params.n_gpu_layers = -1 if offload else 0
        no_devices = (ctypes.c_void_p * 1)(None)
        if not offload:
            # Without this a CUDA build would still run large prefill batches on the GPU.
            params.devices = ctypes.addressof(no_devices)
        with library.deferred_interrupt() as interrupt:
            progress = self.binding.llama_progress_callback(lambda *_: not interrupt.came)
            params.progress_callback = progress
            model = self.binding.llama_model_load_from_file(os.fsencode(self.path), params)
        if not model:
            raise ModelFileError(f"{self.path}: llama.cpp cannot load it ({library.last_words()}); convert it again")
        return model

    def _context_length(self) -> int:
        return int(self.binding.llama_model_n_ctx_train(self.model))

    # Tokens

    def encode(self, text: str) -> tuple[int, ...]:
        raw = text.encode("utf-8")
        buffer = (ctypes.c_int32 * (len(raw) + 2))()
        count = self.binding.llama_tokenize(self.vocab, raw, len(raw), buffer, len(buffer), False, True)
        if count < 0:
            raise TokenizerError(f"{self.path}: cannot tokenize {text[:60]!r}")
        start = [self.binding.llama_vocab_bos(self.vocab)] if self.binding.llama_vocab_get_add_bos(self.vocab) else []
        return (*start, *buffer[:count])

    def marker(self, name: str) -> int:
        raw = name.encode("utf-8")
        buffer = (ctypes.c_int32 * (len(raw) + 2))()
        count = self.binding.llama_tokenize(self.vocab, raw, len(raw), buffer, len(buffer), False, True)
        if count != 1:
            raise TokenizerError(
                f"{self.path}: marker {name} is {count} tokens in this model, not one; it does not speak this task's grammar"
            )
        return int(buffer[0])

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of `tokens`, markers kept, the tokenizer's own end and padding tokens left out."""
        return b"".join(self._piece(token) for token in tokens).decode("utf-8", "replace")

    def _piece(self, token: int) -> bytes:
        if token not in self._pieces:
            if self.binding.llama_vocab_is_eog(self.vocab, token):
                self._pieces[token] = b""
            else:
                buffer = ctypes.create_string_buffer(512)
                size = self.binding.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, True)
                self._pieces[token] = buffer.raw[: max(0, size)]
        return self._pieces[token]

    @cached_property
    def end_tokens(self) -> frozenset[int]:
        """Ids at which every generation stops: the tokenizer's end, turn-end and padding tokens."""
        found = {i for i in range(self.vocabulary) if self.binding.llama_vocab_is_eog(self.vocab, i)}
        pad = self.binding.llama_vocab_pad(self.vocab)
        return frozenset(found | ({pad} if pad >= 0 else set()))

    # Decoding

    def generate(
        self, requests: Iterable[Request | None], sampling: Sampling, stops: Sequence[str] | None, single: bool = False
    ) -> Iterator[Generation | None]:
        """Answers in the order in which they end. `single` decodes one answer at a time with one-row kernels."""
        if self.settings.batch < 1:
            raise UsageError(f"--batch {self.settings.batch} is out of range; give at least 1")
        ends = frozenset() if stops is None else self.end_tokens | {self.marker(name) for name in stops}
        sampler = Sampler(sampling)
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
                raise EngineError(f"{self.path}: {error}, the file is damaged; see: logos inspect {self.path}") from None

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
                self._context = Context(self.model, count, cells, self.threads, self.vocabulary, self.full_precision)
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
            fitting = int(free * KV_SHARE) // (cells * self._kv_bytes_per_token())
            streams = min(streams, fitting // ROWS_STEP * ROWS_STEP)
        while streams >= ROWS_MIN:
            yield streams
            streams = padded_rows(streams // 2) if streams > ROWS_MIN else 0
        yield 1

    def _kv_bytes_per_token(self) -> int:
        binding = self.binding
        heads, kv = binding.llama_model_n_head(self.model), binding.llama_model_n_head_kv(self.model)
        width = binding.llama_model_n_embd(self.model) // heads
        head = self.header.integer(f"{self.header.text('general.architecture')}.attention.key_length", width)
        layers = int(binding.llama_model_n_layer(self.model))
        return 2 * layers * int(kv) * head * (4 if self.full_precision else 2)

    def token_texts(self) -> list[str]:
        """The text of each id as the vocabulary spells it, which is another for each."""
        get = self.binding.llama_vocab_get_text
        return [get(self.vocab, i).decode("utf-8", "replace") for i in range(self.vocabulary)]

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
            self._scoring = Context(self.model, 1, cells, self.threads, self.vocabulary, self.full_precision, outputs=piece)
        left = len(tokens)
        for found in self._scoring.prefill_pieces(0, [*tokens, *padding], len(tokens) + len(padding), piece):
            yield found[:left]
            left -= len(found)

    def score(self, prompt: Sequence[int], continuation: Sequence[int]) -> npt.NDArray[np.float32]:
        import numpy as np

        from logos_cli.sampling import log_sum_exp

        tokens = np.array([*prompt, *continuation])
        found, at = [], 0
        for piece in self.logits_pieces(tokens.tolist()):
            after = tokens[at + 1 : at + 1 + len(piece)]
            raw = np.take_along_axis(piece[: len(after)], after[:, None], axis=1)[:, 0]
            found.append(raw - log_sum_exp(piece[: len(after)]))
            at += len(piece)
        return np.concatenate(found)[len(prompt) - 1 :].astype(np.float32)

    def _close_context(self) -> None:
        if self._context:
            self._context.close()
            self._context = None

    def _close_scoring(self) -> None:
        if self._scoring:
            self._scoring.close()
            self._scoring = None

    def release(self) -> None:
        self._close_context()
        self._close_scoring()

    def close(self) -> None:
        if library.left_behind():
            return
        self.release()
        if self.model:
            self.binding.llama_model_free(self.model)
            self.model = None


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
