"""Who may import whom, read from the source; and what the command line may not load before it has to."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Folder -> the folders that its files may import, from the top of the house down; docs/architecture.md has the picture.
ALLOWED = {
    "commands": "terminal serving.agent serving cluster convert quant benchmarks pipeline inspection drawing tasks engines "
                "rows models records structures chemistry system",
    "api": "convert pipeline tasks engines rows records chemistry",
    "integrations": "",
    "serving.agent": "serving pipeline tasks rows chemistry",
    "serving": "pipeline tasks engines rows records structures chemistry",
    "terminal": "convert quant tasks engines rows records system",
    "cluster": "pipeline engines rows models records system",
    "nano.recipe": "benchmarks pipeline tasks engines rows chemistry",
    "convert": "quant tasks engines models chemistry system nano",
    "quant": "pipeline tasks engines rows models records chemistry system",
    "benchmarks": "integrations pipeline inspection tasks engines rows models records chemistry system",
    "pipeline": "tasks engines rows records structures chemistry system",
    "drawing": "tasks records chemistry system",
    "inspection": "engines models chemistry system",
    "rows": "tasks records structures chemistry system",
    "records": "tasks chemistry system",
    "tasks": "engines structures chemistry",
    "engines": "models chemistry system",
    "models": "chemistry system",
    "structures": "chemistry system",
    "chemistry": "system",
    "system": "",
    "nano": "",
    "errors": "",
    # The package's own face and the entry point.
    "": "commands api convert quant tasks engines rows records",
}  # fmt: skip
EVERYWHERE = ("", "errors")
TOPS = ("convert", "quant", "benchmarks")  # at the repository's root, installed inside logos_cli
HEAVY = ("numpy", "llama_cpp", "rdkit", "onnxruntime", "torch", "tokenizers", "gguf", "rich", "onnx", "starlette", "uvicorn",
         "mcp", "syntheseus", "ray")  # fmt: skip


def modules() -> dict[str, Path]:
    found = {}
    for top, package in (("logos_cli", "logos_cli"), *((name, f"logos_cli.{name}") for name in TOPS)):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT / top).with_suffix("").parts
            if top == "logos_cli" and parts[0] in TOPS:
                continue  # the links, reached by their real folders
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


MODULES = modules()


def folder(module: str) -> str:
    """The longest name in ALLOWED that `module` lies in; "" for the package itself and its entry point."""
    inside = module.removeprefix("logos_cli").removeprefix(".")
    if inside == "__main__":
        return ""
    return max((name for name in ALLOWED if f"{inside}.".startswith(f"{name}.")), key=len, default="")


@functools.cache
def imported(path: Path) -> set[str]:
    """Our modules that a file names in its imports, wherever they stand."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            whole = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in whole.values()}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downwards(module: str) -> None:
    here = folder(module)
    assert module in ("logos_cli", "logos_cli.__main__") or here, f"{module} lies in no folder of ALLOWED"
    for name in imported(MODULES[module]):
        if name.split(".")[0] == "rich":
            assert module == "logos_cli.terminal.console"
        if name.split(".")[0] == "logos_cli":
            there = folder(name)
            assert there in (here, *EVERYWHERE, *ALLOWED[here].split()), f"{module} imports {name}"


def test_no_file_and_no_folder_in_a_circle() -> None:
    files = {module: imported(path) & MODULES.keys() - {module} for module, path in MODULES.items()}
    folders: dict[str, set[str]] = {}
    for module, names in files.items():
        folders.setdefault(folder(module), set()).update(folder(name) for name in names if folder(name) != folder(module))
    # What says the version is the package itself, whose entry point stands above all.
    for graph in (files, {name: below - {""} for name, below in folders.items()}):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(" -> ".join(error.args[1]))


def test_every_permission_is_used() -> None:
    """The table says what is, not what might be."""
    used: dict[str, set[str]] = {name: set() for name in ALLOWED}
    for module, path in MODULES.items():
        used[folder(module)] |= {folder(name) for name in imported(path) if name.split(".")[0] == "logos_cli"}
    spare = {name: set(allowed.split()) - used[name] for name, allowed in ALLOWED.items()}
    assert not {name: sorted(found) for name, found in spare.items() if found}


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = f"import sys; from logos_cli.commands.command_line import run; run({[*command, '--help']!r})"
    code += f"; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert ("--port" if command else "generate") in done.stdout


def test_files_stay_small() -> None:
    for path in [*MODULES.values(), *(ROOT / "tests").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 330, f"{path} has grown; split it by noun"
        assert path.stem not in ("utils", "misc", "common", "helpers")
