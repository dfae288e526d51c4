"""Outputs that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from logos_cli.errors import OutputError


def check_output(path: Path, kind: str = "file") -> None:
    """Raise OutputError now for an output that could not be written later, before hours of work."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name the {kind} to write")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"{parent} is not a folder; make it, or write elsewhere")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{parent}: no permission to write; choose another folder")


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last; not every file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; renamed to it after a clean end, removed after any other.

    Raises OutputError for a full disk and the like.
    """
    check_output(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield beside
        with beside.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(beside, path)
        sync_folder(path.absolute().parent)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}; nothing was written") from error
    finally:
        with suppress(OSError):
            beside.unlink()
