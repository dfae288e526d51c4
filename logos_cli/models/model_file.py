"""A model file of either kind, a GGUF file or an ONNX folder, by what both say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from logos_cli.models.gguf_header import read_header


class ModelFile(Protocol):
    """`size` in bytes, of all its files together; `sha256` of its header or graph."""

    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...
    @property
    def scheme(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def context(self) -> int: ...
    @property
    def sampling(self) -> Mapping[str, Any]: ...


def is_onnx(path: Path) -> bool:
    """Whether `path` is a folder with an ONNX graph in it, or such a graph."""
    return path.suffix == ".onnx" or (path / "model.onnx").exists()


def read_model_file(path: Path) -> ModelFile:
    """Raises ModelFileError for what is none, MissingDependency for an ONNX folder without the extra."""
    if not is_onnx(path):
        return read_header(path)
    from logos_cli.models.onnx_folder import OnnxFolder

    return OnnxFolder.open(path)


def name_of(path: Path) -> str:
    """What results call it."""
    return path.resolve().name if path.is_dir() else path.stem
