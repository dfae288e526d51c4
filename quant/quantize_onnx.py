"""An unquantized ONNX model to a smaller one: matrix products become MatMulNBits, the embedding GatherBlockQuantized.

Weights are read and written in pieces. A matrix whose rows are no multiple of 32 long stays as it is, and the report says so.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from logos_cli.models.onnx_model import Matrix, OnnxModel, Stored, tensor_bytes
from logos_cli.quant.onnx_blocks import BLOCK, quantized_bytes
from logos_cli.quant.report import QuantReport, WiderTensor
from logos_cli.quant.schemes import ONNX_SCHEMES, OnnxScheme

_UINT8, _FLOAT16 = 2, 10  # onnx.TensorProto.DataType
HEAD, EMBEDDING = "the head", "the embedding"


def quantized_model(model: OnnxModel, scheme: OnnxScheme, threads: int) -> OnnxModel:
    """The same model in `scheme`; the given one's graph is changed and must not be used any more."""
    graph = model.proto.graph
    users = uses(graph)
    declared = {tensor.name: tensor for tensor in graph.initializer}
    stored, properties = [], dict(model.properties)
    for one in model.stored:
        name = one.names[0]
        bits = bits_of(one.matrix, users.get(name, ()), scheme)
        if one.matrix is None or not bits:
            stored.append(one)
            continue
        scales_kind = declared[name].data_type
        graph.initializer.remove(declared[name])
        stored.append(replaced(graph, users[name], name, one.matrix, bits, scheme, scales_kind, threads))
    properties |= {
        "logos.scheme": scheme.name, "logos.block": str(BLOCK), "logos.accuracy_level": str(scheme.accuracy_level),
        "logos.bits": f"layers {scheme.bits}, head {scheme.head_bits}, embedding {scheme.embedding_bits}",
    }  # fmt: skip
    return OnnxModel(model.proto, stored, model.side_files, properties)


def uses(graph: Any) -> dict[str, list[Any]]:
    """Initializer -> the nodes that multiply by it or look rows up in it."""
    found: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.op_type == "FusedMatMul":
            found.setdefault(node.input[1], []).append(node)
        elif node.op_type == "Gather":
            found.setdefault(node.input[0], []).append(node)
    return found


def bits_of(matrix: Matrix | None, nodes: Any, scheme: OnnxScheme) -> int:
    """Bits for a weight by what it is used for; 0: it stays as it is."""
    if matrix is None or not nodes or matrix.shape[1] % BLOCK:
        return 0
    role = role_of(nodes)
    return scheme.head_bits if role == HEAD else scheme.embedding_bits if role == EMBEDDING else scheme.bits


def role_of(nodes: Any) -> str:
    """A tied embedding counts as the head: it needs the head's bits."""
    if any(node.input[0] == "last_states" for node in nodes):
        return HEAD
    return EMBEDDING if any(node.op_type == "Gather" for node in nodes) else "a layer"


def replaced(
    graph: Any, nodes: Any, name: str, matrix: Matrix, bits: int, scheme: OnnxScheme, scales_kind: int, threads: int
) -> Stored:
    """Declare packed weights and scales, point the nodes at them."""
    from onnx import TensorProto

    rows, width = matrix.shape
    blocks = width // BLOCK
    base = name.removesuffix(".weight")
    packed, scales = f"{base}.q{bits}", f"{base}.scales"
    shapes = {"MatMulNBits": (rows, blocks, BLOCK * bits // 8), "Gather": (rows, width * bits // 8)}
    declared: dict[str, str] = {}
    for node in nodes:
        gathers = node.op_type == "Gather"
        op = "Gather" if gathers else "MatMulNBits"
        if op not in declared:
            declared[op] = packed if not declared else f"{packed}.{op}"
            graph.initializer.append(TensorProto(name=declared[op], data_type=_UINT8, dims=shapes[op]))
        other = node.input[1] if gathers else node.input[0]
        del node.input[:], node.attribute[:]
        node.domain = "com.microsoft"
        if gathers:
            node.op_type = "GatherBlockQuantized"
            node.input.extend([declared[op], other, scales])
            attributes = {"gather_axis": 0, "quantize_axis": 1, "block_size": BLOCK, "bits": bits}
        else:
            node.op_type = "MatMulNBits"
            node.input.extend([other, declared[op], scales])
            attributes = {"N": rows, "K": width, "bits": bits, "block_size": BLOCK, "accuracy_level": scheme.accuracy_level}
        for key, value in attributes.items():
            node.attribute.add(name=key, i=value, type=2)
    graph.initializer.append(TensorProto(name=scales, data_type=scales_kind, dims=(rows, blocks)))
    aliases = tuple((alias, packed) for alias in declared.values() if alias != packed)
    half = scales_kind == _FLOAT16
    return Stored((packed, scales), partial(quantized_bytes, matrix, bits, threads, half), None, aliases)


def report(model: OnnxModel, scheme: str, before: int, after: int) -> QuantReport:
    """What became of each matrix; sizes in bytes."""
    tensors = {tensor.name: tensor for tensor in model.proto.graph.initializer}
    main = f"int{ONNX_SCHEMES[scheme].bits}" if scheme in ONNX_SCHEMES else ""
    wider, weights, total = [], 0, 0
    for one in model.stored:
        found = [tensors[name] for name in one.names]
        total += sum(tensor_bytes(tensor) for tensor in found)
        first = found[0]
        if first.data_type == _UINT8:
            bits = int(first.name[-1])
            weights += tensor_bytes(first) * 8 // bits
            if main and f"int{bits}" != main:
                wider.append(WiderTensor(first.name.removesuffix(f".q{bits}"), f"int{bits}", "the head at 4 bits loses most"))
            continue
        weights += math.prod(first.dims)
        if main and one.matrix is not None and len(first.dims) > 1:
            kind = "f16" if first.data_type == _FLOAT16 else "f32"
            wider.append(WiderTensor(first.name, kind, f"row length {first.dims[1]} is not divisible by {BLOCK}"))
    return QuantReport(scheme, before, after, 8 * total / max(1, weights), tuple(wider))
