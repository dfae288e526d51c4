"""Who may import whom, read from the source; and what the command line may not load before it has to."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Level by the beginning of a module's name, the longest match counts. Imports go downwards or stay level.
LEVELS = {
    "logos_cli.__main__": 6,
    "logos_cli.command_line": 6,
    "logos_cli.app": 5,
    "logos_cli.commands": 5,
    "logos_cli.console": 5,
    "logos_cli.convert": 4,
    "logos_cli.quant": 4,
    "logos_cli.benchmarks": 4,
    "logos_cli.pipeline": 3,
    "logos_cli.run_output": 3,
    "logos_cli.inspection": 3,
    "logos_cli.diagnosis": 3,
    "logos_cli.hub": 2,
    "logos_cli.engine_": 2,
    "logos_cli.onnx_": 2,
    "logos_cli.model_file": 2,
    "logos_cli.checkpoint": 2,
    "logos_cli.tokens": 2,
    "logos_cli.nano": 1,
    "logos_cli": 1,
    "logos_cli.quant.schemes": 1,
}
HEAVY = ("numpy", "llama_cpp", "rdkit", "onnxruntime", "torch", "tokenizers", "gguf", "rich", "onnx")


def level(module: str) -> int:
    return LEVELS[max((name for name in LEVELS if module.startswith(name)), key=len)]


def modules() -> dict[str, Path]:
    found = {}
    for top, package in (("logos_cli", "logos_cli"), *((n, f"logos_cli.{n}") for n in ("convert", "quant", "benchmarks"))):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT / top).with_suffix("").parts
            if top == "logos_cli" and parts[0] in ("convert", "quant", "benchmarks"):
                continue  # the links, reached by their real folders
            found[".".join([package, *(p for p in parts if p != "__init__")])] = path
    return found


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" if node.module == "logos_cli" else node.module for alias in node.names]
            assert node.level == 0, f"{path}: relative import"
    return names


@pytest.mark.parametrize("module", modules())
def test_imports_go_downwards(module: str) -> None:
    for name in imported(modules()[module]):
        if name == "logos_cli.quant.schemes" and level(module) >= 1:
            continue
        if name.startswith("logos_cli") and level(name) > level(module):
            # A lower level may open what stands above it only where the design says so: `open_engine`.
            engines = ("logos_cli.engine_llamacpp", "logos_cli.engine_onnx")
            assert module == "logos_cli.engine" and name in engines, f"{module} imports {name}"
        for one in ("convert", "quant", "benchmarks"):
            if name.startswith(f"logos_cli.{one}") and level(module) == 4:
                assert module.startswith(f"logos_cli.{one}"), f"{module} imports {name}"
        if name.split(".")[0] == "rich":
            assert module == "logos_cli.console"


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from logos_cli.command_line import run; run(['--help'])"
    code += f"; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "generate" in done.stdout


def test_files_stay_small() -> None:
    for path in [*modules().values(), *(ROOT / "tests").glob("*.py")]:
        assert len(path.read_text().splitlines()) <= 330, f"{path} has grown; split it by noun"
        assert path.stem not in ("utils", "misc", "common", "helpers")
