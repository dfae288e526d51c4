"""The wheel installs one name, with everything in it that the checkout has."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
META = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(out), "."]
    # From a copy of what git knows: a build writes folders beside the source.
    copy = tmp_path_factory.mktemp("source")
    listing = ["git", "ls-files", "-co", "--exclude-standard"]
    files = subprocess.run(listing, check=False, cwd=ROOT, capture_output=True, text=True)
    if files.returncode:
        pytest.skip("needs the git checkout")
    subprocess.run(["tar", "-cf", f"{copy}/s.tar", *files.stdout.splitlines()], cwd=ROOT, check=True)
    subprocess.run(["tar", "-xf", "s.tar"], cwd=copy, check=True)
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


def test_one_top_level_name(wheel: list[str]) -> None:
    assert {name.split("/")[0] for name in wheel if ".dist-info" not in name} == {"logos_cli"}


def test_nothing_is_left_out(wheel: list[str]) -> None:
    sources = [p.relative_to(ROOT) for top in ("convert", "quant", "benchmarks") for p in (ROOT / top).rglob("*.py")]
    expected = {f"logos_cli/{p}" for p in sources}
    expected |= {str(p.relative_to(ROOT)) for p in (ROOT / "logos_cli").glob("*.py")}
    expected |= {str(p.relative_to(ROOT)) for p in (ROOT / "logos_cli" / "commands").glob("*.py")}
    expected |= {
        f"logos_cli/nano/{p.name}" for p in (ROOT / "logos_cli" / "nano").iterdir() if p.suffix in (".json", ".safetensors")
    }
    expected |= {"logos_cli/py.typed"}
    assert expected <= set(wheel)
    assert "logos_cli/nano/model.safetensors" in wheel


def test_every_package_is_listed() -> None:
    listed = set(META["tool"]["setuptools"]["packages"])
    found = {"logos_cli." + ".".join(p.parent.relative_to(ROOT).parts) for t in ("convert", "quant", "benchmarks")
             for p in (ROOT / t).rglob("__init__.py")}  # fmt: skip
    found |= {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "logos_cli").glob("**/__init__.py")
              if not p.parent.is_symlink()}  # fmt: skip
    assert {name for name in found if not name.startswith(("logos_cli.convert.", "logos_cli.quant."))} <= listed


def test_nano_is_small_and_torch_is_optional() -> None:
    assert (ROOT / "logos_cli" / "nano" / "model.safetensors").stat().st_size <= 16_000_000
    assert not any("torch" in need or "transformers" in need for need in META["project"]["dependencies"])
