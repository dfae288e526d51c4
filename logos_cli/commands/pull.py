"""logos pull LOGOS-Hub/LOGOS-pretrain-1B"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logos_cli.terminal import options

if TYPE_CHECKING:
    from logos_cli.errors import HubUnreachable
    from logos_cli.models.hub.pull import Entry, Listing, Manifest, Progress, Repository


def pull(
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the hub.", metavar="REPO")] = "LOGOS-Hub/LOGOS-pretrain-1B",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to fill. Default: ./NAME of the repository.", show_default=False)
    ] = None,
    revision: Annotated[str, typer.Option("--revision", help="Branch, tag or commit.", metavar="REV")] = "main",
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Fetch and verify a checkpoint from the Hugging Face hub.

    Prints the folder. Stopped in the middle, it goes on where it was when run again. $HF_ENDPOINT, $HF_HOME, $HF_TOKEN and
    $HF_HUB_OFFLINE mean what they always mean.

    \b
    Example: logos convert "$(logos pull)" -o logos-1b-int4.gguf --type int4
    """
    from logos_cli.errors import HubUnreachable
    from logos_cli.models.checkpoint import Checkpoint
    from logos_cli.models.hub.pull import Repository, claimed, list_files
    from logos_cli.system.quantities import size
    from logos_cli.terminal.console import note

    if hasattr(signal, "SIGPIPE"):
        # A peer that closes a TLS connection would end the program silently: OpenSSL writes without MSG_NOSIGNAL.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    repository = Repository.named(repo, revision)
    folder = Path(repo.rpartition("/")[2]) if out is None else out
    fetched: list[str] = []
    source = "the hub's"
    try:
        listing = list_files(repository)
    except HubUnreachable as error:
        source = "as they were fetched"
        manifest = offline(repository, folder, error)
    else:
        with claimed(folder, lambda: note(f"{folder}: another logos pull is at work there, waiting for it")):
            manifest = fill(listing, folder, fetched)
    Checkpoint.open(folder)
    total = sum(entry.size for entry in manifest.files)
    came = f"{len(fetched)} fetched" if fetched else "nothing to fetch"
    note(f"{folder}: {len(manifest.files)} files, {size(total)}, {came}; sizes and hashes are {source}")
    target = shlex.quote(f"{folder.absolute().name.lower()}-int4.gguf")
    note(f"next: logos convert {shlex.quote(str(folder))} -o {target} --type int4")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if as_json:
        document = {"folder": str(folder), **asdict(manifest), "bytes": total, "fetched": fetched}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(f"{folder}\n")
    sys.stdout.flush()


def fill(listing: Listing, folder: Path, fetched: list[str]) -> Manifest:
    """Bring what `folder` lacks, small files first, and write its manifest last; `fetched` grows by name."""
    from logos_cli.errors import OutputError
    from logos_cli.models.hub.pull import check_small_files, check_space, present, receive, settle, write_manifest

    known = manifest_of(folder)
    if known and known.repo != listing.repository.name:
        raise OutputError(f"{folder} holds {known.repo}; choose another folder with -o")
    there = sum(file.size for file in listing.files if (folder / file.name).is_file())
    with bar("checking", there) as said:
        right = present(listing, folder, known, said)
    show(listing, right)
    missing = [file for file in listing.files if file.name not in right]
    if missing:
        check_space(folder, missing)
    for file in missing:
        if file.name.endswith(".safetensors"):
            check_small_files(listing, folder)
        with bar(file.name, file.size) as said:
            receive(listing, file, folder, said)
        with bar("checking", file.size) as said:
            right[file.name] = settle(file, folder, said)
        fetched.append(file.name)
    return write_manifest(listing, folder, [right[file.name] for file in listing.files], known)


@contextmanager
def bar(title: str, size: int) -> Iterator[Progress]:
    """A progress bar for `size` bytes, if they are enough to take a while."""
    from logos_cli.terminal.console import progress

    if size < 1_000_000:
        yield lambda _: None
        return
    with progress(title, size, "bytes") as shown:
        yield shown.advance


def manifest_of(folder: Path) -> Manifest | None:
    """A damaged manifest is as good as none: every file is compared with the hub anyway."""
    from logos_cli.errors import CheckpointError
    from logos_cli.models.hub.pull import read_manifest
    from logos_cli.terminal.console import note

    try:
        return read_manifest(folder)
    except CheckpointError as error:
        note(f"{error}; going on without it")
        return None


def show(listing: Listing, right: Mapping[str, Entry]) -> None:
    from logos_cli.system.quantities import size
    from logos_cli.terminal.console import note

    repository, total = listing.repository, sum(file.size for file in listing.files)
    note(f"{repository.name} at {listing.commit[:12]} on {repository.host}: {len(listing.files)} files, {size(total)}")
    width = max(len(file.name) for file in listing.files)
    for file in listing.files:
        note(f"  {file.name:<{width}}  {size(file.size):>9}{'  already here' if file.name in right else ''}")
    note(f"licence of the weights: {listing.license or 'none stated'} (the hub's model card)")


def offline(repository: Repository, folder: Path, error: HubUnreachable) -> Manifest:
    """Without a hub, a folder that is still what was fetched is good enough. Raises `error` for any other."""
    from logos_cli.errors import CheckpointError
    from logos_cli.models.hub.pull import read_manifest, verify_manifest
    from logos_cli.terminal.console import note

    manifest = read_manifest(folder)
    if manifest is None or manifest.repo != repository.name or repository.revision not in (manifest.revision, manifest.commit):
        raise error
    with bar("checking", sum(entry.size for entry in manifest.files)) as said:
        problems = verify_manifest(folder, manifest, progress=said)
    reason = str(error).partition(";")[0]
    if problems:
        raise CheckpointError(f"{folder}/{problems[0]}; {reason}")
    note(f"{reason}; {folder} is complete as of {manifest.date} (commit {manifest.commit[:12]})")
    note(f"licence of the weights: {manifest.license or 'none stated'} (the hub's model card)")
    return manifest
