"""The engine for a model, by what its word names: an address, or what lies at a path."""

from __future__ import annotations

from pathlib import Path

from logos_cli.engines.engine import Engine, EngineSettings
from logos_cli.engines.remote.address import is_address
from logos_cli.models.gguf_header import check_no_folder
from logos_cli.models.model_file import is_onnx


def open_engine(model: str | Path, settings: EngineSettings) -> Engine:
    """The engine for a model file, or for `http://host:port/v1#name`. Raises ModelFileError for what is none, EngineError
    for a server that does not answer."""
    if isinstance(model, str) and is_address(model):
        from logos_cli.engines.remote.engine import RemoteEngine

        return RemoteEngine(model, settings)
    path = Path(model)
    if is_onnx(path):
        from logos_cli.engines.ort.engine import OnnxEngine

        return OnnxEngine(path, settings)
    check_no_folder(path)
    from logos_cli.engines.llamacpp.engine import LlamaCppEngine

    return LlamaCppEngine(path, settings)
