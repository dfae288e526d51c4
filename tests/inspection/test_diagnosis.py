"""`logos doctor` on a machine that is well, and on ones that are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run

from logos_cli.convert.estimate import estimate_unquantized
from logos_cli.models.architectures.architecture import Config, RopeScaling
from logos_cli.models.architectures.llama import LLAMA
from logos_cli.models.checkpoint import Checkpoint, Tensor
from logos_cli.quant.footprint import footprint
from logos_cli.quant.quantize_gguf import planned_size
from logos_cli.quant.schemes import SCHEMES


@pytest.mark.slow
def test_all_is_well(logos: Callable[..., Run]) -> None:
    found = logos("doctor")
    assert found.code == 0 and found.err == "" and "nano wrote" in found.out
    assert all(len(line) <= 80 for line in found.out.splitlines() if "->" not in line)
    told = json.loads(logos("doctor", "--json").out)
    assert {f["section"] for f in told["findings"]} == {"versions", "extras", "llama.cpp", "GPU", "folders"}
    assert not [f for f in told["findings"] if f["good"] is False]
    schemes = [row["scheme"] for row in told["logos_1b"]]
    assert "int4 (q4_k_m)" in schemes and "int8 (q8_0)" in schemes


@pytest.mark.slow
def test_a_wrong_version_is_named_with_its_remedy(tmp_path: Path) -> None:
    other = tmp_path / "llama_cpp_python-0.2.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.2.9\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "logos_cli", "doctor"]
    found = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False, capture_output=True, text=True)
    assert found.returncode == 1 and found.stderr.count("\n") == 1
    assert "0.2.9, but ==0.3.36 is needed" in found.stdout and "-m pip install 'llama-cpp-python==0.3.36'" in found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "code, why", [("raise OSError('libfoo.so.2: cannot open')", "libfoo.so.2"), ("import os; os.abort()", "SIGABRT")]
)
def test_a_package_that_cannot_be_imported(
    logos: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, why: str
) -> None:
    (tmp_path / "safetensors").mkdir()
    (tmp_path / "safetensors" / "__init__.py").write_text(code + "\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = logos("doctor", "--json")
    bad = [f for f in json.loads(found.out)["findings"] if f["good"] is False]
    assert found.code == 1 and bad[0]["name"] == "safetensors" and why in bad[0]["value"]
    assert "--force-reinstall" in bad[0]["remedy"] and "tokenizers" not in {f["name"] for f in bad}


@pytest.mark.slow
def test_a_model_that_is_not_there(logos: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # nor a compiler
    monkeypatch.setenv("LOGOS_MODEL", str(tmp_path / "none.gguf"))
    found = logos("doctor")
    assert found.code == 1 and "none.gguf: No such file" in found.err and "none found" in found.out
    assert "$LOGOS_MODEL names it" in logos("generate", "molecule").err
    monkeypatch.setenv("LOGOS_MODEL", str(tmp_path))
    assert "a folder is not a model file" in logos("doctor").err


def shape_1b(folder: Path, tokenizer: str) -> Checkpoint:
    """A checkpoint of the 1B's shape whose weights nobody reads."""
    folder.mkdir()
    (folder / "tokenizer.json").write_text(tokenizer)
    (folder / "config.json").write_text("{}")
    scaling = RopeScaling(32.0, 1.0, 4.0, 8192)
    config = Config(LLAMA, 128_272, 2048, 8192, 16, 32, 8, 64, 131_072, 1e-5, 500_000.0, scaling, False, True)
    tensors = {}
    for name, shape in config.shapes().items():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        tensors[name] = Tensor(name, shape, "BF16", Path("/dev/zero"), 0, 2 * count)
    return Checkpoint(folder, config, tensors)


@pytest.mark.slow
def test_the_sizes_shown_for_the_1b_are_llama_cpps_own(tmp_path: Path, tiny: Path) -> None:
    checkpoint = shape_1b(tmp_path / "c", (tiny / "tokenizer.json").read_text())
    estimate_unquantized(checkpoint, "bf16", tmp_path)
    for scheme in SCHEMES.values():
        if scheme.quantized:
            planned = planned_size(tmp_path / "sparse.gguf", scheme).bytes_after
            assert abs(footprint(scheme).file / planned - 1) < 0.01, scheme.name
