"""What a prompt says of itself, whether a record of its question and site leads back to it, against making it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_cli.chemistry.grammar import RowError, protein
from logos_cli.pipeline.recorded import rebuilt_prompt
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS, spelled, task_named
from logos_cli.tasks.task import Prompt, Task

LETTERS = "ACDEFGHIKLMNPQRSTVWYUOX acgt*"
SALT, MOFS = "[Na+].[Cl-]", ("[Zn]", "O.[Zn]", "[Zn][O]([Zn])[Zn]", "C[Zn]", "[Cu].[Cu]", "Cl.[Fe+2] name", "[O-][Zn]")


def again(name: str, prompt: Prompt) -> str | None:
    try:
        return rebuilt_prompt(TASKS[name], prompt.question, prompt.site).text
    except RowError:
        return None


def check(task: Task, row: Row) -> bool:
    """Whether the row could be asked."""
    try:
        prompt = task.prompt(row)
    except RowError:
        return False
    assert prompt.rebuildable == (again(task.name, prompt) == prompt.text), (task.name, row, prompt)
    assert prompt.stored == (None if prompt.rebuildable else prompt.text)
    return True


def styled() -> Iterator[Task]:
    for name, task in TASKS.items():
        yield from (task, spelled(task))
        yield from (task_named(name, form) for form in task.forms)


@pytest.mark.parametrize("row", [
    {"value": "OCC"}, {"value": "CC.N>>CCN"}, {"value": "C[NH3+].[Cl-]"}, {"value": f"CC.{SALT}"}, {"value": ("CC", SALT)},
    {"value": ("CC", "N")}, {"value": (SALT,)}, {"value": "", "reactants": ("CC", SALT)}, {"value": "N->[Pt](Cl)Cl"},
    {"value": "[CH3:1][OH:2]"}, {"value": "CC>>N->[Pt]"}, {"value": "C1.C1"}, {"value": "c1cc"}, {"value": " OCC "},
    {"text": "<MoleculeS>OCC<MoleculeE><ReverseReact>"}, {"text": "<MoleculeS>CC<MoleculeE><MoleculeS>N.Cl<MoleculeE><React>"},
    {"text": "<MoleculeS>C1CC"}, {"text": "<MaterialS>"}, {"text": "<MaterialS><MetalS>[Zn]<MetalE>"},
    {"text": "<MaterialS>[Zn]"},
    {"text": "<ProteinS>MKT"}, {"text": "<AntibodyS>EVQ"}, {"text": "<MoleculeS>" + "C" * 3999 + "<MoleculeE><ReverseReact>"},
    *({"value": mof} for mof in MOFS), *({"material": (mof, ("C",))} for mof in MOFS), {"value": ""},
])  # fmt: skip
def test_molecules_and_materials(row: dict[str, Any]) -> None:
    checked = [check(task, Row(0, "1", **row)) for task in styled()]
    assert any(checked)


@settings(deadline=None)
@given(st.text(LETTERS, max_size=40), st.sets(st.integers(1, 40), max_size=4))
def test_sequences(text: str, places: set[int]) -> None:
    """Whatever letters: `UUU` is read as cysteines, which are read as a SMILES the next time."""
    pocket = tuple(sorted(place for place in places if place <= len(text)))
    for task in styled():
        if task.wants == "sequence":
            check(task, Row(0, "1", value=text, kind="sequence", pocket=pocket))


@pytest.mark.slow
@settings(deadline=None)
@given(st.text("ACDEFGHIKLMNPQRSTVWY", min_size=1, max_size=24), st.sets(st.integers(1, 24), max_size=4), st.booleans())
def test_text_given_whole(sequence: str, places: set[int], smiles: bool) -> None:
    """It may hold what a row may not, such as letters of a nucleic acid, and residues as SMILES."""
    marked = protein(sequence, {place for place in places if place <= len(sequence)}, smiles)
    for end in ("<MoleculeS>", "<Search><ProteinS>", "<Trans><ProteinS>", ""):
        for task in styled():
            check(task, Row(0, "1", text=marked + end))
