"""A GGUF is loaded in a child process first: llama.cpp aborts on some damage, and an abort cannot be caught.

    python -m logos_cli.engines.llamacpp.probe FILE

Each file is tried once and then remembered by its header's checksum and its size in the user's cache. Those that this tool
wrote are no exception: their checksum guards against accidents, not against intent.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from logos_cli.engines.llamacpp import library
from logos_cli.errors import ModelFileError
from logos_cli.models.gguf_header import GgufHeader
from logos_cli.system.files import cache_folder
from logos_cli.system.threads import default_threads

LOADED = 0
_PATIENCE = 600  # seconds; a first read of many gigabytes from a slow disk


def probe(header: GgufHeader) -> None:
    """Raise ModelFileError if a child process cannot load the file and decode one token; MissingDependency."""
    library.load()
    known: Path | None = None
    with suppress(OSError, RuntimeError):
        known = cache_folder() / "loaded" / f"{header.sha256}-{header.size}"
        if known.exists():
            return
    command = [sys.executable, "-m", "logos_cli.engines.llamacpp.probe", str(header.path)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise ModelFileError(f"{header.path}: llama.cpp did not load it within {_PATIENCE} s; is the file damaged?") from None
    if done.returncode != LOADED:
        # Its own words, else those of an abort: "…: GGML_ASSERT(…) failed".
        told = (done.stdout or done.stderr).strip().splitlines()[-1:] or [f"llama.cpp ended with status {done.returncode}"]
        raise ModelFileError(f"{header.path}: cannot be loaded ({told[0][:200]}); it may be damaged, or for another llama.cpp")
    if known is None:
        return
    with suppress(OSError):
        known.parent.mkdir(parents=True, exist_ok=True)
        known.touch()


def main() -> int:
    import numpy as np

    from logos_cli.engines.llamacpp.context import Context

    binding = library.load()
    params = library.model_params()
    _devices = library.place(params, None)
    model = binding.llama_model_load_from_file(os.fsencode(sys.argv[1]), params)
    if not model:
        sys.stdout.write(library.last_words() + "\n")
        return 1
    vocabulary = binding.llama_vocab_n_tokens(binding.llama_model_get_vocab(model))
    context = Context(model, 1, 256, default_threads(), vocabulary, full_precision=False)
    context.step(np.zeros(1, np.int32), np.zeros(1, np.int32))
    context.close()
    binding.llama_model_free(model)
    return LOADED


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # A CUDA build was seen to crash in the interpreter's own end, long after the file had been tried.
    os._exit(status)
