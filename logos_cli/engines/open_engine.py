"""The engine for a model, by what its word names: an address, or what lies at a path."""

from __future__ import annotations

from pathlib import Path

from logos_cli.engines.engine import Engine, EngineSettings
from logos_cli.engines.remote.address import is_address
from logos_cli.errors import ModelFileError


def open_engine(model: str | Path, settings: EngineSettings) -> Engine:
    """The engine for a model file, or for `http://host:port/v1#name`. Raises ModelFileError for what is none, EngineError
    for a server that does not answer."""
    if isinstance(model, str) and is_address(model):
        from logos_cli.engines.remote.engine import RemoteEngine

        return RemoteEngine(model, settings)
    path = Path(model)
    if path.is_dir() or path.suffix == ".onnx":
        if path.suffix == ".onnx" or (path / "model.onnx").exists():
            from logos_cli.engines.ort.engine import OnnxEngine

            return OnnxEngine(path, settings)
        raise ModelFileError(f"{path}: a folder is not a model file; run: logos convert {path} -o model.gguf --type int4")
    from logos_cli.engines.llamacpp.engine import LlamaCppEngine

    return LlamaCppEngine(path, settings)
