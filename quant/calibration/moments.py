"""Second moments of what matrices are multiplied with: sums of x xᵀ over all tokens, for rounding with feedback.

Those of a wide input are large (268 MB for LOGOS-1B's 8,192), so the texts are read as often as memory asks for, a few
inputs each time. Matrices that multiply the same input (q, k and v; gate and up) share them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from logos_cli.engines.llamacpp.engine import LlamaCppEngine
from logos_cli.engines.llamacpp.tensors import activations, multiplied, name_of, source, watching
from logos_cli.errors import EngineError
from logos_cli.quant.calibration.calibrate import Sequences, read_all
from logos_cli.system.memory import available_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MEMORY = 2 << 30  # bytes of moments held at a time, and at most a part of what is free
_SHARE = 0.2
_ROWS = 1024  # of an input gathered before they are multiplied


@dataclass(frozen=True)
class Input:
    """What some matrices multiply: llama.cpp's name of it, and its width."""

    name: str
    width: int
    matrices: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        return 4 * self.width**2


@dataclass
class _Seen:
    """Inputs by name, in the order of the graph."""

    found: dict[str, Input] = field(default_factory=dict)

    def see(self, tensor: Any, asking: bool) -> bool:
        if name := multiplied(tensor):
            factor = source(tensor, 1)
            told, width = name_of(factor), int(factor.contents.ne[0])
            before = self.found.get(told, Input(told, width, ()))
            if name not in before.matrices:
                self.found[told] = Input(told, width, (*before.matrices, name))
        return False


def inputs_of(engine: LlamaCppEngine) -> list[Input]:
    """The inputs of all matrices. Raises EngineError for a model whose inputs have no names of their own."""
    seen = _Seen()
    with watching(seen.see) as callback, engine.watched(callback, 256, 512) as context:
        for _ in context.prefill_pieces(0, [0] * 8, 8):
            pass
    matrices = [name for one in seen.found.values() for name in one.matrices]
    if len(set(matrices)) != len(matrices):
        raise EngineError(
            f"{engine.path}: llama.cpp's graph of this model is not known here; quantize it with --calibrate IMATRIX"
        )
    return list(seen.found.values())


class _Products:
    """Sums of x xᵀ of the inputs asked for."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.first = {one.matrices[0]: one for one in inputs}
        self.sums = {one.name: np.zeros((one.width, one.width), np.float32) for one in inputs}
        self.rows: dict[str, list[Floats]] = {one.name: [] for one in inputs}

    def see(self, tensor: Any, asking: bool) -> bool:
        one = self.first.get(multiplied(tensor) or "")
        if one is None:
            return False
        if not asking:
            rows = self.rows[one.name]
            rows.append(activations(tensor))
            if sum(map(len, rows)) >= _ROWS:
                self.flush(one.name)
        return True

    def flush(self, name: str) -> None:
        if self.rows[name]:
            rows = np.concatenate(self.rows[name])
            self.sums[name] += rows.T @ rows
            self.rows[name].clear()


def moments(engine: LlamaCppEngine, sequences: Sequences, inputs: Sequence[Input]) -> Iterator[tuple[Input, Floats]]:
    """Each input with its sums [C, C]; the caller takes one after the other and lets go of it."""
    products = _Products(inputs)
    with watching(products.see) as callback:
        read_all(engine, sequences, callback)
    for one in inputs:
        products.flush(one.name)
        yield one, products.sums.pop(one.name)


def passes(inputs: Sequence[Input], memory: int | None = None) -> list[list[Input]]:
    """Inputs that are taken in the same reading; a single one may be larger than `memory`."""
    if memory is None:
        free = available_bytes()
        memory = MEMORY if free is None else min(MEMORY, int(free * _SHARE))
    found: list[list[Input]] = []
    for one in inputs:
        if found and sum(other.nbytes for other in found[-1]) + one.nbytes <= memory:
            found[-1].append(one)
        else:
            found.append([one])
    return found
