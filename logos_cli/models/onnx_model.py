"""An ONNX graph beside the weights it stands for: what converters make, the quantizer changes, and is written as a folder.

The graph is an `onnx.ModelProto` whose large initializers carry name, type and shape but no data; `Stored` says where their
bytes come from. Nothing here ever holds a whole matrix.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.errors import CheckpointError, MissingDependency
from logos_cli.models.checkpoint import Tensor, too_wide
from logos_cli.models.tensor_values import all_finite, as_float32

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

GRAPH, DATA = "model.onnx", "model.onnx.data"
TABLES = ("cos_cache", "sin_cache")  # of the rotary embedding [context, head / 2]
UNKNOWN = "0" * 64  # in the place of a checksum until it is known
SEAL, FINGERPRINT = "logos.graph_sha256", "logos.fingerprint"
# Side files that belong to the model; each one's checksum is kept in the graph.
SIDE_FILES = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "logos_sampling.json",
)  # fmt: skip
# All names that a folder of ours can hold, portable exports included.
OWN_FILES = frozenset(
    {GRAPH, DATA, *SIDE_FILES, "model.onnx_data", "int8.onnx.data", "added_tokens.json", "chat_template.jinja", "vocab.json",
     "merges.txt", "LICENSE"}
)  # fmt: skip
_ALIGNED = 4096  # offsets of large tensors, so that a runtime can map them (onnx.proto, external_data)


def load_onnx() -> Any:
    """The `onnx` package. Raises MissingDependency with the command that installs it."""
    try:
        import onnx
        import onnxruntime  # noqa: F401  # one extra brings both
    except ImportError as error:
        raise MissingDependency(f"ONNX needs two more packages ({error}); run: pip install 'logos-cli[onnx]'") from None
    return onnx


@dataclass(frozen=True)
class Matrix:
    """Weights [rows, width] of one initializer: the rows of several tensors, one after the other."""

    parts: tuple[Tensor, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return sum(part.shape[0] for part in self.parts), math.prod(self.parts[0].shape[1:])

    def pieces(self, rows: int) -> Iterator[npt.NDArray[np.float32]]:
        """At most `rows` rows at a time, in float32."""
        for part in self.parts:
            for start in range(0, part.shape[0], rows):
                stop = min(start + rows, part.shape[0])
                yield as_float32(part.numbers(start, stop), part.dtype).reshape(stop - start, -1)


@dataclass(frozen=True)
class Stored:
    """Initializers that lie one after the other in the data file, and their bytes in pieces.

    `matrix`: the numbers behind a single one that may be quantized. `aliases`: (name, name of one of `names`) of
    initializers that are the same bytes under another shape.
    """

    names: tuple[str, ...]
    pieces: Callable[[], Iterator[bytes]]
    matrix: Matrix | None = None
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass
class OnnxModel:
    """`proto` and `stored` belong together; `side_files` is the folder they are copied from."""

    proto: Any
    stored: list[Stored]
    side_files: Path
    properties: dict[str, str] = field(default_factory=dict)

    def nbytes(self) -> int:
        """Bytes of all stored initializers, without padding."""
        found = {tensor.name: tensor_bytes(tensor) for tensor in self.proto.graph.initializer}
        return sum(found[name] for one in self.stored for name in one.names)


def tensor_bytes(tensor: Any) -> int:
    """Bytes of an initializer's data, from its type and shape."""
    sizes = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 10: 2, 16: 2}  # onnx.TensorProto.DataType: float, (u)int8, int32, int64, f16, bf16
    return math.prod(int(size) for size in tensor.dims) * sizes[tensor.data_type]


def floats(matrix: Matrix, kind: str) -> Iterator[bytes]:
    """The numbers as F32 or F16, piece by piece. Raises CheckpointError where F16 cannot hold them."""
    import numpy as np

    for part in matrix.parts:
        for start, stop in part.pieces():
            raw = part.numbers(start, stop)
            if part.dtype == kind:
                yield raw
                continue
            values = as_float32(raw, part.dtype)
            if kind == "F32":
                yield values.tobytes()
                continue
            with np.errstate(over="ignore"):
                raw = values.astype(np.float16).tobytes()
            if not all_finite(raw, kind):
                raise too_wide(part, kind)
            yield raw


def places_of(model: OnnxModel) -> tuple[dict[str, tuple[int, int]], int]:
    """(offset, bytes) of each initializer in the data file, and the size of that file."""
    tensors = {tensor.name: tensor for tensor in model.proto.graph.initializer}
    places: dict[str, tuple[int, int]] = {}
    at = 0
    for one in model.stored:
        sizes = [tensor_bytes(tensors[name]) for name in one.names]
        at += -at % (_ALIGNED if sum(sizes) >= 64 * _ALIGNED else 64)
        for name, size in zip(one.names, sizes, strict=True):
            places[name] = (at, size)
            at += size
        places |= {alias: places[name] for alias, name in one.aliases}
    return places, at


def write_folder(model: OnnxModel, folder: Path, progress: Callable[[int], None]) -> str:
    """Write everything into the empty `folder`; returns the fingerprint. `progress` is told the bytes written."""
    places, _ = places_of(model)
    digest = hashlib.sha256()
    with (folder / DATA).open("wb") as stream:
        at = 0
        for one in model.stored:
            start = places[one.names[0]][0]
            end = sum(places[one.names[-1]])
            at += write(stream, digest, b"\0" * (start - at))
            for piece in one.pieces():
                at += write(stream, digest, piece)
                progress(len(piece))
            if at != end:
                raise CheckpointError(f"{folder}: {one.names[0]} gave {at - start:,} of {end - start:,} bytes")
        stream.flush()
        os.fsync(stream.fileno())
    return write_beside_data(model, folder, places, digest.hexdigest())


def write_beside_data(model: OnnxModel, folder: Path, places: dict[str, tuple[int, int]], data_sha256: str) -> str:
    """Write graph and side files; returns the fingerprint."""
    tensors = {tensor.name: tensor for tensor in model.proto.graph.initializer}
    for name, (offset, size) in places.items():
        refer(tensors[name], offset, size)
    properties = {**model.properties, "logos.data_sha256": data_sha256}
    for name in SIDE_FILES:
        if (model.side_files / name).is_file():
            content = (model.side_files / name).read_bytes()
            write_through(folder / name, content)
            properties[f"logos.file.{name}"] = hashlib.sha256(content).hexdigest()
    properties[FINGERPRINT] = hashlib.sha256(
        repr(sorted(properties.items())).encode() + model.proto.graph.SerializeToString(deterministic=True)
    ).hexdigest()
    write_graph(model.proto, folder / GRAPH, properties)
    return properties[FINGERPRINT]


def write(stream: Any, digest: Any, piece: bytes) -> int:
    stream.write(piece)
    digest.update(piece)
    return len(piece)


def refer(tensor: Any, offset: int, size: int) -> None:
    """Make an initializer point into the data file."""
    from onnx import TensorProto

    del tensor.external_data[:]
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", DATA), ("offset", str(offset)), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)


def write_graph(proto: Any, path: Path, properties: dict[str, str]) -> None:
    """The graph with its properties and, over all of it, a checksum."""
    del proto.metadata_props[:]
    for key, value in {**properties, SEAL: UNKNOWN}.items():
        proto.metadata_props.add(key=key, value=value)
    raw = proto.SerializeToString(deterministic=True)
    write_through(path, raw.replace(sealed_entry(UNKNOWN), sealed_entry(hashlib.sha256(raw).hexdigest())))


def write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sealed_entry(value: str) -> bytes:
    """The bytes of the checksum's entry in a serialized graph: two protobuf strings, key and value."""
    return SEAL.encode() + b"\x12" + bytes([len(value)]) + value.encode()


def graph_sha256(raw: bytes, sealed: str) -> str:
    """Checksum of a serialized graph, its own value counted as zeros."""
    return hashlib.sha256(raw.replace(sealed_entry(sealed), sealed_entry(UNKNOWN))).hexdigest()
