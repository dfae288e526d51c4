"""What the README says of the tree and of the commands is so."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from builders import Run

from logos_cli.tasks.table import TASKS

LOGOS = Path(sys.executable).with_name("logos")
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_tree_is_true() -> None:
    """Every folder that is listed exists and says what it is for, and every one that exists is listed."""
    block = README.split("<!-- tree -->")[1].split("<!-- end -->")[0]
    entries = [entry for line in block.splitlines() for entry in re.split(r"\s{2,}", line.strip()) if entry]
    listed = dict(zip(entries[::2], entries[1::2], strict=True))
    assert all(name.endswith("/") and (ROOT / name).is_dir() for name in listed), listed
    links = ("convert", "quant", "benchmarks")
    found = {f"logos_cli/{folder.parent.name}/" for folder in (ROOT / "logos_cli").glob("*/__init__.py")}
    assert {*found, *(f"{name}/" for name in (*links, "tests", "docs", "examples"))} - {
        f"logos_cli/{name}/" for name in links
    } == listed.keys()


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    # SMILES have brackets before brackets, too; they stand in indented blocks or between backticks.
    prose = re.sub(r"`[^`\n]*`|^    .*$", "", page.read_text(), flags=re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"\[(.*?)\]\(", "](", prose)):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}, target


def test_the_reference_of_commands_is_what_the_commands_say() -> None:
    spec = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    assert spec and spec.loader
    make_cli = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_cli)
    assert (ROOT / "docs" / "cli.md").read_text() == make_cli.document(), "run: make docs"


@pytest.mark.slow
def test_help_reads_well_in_80_columns(logos: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    overview = logos("--help").out
    commands = re.findall(r"^## logos ([\w ]+)$", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE)
    assert len(commands) >= 7 and "  Example: logos generate " in overview
    assert max(map(len, overview.splitlines())) <= 80
    assert "..." not in overview.split("Commands:")[1], "each command's first line fits"
    for command in commands:
        shown = logos(*command.split(), "--help").out
        assert max(map(len, shown.splitlines())) <= 80
        (example,) = re.findall(r"^  Example: (.*)$", shown, re.MULTILINE)
        assert f"logos {command}" in example


@pytest.mark.slow
def test_the_tab_key(private_cache: Path) -> None:
    """What bash asks the command when Tab is pressed."""
    for words, answer in (("logos ins", "inspect"), ("logos generate ret", "retro"), ("logos convert nano --type int", "int4")):
        asked = {"_LOGOS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = subprocess.run([LOGOS], env={**os.environ, **asked}, check=False, capture_output=True, text=True)
        assert answer in done.stdout.split(), words


@pytest.mark.slow
def test_every_option_shown_exists(logos: Callable[..., Run]) -> None:
    @cache
    def helped(command: str) -> str:
        return logos(*command.split(), "--help").out

    texts = README + "".join((ROOT / "docs" / name).read_text() for name in ("verify.md", "tasks.md"))
    names = r"pull|convert|quantize|generate|score|draw|evaluate|bench latency|bench accuracy|bench report|inspect"
    shown = re.findall(rf"logos ({names})\b([^|`\n#]*)", texts)
    assert len(shown) > 20
    for command, rest in shown:
        for option in re.findall(r"(?<!\S)\[?(--?[a-z][a-z-]*)", rest):
            assert option in helped(command), f"logos {command} has no {option}"


def test_each_task_has_an_example_that_the_page_shows() -> None:
    page = (ROOT / "docs" / "tasks.md").read_text()
    for name in [*(name for name in TASKS if name != "raw"), "score"]:
        lines = (ROOT / "examples" / f"{name}.sh").read_text().splitlines()
        commands = [line for line in lines if "logos " in line and not line.startswith("#")]
        assert commands and f"## {name}: " in page, name
        assert all(f"    $ {command}\n" in page for command in commands), f"run: make docs ({name})"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["antibody", "ligand", "score"])
def test_examples_run(name: str, private_cache: Path, tmp_path: Path) -> None:
    """Three of them here, of each kind of input; `make docs` runs them all."""
    found = os.environ | {"PATH": f"{LOGOS.parent}:{os.environ['PATH']}", "LOGOS_MODEL": "nano", "TMPDIR": str(tmp_path)}
    done = subprocess.run(["sh", ROOT / "examples" / f"{name}.sh"], env=found, check=False, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout and "Traceback" not in done.stderr, done.stderr


def test_the_shown_answers_are_of_the_bundled_examples() -> None:
    names = {line.split()[1] for line in (ROOT / "examples" / "drugs.smi").read_text().splitlines()}
    block = README.split("<!-- output: demo -->")[1].split("<!-- end -->")[0]
    lines = [line.split() for line in block.strip().splitlines() if ">" not in line and "==" not in line]
    answers = [line for line in lines if len(line) == 4 and line[2].isdigit()]
    assert len(answers) >= 8 and {line[1] for line in answers} <= names
    assert f"{len(names)} drugs" in README
