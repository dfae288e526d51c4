"""Checkpoint to an ONNX model: the graph, and which tensors of the checkpoint stand behind each of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from logos_cli.convert.onnx_graph import GraphBuilder
from logos_cli.convert.rotary import cosines_and_sines
from logos_cli.errors import CheckpointError
from logos_cli.models.architectures.architecture import Config
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.gguf_header import TRIM_IDS
from logos_cli.models.hub.manifest import read_manifest
from logos_cli.models.onnx_model import TABLES, Matrix, OnnxModel, Stored, floats

_LONGEST = 1 << 20
# Weights of the graph that are the rows of several tensors of the checkpoint, one after the other: one product instead
# of two or three.
PACKED = {
    "self_attn.qkv_proj.weight": ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
    "mlp.gate_up_proj.weight": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
}


def sources(name: str) -> tuple[str, ...]:
    """The checkpoint's names of the tensors behind a weight of the graph."""
    for packed, parts in PACKED.items():
        if name.endswith(packed):
            return tuple(name.removesuffix(packed) + part for part in parts)
    return (name,)


def to_onnx(checkpoint: Checkpoint, scheme: str) -> OnnxModel:
    """The model in `scheme`, f32 or f16; nothing of the weights is read yet. Raises MissingDependency, and CheckpointError for
    a shape that ONNX Runtime's operators do not take."""
    kind, config = scheme.upper(), checkpoint.config
    if not config.architecture.onnx:
        raise CheckpointError(
            f"{checkpoint.path}: no ONNX graph of {config.architecture.hf_class} is known here; take --to gguf"
        )
    if config.head % 16 or config.context > _LONGEST:
        what = f"heads of {config.head}" if config.head % 16 else f"a context of {config.context:,}"
        raise CheckpointError(
            f"{checkpoint.path}: {what}: ONNX Runtime's attention takes heads of whole 16s, its tables {_LONGEST:,} positions; "
            "take --to gguf"
        )
    proto = GraphBuilder(checkpoint.config, kind).build()
    stored = []
    for tensor in proto.graph.initializer:
        if tensor.int64_data:
            continue
        if tensor.name in TABLES:
            stored.append(Stored((tensor.name,), partial(table, checkpoint.config, tensor.name, kind)))
            continue
        matrix = Matrix(tuple(checkpoint.tensors[name] for name in sources(tensor.name)))
        stored.append(Stored((tensor.name,), partial(floats, matrix, kind), matrix))
    properties = {"logos.scheme": scheme}
    if checkpoint.kept is not None:
        properties[TRIM_IDS] = " ".join(map(str, checkpoint.kept))
    if manifest := read_manifest(checkpoint.path):
        properties["logos.source"] = f"{manifest.repo}@{manifest.commit}"
        if manifest.license:
            properties["logos.license"] = manifest.license
    return OnnxModel(proto, stored, checkpoint.path, properties)


def table(config: Config, name: str, kind: str) -> Iterator[bytes]:
    """A rotary table's bytes."""
    import numpy as np

    found = cosines_and_sines(config)[TABLES.index(name)]
    yield found.astype(np.float32 if kind == "F32" else np.float16).tobytes()
