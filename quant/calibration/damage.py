"""What each type would cost each matrix: the weights of one matrix at a time are replaced in the loaded model by what a
quantized file would hold, type and kernels included, and the next-token distributions compared with the untouched model's.

The damage, mean KL divergence in nats a token over calibration texts, is measured with two types. For the others it follows
from their error, the part of the matrix's output that a type changes (squares of the changes over squares of the weights,
each column weighed with the importance matrix): damage = a · error + b, where b is what a kernel's rounding of its inputs
costs whatever the weights are. On nano this predicts the sum over all matrices within 6 % for q2_k, q3_k, iq4_xs and q5_k;
q8_0, whose kernel rounds its inputs more finely, comes out two thirds too high (docs/calibration.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logos_cli.engines.divergence import compare
from logos_cli.engines.llamacpp.engine import LlamaCppEngine
from logos_cli.engines.llamacpp.tensors import dequantized, multiplied, name_of, operation, quantized, replace, source, watching
from logos_cli.engines.streams import PREFILL
from logos_cli.errors import EngineError
from logos_cli.models.gguf_header import GgufHeader, GgufTensor
from logos_cli.quant.calibration.budget import Option
from logos_cli.quant.calibration.calibrate import Sequences, read_all
from logos_cli.quant.calibration.imatrix import Imatrix
from logos_cli.quant.calibration.refine_gguf import read_rows, row_pieces, whole_matrices

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

# For rows in whole 256s, and for others: what may be chosen, what is measured.
CANDIDATES = ("Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K", "Q8_0"), ("IQ4_NL", "Q5_0", "Q8_0")
MEASURED = ("Q4_K", "Q6_K"), ("IQ4_NL", "Q8_0")
TOKENS = 1024  # that each measurement reads
_BASELINE_BYTES = 512 << 20  # of its logits: about all of those tokens with a vocabulary of 128k


def candidates(tensor: GgufTensor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(types that a matrix can have, those that are measured)."""
    odd = tensor.shape[0] % 256 != 0
    return CANDIDATES[odd], MEASURED[odd]


def smallest(model: GgufHeader) -> int:
    """Bytes of all matrices in their smallest types."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    def least(tensor: GgufTensor) -> int:
        sizes = [GGML_QUANT_SIZES[GGMLQuantizationType[kind]] for kind in candidates(tensor)[0]]
        return min(int(tensor.elements // block * size) for block, size in sizes)

    return sum(least(tensor) for tensor in whole_matrices(model))


@dataclass(frozen=True)
class Damage:
    """Of one matrix: `bytes` and `error` by type, the mean KL divergence by type where it was measured."""

    name: str
    bytes: dict[str, int]
    error: dict[str, float]
    measured: dict[str, float]

    def options(self) -> list[Option]:
        """Every type with its damage, measured or from its error."""
        (coarse, high), (fine, low) = sorted(self.measured.items(), key=lambda one: -self.error[one[0]])
        slope = max(0.0, (high - low) / max(self.error[coarse] - self.error[fine], 1e-30))
        rest = max(0.0, low - slope * self.error[fine])
        return [
            Option(kind, size, self.measured.get(kind, slope * self.error[kind] + rest)) for kind, size in self.bytes.items()
        ]


def sample(sequences: Sequences, vocabulary: int, seed: int = 0) -> Sequences:
    """Some of the sequences, drawn at random, of about `TOKENS` tokens or fewer."""
    import numpy as np

    most = min(TOKENS, _BASELINE_BYTES // (4 * vocabulary))
    taken: list[tuple[int, ...]] = []
    for place in np.random.default_rng(seed).permutation(len(sequences.ids)):
        ids = sequences.ids[place]
        if len(ids) > 1 and (not taken or sum(map(len, taken)) + len(ids) <= most):
            taken.append(ids[:most])
    return Sequences(tuple(taken), sequences.origin)


class Meter:
    """Measures `engine`'s divergence from itself with a matrix replaced. Its weights must be writable."""

    def __init__(self, engine: LlamaCppEngine, sequences: Sequences, imatrix: Imatrix) -> None:
        self.engine, self.sequences, self.imatrix = engine, sequences, imatrix
        self.weights: dict[str, Any] = {}
        with watching(self._see) as callback:
            read_all(engine, Sequences(sequences.ids[:1], ""), callback)
        self._opened = ExitStack()
        # Nobody looks on while it is measured: a callback would be asked about every operation.
        self.context = self._opened.enter_context(engine.watched(None, max(map(len, sequences.ids)), PREFILL))
        self.baseline = [self._read(ids) for ids in sequences.ids]

    def close(self) -> None:
        self._opened.close()

    def _see(self, tensor: Any, asking: bool) -> bool:
        if multiplied(tensor) or operation(tensor) == "GET_ROWS":  # the embedding is looked up
            found = source(tensor, 0)
            self.weights.setdefault(name_of(found), found)
        return False

    def _read(self, ids: Sequence[int]) -> Floats:
        import numpy as np

        return np.concatenate([piece.copy() for piece in self.context.prefill_pieces(0, ids, len(ids))])

    def divergence(self) -> float:
        """Mean KL divergence of the model as it now is from the model as it was."""
        import numpy as np

        total, count = 0.0, 0
        for before, ids in zip(self.baseline, self.sequences.ids, strict=True):
            after = np.array(ids[1:], np.int64)
            found = compare(before[:-1], self._read(ids)[:-1], after, after)
            total, count = total + float(found.kl.sum(dtype=np.float64)), count + len(found.kl)
        return total / count

    def measure(self, tensor: GgufTensor) -> Damage:
        """One matrix of the engine's file; the model is as before afterwards."""
        from gguf import GGMLQuantizationType

        if tensor.name not in self.weights:
            raise EngineError(f"{self.engine.path}: llama.cpp does not use {tensor.name}; quantize this model with --type")
        kinds, to_measure = candidates(tensor)
        mean = self.imatrix.mean(tensor.name)
        sizes, errors, measured = {}, {}, {}
        try:
            for kind in kinds:
                number = int(GGMLQuantizationType[kind])
                blocks, errors[kind] = self._quantized(tensor, number, mean)
                sizes[kind] = blocks.nbytes
                if kind in to_measure:
                    replace(self.weights[tensor.name], number, blocks)
                    measured[kind] = self.divergence()
        finally:
            self._restore(tensor)
        return Damage(tensor.name, sizes, errors, measured)

    def _quantized(self, tensor: GgufTensor, kind: int, mean: Floats | None) -> tuple[npt.NDArray[np.uint8], float]:
        """(blocks as in a file, part of the output that they change)."""
        import numpy as np

        weights = np.ones(tensor.shape[0], np.float32) if mean is None else mean
        parts, lost, whole = [], 0.0, 0.0
        for start, stop in row_pieces(tensor):
            values = read_rows(self.engine.header, tensor, start, stop)
            blocks = quantized(values, kind, mean, self.engine.threads)
            changed = dequantized(blocks, kind, tensor.shape[0], self.engine.threads) - values
            lost += float(np.einsum("rc,rc,c->", changed, changed, weights))
            whole += float(np.einsum("rc,rc,c->", values, values, weights))
            parts.append(blocks.reshape(-1))
        return np.concatenate(parts), lost / max(whole, 1e-30)

    def _restore(self, tensor: GgufTensor) -> None:
        import numpy as np
        from gguf import GGMLQuantizationType

        header = self.engine.header
        with header.path.open("rb") as stream:
            stream.seek(header.data_start + tensor.offset)
            raw = np.frombuffer(stream.read(tensor.nbytes), np.uint8)
        replace(self.weights[tensor.name], int(GGMLQuantizationType[tensor.type]), raw)


def damages(
    meter: Meter, known: Callable[[str], Damage | None], keep: Callable[[Damage], None], progress: Callable[[int], None]
) -> Iterator[Damage]:
    """Of every matrix; those that `known` has are taken from there, others are measured and given to `keep`."""
    for tensor in whole_matrices(meter.engine.header):
        found = known(tensor.name)
        if found is None:
            found = meter.measure(tensor)
            keep(found)
        progress(1)
        yield found
