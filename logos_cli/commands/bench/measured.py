"""What `logos bench accuracy` opens and reads, and what a resume must find unchanged of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logos_cli.benchmarks.accuracy.accuracy import Subject
    from logos_cli.engines.engine import EngineSettings
    from logos_cli.rows.row import Row


def opened_subject(path: Path, settings: EngineSettings, opened: ExitStack) -> Subject:
    """A model with its engine, closed with `opened`; a checkpoint's folder runs through torch."""
    from logos_cli.benchmarks.accuracy.accuracy import Subject
    from logos_cli.engines.open_engine import open_engine
    from logos_cli.models.model_file import is_onnx
    from logos_cli.system.files import bytes_of

    if (path / "config.json").exists() and not is_onnx(path):
        from logos_cli.engines.torch_engine import TorchEngine

        engine: Any = TorchEngine(path, settings)
        size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
    else:
        engine = open_engine(path, settings)
        size = bytes_of(path)
    opened.callback(engine.close)
    return Subject(path, size, engine)


def identity(subject: Subject) -> list[str | int]:
    """What a resume must find unchanged of a model. A foreign file's fingerprint is of its header, so its date counts too."""
    return [subject.engine.info.fingerprint, subject.bytes, subject.path.stat().st_mtime_ns]


def data_digest(path: str | None, rows: Sequence[Row] | None) -> str | None:
    """The content of a file of rows; of a folder, a pipe and of structures, to which ligands in other files may belong, the
    rows themselves."""
    if rows is None or (path and os.path.isfile(path) and not any(row.site for row in rows)):
        return digest(path)
    from logos_cli.pipeline.row_identity import RunningDigest

    running = RunningDigest()
    for row in rows:
        running.add(row)
    return running.value


def digest(path: str | Path | None) -> str | None:
    """What a resume must find unchanged of an input: its content."""
    if path is None or not os.path.isfile(path):
        return None if path is None else str(path)
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
