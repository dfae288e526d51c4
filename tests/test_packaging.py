"""The wheel installs one name, with everything in it that the checkout has."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

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


def packages() -> dict[str, Path]:
    """Every package of the checkout but nano's recipe, which needs its data and is not installed: its name and folder."""
    found = {f"logos_cli.{'.'.join(p.parent.relative_to(ROOT).parts)}": p.parent
             for top in ("convert", "quant", "benchmarks") for p in (ROOT / top).rglob("__init__.py")}  # fmt: skip
    found |= {".".join(p.parent.relative_to(ROOT).parts): p.parent for p in (ROOT / "logos_cli").rglob("__init__.py")}
    return {name: folder for name, folder in found.items() if name != "logos_cli.nano.recipe"}


def test_nothing_is_left_out(wheel: list[str]) -> None:
    expected = {f"{name.replace('.', '/')}/{file.name}" for name, folder in packages().items() for file in folder.glob("*.py")}
    nano = ROOT / "logos_cli" / "nano"
    expected |= {f"logos_cli/nano/{file.name}" for file in nano.iterdir() if file.suffix in (".json", ".safetensors")}
    expected |= {"logos_cli/py.typed"}
    assert expected <= set(wheel)
    assert "logos_cli/nano/model.safetensors" in wheel
    assert not [name for name in wheel if "recipe" in name]


def test_every_package_is_listed() -> None:
    assert set(META["tool"]["setuptools"]["packages"]) == set(packages())
    # A folder of modules without an __init__.py would be left out of the wheel.
    for module in (ROOT / "logos_cli").rglob("*.py"):
        assert (module.parent / "__init__.py").exists(), module


def test_every_extra_is_imported() -> None:
    """What an extra installs is used: its packages are named in an import somewhere."""
    source = "\n".join(
        p.read_text() for top in ("logos_cli", "convert", "quant", "benchmarks") for p in (ROOT / top).rglob("*.py")
    )
    modules = {"optimum-onnx": "optimum"}
    for name, needs in META["project"]["optional-dependencies"].items():
        for need in needs if name != "dev" else ():
            package = re.split("[<>=]", need)[0]
            module = modules.get(package, package)
            assert re.search(rf"(import|from) {module}\b|import_module\(\"{module}", source), f"{name}: {package}"


def test_nano_is_small_and_torch_is_optional() -> None:
    assert (ROOT / "logos_cli" / "nano" / "model.safetensors").stat().st_size <= 16_000_000
    assert not any("torch" in need or "transformers" in need for need in META["project"]["dependencies"])
