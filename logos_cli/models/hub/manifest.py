"""The manifest in a folder that `logos pull` filled: where its files come from, and checking that they are still the same."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError
from logos_cli.models.checkpoint_config import read_json

MANIFEST = "logos-manifest.json"
SCHEMA = 1
PLAIN = re.compile(r"\w[\w.-]{0,199}", re.ASCII)  # a file's name that is harmless on every system
_LARGEST = 1 << 20
_PIECE = 4 << 20


@dataclass(frozen=True)
class Entry:
    """A file as it was found on disk: `size` in bytes, `sha256` in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Where the files of a folder come from: repository, revision asked for, commit, host, UTC date, the weights' licence."""

    repo: str
    revision: str
    commit: str
    endpoint: str
    date: str
    license: str | None
    files: tuple[Entry, ...]

    def entry(self, name: str) -> Entry | None:
        return next((entry for entry in self.files if entry.name == name), None)


def hexadecimal(text: Any, length: int) -> bool:
    return isinstance(text, str) and re.fullmatch(rf"[0-9a-f]{{{length}}}", text) is not None


def pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def differs(path: Path, entry: Entry, progress: Callable[[int], None] | None) -> str | None:
    """How a file is not what a manifest says, None if it is; without `progress` only its size is looked at."""
    if not path.is_file():
        return "missing"
    if (size := path.stat().st_size) != entry.size:
        return f"{size:,} bytes, {entry.size:,} were fetched"
    if progress is None:
        return None
    digest = hashlib.sha256()
    for piece in pieces(path):
        digest.update(piece)
        progress(len(piece))
    return None if digest.hexdigest() == entry.sha256 else f"sha256 {digest.hexdigest()}, fetched was {entry.sha256}"


def read_manifest(folder: Path) -> Manifest | None:
    """What `logos pull` wrote there; None for a folder that came another way. Raises CheckpointError for a damaged one."""
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return None
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise CheckpointError(f"{path}: not a manifest; delete it and run logos pull again")
    raw = read_json(path)
    if raw.get("schema") != SCHEMA:
        schema = str(raw.get("schema"))[:20]
        raise CheckpointError(f"{path}: schema {schema!r}, this version reads {SCHEMA}; update logos-cli, or pull again")
    try:
        files = tuple(read_entry(entry) for entry in raw["files"])
        texts = {key: read_text(raw[key]) for key in ("repo", "revision", "commit", "endpoint", "date")}
        license = None if raw["license"] is None else read_text(raw["license"])
        if not 0 < len({entry.name for entry in files}) == len(files):
            raise ValueError("files")
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged ({str(error)[:80]}); delete it and run logos pull again") from None
    return Manifest(**texts, license=license, files=files)


def read_text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.isprintable() or len(raw) > 300:
        raise ValueError("a text is none")
    return raw


def read_entry(raw: Any) -> Entry:
    name, size, sha256 = raw["name"], raw["size"], raw["sha256"]
    if not isinstance(name, str) or not PLAIN.fullmatch(name):
        raise ValueError(f"name {name!r}")
    if type(size) is not int or not 0 <= size < 1 << 63 or not hexadecimal(sha256, 64):
        raise ValueError(f"size or sha256 of {name}")
    return Entry(name, size, sha256)


def verify_manifest(
    folder: Path, manifest: Manifest, sizes_only: bool = False, progress: Callable[[int], None] = lambda _: None
) -> list[str]:
    """What is not as it was fetched, one line a file; `progress` is told the bytes read. Raises CheckpointError if a file
    cannot be read."""
    problems = []
    for entry in manifest.files:
        try:
            found = differs(folder / entry.name, entry, None if sizes_only else progress)
        except OSError as error:
            raise CheckpointError(f"{folder / entry.name}: {error.strerror}") from error
        if found:
            problems.append(f"{entry.name}: {found}; delete it and run logos pull again")
    return problems
