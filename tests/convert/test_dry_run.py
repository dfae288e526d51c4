"""What a real conversion refuses, `--dry-run` refuses in the same words, for both kinds of model file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from checkpoint_variants import config, copy_of_nano

Logos = Callable[..., Run]


def changed_since_it_was_fetched(folder: Path) -> None:
    files = [
        {"name": path.name, "size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(folder.iterdir())
    ]
    stated = {"repo": "o/r", "revision": "main", "commit": "c" * 40, "endpoint": "e", "date": "2026", "license": "mit"}
    (folder / "logos-manifest.json").write_text(json.dumps({"schema": 1, **stated, "files": files}))
    raw = bytearray((folder / "model.safetensors").read_bytes())
    raw[-5000] ^= 1
    (folder / "model.safetensors").write_bytes(raw)


CHECKPOINTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a file that is not what was fetched": (changed_since_it_was_fetched, "model.safetensors: sha256"),
    "a head that is not the embedding": (config(tie_word_embeddings=True), "lm_head.weight differs"),
    "a sampling table that cannot be": (
        lambda folder: (folder / "logos_sampling.json").write_text('{"retro": {"temperature": -1}}'),
        "logos_sampling.json",
    ),
    "weights cut short": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100]),
        "model.safetensors",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_of_the_checkpoint(logos_here: Logos, tmp_path: Path, name: str, to: str) -> None:
    change, cause = CHECKPOINTS[name]
    folder = copy_of_nano(tmp_path / "variant", change)
    arguments = ("convert", folder, "-o", tmp_path / "out", "--to", to)
    real, dry = logos_here(*arguments), logos_here(*arguments, "--dry-run")
    assert (dry.code, dry.err.splitlines()[-1]) == (real.code, real.err.splitlines()[-1])
    assert real.code == 1 and cause in real.err and "nothing was written" not in dry.err
    assert [path.name for path in tmp_path.iterdir()] == ["variant"]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
def test_of_the_output(logos_here: Logos, tmp_path: Path, to: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("years of work")
    for out in (theirs, tmp_path / "no" / "such" / "folder"):
        arguments = ("convert", "nano", "-o", out, "--to", to)
        real, dry = logos_here(*arguments), logos_here(*arguments, "--dry-run")
        assert real.code == 1 and str(out.parent) in real.err
        assert (dry.code, dry.err.splitlines()[-1]) == (1, real.err.splitlines()[-1])
    assert [path.name for path in theirs.iterdir()] == ["thesis.tex"]
