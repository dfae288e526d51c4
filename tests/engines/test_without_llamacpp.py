"""Machines with ONNX Runtime only, and without file locks: what needs neither runs without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run

Logos = Callable[..., Run]
# Python runs this at the start of every process, the children of a benchmark too.
BLOCKED = "import sys\nfor name in ('llama_cpp', 'fcntl'):\n    sys.modules[name] = None\n"


@pytest.fixture
def bare(private_cache: Path, tmp_path: Path) -> Logos:
    """The command in a new process, where neither llama_cpp nor fcntl can be imported."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(BLOCKED)
    path = os.pathsep.join(filter(None, [str(tmp_path / "blocked"), os.environ.get("PYTHONPATH")]))

    def run(*arguments: str | Path, stdin: str = "") -> Run:
        command = [sys.executable, "-m", "logos_cli", *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": path}
        done = subprocess.run(command, env=environment, input=stdin, check=False, capture_output=True, text=True)
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.mark.slow
def test_onnx_needs_no_llama_cpp(bare: Logos, tmp_path: Path) -> None:
    model, half = tmp_path / "model", tmp_path / "half"
    done = bare("convert", "nano", "--to", "onnx", "-o", model)
    assert done.code == 0 and "read back and verified" in done.err, done.err
    assert bare("convert", "nano", "--to", "onnx", "-o", half, "--type", "f16").code == 0
    assert bare("convert", "nano", "--to", "onnx", "-o", tmp_path / "x", "--dry-run").code == 0
    done = bare("generate", "retro", "-m", model, "-o", tmp_path / "o.jsonl", stdin="CC(=O)Nc1ccc(O)cc1\n")
    assert done.code == 0 and json.loads((tmp_path / "o.jsonl").read_text())["valid"], done.err
    assert bare("score", "-m", model, stdin="CCO\n").lines[0]["tokens"] == 2
    timed = bare("bench", "latency", model, "-r", "1", "-b", "1", "--new", "4", "--prompt", "16", "-n", "1")
    assert timed.code == 0 and json.loads(timed.out)["machine"]["llama_cpp_features"] == [], timed.err
    lost = bare("bench", "accuracy", half, "--baseline", model, "--texts", "2", "--max-tokens", "16", "--no-tasks")
    assert lost.code == 0 and json.loads(lost.out)["models"], lost.err


@pytest.mark.slow
def test_what_needs_it_says_so(bare: Logos, nano_bf16: Path, tmp_path: Path) -> None:
    for command in (
        ("generate", "retro", "-m", nano_bf16),
        ("convert", "nano", "-o", tmp_path / "m.gguf"),
        ("convert", "nano", "--to", "onnx", "-o", tmp_path / "m", "--type", "int4"),
    ):
        done = bare(*command, stdin="CCO\n")
        assert done.code == 1 and "install llama-cpp-python" in done.err and len(done.err.splitlines()) == 1, done.err
    assert list(tmp_path.glob("m*")) == []
