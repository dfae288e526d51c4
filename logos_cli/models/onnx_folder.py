"""An ONNX folder that this tool wrote, checked before ONNX Runtime sees it.

The graph and the side files carry checksums, compared on opening; of the data only places and sizes are, since reading
gigabytes takes long: `logos inspect` compares its checksum too. Folders of other programs are refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError, ModelFileError
from logos_cli.models.architectures.architecture import Config
from logos_cli.models.checkpoint import Tensor
from logos_cli.models.checkpoint_config import read_config, read_json
from logos_cli.models.onnx_model import (
    DATA,
    FINGERPRINT,
    GRAPH,
    SEAL,
    SIDE_FILES,
    TABLES,
    UNKNOWN,
    Matrix,
    OnnxModel,
    Stored,
    floats,
    graph_sha256,
    load_onnx,
    tensor_bytes,
)
from logos_cli.system.files import bytes_of, is_lfs_pointer

_LARGEST_GRAPH = 64 << 20  # without weights it has well under 1 MB
_PIECE = 16 << 20
_AGAIN = "copy or convert it again"
_KINDS = {1: "F32", 2: "U8", 10: "F16"}  # onnx.TensorProto.DataType


@dataclass(frozen=True)
class OnnxFolder:
    """`tensors`: every initializer in the data file; its `dtype` is F32, F16 or U8."""

    path: Path
    proto: Any
    properties: Mapping[str, str]
    config: Config
    tensors: Mapping[str, Tensor]

    @classmethod
    def open(cls, path: Path) -> OnnxFolder:
        """Raises ModelFileError for what is not a whole folder of ours, MissingDependency without the extra."""
        onnx = load_onnx()
        raw = read_graph(path)
        try:
            proto = onnx.ModelProto.FromString(raw)
            properties = {one.key: one.value for one in proto.metadata_props}
        except Exception:  # noqa: BLE001  # google.protobuf's DecodeError, whose package is not ours to import
            raise ModelFileError(f"{path / GRAPH}: not an ONNX graph, or damaged; {_AGAIN}") from None
        sealed = properties.get(SEAL)
        if "logos.portable" in properties:
            raise ModelFileError(
                f"{path}: a portable export, for other runtimes (optimum's ORTModelForCausalLM, for example); "
                "this tool runs what convert --to onnx writes without --portable"
            )
        if sealed is None:
            raise ModelFileError(
                f"{path}: not written by this tool, and no other graphs are run; "
                "convert the checkpoint: logos convert CHECKPOINT --to onnx -o DIR"
            )
        if len(sealed) != len(UNKNOWN) or graph_sha256(raw, sealed) != sealed:
            raise ModelFileError(f"{path / GRAPH}: damaged or changed (its checksum differs); {_AGAIN}")
        check_side_files(path, properties)
        try:
            config = read_config(path / "config.json")
        except CheckpointError as error:
            raise ModelFileError(str(error)) from None
        return cls(path, proto, properties, config, read_places(path, proto))

    @property
    def scheme(self) -> str:
        return self.properties.get("logos.scheme", "unknown")

    @property
    def fingerprint(self) -> str:
        return self.properties.get(FINGERPRINT, "")

    @property
    def sampling(self) -> dict[str, Any]:
        """The model's own sampling table, task name -> settings; empty if it has none."""
        path = self.path / "logos_sampling.json"
        # One that was put there later belongs to no checksum.
        found = read_json(path) if f"logos.file.{path.name}" in self.properties else {}
        if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
            raise ModelFileError(f"{path}: not a table of settings; convert the model again")
        return found

    @property
    def half(self) -> bool:
        """Whether activations and KV cache are float16."""
        inputs = {one.name: one.type.tensor_type.elem_type for one in self.proto.graph.input}
        return bool(inputs.get("past_key_values.0.key") == 10)

    @property
    def size(self) -> int:
        return bytes_of(self.path)

    @property
    def context(self) -> int:
        return self.config.context

    @property
    def sha256(self) -> str:
        return self.properties[SEAL]

    def model(self) -> OnnxModel:
        """The graph and its weights, to be changed and written elsewhere."""
        proto = self.onnx_graph()
        stored = []
        for tensor in proto.graph.initializer:
            if tensor.name in self.tensors:
                place = self.tensors[tensor.name]
                matrix = Matrix((place,))
                weight = None if tensor.name in TABLES else matrix
                stored.append(Stored((tensor.name,), partial(floats, matrix, place.dtype), weight))
        kept = ("logos.scheme", "logos.source", "logos.license")
        properties = {key: value for key, value in self.properties.items() if key in kept}
        return OnnxModel(proto, stored, self.path, properties | {"logos.made_from": self.fingerprint})

    def onnx_graph(self) -> Any:
        """A copy of the graph that may be changed."""
        copy = type(self.proto)()
        copy.CopyFrom(self.proto)
        return copy

    def data_is_whole(self, progress: Callable[[int], None] = lambda _: None) -> bool:
        """Read all weights and compare their checksum."""
        digest = hashlib.sha256()
        with (self.path / DATA).open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
                progress(len(piece))
        return digest.hexdigest() == self.properties.get("logos.data_sha256")


def read_graph(path: Path) -> bytes:
    graph = path / GRAPH
    if path.suffix == ".onnx" and path.is_file():
        raise ModelFileError(f"{path}: name the folder it lies in, {path.parent}")
    try:
        if graph.stat().st_size > _LARGEST_GRAPH:
            raise ModelFileError(
                f"{graph}: {graph.stat().st_size:,} bytes: weights are expected beside the graph, in {DATA}; {_AGAIN}"
            )
        if is_lfs_pointer(graph):
            raise ModelFileError(f"{graph}: a Git LFS pointer, not the graph; run: git lfs pull")
        return graph.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{graph}: {error.strerror}; give the folder that holds {GRAPH} and {DATA}") from None


def check_side_files(path: Path, properties: Mapping[str, str]) -> None:
    for name in SIDE_FILES:
        stated = properties.get(f"logos.file.{name}")
        if stated is None:
            continue
        try:
            found = hashlib.sha256((path / name).read_bytes()).hexdigest()
        except OSError as error:
            raise ModelFileError(f"{path / name}: {error.strerror}, it belongs to the model; {_AGAIN}") from None
        if found != stated:
            raise ModelFileError(f"{path / name}: damaged or changed (its checksum differs); {_AGAIN}")


def read_places(path: Path, proto: Any) -> dict[str, Tensor]:
    """Where each initializer lies. Raises ModelFileError for a place outside the folder, a link, a file cut short."""
    found, sizes = {}, {}
    for tensor in proto.graph.initializer:
        if not tensor.external_data:
            continue
        place = {entry.key: entry.value for entry in tensor.external_data}
        name = place.get("location", "")
        if name != DATA:
            raise ModelFileError(f"{path / GRAPH}: the data of {tensor.name} lies outside {DATA}, at {name[:200]!r}; {_AGAIN}")
        file = path / name
        if name not in sizes:
            if file.is_symlink():
                raise ModelFileError(f"{file}: a link; ONNX Runtime wants the file itself: cp -L the folder and take the copy")
            try:
                sizes[name] = os.path.getsize(file)
            except OSError as error:
                raise ModelFileError(f"{file}: {error.strerror}; the weights are in it; {_AGAIN}") from None
        try:
            offset, length = int(place.get("offset", 0)), int(place.get("length", -1))
        except ValueError:
            offset = length = -1
        shaped = tensor.dims and all(size > 0 for size in tensor.dims)
        if not shaped or tensor.data_type not in _KINDS or length != tensor_bytes(tensor) or offset < 0:
            raise ModelFileError(f"{path / GRAPH}: damaged entry of {tensor.name}; {_AGAIN}")
        if offset + length > sizes[name]:
            raise ModelFileError(
                f"{file}: cut short: {tensor.name} ends at {offset + length:,} of {sizes[name]:,} bytes; {_AGAIN}"
            )
        if tensor.name in found:
            raise ModelFileError(f"{path / GRAPH}: two tensors are named {tensor.name}; {_AGAIN}")
        found[tensor.name] = Tensor(tensor.name, tuple(tensor.dims), _KINDS[tensor.data_type], file, offset, length)
    return found
