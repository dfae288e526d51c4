"""How workers come by a model: by a path that each node has, or as bytes through Ray's object store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.errors import EngineError, OutputError
from logos_cli.models.model_file import read_model_file
from logos_cli.system.files import atomic, cache_folder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_PIECE = 64 << 20  # bytes written at a time


@dataclass(frozen=True)
class ModelPart:
    """A file of a model in the object store; `data` is the reference of its bytes, an array [size]."""

    name: str
    sha256: str
    data: Any


@dataclass(frozen=True)
class ModelSource:
    """`path` is the model's on the driver. `fingerprint` is what its file says there, None if there is none; `parts` are its
    files, if they are shipped."""

    path: Path
    fingerprint: str | None
    parts: tuple[ModelPart, ...] = ()

    def local(self) -> Path:
        """The model on this node, written into its cache unless it is there. Raises OutputError."""
        if not self.parts:
            return self.path
        whole = hashlib.sha256("".join(part.name + part.sha256 for part in self.parts).encode()).hexdigest()
        # The name is the model's in every record.
        place = cache_folder() / "shipped" / whole[:16] / self.path.name
        for part in self.parts:
            file = place / part.name if part.name else place
            if not (file.is_file() and sha256(file) == part.sha256):
                write(part, file)
        return place


def model_source(path: Path, ship: bool) -> ModelSource:
    """The model at `path`, put into Ray's object store if it is to be shipped. Raises ModelFileError for what is none."""
    path = path.absolute()  # a worker has a working folder of its own
    fingerprint = read_model_file(path).fingerprint if path.exists() or ship else None
    if not ship:
        return ModelSource(path, fingerprint)
    import numpy as np
    import ray

    path = path.parent if path.suffix == ".onnx" else path
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    parts = []
    for file in files:
        data = np.memmap(file, dtype=np.uint8, mode="r") if file.stat().st_size else np.empty(0, np.uint8)
        parts.append(ModelPart("" if file == path else file.name, sha256(file), ray.put(np.asarray(data))))
    return ModelSource(path, fingerprint, tuple(parts))


def write(part: ModelPart, file: Path) -> None:
    import ray

    data: npt.NDArray[np.uint8] = ray.get(part.data)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{file.parent}: {error.strerror}; set $XDG_CACHE_HOME to a folder that workers may write") from error
    with atomic(file) as fresh, fresh.open("wb") as target:
        for start in range(0, len(data), _PIECE):
            target.write(data[start : start + _PIECE].data)
    if sha256(file) != part.sha256:
        raise EngineError(f"{file}: its content changed on the way here; run again")


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
