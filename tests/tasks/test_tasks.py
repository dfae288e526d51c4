"""Prompts as published, answers judged strictly, markers never injected."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.chemistry.grammar import MARKERS, RowError
from logos_cli.chemistry.smiles import (
    ChemError,
    _fixed_point,
    canonical,
    canonical_set,
    canonical_strict,
    unmapped_strict,
)
from logos_cli.errors import UsageError
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS, spelled, task_named
from logos_cli.tasks.task import Task


def prompt(task: str, value: str | tuple[str, ...] | None = None, text: str | None = None) -> str:
    return TASKS[task].prompt(Row(0, "1", value=value, text=text)).text


def example(task: Task, value: str) -> tuple[str, str | None]:
    found = task.example(Row(0, "1", value))
    assert found
    return found.prompt.text, found.text


def test_prompts() -> None:
    assert prompt("retro", "OCC") == "<MoleculeS>CCO<MoleculeE><ReverseReact>"
    assert prompt("retro", "CC.N>>CCO") == "<MoleculeS>CCO<MoleculeE><ReverseReact>"
    assert prompt("react", "CC.N") == "<MoleculeS>CC<MoleculeE><MoleculeS>N<MoleculeE><React>"
    assert prompt("react", "CC.N>[Pd]>CCO") == "<MoleculeS>CC<MoleculeE><MoleculeS>N<MoleculeE><React>"
    assert prompt("react", ("CC", "[Na+].[Cl-]")) == "<MoleculeS>CC<MoleculeE><MoleculeS>[Cl-].[Na+]<MoleculeE><React>"
    assert prompt("molecule", "") == "<MoleculeS>"
    assert prompt("raw", text="<ProteinS>MKT") == "<ProteinS>MKT"


def test_published_prompts_must_match_the_task() -> None:
    given = "<MoleculeS>CCO<MoleculeE><ReverseReact>"
    assert prompt("retro", text=given) == given
    for task, text in [("react", given), ("retro", "<ProteinS>MK"), ("retro", "<MoleculeS>C<MoleculeE>" + given)]:
        with pytest.raises(RowError):
            prompt(task, text=text)


def test_input_keeps_stereo_and_salts_and_loses_maps() -> None:
    assert prompt("retro", "F/C=C/[C@H](N)O.[Na+]").startswith("<MoleculeS>N[C@H](O)/C=C/F.[Na+]<")
    assert prompt("retro", "[CH3:1][OH:2]") == "<MoleculeS>CO<MoleculeE><ReverseReact>"
    assert prompt("retro", " OCC ") == "<MoleculeS>CCO<MoleculeE><ReverseReact>"


@pytest.mark.parametrize(
    "spelling", ["CC(=O)Nc1ccc(O)cc1", "CC(=O)NC1=CC=C(O)C=C1", "[H]Oc1c([H])c([H])c(N([H])C(=O)C([H])([H])[H])c([H])c1[H]",
                 "c1(O)ccc(NC(C)=O)cc1", "[CH3:1][C:2](=O)[NH:3]c1ccc(O)cc1"],
)  # fmt: skip
def test_the_same_molecule_is_the_same_question(spelling: str) -> None:
    wanted = "CC(=O)Nc1ccc(O)cc1"
    for row, text in [
        (Row(0, "1", spelling), f"<MoleculeS>{wanted}<MoleculeE>"),
        (Row(0, "1", f"CC>>{spelling}"), f"<MoleculeS>{wanted}<MoleculeE>"),
    ]:
        found = TASKS["retro"].prompt(row)
        assert found.text == text + "<ReverseReact>" and found.shown == spelling
        assert found.question == wanted and found.asked == (wanted if spelling != wanted else None)
    found = TASKS["react"].prompt(Row(0, "1", f"{spelling}.CCl"))
    assert found.text == f"<MoleculeS>{wanted}<MoleculeE><MoleculeS>CCl<MoleculeE><React>"
    assert example(TASKS["molecule"], spelling) == ("<MoleculeS>", wanted + "<MoleculeE>")
    assert example(TASKS["retro"], f"{spelling}>>C") == (
        "<MoleculeS>C<MoleculeE><ReverseReact>", f"<MoleculeS>{wanted}<MoleculeE>")  # fmt: skip


def test_as_written_keeps_the_spelling_and_published_prompts_have_theirs() -> None:
    kekule = "CC(=O)NC1=CC=C(O)C=C1"
    assert spelled(TASKS["retro"]).prompt(Row(0, "1", kekule)).text == f"<MoleculeS>{kekule}<MoleculeE><ReverseReact>"
    assert spelled(TASKS["react"]).prompt(Row(0, "1", ("OCC", kekule))).question == f"OCC.{kekule}"
    assert example(spelled(TASKS["molecule"]), kekule) == ("<MoleculeS>", kekule + "<MoleculeE>")
    assert spelled(TASKS["raw"]) is TASKS["raw"] and spelled(TASKS["retro"], False) is TASKS["retro"]
    for task, text in (
        ("retro", f"<MoleculeS>{kekule}<MoleculeE><ReverseReact>"),
        ("react", "<MoleculeS>OCC<MoleculeE><React>"),
    ):
        assert prompt(task, text=text) == text


def test_an_answer_that_is_the_question() -> None:
    retro, react = TASKS["retro"].repeats, TASKS["react"].repeats
    assert retro and react and TASKS["molecule"].repeats is None
    assert retro("CCO", "CCO") and retro("OCC", "CCO.Cl") and retro("C1=CC=CC=C1", "O.c1ccccc1")
    assert retro("CCN.Cl", "CCN.Cl") and retro("CCO.CCO", "CCO.CCO")
    assert not retro("CCO", "CCOC(C)=O") and not retro("C[C@H](N)O", "CC(N)O") and not retro("CCN.Cl", "CCN")
    assert not retro("CCO.CCO", "CCO") and not retro("bad(", "CCO")
    assert react("CCO.CC", "CCO") and react("OCC", "CCO") and not react("CCO.CC", "CCOCC") and not react("CCO", "CCO.Cl")


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
    written = spelled(TASKS["retro"])
    assert written.prompt(Row(0, "1", "N->[Pt]CN->[Pd]")).text == "<MoleculeS>N->[Pt]CN->[Pd]<MoleculeE><ReverseReact>"
    assert written.prompt(Row(0, "1", "CC>>N->[Pt]")).text == "<MoleculeS>N->[Pt]<MoleculeE><ReverseReact>"
    assert prompt("retro", "CC>>N->[Pt]") == f"<MoleculeS>{canonical('N->[Pt]')}<MoleculeE><ReverseReact>"
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
    assert canonical_set(["CCO", "N.C"]) == canonical_set(["C", "N", "OCC"]) != canonical_set(["C", "N", "C"])
    assert canonical_set(["bad"]) is None
    with pytest.raises(ChemError, match="at most 4,000"):
        canonical_strict("C" * 5000)


@pytest.mark.parametrize("mapped", [
    "[CH3:1][C@H:2]([CH3:3])[OH:4]", "[CH2:1]1[C@@H:2]([OH:3])[CH2:4][CH2:5][CH2:6]1", "[CH3:1]/[C:2]([CH3:3])=[N:4]/[OH:5]",
    "[NH2:1][C@H:2]1[CH2:3][CH2:4][C@@H:5]([OH:6])[CH2:7][CH2:8]1",
])  # fmt: skip
def test_maps_leave_no_trace(mapped: str) -> None:
    """Atoms that only their maps tell apart make no centre, and reading and writing again changes nothing."""
    found = canonical_strict(mapped)
    assert found == canonical_strict(found) == canonical_strict(re.sub(r":\d+", "", mapped))
    assert canonical_set([mapped, "CCO"]) == canonical_set([f"{found}.OCC"]), "alone and in company"


def test_two_spellings_by_turns_are_one() -> None:
    """Whatever a writer goes round in, the smallest of the round is taken, wherever it begins; what stands still stays."""
    turns = {"d": "c", "c": "b", "b": "c", "a": "a"}
    assert [_fixed_point(start, turns.__getitem__) for start in "abcd"] == ["a", "b", "b", "b"]


def test_published_settings() -> None:
    for task in TASKS.values():
        s = task.sampling
        assert (s.temperature, s.top_k, s.top_p, s.repetition_penalty, s.max_tokens) == (1.2, 50, 0.85, 1.05, 1000)
        assert task.source
    with pytest.raises(UsageError, match="one of: retro, react, molecule, protein"):
        task_named("retrosynthesis")
