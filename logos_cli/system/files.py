"""Outputs that appear complete or not at all, and the place of the cache."""

from __future__ import annotations

import glob
import hashlib
import os
import platform
import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from logos_cli.errors import OutputError


def check_output(path: Path) -> None:
    """Raise OutputError now for an output that could not be written later, before hours of work."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name the file to write")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is not a regular file; name a file, or redirect stdout")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"{parent} is not a folder; make it, or write elsewhere")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{parent}: no permission to write; choose another folder")


def is_lfs_pointer(path: Path) -> bool:
    """Whether `path` is what a clone without git-lfs has in the place of a large file."""
    start = b"version https://git-lfs"
    with path.open("rb") as stream:
        return stream.read(len(start)) == start


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last; not every file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def clear_leftovers(path: Path) -> None:
    """Remove what a killed process of this machine left beside `path`: it may be gigabytes."""
    prefix, suffix = f".{path.name}.{platform.node()}-", ".tmp"
    for found in path.absolute().parent.glob(f"{glob.escape(prefix)}*{suffix}"):
        owner = found.name[len(prefix) : -len(suffix)].removesuffix(".old")
        # One's own number: in a container each run may have the same.
        if owner.isdigit() and (int(owner) == os.getpid() or not process_lives(int(owner))):
            with suppress(OSError):
                shutil.rmtree(found) if found.is_dir() else found.unlink()


def process_lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; renamed to it after a clean end, removed after any other.

    Raises OutputError for a full disk and the like.
    """
    check_output(path)
    path = Path(os.path.realpath(path))  # a link stays a link, what it points to is replaced
    clear_leftovers(path)
    beside = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
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


@contextmanager
def atomic_folder(path: Path, own: Container[str]) -> Iterator[Path]:
    """An empty folder beside `path` to fill; renamed to it after a clean end, removed after any other.

    A folder that is there already is replaced only if all that it holds are files named in `own`. Raises OutputError.
    """
    check_output_folder(path, own)
    clear_leftovers(path)
    path = path.absolute()
    beside, before = (path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}{end}") for end in (".tmp", ".old.tmp"))
    try:
        beside.mkdir()
        yield beside
        if path.exists():
            os.replace(path, before)
        os.replace(beside, path)
        sync_folder(path.parent)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}; nothing was written") from error
    finally:
        if before.exists() and not path.exists():  # stopped between the two renames
            os.replace(before, path)
        for folder in (beside, before):
            shutil.rmtree(folder, ignore_errors=True)


def check_output_folder(path: Path, own: Container[str]) -> None:
    """Raise OutputError now for a folder that could not be written or replaced later."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise OutputError(f"{path} is not a folder; an ONNX model is one: give another -o")
    others = sorted(found.name for found in path.iterdir() if found.name not in own or found.is_dir()) if path.is_dir() else []
    if others:
        raise OutputError(f"{path} is a folder with other things in it ({others[0]}); give another -o")
    if os.path.ismount(path):
        raise OutputError(f"{path} is a mount point, which cannot be replaced; give a folder inside it")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"{parent} is not a folder; make it, or write elsewhere")
    if not os.access(parent, os.W_OK):
        raise OutputError(f"{parent}: no permission to write; choose another folder")


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A path beside `path` for something big that is needed only meanwhile; removed in any case, at the latest by the
    next run for the same `path` after a kill."""
    clear_leftovers(path)
    between = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    try:
        yield between
    finally:
        between.unlink(missing_ok=True)


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/logos-cli, by default ~/.cache/logos-cli."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "logos-cli"


def bytes_of(path: Path) -> int:
    """Size of a file, or of all files of a folder."""
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file()) if path.is_dir() else path.stat().st_size


def sha256(path: str | Path) -> str:
    """Give the checksum of a file in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
