"""Nothing outside tasks/ goes by a task's name: what is particular to a task stands in its file, or is of its answers' kind."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from schemas import SCHEMA

from logos_cli.benchmarks.metrics.metrics import EVERY, FIGURES
from logos_cli.drawing.pictures import PICTURES
from logos_cli.tasks import defaults
from logos_cli.tasks.answer_kinds import KINDS
from logos_cli.tasks.table import TASKS

ROOT = Path(__file__).parents[2]
# Words that are also tasks' names, where they name something else: keys of files, columns, what a header says.
WORDS = {
    "logos_cli/chemistry/residue_text.py": {"ligand"},
    "logos_cli/structures/ligand_file.py": {"pocket"},
    "logos_cli/rows/column_names.py": {"protein", "molecule"},
    "logos_cli/rows/from_json.py": {"pocket", "ligand"},
    "logos_cli/rows/from_table.py": {"pocket", "ligand"},
    "logos_cli/rows/structure_folder.py": {"ligand"},
    "logos_cli/pipeline/recorded.py": {"pocket"},
    "logos_cli/drawing/cards.py": {"pocket"},
    "logos_cli/drawing/pictures.py": {"pocket"},
    "logos_cli/terminal/options.py": {"protein"},
    "benchmarks/metrics/truth_file.py": {"pocket"},
}
# The recipe names what the bundled model was trained on, and the settings it was found to need; a planner's two kinds of model
# are two of our tasks.
LEFT_OUT = ("logos_cli/tasks", "logos_cli/nano/recipe", "logos_cli/integrations", "benchmarks/single_step.py")


def sources() -> list[Path]:
    """Our files, each once: the links in logos_cli lead to the folders at the root."""
    tops = (ROOT / name for name in ("logos_cli", "convert", "quant", "benchmarks"))
    return sorted({path.resolve() for top in tops for path in top.rglob("*.py")})


@pytest.mark.slow
def test_no_task_is_named_outside_tasks() -> None:
    used: dict[str, set[str]] = {}
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(LEFT_OUT):
            texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
            used[name] = {text for text in texts if isinstance(text, str) and text in TASKS}
    assert {name: words for name, words in used.items() if words} == WORDS


def test_defaults_are_tasks() -> None:
    for name in (defaults.TIMED, defaults.FORMED, defaults.ANY, defaults.EXPANDING, *defaults.COMPARED):
        assert name in TASKS
    assert TASKS[defaults.FORMED].forms and all(task.back in TASKS for task in TASKS.values() if task.back)


def test_every_kind_of_answer_has_its_picture_and_its_figures() -> None:
    names = {kind.name for kind in KINDS}
    assert PICTURES.keys() == names and FIGURES.keys() <= names and {task.answers for task in TASKS.values()} == {*KINDS}


def test_every_figure_is_in_the_schema() -> None:
    known = SCHEMA["$defs"]["task"]["properties"].keys()
    assert {figure.name for figure in EVERY} <= known
