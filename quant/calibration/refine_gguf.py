"""A quantized GGUF's matrices rounded again with feedback (`rounding`), in place: the scales stay, codes change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logos_cli.engines.llamacpp.engine import LlamaCppEngine
from logos_cli.models.gguf_header import GgufHeader, GgufTensor
from logos_cli.models.tensor_values import as_float32
from logos_cli.quant.calibration.calibrate import Sequences
from logos_cli.quant.calibration.k_blocks import FORMATS
from logos_cli.quant.calibration.moments import Input, inputs_of, moments, passes
from logos_cli.quant.calibration.rounding import Feedback, rounded

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PIECE = 32 << 20  # weights held as float32 at a time: 128 MB


@dataclass(frozen=True)
class Refiner:
    """`engine` runs the unquantized model of the file to be refined; `progress` hears of matrices done and all of them."""

    engine: LlamaCppEngine
    sequences: Sequences
    progress: Callable[[int, int], None] = lambda *_: None

    @property
    def digest(self) -> str:
        """Of what the result depends on besides the model."""
        return self.sequences.digest

    def refine(self, path: Path, written: GgufHeader) -> None:
        """Round the matrices of `path` again whose types are known here."""
        inputs = self._inputs(written)
        total, done = sum(len(one.matrices) for one in inputs), 0
        for several in passes(inputs):
            for one, sums in moments(self.engine, self.sequences, several):
                feedback = Feedback.of(sums, self.sequences.tokens)
                del sums
                for name in one.matrices:
                    self._matrix(path, written, name, feedback)
                    done += 1
                    self.progress(done, total)

    def _inputs(self, written: GgufHeader) -> list[Input]:
        """The inputs of those matrices whose format is known."""
        known = {tensor.name for tensor in written.tensors if tensor.type in FORMATS}
        found = [Input(o.name, o.width, tuple(n for n in o.matrices if n in known)) for o in inputs_of(self.engine)]
        return [one for one in found if one.matrices]

    def _matrix(self, path: Path, written: GgufHeader, name: str, feedback: Feedback) -> None:
        import numpy as np

        before = tensor_named(self.engine.header, name)
        after = tensor_named(written, name)
        form = FORMATS[after.type]
        row = after.nbytes // after.shape[1]
        with path.open("rb+") as stream:
            for start, stop in row_pieces(after):
                values = read_rows(self.engine.header, before, start, stop)
                stream.seek(written.data_start + after.offset + start * row)
                raw = np.frombuffer(stream.read((stop - start) * row), np.uint8).reshape(stop - start, row)
                stream.seek(-raw.nbytes, 1)
                stream.write(rounded(values, raw, form, feedback, self.engine.threads).tobytes())


def tensor_named(header: GgufHeader, name: str) -> GgufTensor:
    return next(tensor for tensor in header.tensors if tensor.name == name)


def row_pieces(tensor: GgufTensor, piece: int = PIECE) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most `piece` weights."""
    columns, rows = tensor.shape[0], tensor.elements // tensor.shape[0]
    step = max(1, piece // columns)
    return ((start, min(start + step, rows)) for start in range(0, rows, step))


def read_rows(header: GgufHeader, tensor: GgufTensor, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Rows [stop - start, C] of an unquantized matrix."""
    width = tensor.nbytes // (tensor.elements // tensor.shape[0])
    with header.path.open("rb") as stream:
        stream.seek(header.data_start + tensor.offset + start * width)
        return as_float32(stream.read((stop - start) * width), tensor.type).reshape(stop - start, tensor.shape[0])


def whole_matrices(header: GgufHeader) -> Sequence[GgufTensor]:
    """Those that quantizing is about."""
    return [tensor for tensor in header.tensors if len(tensor.shape) == 2]
