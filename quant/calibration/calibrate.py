"""Collects the importance matrix while the unquantized model reads grammar text: the user's, or its own samples.

What is summed, and over which tokens, is what llama-imatrix does with --process-output: the squares of the inputs of every
matrix of every layer and of the head, over all tokens (llama.cpp, tools/imatrix/imatrix.cpp). Only the reading differs:
each text by itself, as the model meets it, instead of a stream cut into chunks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.engines.engine import Engine, EngineSettings
from logos_cli.engines.llamacpp.engine import LlamaCppEngine
from logos_cli.engines.llamacpp.tensors import activations, multiplied, watching
from logos_cli.engines.streams import PREFILL
from logos_cli.errors import EngineError, ForeignText, InputError
from logos_cli.models.gguf_header import read_header
from logos_cli.pipeline.own_texts import OWN, NamedText, own_texts
from logos_cli.pipeline.sequences import grammar_text, tokens_of
from logos_cli.quant.calibration.imatrix import Imatrix
from logos_cli.rows.row import Row
from logos_cli.tasks.task import Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SEED = 61_803  # of the model's own samples: another than `bench accuracy` draws its test with
SAMPLES = 32  # of each modality
LONGEST = 256  # tokens of a sample
OWN_ORIGIN = f"own samples, seed {SEED}"


@dataclass(frozen=True)
class Sequences:
    """Token ids of texts to read; `origin` names them in the file, `left_out` says why rows gave none."""

    ids: tuple[tuple[int, ...], ...]
    origin: str
    left_out: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        return sum(len(one) for one in self.ids)

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.ids).encode()).hexdigest()


def own_sequences(engine: Engine, progress: Callable[[int], None] = lambda _: None) -> Sequences:
    """The model's own samples of every modality it knows. Raises InputError if it knows none."""
    found: dict[str, list[NamedText]] = {}
    for modality in OWN:
        found[modality] = own_texts(engine, modality, SAMPLES, LONGEST, SEED, found)
        progress(1)
    engine.release()
    ids = tuple(engine.encode(text.text) for texts in found.values() for text in texts)
    if not ids:
        raise InputError("the model knows none of LOGOS's modalities, so it cannot write its own text; give --calibrate FILE")
    return Sequences(ids, OWN_ORIGIN)


def sequences_of_rows(rows: Iterable[Row], task: Task | None, engine: Engine, origin: str) -> Sequences:
    """What the rows would be in training: prompt and answer; a prompt alone where there is no answer. `task` None: by what
    each row is. Raises InputError if no row gives a text."""
    found, refused = [], []
    for row in rows:
        try:
            prompt, rest = tokens_of(grammar_text(row, task, answer=False), engine)
            found.append((*prompt, *rest))
        except (RowError, ForeignText) as error:
            refused.append(f"row {row.ordinal + 1}: {error}")
    if not found:
        raise InputError(f"{origin}: none of {len(refused)} rows can be read{': ' + refused[0] if refused else ''}")
    return Sequences(tuple(found), origin, tuple(refused))


class Collector:
    """Sums squares of what matrices are multiplied with, over all tokens that a watched context reads."""

    def __init__(self) -> None:
        self.sums: dict[str, npt.NDArray[np.float64]] = {}
        self.counts: dict[str, int] = {}

    def see(self, tensor: Any, asking: bool) -> bool:
        import numpy as np

        name = multiplied(tensor)
        if name and not asking:
            rows = activations(tensor)
            squares = np.einsum("tc,tc->c", rows, rows, dtype=np.float64)
            self.sums[name] = squares + self.sums.get(name, 0.0)
            self.counts[name] = self.counts.get(name, 0) + len(rows)
        return name is not None

    def imatrix(self, origin: str, chunk: int) -> Imatrix:
        import numpy as np

        for name, values in self.sums.items():
            if not np.isfinite(values).all():
                raise EngineError(f"NaN or infinity among the inputs of {name}: the model is damaged; see: logos inspect")
        sums = {name: values.astype(np.float32) for name, values in self.sums.items()}
        return Imatrix(sums, dict(self.counts), (origin,), chunk)


def collect(
    engine: LlamaCppEngine, sequences: Sequences, progress: Callable[[int], None] = lambda _: None, piece: int = PREFILL
) -> Imatrix:
    """Read every sequence alone, at most `piece` tokens a call; `progress` is told the tokens of each."""
    collector = Collector()
    with watching(collector.see) as callback:
        read_all(engine, sequences, callback, progress, piece)
    return collector.imatrix(sequences.origin, chunk_of(sequences.ids))


def read_all(
    engine: LlamaCppEngine,
    sequences: Sequences,
    watch: Any,
    progress: Callable[[int], None] = lambda _: None,
    piece: int = PREFILL,
) -> None:
    """Read each sequence with `watch` looking on."""
    with engine.watched(watch, max(map(len, sequences.ids)), piece) as context:
        for ids in sequences.ids:
            # Logits of all tokens, as llama-imatrix asks for: the last layer reads only those that are wanted.
            for _ in context.prefill_pieces(0, ids, len(ids), piece):
                pass
            progress(len(ids))


def chunk_of(ids: Sequence[Sequence[int]]) -> int:
    """Tokens a chunk, for the file: llama-imatrix has one length for all."""
    return max(1, round(sum(map(len, ids)) / len(ids)))


def open_unquantized(path: Path, settings: EngineSettings) -> LlamaCppEngine:
    """Opens the engine of a model whose weights may be replaced in memory. Raises EngineError for a mixture of experts, each of
    whom reads only some of the tokens: what they read is not collected here."""
    if any(len(tensor.shape) > 2 for tensor in read_header(path).tensors):
        raise EngineError(f"{path}: a mixture of experts cannot be calibrated here; quantize it with --type alone")
    return LlamaCppEngine(path, settings, writable=True)
