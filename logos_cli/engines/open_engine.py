"""The engine for a model file, by what lies there."""

from __future__ import annotations

from pathlib import Path

from logos_cli.engines.engine import Engine, EngineSettings
from logos_cli.errors import ModelFileError


def open_engine(path: Path, settings: EngineSettings) -> Engine:
    """The engine for a model file. Raises ModelFileError for what is none."""
    if path.is_dir() or path.suffix == ".onnx":
        if path.suffix == ".onnx" or (path / "model.onnx").exists():
            from logos_cli.engines.ort.engine import OnnxEngine

            return OnnxEngine(path, settings)
        raise ModelFileError(f"{path}: a folder is not a model file; run: logos convert {path} -o model.gguf --type int4")
    from logos_cli.engines.llamacpp.engine import LlamaCppEngine

    return LlamaCppEngine(path, settings)
