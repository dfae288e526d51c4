"""GGUF files on llama.cpp through its low-level API (the high-level one has neither batches nor several samples)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from logos_cli.chemistry.alphabet import Grammar
from logos_cli.engines.batching import BatchingEngine
from logos_cli.engines.engine import EngineInfo, EngineSettings
from logos_cli.engines.llamacpp import library
from logos_cli.engines.llamacpp.context import Context
from logos_cli.engines.llamacpp.devices import choose_device
from logos_cli.engines.llamacpp.probe import probe
from logos_cli.engines.llamacpp.tokens import LlamaTokens
from logos_cli.errors import ModelFileError
from logos_cli.models.gguf_header import GUESSED, TRIM_IDS, read_header
from logos_cli.system.interrupt import deferred_interrupt, left_behind
from logos_cli.system.threads import chosen_threads


class LlamaCppEngine(BatchingEngine):
    """See `logos_cli.engines.engine.Engine`. Loading raises ModelFileError, opening a device that is not there EngineError."""

    block = 64  # read nearly as fast as longer ones, and mutants of a protein share more of them

    def __init__(self, path: Path, settings: EngineSettings, writable: bool = False) -> None:
        """`writable` weights are read into memory of their own instead of mapped, so that they can be replaced there."""
        super().__init__()
        self.path, self.settings, self.writable = path, settings, writable
        self.header = read_header(path)
        probe(self.header)
        if self.header.guesses_pieces:
            settings.note(f"{path}: {GUESSED}")
        self.binding = binding = library.load()
        self.gpu = choose_device(settings.device)
        self.fixed_rows = self.gpu is not None
        self.threads = chosen_threads(settings.threads)
        self.model = self._load()
        self.tokens = LlamaTokens(binding, self.model, self.header)
        self.vocabulary, self.without_text = self.tokens.vocabulary, self.tokens.without_text
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
        return self.tokens.encode(text)

    def marker(self, name: str) -> int:
        return self.tokens.marker(name)

    def decode(self, tokens: Sequence[int]) -> str:
        return self.tokens.decode(tokens)

    @property
    def end(self) -> int:
        return self.tokens.end_of_text()

    @property
    def end_tokens(self) -> frozenset[int]:
        return self.tokens.ends

    def token_texts(self) -> list[str]:
        return self.tokens.texts

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

    def close(self) -> None:
        if left_behind():
            return
        self.release()
        if self.model:
            self.binding.llama_model_free(self.model)
            self.model = None
