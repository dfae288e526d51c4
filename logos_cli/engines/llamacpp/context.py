"""One llama.cpp context with separate KV streams, seen as numpy: prefill a stream, copy it, decode one row a stream."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from logos_cli.engines.llamacpp import library
from logos_cli.engines.streams import PREFILL, prefill_spans
from logos_cli.errors import EngineError
from logos_cli.system.interrupt import deferred_interrupt, heard

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

SLOW_STEP = 0.1  # seconds; a step longer than this can be interrupted in the middle


class Context:
    """`streams` sequences of up to `cells` tokens each.

    `full_precision` keeps the KV cache in f32 with flash attention off: with f16 rounding in the cache summed
    log-probabilities differ from a float32 forward pass by up to about 2e-2, without it by less than 1e-3. `fixed_rows`: a
    step always decodes all streams (`engines.slots`). `watch` is a callback that sees each operation
    (`engines.llamacpp.tensors.watching`).
    """

    def __init__(
        self, model: Any, streams: int, cells: int, threads: int, vocabulary: int, full_precision: bool, outputs: int = 0,
        watch: Any = None, fixed_rows: bool = False,
    ) -> None:  # fmt: skip
        import numpy as np

        self.binding = binding = library.load()
        self.streams, self.cells, self.vocabulary, self.fixed_rows = streams, cells, vocabulary, fixed_rows
        params = binding.llama_context_default_params()
        params.n_ctx = streams * cells
        params.n_seq_max = streams
        params.n_batch = params.n_ubatch = max(PREFILL, streams)
        params.n_outputs_max = max(outputs, streams)
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = False
        params.no_perf = True
        if full_precision:
            params.type_k = params.type_v = binding.GGML_TYPE_F32
            params.flash_attn_type = binding.LLAMA_FLASH_ATTN_TYPE_DISABLED
        else:
            params.flash_attn_type = binding.LLAMA_FLASH_ATTN_TYPE_ENABLED
        if watch is not None:
            params.cb_eval = watch
        # It fills gigabytes of cache with zeros, which can take seconds, and logs: a Ctrl-C raised inside that is lost.
        self.handle = None
        self.handle = heard(lambda: binding.llama_init_from_model(model, params))
        if not self.handle:
            raise EngineError(f"llama.cpp could not open a context of {streams} × {cells} tokens: {library.last_words()}")
        self.memory = binding.llama_get_memory(self.handle)
        self._step_seconds = SLOW_STEP * 2  # until one is timed
        # How many first cells of each stream may hold keys and values that are no numbers.
        self._spoiled = np.zeros(streams, np.int32)
        # One batch for all calls: numpy arrays that the C struct points into, refilled in place.
        size = params.n_batch
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._outputs = np.zeros(size, np.int8)
        self._counts = np.ones(size, np.int32)
        self._ids = np.arange(streams, dtype=np.int32)
        self._each = (self._ids.ctypes.data + 4 * np.arange(streams)).astype(np.uint64)
        self._pointers = np.zeros(size, np.uint64)
        cast = ctypes.cast
        self._batch = binding.llama_batch(
            0,
            cast(self._tokens.ctypes.data, ctypes.POINTER(ctypes.c_int32)),
            None,
            cast(self._positions.ctypes.data, ctypes.POINTER(ctypes.c_int32)),
            cast(self._counts.ctypes.data, ctypes.POINTER(ctypes.c_int32)),
            cast(self._pointers.ctypes.data, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            cast(self._outputs.ctypes.data, ctypes.POINTER(ctypes.c_int8)),
        )

    def close(self) -> None:
        if self.handle:
            self.binding.llama_free(self.handle)
            self.handle = None

    def _decode(self, count: int) -> None:
        self._batch.n_tokens = count
        code = self.binding.llama_decode(self.handle, self._batch)
        if code != 0:
            raise EngineError(f"llama.cpp failed to decode {count} tokens (code {code}): {library.last_words()}")

    def _view(self, outputs: int) -> Floats:
        import numpy as np

        pointer = self.binding.llama_get_logits(self.handle)
        return np.ctypeslib.as_array(pointer, shape=(outputs, self.vocabulary))

    def prefill(self, stream: int, tokens: Sequence[int], outputs: int = 1) -> list[Floats]:
        """Replace `stream` by `tokens`; copies of the logits [1 … n, V] of the last `outputs` of them, in pieces."""
        return [piece.copy() for piece in self.prefill_pieces(stream, tokens, outputs)]

    def prefill_pieces(self, stream: int, tokens: Sequence[int], outputs: int, piece: int = PREFILL) -> Iterator[Floats]:
        """The same `piece` tokens at a time, each array valid until the next."""
        import numpy as np

        self.trim(stream, 0)
        self._heal(stream, 0, tokens)
        first_output = len(tokens) - outputs
        for start, stop in prefill_spans(len(tokens), piece):
            n = stop - start
            self._tokens[:n] = tokens[start:stop]
            self._positions[:n] = np.arange(start, stop)
            self._pointers[:n] = self._each[stream]
            self._outputs[:n] = np.arange(start, stop) >= first_output
            wanted = int(self._outputs[:n].sum())
            with self._abortable():
                self._decode(n)
            if wanted:
                logits = self._view(wanted)
                self._look(slice(stream, stream + 1), logits[-1:], stop)
                yield logits

    def read(self, first: int, start: int, tokens: npt.NDArray[np.int32], keep: int) -> Iterator[Floats]:
        """Append `tokens` [S, n] at position `start` of streams first … first + S - 1; the last `keep` logits [keep, V]
        of each, every array valid until the next."""
        import numpy as np

        streams, n = tokens.shape
        count = streams * n
        for row, stream in enumerate(range(first, first + streams)):
            self._heal(stream, start, tokens[row])
        self._tokens[:count] = tokens.reshape(-1)
        self._positions[:count] = np.tile(np.arange(start, start + n), streams)
        self._pointers[:count] = np.repeat(self._each[first : first + streams], n)
        self._outputs[:count] = np.tile(np.arange(n) >= n - keep, streams)
        with self._abortable():
            self._decode(count)
        logits = self._view(streams * keep) if keep else np.empty((0, self.vocabulary), np.float32)
        pieces = logits.reshape(streams, keep, self.vocabulary)
        if keep:
            self._look(slice(first, first + streams), pieces[:, -1], start + n)
        yield from pieces

    def _look(self, streams: slice, logits: Floats, length: int | npt.NDArray[np.int32]) -> None:
        """Remember streams whose last `logits` [B, V] are no numbers: then keys and values of their `length` tokens are none,
        and one column of the logits shows it."""
        import numpy as np

        bad = ~np.isfinite(logits[:, 0])
        if bad.any():
            spoiled = np.where(bad, length, 0)
            self._spoiled[streams] = np.maximum(self._spoiled[streams], spoiled)

    def _heal(self, stream: int, start: int, tokens: Sequence[int] | npt.NDArray[np.int32]) -> None:
        """Write `tokens`, repeated, over what was no number behind the first `start` cells, and free these again.

        Attention reads free cells too, with weight 0: without flash attention 0 × NaN is NaN, and the next answers in that
        stream would not be numbers either.
        """
        import numpy as np

        end = int(self._spoiled[stream])
        if end <= start:
            return
        self._spoiled[stream] = 0
        fill = np.resize(np.asarray(tokens, np.int32), end - start)
        for at in range(0, len(fill), PREFILL):
            n = len(fill[at : at + PREFILL])
            self._tokens[:n] = fill[at : at + n]
            self._positions[:n] = np.arange(start + at, start + at + n)
            self._pointers[:n] = self._each[stream]
            self._outputs[:n] = 0
            with self._abortable():
                self._decode(n)
        self.trim(stream, start)

    @contextmanager
    def _abortable(self) -> Iterator[None]:
        """Let Ctrl-C end a decode in the middle; KeyboardInterrupt follows."""
        with deferred_interrupt() as interrupt:
            abort = self.binding.ggml_abort_callback(lambda _: interrupt.came)
            self.binding.llama_set_abort_callback(self.handle, abort, None)
            try:
                yield
            except EngineError:
                if not interrupt.came:
                    raise
            finally:
                self.binding.llama_set_abort_callback(self.handle, self.binding.ggml_abort_callback(), None)

    def step(self, tokens: npt.NDArray[np.int32], positions: npt.NDArray[np.int32]) -> Floats:
        """Decode token b in stream b for b < len(tokens); logits [B, V], valid until the next call."""
        n = len(tokens)
        for stream in (self._spoiled[:n] > positions).nonzero()[0].tolist():
            self._heal(stream, int(positions[stream]), tokens[stream : stream + 1])
        self._tokens[:n] = tokens
        self._positions[:n] = positions
        self._pointers[:n] = self._each[:n]
        self._outputs[:n] = 1
        # llama.cpp asks the callback after every operation, which short steps would feel; they end soon anyway. Even they
        # may log, and a Ctrl-C raised in the log's callback would be lost.
        began = time.monotonic()
        with self._abortable() if self._step_seconds > SLOW_STEP else deferred_interrupt():
            self._decode(n)
        self._step_seconds = time.monotonic() - began
        logits = self._view(n)
        self._look(slice(0, n), logits, positions + 1)
        return logits

    def trim(self, stream: int, length: int) -> None:
        """Keep the first `length` tokens of a stream."""
        self.binding.llama_memory_seq_rm(self.memory, stream, length, -1)

    def copy(self, source: int, target: int) -> None:
        """Make stream `target` a copy of `source`."""
        self.binding.llama_memory_seq_rm(self.memory, target, -1, -1)
        self.binding.llama_memory_seq_cp(self.memory, source, target, -1, -1)
        self._spoiled[target] = self._spoiled[source]  # all cells are copied, free ones too
