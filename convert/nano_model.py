"""The word `nano`: the checkpoint inside the package, and its GGUF in the user's cache, made once."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from logos_cli.convert.gguf_vocab import read_vocab
from logos_cli.convert.to_gguf import to_gguf
from logos_cli.errors import OutputError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.system.files import atomic, cache_folder

NANO = "nano"
# Raise when the converter changes what it writes: old cache entries are then left alone and a new one is made.
_FORMAT = 3


def nano_checkpoint() -> Path:
    import logos_cli.nano

    return Path(next(iter(logos_cli.nano.__path__)))


def nano_model() -> Path:
    """The bundled model as a bf16 GGUF: from the cache, else made there, else in the folder for temporary files."""
    source = nano_checkpoint()
    digest = hashlib.sha256(str(_FORMAT).encode())
    for path in sorted(source.iterdir()):
        if path.suffix in (".json", ".safetensors"):
            digest.update(path.read_bytes())
    name = f"nano-{digest.hexdigest()[:12]}.gguf"
    try:
        cached = cache_folder() / name
        if not cached.is_file():
            cached.parent.mkdir(parents=True, exist_ok=True)
            _write(source, cached)
        return cached
    except (OSError, OutputError, RuntimeError):  # RuntimeError: no home folder at all, as in some containers
        cached = _temporary_folder() / name
        if not cached.is_file():
            _write(source, cached)
        return cached


def _temporary_folder() -> Path:
    """One for each user, the same in every run, since a process that a closed pipe ends could not delete it; another user's
    folder or link of that name is not used."""
    folder = (
        Path(tempfile.gettempdir()) / f"logos-cli-{os.getuid() if hasattr(os, 'getuid') else os.environ.get('USERNAME', '')}"
    )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and (
            not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o077)
        ):
            return folder
    except OSError:
        pass
    own = Path(tempfile.mkdtemp(prefix="logos-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


def _write(source: Path, target: Path) -> None:
    checkpoint = Checkpoint.open(source)
    with atomic(target) as beside:
        to_gguf(checkpoint, read_vocab(checkpoint), beside, "bf16", lambda _: None)
