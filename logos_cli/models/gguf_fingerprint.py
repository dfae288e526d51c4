"""The fingerprint of a GGUF file that this tool did not write, or that was changed since: header and data.

Up to 64 MB all of the data counts, of larger files pages of every tensor, evenly spread: two fine-tunes of one shape differ
in them, and gigabytes are not read. What was read is remembered under the file's inode, size and times.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from logos_cli.errors import ModelFileError
from logos_cli.models.gguf_seal import data_sha256
from logos_cli.system.files import cache_folder

WHOLE = 64 << 20  # bytes of data that are read whole
_PAGE, _PAGES = 4096, 16  # of each tensor of larger files


class Placed(Protocol):
    """A tensor's place: `offset` counts from the start of the data."""

    @property
    def offset(self) -> int: ...
    @property
    def nbytes(self) -> int: ...


def fingerprint(path: Path, header_sha256: str, data_start: int, tensors: Iterable[Placed]) -> str:
    """Hash of one file's header and data, from the cache if the file is what it was. Raises ModelFileError."""
    try:
        about = path.stat()
        told = f"{header_sha256} {about.st_dev} {about.st_ino} {about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}"
        known: Path | None = None
        with suppress(OSError, RuntimeError):
            known = cache_folder() / "fingerprints" / hashlib.sha256(told.encode()).hexdigest()
            if len(found := known.read_text("ascii")) == 64:
                return found
        small = about.st_size - data_start <= WHOLE
        data = data_sha256(path, data_start) if small else _sampled(path, data_start, tensors)
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}; copy it again") from error
    made = hashlib.sha256(f"{about.st_size} {header_sha256} {data}".encode()).hexdigest()
    if known is not None:
        with suppress(OSError):
            known.parent.mkdir(parents=True, exist_ok=True)
            fresh = known.with_name(f"{known.name}.{os.getpid()}")
            fresh.write_text(made, "ascii")
            os.replace(fresh, known)
    return made


def _sampled(path: Path, data_start: int, tensors: Iterable[Placed]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for tensor in tensors:
            last = max(0, tensor.nbytes - _PAGE)
            for at in sorted({last * number // (_PAGES - 1) for number in range(_PAGES)}):
                stream.seek(data_start + tensor.offset + at)
                digest.update(stream.read(min(_PAGE, tensor.nbytes - at)))
    return digest.hexdigest()
