"""The verb: a folder becomes a checkpoint of the hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError, HubUnreachable, OutputError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.hub.connection import Progress, Repository
from logos_cli.models.hub.fetch import (
    Listing,
    check_small_files,
    check_space,
    claimed,
    list_files,
    present,
    receive,
    settle,
    write_manifest,
)
from logos_cli.models.hub.manifest import Entry, Manifest, read_manifest, verify_manifest
from logos_cli.system.quantities import size
from logos_cli.system.reporter import SILENT, Reporter

LONG = 1_000_000  # bytes that take long enough for a progress bar


@dataclass(frozen=True)
class Pulled:
    """A folder that is what the hub has: `fetched` names what came this time; `source`: whose sizes and hashes it was compared
    with."""

    folder: Path
    manifest: Manifest
    fetched: tuple[str, ...]
    source: str

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(entry.size for entry in self.manifest.files)

    def to_dict(self) -> dict[str, Any]:
        """The document of `logos pull --json`."""
        return {"folder": str(self.folder), **asdict(self.manifest), "bytes": self.bytes, "fetched": list(self.fetched)}


def pull_checkpoint(repo: str, folder: str | Path | None = None, revision: str = "main", reporter: Reporter = SILENT) -> Pulled:
    """Fetch what `folder` (by default the repository's name) lacks of a checkpoint, and compare all of it with the hub.

    Without a hub, a folder that is still what was fetched is good enough. Raises HubError, HubUnreachable, CheckpointError,
    OutputError.
    """
    repository = Repository.named(repo, revision)
    target = Path(repo.rpartition("/")[2]) if folder is None else Path(folder)
    fetched: list[str] = []
    source = "the hub's"
    try:
        listing = list_files(repository)
    except HubUnreachable as error:
        source = "as they were fetched"
        manifest = _offline(repository, target, error, reporter)
    else:
        with claimed(target, lambda: reporter.note(f"{target}: another logos pull is at work there, waiting for it")):
            manifest = _fill(listing, target, fetched, reporter)
    Checkpoint.open(target)
    return Pulled(target, manifest, tuple(fetched), source)


def _fill(listing: Listing, folder: Path, fetched: list[str], reporter: Reporter) -> Manifest:
    """Bring what `folder` lacks, small files first, and write its manifest last; `fetched` grows by name."""
    known = _manifest_of(folder, reporter)
    if known and known.repo != listing.repository.name:
        raise OutputError(f"{folder} holds {known.repo}; choose another folder with -o")
    there = sum(file.size for file in listing.files if (folder / file.name).is_file())
    with _bar("checking", there, reporter) as progress:
        right = present(listing, folder, known, progress)
    _tell(listing, right, reporter)
    missing = [file for file in listing.files if file.name not in right]
    if missing:
        check_space(folder, missing)
    for file in missing:
        if file.name.endswith(".safetensors"):
            check_small_files(listing, folder)
        with _bar(file.name, file.size, reporter) as progress:
            receive(listing, file, folder, progress)
        with _bar("checking", file.size, reporter) as progress:
            right[file.name] = settle(file, folder, progress)
        fetched.append(file.name)
    return write_manifest(listing, folder, [right[file.name] for file in listing.files], known)


@contextmanager
def _bar(title: str, total: int, reporter: Reporter) -> Iterator[Progress]:
    """Follow `total` bytes, if they are enough to take a while."""
    if total < LONG:
        yield lambda _: None
        return
    with reporter.progress(title, total, "bytes") as shown:
        yield shown.advance


def _manifest_of(folder: Path, reporter: Reporter) -> Manifest | None:
    """The folder's manifest. A damaged one is as good as none: every file is compared with the hub anyway."""
    try:
        return read_manifest(folder)
    except CheckpointError as error:
        reporter.note(f"{error}; going on without it")
        return None


def _tell(listing: Listing, right: Mapping[str, Entry], reporter: Reporter) -> None:
    """Tell what the hub has and what of it is here."""
    repository, total = listing.repository, sum(file.size for file in listing.files)
    reporter.note(f"{repository.name} at {listing.commit[:12]} on {repository.host}: {len(listing.files)} files, {size(total)}")
    width = max(len(file.name) for file in listing.files)
    for file in listing.files:
        reporter.note(f"  {file.name:<{width}}  {size(file.size):>9}{'  already here' if file.name in right else ''}")
    reporter.note(f"licence of the weights: {listing.license or 'none stated'} (the hub's model card)")


def _offline(repository: Repository, folder: Path, error: HubUnreachable, reporter: Reporter) -> Manifest:
    """Without a hub, a folder that is still what was fetched is good enough. Raises `error` for any other."""
    manifest = read_manifest(folder)
    if manifest is None or manifest.repo != repository.name or repository.revision not in (manifest.revision, manifest.commit):
        raise error
    with _bar("checking", sum(entry.size for entry in manifest.files), reporter) as progress:
        problems = verify_manifest(folder, manifest, progress=progress)
    reason = str(error).partition(";")[0]
    if problems:
        raise CheckpointError(f"{folder}/{problems[0]}; {reason}")
    reporter.note(f"{reason}; {folder} is complete as of {manifest.date} (commit {manifest.commit[:12]})")
    reporter.note(f"licence of the weights: {manifest.license or 'none stated'} (the hub's model card)")
    return manifest
