"""The word `nano`: the checkpoint inside the package, and its GGUF in the user's cache, made once."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from pathlib import Path

from logos_cli.checkpoint import Checkpoint
from logos_cli.convert.gguf_vocab import read_vocab
from logos_cli.convert.to_gguf import to_gguf
from logos_cli.errors import OutputError
from logos_cli.files import atomic, cache_folder

NANO = "nano"
# Raise when the converter changes what it writes: old cache entries are then left alone and a new one is made.
_FORMAT = 2


def nano_checkpoint() -> Path:
    import logos_cli.nano

    return Path(next(iter(logos_cli.nano.__path__)))


def nano_model() -> Path:
    """The bundled model as a bf16 GGUF: from the cache, else made there, else in a folder that goes with this process."""
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
        folder = Path(tempfile.mkdtemp(prefix="logos-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _write(source, folder / name)
        return folder / name


def _write(source: Path, target: Path) -> None:
    checkpoint = Checkpoint.open(source)
    with atomic(target) as beside:
        to_gguf(checkpoint, read_vocab(checkpoint), beside, "bf16", lambda _: None)
