"""Prompts as published, answers judged strictly, markers never injected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.chem import ChemError, canonical, canonical_strict, same_molecules, unmapped_strict
from logos_cli.errors import UsageError
from logos_cli.grammar import MARKERS, RowError
from logos_cli.row import Row
from logos_cli.tasks import TASKS, task_named


def prompt(task: str, value: str | tuple[str, ...] | None = None, text: str | None = None) -> str:
    return TASKS[task].prompt(Row(0, "1", value=value, text=text)).text


def test_prompts() -> None:
    assert prompt("retro", "OCC") == "<MoleculeS>OCC<MoleculeE><ReverseReact>"
    assert prompt("retro", "CC.N>>CCO") == "<MoleculeS>CCO<MoleculeE><ReverseReact>"
    assert prompt("react", "CC.N") == "<MoleculeS>CC<MoleculeE><MoleculeS>N<MoleculeE><React>"
    assert prompt("react", "CC.N>[Pd]>CCO") == "<MoleculeS>CC<MoleculeE><MoleculeS>N<MoleculeE><React>"
    assert prompt("react", ("CC", "[Na+].[Cl-]")) == "<MoleculeS>CC<MoleculeE><MoleculeS>[Na+].[Cl-]<MoleculeE><React>"
    assert prompt("molecule", "") == "<MoleculeS>"
    assert prompt("raw", text="<ProteinS>MKT") == "<ProteinS>MKT"


def test_published_prompts_must_match_the_task() -> None:
    given = "<MoleculeS>CCO<MoleculeE><ReverseReact>"
    assert prompt("retro", text=given) == given
    for task, text in [("react", given), ("retro", "<ProteinS>MK"), ("retro", "<MoleculeS>C<MoleculeE>" + given)]:
        with pytest.raises(RowError):
            prompt(task, text=text)


def test_input_keeps_stereo_and_salts_and_loses_maps() -> None:
    assert prompt("retro", "F/C=C/[C@H](N)O.[Na+]").startswith("<MoleculeS>F/C=C/[C@H](N)O.[Na+]<")
    assert prompt("retro", "[CH3:1][OH:2]") == "<MoleculeS>CO<MoleculeE><ReverseReact>"
    assert prompt("retro", " OCC ") == "<MoleculeS>OCC<MoleculeE><ReverseReact>"


@pytest.mark.parametrize(
    "value", ["", "  ", "xx", "C" * 4001, "C\0C", "C<MoleculeE>", "C>>", "A>B", "C<|end_of_text|>", "<ReverseReact>"]
)
def test_rows_that_cannot_be_used(value: str) -> None:
    with pytest.raises(RowError):
        prompt("retro", value)


@given(st.text(max_size=40), st.sampled_from(MARKERS))
def test_no_input_ever_adds_a_marker(text: str, marker: str) -> None:
    for value in (text, text + marker, marker + text):
        try:
            found = prompt("retro", value)
        except RowError:
            continue
        inner = found.removeprefix("<MoleculeS>").removesuffix("<MoleculeE><ReverseReact>")
        assert not any(m in inner for m in MARKERS)


def test_dative_bonds_are_no_arrows() -> None:
    assert prompt("retro", "N->[Pt]CN->[Pd]") == "<MoleculeS>N->[Pt]CN->[Pd]<MoleculeE><ReverseReact>"
    assert prompt("retro", "CC>>N->[Pt]") == "<MoleculeS>N->[Pt]<MoleculeE><ReverseReact>"
    assert TASKS["react"].parse("<MoleculeS>[Pt]<-N<MoleculeE>", "stop").valid


@pytest.mark.parametrize("smiles", ["CC foo", "CC |$;R1$|", "CC\tname", " CC"])
def test_names_and_extensions_are_no_part_of_a_smiles(smiles: str) -> None:
    assert not TASKS["react"].parse(f"<MoleculeS>{smiles}<MoleculeE>", "stop").valid
    if smiles.strip() != "CC":
        with pytest.raises(RowError):
            prompt("retro", smiles)


def test_retro_answers() -> None:
    parse = TASKS["retro"].parse
    good = parse("<MoleculeS>OCC<MoleculeE><MoleculeS>C(=O)O<MoleculeE>", "stop")
    assert (good.valid, good.value, good.smiles) == (True, ["CCO", "O=CO"], "CCO.O=CO")
    same = parse("<MoleculeS>C(=O)O.OCC<MoleculeE>", "stop")
    assert same.smiles == good.smiles, "the same molecules are the same answer however they are paired"
    for text, finish, reason in [
        ("<MoleculeS>OCC<MoleculeE>", "length", "cut"),
        ("<MoleculeS>OCC", "stop", "not a sequence"),
        ("<MoleculeS>OCC<MoleculeE>junk", "stop", "not a sequence"),
        ("", "stop", "not a sequence"),
        ("<MoleculeS><MoleculeE>", "stop", "not a sequence"),
        ("<MoleculeS>OC(<MoleculeE>", "stop", "not a valid SMILES"),
    ]:
        answer = parse(text, finish)
        assert not answer.valid and reason in (answer.reason or "")


def test_other_answers() -> None:
    assert TASKS["react"].parse("<MoleculeS>OCC<MoleculeE>", "stop").value == "CCO"
    assert TASKS["molecule"].parse("OCC<MoleculeE>", "stop").value == "CCO"
    for text in ("OCC", "<MoleculeE>", "O<React>C<MoleculeE>"):
        assert not TASKS["molecule"].parse(text, "stop").valid
    assert TASKS["raw"].parse("abc", "length").valid and not TASKS["raw"].parse("", "stop").valid


def test_molecules() -> None:
    assert canonical("C1=CC=CC=C1") == "c1ccccc1" and canonical("nonsense") is None and canonical("") is None
    assert unmapped_strict("OCC") == "OCC", "an unmapped SMILES stays as it is written"
    assert same_molecules(["CCO", "N.C"], ["C", "N", "OCC"]) and not same_molecules(["C"], ["C", "C"])
    assert not same_molecules(["bad"], ["bad"])
    with pytest.raises(ChemError, match="at most 4,000"):
        canonical_strict("C" * 5000)


def test_published_settings() -> None:
    for task in TASKS.values():
        s = task.sampling
        assert (s.temperature, s.top_k, s.top_p, s.repetition_penalty, s.max_tokens) == (1.2, 50, 0.85, 1.05, 1000)
        assert task.source
    with pytest.raises(UsageError, match="one of: retro, react, molecule, protein"):
        task_named("retrosynthesis")
