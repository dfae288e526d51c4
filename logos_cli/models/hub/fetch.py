"""A checkpoint on a Hugging Face hub: which of its files are wanted, fetching and checking them, and the manifest that stays.

A file grows as `NAME.KEY.partial`, is read back, compared with what the hub states, and only then gets its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError, HubError, OutputError
from logos_cli.models.checkpoint_config import read_config, read_json
from logos_cli.models.hub.connection import Progress, Repository
from logos_cli.models.hub.manifest import (
    MANIFEST,
    PLAIN,
    SCHEMA,
    Entry,
    Manifest,
    differs,
    hexadecimal,
    pieces,
    read_manifest,
    verify_manifest,
)
from logos_cli.system.files import atomic, sync_folder

# What others import from here though it is at home beside.
__all__ = ["Entry", "Manifest", "Progress", "Repository", "read_manifest", "verify_manifest"]

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# Never pickles, never code, and only the top folder: originals and conversions lie in folders of their own.
_NEEDED = ("config.json", "tokenizer.json")
_SIDE_FILES = (
    *_NEEDED, "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "logos_sampling.json",
)  # fmt: skip
_TERMS = re.compile(r"README\.md|(LICEN[CS]E|NOTICE|USE_POLICY)([-_]\w{1,40})?(\.md|\.txt)?", re.ASCII)


@dataclass(frozen=True)
class Stated:
    """A file as the hub states it: `size` in bytes, and its sha256 or, for a small one, the id of its git blob."""

    name: str
    size: int
    sha256: str | None
    blob: str | None

    @property
    def partial(self) -> str:
        """The name it grows under: another content grows under another."""
        return f"{self.name}.{(self.sha256 or self.blob or '')[:8]}.partial"


@dataclass(frozen=True)
class Listing:
    """What a checkpoint consists of at one commit; the weights come last in `files`."""

    repository: Repository
    commit: str
    license: str | None
    files: tuple[Stated, ...]


def list_files(repository: Repository) -> Listing:
    """Ask the hub. Raises HubUnreachable without a network, HubError for what is not there or cannot be checked."""
    info = repository.info()
    commit, siblings = info.get("sha"), info.get("siblings")
    if not isinstance(commit, str) or not hexadecimal(commit, 40):
        raise HubError(f"{repository.host} states no commit of {repository.name}; nothing can be checked")
    files: dict[str, Stated] = {}
    for raw in siblings if isinstance(siblings, list) else []:
        name = raw.get("rfilename") if isinstance(raw, dict) else None
        if not isinstance(name, str) or leaves(name):
            raise HubError(f"{repository.name} lists the file {str(name)[:80]!r}, which leaves its folder; nothing is fetched")
        large = raw["lfs"] if isinstance(raw.get("lfs"), dict) else None
        files[name] = Stated(name, (large or raw).get("size"), large and large.get("sha256"), raw.get("blobId"))
    chosen = wanted(repository.name, files)
    for file in chosen:
        hashed = hexadecimal(file.blob, 40) if file.sha256 is None else hexadecimal(file.sha256, 64)
        if type(file.size) is not int or file.size < 0 or not hashed:
            raise HubError(f"{repository.host} states no size and hash of {file.name}; it could not be checked, so not fetched")
    return Listing(repository, commit, _license(info), chosen)


def wanted(repo: str, files: Mapping[str, Stated]) -> tuple[Stated, ...]:
    """The files of a checkpoint, weights last. Raises HubError if it is none."""
    shards = sorted(name for name in files if name.endswith(".safetensors") and PLAIN.fullmatch(name))
    weights = [WEIGHTS] if WEIGHTS in files else shards
    if not weights:
        pickled = any(name.endswith((".bin", ".pt", ".pth")) for name in files)
        why = "only pickled weights, which can run code and are never fetched" if pickled else "no safetensors weights"
        raise HubError(f"{repo} has {why}; choose another repository or revision")
    needed = [*_NEEDED, *([] if WEIGHTS in files else [INDEX])]
    missing = [name for name in needed if name not in files]
    if missing:
        raise HubError(f"{repo} has no {missing[0]}, so it is no complete checkpoint; choose another repository or revision")
    small = sorted(name for name in files if name in _SIDE_FILES or name in needed or _TERMS.fullmatch(name))
    return tuple(files[name] for name in (*small, *weights))


def leaves(name: str) -> bool:
    """Whether a name in a hub's list points out of the folder, on any system."""
    return ".." in re.split(r"[/\\]", name) or name[:1] in ("/", "\\") or name[1:2] == ":"


def _license(info: dict[str, Any]) -> str | None:
    """As the model card states it: an identifier, or a name and address of its own; None if it states none."""
    card, tags = info.get("cardData"), info.get("tags")
    named = [card.get(key) for key in ("license", "license_name", "license_link")] if isinstance(card, dict) else []
    tagged = [tag.removeprefix("license:") for tag in tags if str(tag).startswith("license:")] if isinstance(tags, list) else []
    parts = [part for part in named if isinstance(part, str)] or tagged
    return "".join(c for c in " ".join(parts) if c.isprintable())[:200] or None


def measure(path: Path, stated: Stated, progress: Progress) -> Entry | str:
    """Read the whole file: its entry, or in words how it differs from what the hub states."""
    size = path.stat().st_size
    if size != stated.size:
        return f"{size:,} bytes, the hub states {stated.size:,}"
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    for piece in pieces(path):
        sha256.update(piece)
        if stated.sha256 is None:
            blob.update(piece)
        progress(len(piece))
    if stated.sha256 not in (None, sha256.hexdigest()):
        return f"sha256 {sha256.hexdigest()}, the hub states {stated.sha256}"
    if stated.sha256 is None and stated.blob != blob.hexdigest():
        return f"git blob {blob.hexdigest()}, the hub states {stated.blob}"
    return Entry(stated.name, size, sha256.hexdigest())


@contextmanager
def claimed(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Make `folder` and keep other pulls out of it, as far as the system can. Raises OutputError for what the disk refuses."""
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except FileExistsError:
        raise OutputError(f"{folder} is a file; name a folder with -o") from None
    except FileNotFoundError:
        raise OutputError(f"{folder.absolute().parent} is not a folder; make it, or choose another -o") from None
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}; choose another -o") from error
    try:
        lock(handle, waiting)
        yield
    except OSError as error:
        place = error.filename or folder
        raise OutputError(f"{place}: {error.strerror or error}; what was fetched stays, run the same command again") from error
    finally:
        os.close(handle)
        if made:
            with suppress(OSError):
                folder.rmdir()  # only if nothing came


def lock(handle: int, waiting: Callable[[], None]) -> None:
    try:
        import fcntl
    except ImportError:
        return  # Windows: two pulls into one folder would only find wrong hashes
    with suppress(OSError):  # some network file systems lock no folders
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)


def present(listing: Listing, folder: Path, known: Manifest | None, progress: Progress) -> dict[str, Entry]:
    """The files that are there already and right. Raises OutputError for one that is neither the hub's nor an older
    revision of it: fine-tuned weights could bear that name."""
    right: dict[str, Entry] = {}
    for stated in listing.files:
        path = folder / stated.name
        if not os.path.lexists(path):
            continue
        found = measure(path, stated, progress) if path.is_file() else "no regular file"
        if isinstance(found, Entry):
            right[stated.name] = found
            continue
        entry = known.entry(stated.name) if known else None
        if entry is None or differs(path, entry, progress):
            raise OutputError(f"{path} is there and not the hub's ({found}); delete it, or choose another -o")
    return right


def check_space(folder: Path, missing: Sequence[Stated]) -> None:
    """Raise OutputError now for a disk that would fill up later."""
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: no permission to write; choose another -o")
    partials = [folder / file.partial for file in missing]
    needed = sum(file.size for file in missing) - sum(path.stat().st_size for path in partials if path.is_file())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{folder}: {needed / 1e9:,.2f} GB needed, {free / 1e9:,.2f} GB free; make room, or choose another -o"
        )


def receive(listing: Listing, stated: Stated, folder: Path, progress: Progress) -> None:
    """Bring a file's bytes under its partial name, going on where an earlier run stopped. Raises HubError when cut off."""
    partial = folder / stated.partial
    if partial.exists() and partial.stat().st_size > stated.size:
        partial.unlink()
    cached = listing.repository.cached(stated.name, listing.commit) if stated.sha256 else None
    try:
        if cached is None or partial.exists() or not copy(cached, partial, stated, progress):
            listing.repository.receive(stated.name, listing.commit, partial, stated.size, progress)
    finally:
        with suppress(OSError):  # nothing came
            if stated.size and partial.stat().st_size == 0:
                partial.unlink()


def copy(source: Path, partial: Path, stated: Stated, progress: Progress) -> bool:
    """Take the file from another place on this machine, if it is the right one there."""
    if source.stat().st_size != stated.size:
        return False
    digest = hashlib.sha256()
    with partial.open("wb") as stream:
        for piece in pieces(source):
            digest.update(piece)
            stream.write(piece)
            progress(len(piece))
    if digest.hexdigest() != stated.sha256:
        partial.unlink()
        progress(-stated.size)
    return partial.exists()


def settle(stated: Stated, folder: Path, progress: Progress) -> Entry:
    """Read back what came, and give it its name if it is what the hub states. Raises HubError, deleting it, if it is not."""
    path, partial = folder / stated.name, folder / stated.partial
    found = measure(partial, stated, progress)
    if isinstance(found, str):
        partial.unlink()
        raise HubError(f"{path}: {found}; what came is deleted, run the same command again")
    with partial.open("rb+") as stream:
        os.fsync(stream.fileno())
    os.replace(partial, path)
    sync_folder(folder)
    return found


def check_small_files(listing: Listing, folder: Path) -> None:
    """Raise CheckpointError for weights that could not be used, before gigabytes of them are fetched."""
    try:
        read_config(folder / "config.json")
        if any(file.name == INDEX for file in listing.files):
            weight_map = read_json(folder / INDEX).get("weight_map")
            shards = set(weight_map.values()) if isinstance(weight_map, dict) else {""}
            missing = sorted(map(str, shards - {file.name for file in listing.files}))
            if missing:
                raise CheckpointError(f"{folder / INDEX}: names {missing[0]!r}, which the hub does not have")
    except (CheckpointError, TypeError) as error:
        raise CheckpointError(f"{error}; its weights were not fetched") from error


def write_manifest(listing: Listing, folder: Path, entries: Sequence[Entry], known: Manifest | None) -> Manifest:
    """Write what was found, last of all; an equal manifest stays as it is, and what an older one names and the hub has no
    more goes: weights of two revisions must not lie together."""
    repository, date = listing.repository, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifest = Manifest(
        repository.name, repository.revision, listing.commit, repository.host, date, listing.license, tuple(entries)
    )
    if known and replace(known, date=date) == manifest:
        return known
    for old in known.files if known else ():
        if manifest.entry(old.name) is None and not differs(folder / old.name, old, lambda _: None):
            (folder / old.name).unlink()
    for name in {entry.name for entry in (*manifest.files, *(known.files if known else ()))}:
        for path in folder.glob(f"{name}.{'[0-9a-f]' * 8}.partial"):
            path.unlink()  # the beginning of another revision
    with atomic(folder / MANIFEST) as beside:
        beside.write_text(json.dumps({"schema": SCHEMA, **asdict(manifest)}, indent=2) + "\n", encoding="utf-8")
    return manifest
