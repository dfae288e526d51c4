"""GGUF files on llama.cpp through its low-level API (the high-level one has neither batches nor several samples)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from logos_cli import engine_llamacpp_library as library
from logos_cli.alphabet import Grammar
from logos_cli.engine import EngineInfo, EngineSettings
from logos_cli.engine_batching import BatchingEngine
from logos_cli.engine_llamacpp_context import Context
from logos_cli.engine_llamacpp_devices import choose_device
from logos_cli.engine_llamacpp_probe import probe
from logos_cli.errors import ModelFileError, TokenizerError
from logos_cli.gguf_header import TRIM_IDS, read_header
from logos_cli.interrupt import deferred_interrupt, left_behind
from logos_cli.threads import chosen_threads


class LlamaCppEngine(BatchingEngine):
    """See `logos_cli.engine.Engine`. Loading raises ModelFileError, opening a device that is not there EngineError."""

    block = 64  # read nearly as fast as longer ones, and mutants of a protein share more of them

    def __init__(self, path: Path, settings: EngineSettings, writable: bool = False) -> None:
        """`writable` weights are read into memory of their own instead of mapped, so that they can be replaced there."""
        super().__init__()
        self.path, self.settings, self.writable = path, settings, writable
        self.header = read_header(path)
        probe(self.header)
        self.binding = binding = library.load()
        self.gpu = choose_device(settings.device)
        self.fixed_rows = self.gpu is not None
        self.threads = chosen_threads(settings.threads)
        self.model = self._load()
        self.vocab = binding.llama_model_get_vocab(self.model)
        self.vocabulary = binding.llama_vocab_n_tokens(self.vocab)
        self.full_precision = self.header.scheme == "f32"
        self.info = EngineInfo(
            name=path.stem,
            fingerprint=self.header.fingerprint,
            scheme=self.header.scheme,
            context=self._context_length(),
            device=str(self.gpu) if self.gpu else "cpu",
            threads=self.threads,
            kv_type="f32" if self.full_precision else "f16",
            build=f"llama-cpp-python {library.VERSION}",
            sampling=self.header.sampling,
            rows=self.streams(self.batch) if self.fixed_rows else None,
        )
        self._pieces: dict[int, bytes] = {}
        self.grammar = Grammar(self.header.added_tokens or ()) if TRIM_IDS in self.header.keys else None

    def _load(self) -> Any:
        params = library.model_params()
        if self.writable:
            params.load_mode, params.use_extra_bufts = self.binding.LLAMA_LOAD_MODE_NONE, False
        _devices = library.place(params, self.gpu.handle if self.gpu else None)
        if self.gpu:
            self.gpu.check_room(self.header.size, self.path)
        with deferred_interrupt() as interrupt:
            progress = self.binding.llama_progress_callback(lambda *_: not interrupt.came)
            params.progress_callback = progress
            model = self.binding.llama_model_load_from_file(os.fsencode(self.path), params)
        if not model:
            raise ModelFileError(f"{self.path}: llama.cpp cannot load it ({library.last_words()}); convert it again")
        return model

    def _context_length(self) -> int:
        return int(self.binding.llama_model_n_ctx_train(self.model))

    # Tokens

    def tokenize(self, text: str) -> tuple[int, ...]:
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

    @property
    def end(self) -> int:
        found = int(self.binding.llama_vocab_eos(self.vocab))
        if found < 0:
            raise TokenizerError(f"{self.path}: its vocabulary names no end-of-text token; convert it again")
        return found

    @cached_property
    def end_tokens(self) -> frozenset[int]:
        """Ids at which every generation stops: the tokenizer's end, turn-end and padding tokens."""
        found = {i for i in range(self.vocabulary) if self.binding.llama_vocab_is_eog(self.vocab, i)}
        pad = self.binding.llama_vocab_pad(self.vocab)
        return frozenset(found | ({pad} if pad >= 0 else set()))

    # Decoding

    def open_context(self, streams: int, cells: int, outputs: int = 0) -> Context:
        full, fixed = self.full_precision, self.fixed_rows
        return Context(self.model, streams, cells, self.threads, self.vocabulary, full, outputs, fixed_rows=fixed)

    def free_bytes(self) -> int | None:
        return self.gpu.memory()[0] if self.gpu else super().free_bytes()

    @contextmanager
    def watched(self, watch: Any, tokens: int, piece: int) -> Iterator[Context]:
        """A context for one sequence of up to `tokens` tokens, read `piece` at a time with `watch` looking on."""
        cells = -(-tokens // 256) * 256
        context = Context(self.model, 1, cells, self.threads, self.vocabulary, self.full_precision, piece, watch)
        try:
            yield context
        finally:
            context.close()

    @property
    def kv_bytes_per_token(self) -> int:
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

    def close(self) -> None:
        if left_behind():
            return
        self.release()
        if self.model:
            self.binding.llama_model_free(self.model)
            self.model = None
