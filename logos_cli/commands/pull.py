"""logos pull LOGOS-Hub/LOGOS-pretrain-1B"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from logos_cli.terminal import options


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
    from logos_cli.models.hub.pull_checkpoint import pull_checkpoint
    from logos_cli.system.quantities import size
    from logos_cli.terminal.console import TERMINAL, note

    if hasattr(signal, "SIGPIPE"):
        # A peer that closes a TLS connection would end the program silently: OpenSSL writes without MSG_NOSIGNAL.
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    found = pull_checkpoint(repo, out, revision, TERMINAL)
    came = f"{len(found.fetched)} fetched" if found.fetched else "nothing to fetch"
    files = f"{len(found.manifest.files)} files, {size(found.bytes)}"
    note(f"{found.folder}: {files}, {came}; sizes and hashes are {found.source}")
    target = shlex.quote(f"{found.folder.absolute().name.lower()}-int4.gguf")
    note(f"next: logos convert {shlex.quote(str(found.folder))} -o {target} --type int4")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.stdout.write(json.dumps(found.to_dict(), indent=2) + "\n" if as_json else f"{found.folder}\n")
    sys.stdout.flush()
