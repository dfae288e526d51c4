"""KV streams of an ONNX session: preallocated memory that past and present share, bound once a shape, never copied a step."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from logos_cli.engines.streams import PREFILL, prefill_spans
from logos_cli.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]


SLOW_STEP = 0.1  # seconds; a run after one longer than this can be interrupted in the middle
FIRST = float("inf")  # until a run is timed


class OnnxContext:
    """`streams` sequences of up to `cells` tokens each: stream b is row b of every cache [streams, kv_heads, cells, head].

    `device` is cpu or cuda; there the caches live on the GPU, and only ids, masks and logits cross.
    """

    fixed_rows = False

    def __init__(
        self, session: Any, streams: int, cells: int, shape: tuple[int, int, int], vocabulary: int, half: bool, device: str,
        outputs: int, card: int = 0,
    ) -> None:  # fmt: skip
        """`shape`: layers, key-value heads, head size. Raises EngineError if memory is short."""
        import numpy as np

        self.session, self.streams, self.cells, self.vocabulary = session, streams, cells, vocabulary
        self.layers, self.kv_heads, self.head = shape
        self.device, self.card, self.kind = device, card, np.dtype(np.float16 if half else np.float32)
        self.lengths = [0] * streams
        size = (streams, self.kv_heads, cells, self.head)
        try:
            self.caches = [self._allocated(size) for _ in range(2 * self.layers)]
            self.output = np.empty((max(outputs, streams), vocabulary), np.float32)
        except Exception as error:  # noqa: BLE001  # ONNX Runtime's errors have no common class but this
            raise EngineError(f"no memory for {streams} × {cells} tokens of cache ({first_line(error)})") from None
        self._binding = session.io_binding()
        self._bound: tuple[int, int, int] | None = None
        self._copier: Any = None
        self._seconds = FIRST  # of the last run

    def _allocated(self, size: tuple[int, ...]) -> Any:
        """Memory of one cache: an array on the CPU, else an OrtValue."""
        import numpy as np
        import onnxruntime

        if self.device == "cpu":
            return np.zeros(size, self.kind)
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(size, self.kind.type, self.device, self.card)

    def close(self) -> None:
        self._binding, self.caches = None, []

    # Streams

    def prefill(self, stream: int, tokens: Sequence[int]) -> list[Floats]:
        """Replace `stream` by `tokens`; a copy of the logits [1, V] after the last of them, in a list of one."""
        return [piece.copy() for piece in self.prefill_pieces(stream, tokens, 1)]

    def prefill_pieces(self, stream: int, tokens: Sequence[int], outputs: int, piece: int = PREFILL) -> Iterator[Floats]:
        """The logits [t, V] of the last `outputs` of `tokens`, `piece` tokens at a time, each array valid until the next."""
        import numpy as np

        ids = np.asarray(tokens, np.int64)
        for start, stop in prefill_spans(len(ids), piece):
            wanted = max(0, min(stop - start, stop - (len(ids) - outputs)))
            mask = np.ones((1, stop), np.int64)
            self._seconds = FIRST  # how long it takes depends on its length
            found = self._run(stream, 1, ids[None, start:stop], mask, max(1, wanted))
            self.lengths[stream] = stop
            if wanted:
                yield found

    def read(self, first: int, start: int, tokens: npt.NDArray[np.int32], keep: int) -> Iterator[Floats]:
        """Append `tokens` [S, n] at position `start` of streams first … first + S - 1; the last `keep` logits [keep, V]
        of each, every array valid until the next."""
        import numpy as np

        streams, n = tokens.shape
        # GroupQueryAttention on a CPU appends more than one token to a single stream only.
        together = 1 if start else streams
        kept = max(1, keep)
        for at in range(0, streams, together):
            self._seconds = FIRST  # how long it takes depends on its length
            ids = tokens[at : at + together].astype(np.int64)
            found = self._run(first + at, together, ids, np.ones((together, start + n), np.int64), kept)
            for row in range(together):
                self.lengths[first + at + row] = start + n
                yield found[row * kept : (row + 1) * kept][kept - keep :]

    def step(self, tokens: npt.NDArray[np.int32], positions: npt.NDArray[np.int32]) -> Floats:
        """Decode token b in stream b for b < len(tokens); logits [B, V], valid until the next call."""
        import numpy as np

        lengths = positions.astype(np.int64) + 1
        mask = (np.arange(lengths.max())[None, :] < lengths[:, None]).astype(np.int64)
        found = self._run(0, len(tokens), tokens.astype(np.int64)[:, None], mask, 1)
        self.lengths[: len(tokens)] = lengths.tolist()
        return found

    def trim(self, stream: int, length: int) -> None:
        """Keep the first `length` tokens of a stream."""
        self.lengths[stream] = min(length, self.lengths[stream])

    def copy(self, source: int, target: int) -> None:
        """Make stream `target` a copy of `source`."""
        length = self.lengths[target] = self.lengths[source]
        if self.device == "cpu":
            for values in self.caches:
                values[target, :, :length] = values[source, :, :length]
            return
        copier = self._copier or _DeviceCopier(self.device, self.card, self.kind)
        self._copier = copier
        for cache in self.caches:
            base, size = cache.data_ptr(), self._stream_bytes
            copier.copy(base + source * size, base + target * size, size)

    # Runs

    @property
    def _stream_bytes(self) -> int:
        return self.kv_heads * self.cells * self.head * self.kind.itemsize

    def _run(self, first: int, rows: int, ids: Any, mask: Any, keep: int) -> Floats:
        """Streams first … first + rows - 1; logits [rows · keep, V]."""
        import numpy as np

        binding = self._binding
        if self._bound != (first, rows, keep):
            self._bind(first, rows, keep)
        binding.bind_cpu_input("input_ids", np.ascontiguousarray(ids))
        binding.bind_cpu_input("attention_mask", mask)
        began = time.monotonic()
        # A thread costs a short step more than it gains; those end soon anyway.
        self._interruptible(binding) if self._seconds > SLOW_STEP else self._checked(binding, self._options())
        self._seconds = time.monotonic() - began
        return self.output[: rows * keep]

    def _bind(self, first: int, rows: int, keep: int) -> None:
        import numpy as np

        binding, shape = self._binding, (rows, self.kv_heads, self.cells, self.head)
        self._bound = None
        self._seconds = FIRST  # of this shape none was timed yet
        for number, cache in enumerate(self.caches):
            at = (cache.ctypes.data if self.device == "cpu" else cache.data_ptr()) + first * self._stream_bytes
            layer, which = divmod(number, 2)
            name = f"{layer}.{'value' if which else 'key'}"
            for bind, end in ((binding.bind_input, "past_key_values"), (binding.bind_output, "present")):
                bind(f"{end}.{name}", self.device, self.card, self.kind.type, shape, at)
        binding.bind_cpu_input("num_logits_to_keep", np.array([keep], np.int64))
        binding.bind_output("logits", "cpu", 0, np.float32, (rows, keep, self.vocabulary), self.output.ctypes.data)
        self._bound = (first, rows, keep)

    def _interruptible(self, binding: Any) -> None:
        """Run in a thread, so that Ctrl-C can end it in the middle; KeyboardInterrupt follows."""
        options = self._options()
        if threading.current_thread() is not threading.main_thread():
            self._checked(binding, options)
            return
        done: Future[None] = Future()

        def work() -> None:
            try:
                self._checked(binding, options)
                done.set_result(None)
            except BaseException as error:  # noqa: BLE001  # raised again where the result is asked for
                done.set_exception(error)

        worker = threading.Thread(target=work, daemon=True)
        try:
            worker.start()
            done.result()
        except BaseException:  # Ctrl-C, or the SystemExit of SIGTERM: the caches may go only when nobody writes to them
            options.terminate = True
            worker.join()
            raise

    def _options(self) -> Any:
        import onnxruntime

        return onnxruntime.RunOptions()

    def _checked(self, binding: Any, options: Any) -> None:
        try:
            self.session.run_with_iobinding(binding, options)
        except Exception as error:  # noqa: BLE001  # ONNX Runtime's errors have no common class but this
            raise EngineError(
                f"ONNX Runtime failed ({first_line(error)}); if memory is short, lower --batch or --max-tokens"
            ) from None


class _DeviceCopier:
    """Copies memory on a GPU: an Identity node between two addresses, as ONNX Runtime's Python has no call for it."""

    def __init__(self, device: str, card: int, kind: Any) -> None:
        import onnx
        import onnxruntime

        helper = onnx.helper
        self.device, self.card, self.kind = device, card, kind
        code = helper.np_dtype_to_tensor_dtype(kind)
        ends = [helper.make_tensor_value_info(name, code, ["n"]) for name in ("from", "to")]
        graph = helper.make_graph([helper.make_node("Identity", ["from"], ["to"])], "copy", ends[:1], ends[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CUDAExecutionProvider"])

    def copy(self, source: int, target: int, size: int) -> None:
        """Copy `size` bytes from one device address to another."""
        shape = (size // self.kind.itemsize,)
        binding = self.session.io_binding()
        binding.bind_input("from", self.device, self.card, self.kind.type, shape, source)
        binding.bind_output("to", self.device, self.card, self.kind.type, shape, target)
        self.session.run_with_iobinding(binding)


def first_line(error: BaseException) -> str:
    """ONNX Runtime's message without its source line and node dump."""
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
