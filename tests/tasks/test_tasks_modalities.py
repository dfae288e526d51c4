"""Prompts as published, answers judged strictly: proteins, antibodies, pockets, ligands, materials."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.chemistry.grammar import MARKERS, RowError, pocket_places, protein, read_marked, residues
from logos_cli.chemistry.residues import RESIDUE_SMILES, STANDARD
from logos_cli.chemistry.smiles import canonical, lenient, written
from logos_cli.errors import UsageError
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS, task_named

sequences = st.text(STANDARD, min_size=1, max_size=60)


def row(value: str | None = None, **more: Any) -> Row:
    return Row(0, "1", value=value, kind="sequence", **more)


def prompt(task: str, value: str | None = None, **more: Any) -> str:
    return TASKS[task].prompt(row(value, **more)).text


def answer_text(task: str, given: Row) -> str | None:
    """What a row says should follow its prompt."""
    example = TASKS[task].example(given)
    assert example is not None
    return example.text


def test_prompts() -> None:
    assert prompt("protein", "") == "<ProteinS>" and prompt("protein", "mkt") == "<ProteinS>MKT"
    assert prompt("antibody", text="<AntibodyS>EVQ") == "<AntibodyS>EVQ"
    assert prompt("pocket", "MKT") == "<ProteinS>MKT<ProteinE><Search><ProteinS>"
    assert prompt("ligand", "MKT", pocket=(2,)) == "<ProteinS>M<PocketS>K<PocketE>T<ProteinE><MoleculeS>"
    assert prompt("expand", "MKT", pocket=(2,)) == "<ProteinS>M<PocketS>K<PocketE>T<ProteinE><Trans><ProteinS>"
    assert prompt("material", "") == "<MaterialS>"
    assert TASKS["material"].prompt(Row(0, "1", value="[Zn][Zn]")).text == "<MaterialS><MetalS>[Zn][Zn]<MetalE>"
    assert TASKS["molecule"].prompt(Row(0, "1", value="c1cc")).text == "<MoleculeS>c1cc"


def test_the_three_forms_of_a_complex() -> None:
    given = row("MKT", pocket=(2,))
    lysine = RESIDUE_SMILES["K"]
    forms = {form: task_named("ligand", form).prompt(given).text for form in ("protein", "wrapped", "smiles")}
    assert forms == {
        "protein": "<ProteinS>MKT<ProteinE><MoleculeS>",
        "wrapped": "<ProteinS>M<PocketS>K<PocketE>T<ProteinE><MoleculeS>",
        "smiles": f"<ProteinS>M<PocketS>{lysine}<PocketE>T<ProteinE><MoleculeS>",
    }
    assert task_named("ligand", "protein").prompt(row("MKT")).text == forms["protein"], "this form needs no pocket"
    for name, form in (("pocket", "wrapped"), ("ligand", "nothing")):
        with pytest.raises(UsageError):
            task_named(name, form)


def test_published_files() -> None:
    for text in ("<ProteinS>MKT<ProteinE>", "<ProteinS>MKT<ProteinE><Search>", "<ProteinS>MKT<ProteinE><Search><ProteinS>"):
        assert prompt("pocket", text=text) == "<ProteinS>MKT<ProteinE><Search><ProteinS>"
    whole = "<ProteinS>MKT<ProteinE><Search><ProteinS>M<PocketS>K<PocketE>T<ProteinE>"
    assert TASKS["pocket"].prompt(row(text=whole)).truth == [2]
    complex_text = "<ProteinS>M<PocketS>K<PocketE>T<ProteinE><MoleculeS>CCO<MoleculeE>"
    found = TASKS["ligand"].prompt(row(text=complex_text))
    assert found.text == complex_text.removesuffix("CCO<MoleculeE>") and (found.truth, found.pocket) == ("CCO", (2,))
    for task, text in [
        ("ligand", "<ProteinS>M<PocketS>C(<PocketE>T<ProteinE>"),
        ("ligand", "<ProteinS>M<PocketS>X<PocketE>T<ProteinE>"),
        ("expand", "<ProteinS>M<PocketS>NCCS<PocketE>T<ProteinE>"),
        ("pocket", "<MoleculeS>C"),
        ("ligand", "<ProteinS>MX<ProteinE>"),
        ("protein", "<AntibodyS>"),
        ("material", "x"),
    ]:
        with pytest.raises(RowError):
            prompt(task, text=text)


@pytest.mark.parametrize(
    ("residue", "letter"),
    [("N[C@@H](C)C(=O)O", "A"), ("OC(=O)C1CCCN1", "X"), ("N[C@@H](C)C=O", "X"), ("C(C(=O)O)N", "G"), ("N", "N")],
)
def test_a_published_complex_with_residues_as_smiles(residue: str, letter: str) -> None:
    """In any order of atoms, and residues we have no letter for: the text goes in as it is."""
    shown = f"<ProteinS>MK<PocketS>{residue}<PocketE>AYIAKQR<ProteinE>"
    for text in (shown, shown + "<MoleculeS>", shown + "<MoleculeS>CCO<MoleculeE>"):
        found = TASKS["ligand"].prompt(row(text=text))
        assert (found.text, found.shown, found.pocket) == (shown + "<MoleculeS>", f"MK{letter}AYIAKQR", (3,))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty sequence"), ("MKX", "'X' at residue 3"), ("MK-T", "'-' at residue 3"),
        ("MKT<ProteinE>", "marker <ProteinE>"),
        ("ATGGCCATTGTAATG", "nucleic acid"), ("AUGGCCAUUGUAAUG", "nucleic acid"), ("MK1", "'1' at residue 3"),
    ],
)  # fmt: skip
def test_sequences_that_cannot_be_used(value: str, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        residues(value)


def test_a_pocket_outside_its_sequence() -> None:
    for pocket in ((0,), (4,), (-1, 2)):
        with pytest.raises(RowError, match="out of range: the sequence has 3 residues"):
            prompt("ligand", "MKT", pocket=pocket)
    with pytest.raises(RowError, match="--pocket-from"):
        prompt("ligand", "MKT")
    assert pocket_places((3, 1, 3), "MKT") == (1, 3)


@given(sequences, st.sets(st.integers(1, 60)), st.booleans())
def test_a_marked_protein_is_read_back(sequence: str, places: set[int], smiles: bool) -> None:
    pocket = tuple(sorted(place for place in places if place <= len(sequence)))
    text = protein(sequence, pocket, smiles).removeprefix("<ProteinS>").removesuffix("<ProteinE>")
    found = read_marked(text)
    assert found is not None and (found.sequence, found.pocket) == (sequence, pocket)


@given(
    st.text(max_size=40), st.sampled_from(MARKERS), st.sampled_from(["protein", "antibody", "pocket", "material", "molecule"])
)
def test_no_input_ever_adds_a_marker(text: str, marker: str, task: str) -> None:
    start = TASKS[task].form.split("AA")[0]
    for value in (text, text + marker, marker + text):
        try:
            found = (
                TASKS[task]
                .prompt(Row(0, "1", value=value, kind="sequence" if task in ("protein", "pocket") else "smiles"))
                .text
            )
        except RowError:
            continue
        own = ("<MetalS>", "<MetalE>", "<ProteinS>", "<ProteinE>", "<Search>")
        inner = found.removeprefix(start)
        assert not any(m in inner for m in MARKERS if m not in own) and inner.count("<ProteinS>") <= 1


@given(sequences, st.sets(st.integers(1, 60)))
def test_a_faithful_pocket_answer_is_valid(sequence: str, places: set[int]) -> None:
    pocket = sorted(place for place in places if place <= len(sequence))
    asked = TASKS["pocket"].prompt(row(sequence))
    answer = TASKS["pocket"].parse(protein(sequence, pocket).removeprefix("<ProteinS>"), "stop", asked)
    assert answer.valid and answer.value == pocket


def test_unfaithful_pocket_answers_say_why() -> None:
    asked = TASKS["pocket"].prompt(row("MKTAY"))
    for text, finish, reason in [
        ("MK<PocketS>T<PocketE>AY", "length", "cut"),
        ("MKTAY", "stop", "no <ProteinE>"),
        ("MKTA<ProteinE>", "stop", "4 residues, not 5"),
        ("MKGAY<ProteinE>", "stop", "residue 3 is G, not T"),
        ("MK<PocketS>TAY<ProteinE>", "stop", "not residues and pocket markers"),
    ]:
        answer = TASKS["pocket"].parse(text, finish, asked)
        assert not answer.valid and answer.value is None and reason in (answer.reason or "")


def test_chains() -> None:
    asked = TASKS["antibody"].prompt(row("EVQ"))
    good = TASKS["antibody"].parse("LVE<AntibodyE>", "stop", asked)
    assert good.valid and good.value == good.smiles == "EVQLVE"
    for text, finish, reason in [
        ("LVE", "stop", "no <AntibodyE>"),
        ("LVE", "length", "cut"),
        ("LXE<AntibodyE>", "stop", "'X' at residue 5"),
    ]:
        assert reason in (TASKS["antibody"].parse(text, finish, asked).reason or "")
    assert TASKS["protein"].parse("<ProteinE>", "stop").reason == "empty sequence"


def test_molecules_go_on_from_a_prefix() -> None:
    asked = TASKS["molecule"].prompt(Row(0, "1", value="OC(=O)c1ccc"))
    answer = TASKS["molecule"].parse("cc1<MoleculeE>", "stop", asked)
    assert answer.valid and answer.value == "O=C(O)c1ccccc1"
    for value in ("C C", "C\0", "C" * 4001, "C<MoleculeE>"):
        with pytest.raises(RowError):
            TASKS["molecule"].prompt(Row(0, "1", value=value))


def test_materials() -> None:
    parse = TASKS["material"].parse
    text = "<MetalS>[Zn][O]([Zn])([Zn])[Zn]<MetalE><MoleculeS>OCC<MoleculeE><MoleculeS>C(=O)O<MoleculeE><MaterialE>"
    good = parse(text, "stop")
    assert good.value == {"metal": "[Zn][O]([Zn])([Zn])[Zn]", "linkers": ["CCO", "O=CO"]}
    assert canonical("[Zn][O]([Zn])([Zn])[Zn]") is None and written("[Zn][O]([Zn])([Zn])[Zn]"), "a node RDKit does not sanitize"
    asked = TASKS["material"].prompt(Row(0, "1", value="[Cu][Cu]"))
    assert parse("<MoleculeS>OCC<MoleculeE><MaterialE>", "stop", asked).value == {"metal": "[Cu][Cu]", "linkers": ["CCO"]}
    for bad, reason in [
        ("<MetalS>[Zn]<MetalE><MaterialE>", "not <MetalS>"),
        ("<MetalS>(((<MetalE><MoleculeS>C<MoleculeE><MaterialE>", "unsanitized"),
        ("<MetalS>[Zn]<MetalE><MoleculeS>C(<MoleculeE><MaterialE>", "a linker is not a SMILES"),
    ]:  # fmt: skip
        assert reason in (parse(bad, "stop").reason or "")
    assert parse("<MetalS>[Zn]", "length").reason == "cut at the token limit"


@pytest.mark.parametrize(
    ("linker", "other"),
    [
        ("n1ccc(cc1)C1=NC(=[N]=C([N]1)c1ccncc1)c1ccncc1", "C1(c2ccncc2)=NC(c2ccncc2)=[N]=C([N]1)c1ccncc1"),
        ("[O-]C(=O)c1ccc(cc1)c1c(C)[n-][nH]c1C", "Cc1[n-][nH]c(C)c1c1ccc(cc1)C(=O)[O-]"),
        ("[NH3]C(C(=O)[O-])CS([O])([O])[O]", "S([O])([O])([O])CC([NH3])C(=O)[O-]"),
    ],
)
def test_linkers_that_are_not_sanitized(linker: str, other: str) -> None:
    """As their nodes: valid as text, and the same one whatever atom it is written from."""
    assert canonical(linker) is None and lenient(linker) == lenient(other) == lenient(lenient(linker) or "")
    answers = []
    for one in (linker, other):
        known = answer_text("material", Row(0, "1", material=("[Zn]", (one, "OCC"))))
        assert known is not None and one in known
        answers.append(TASKS["material"].parse(known, "stop"))
    assert answers[0].valid and answers[0] == answers[1] and "CCO" in answers[0].value["linkers"]
    assert "[O]" not in linker or "[O]" in str(lenient(linker)), "an oxygen without hydrogen stays one"


@pytest.mark.parametrize("parts", [("[Cu][Cu]", ("nonsense((",)), ("((", ("CCO",)), ("[Zn]", ("C<MoleculeE>",)), ("", ("C",))])
def test_known_materials_are_checked(parts: tuple[str, tuple[str, ...]]) -> None:
    with pytest.raises(RowError):
        TASKS["material"].example(Row(0, "1", material=parts))
    known = answer_text("material", Row(0, "1", material=("[Zn][O]([Zn])([Zn])[Zn]", ("[CH3:1]O",))))
    assert known is not None and "<MoleculeS>CO<MoleculeE>" in known


def test_expanded_pockets() -> None:
    asked = TASKS["expand"].prompt(row("MKT", pocket=(2,)))
    good = TASKS["expand"].parse(f"M<PocketS>{RESIDUE_SMILES['K']}<PocketE>T<ProteinE>", "stop", asked)
    assert good.valid and good.value == {"pocket": [2], "smiles": [canonical(RESIDUE_SMILES["K"])]}
    for text, reason in [
        ("M<PocketS>C(<PocketE>T<ProteinE>", "not a valid SMILES"), ("<PocketS>C<PocketE>KT<ProteinE>", "other residues"),
        ("M<PocketS>C<PocketE>G<ProteinE>", "another protein"),
    ]:  # fmt: skip
        assert reason in (TASKS["expand"].parse(text, "stop", asked).reason or "")


def test_known_answers_are_whole_sequences() -> None:
    cases = {
        "pocket": (row("MKT", pocket=(2,)), "<ProteinS>MKT<ProteinE><Search><ProteinS>M<PocketS>K<PocketE>T<ProteinE>"),
        "ligand": (row("MKT", pocket=(2,), ligand="CCO"), "<ProteinS>M<PocketS>K<PocketE>T<ProteinE><MoleculeS>CCO<MoleculeE>"),
        "protein": (row("MKT"), "<ProteinS>MKT<ProteinE>"),
        "material": (Row(0, "1", material=("[Zn]", ("C", "N"))),
                     "<MaterialS><MetalS>[Zn]<MetalE><MoleculeS>C<MoleculeE><MoleculeS>N<MoleculeE><MaterialE>"),
        "molecule": (Row(0, "1", value="CCO"), "<MoleculeS>CCO<MoleculeE>"),
        "retro": (Row(0, "1", value="A.B>>P".replace("A", "CC").replace("B", "N").replace("P", "CCN")),
                  "<MoleculeS>CCN<MoleculeE><ReverseReact><MoleculeS>CC<MoleculeE><MoleculeS>N<MoleculeE>"),
    }  # fmt: skip
    for task, (given_row, text) in cases.items():
        example = TASKS[task].example(given_row)
        assert example is not None and example.prompt.text + (example.text or "") == text
    assert answer_text("pocket", row("MKT")) is None and answer_text("ligand", row("MKT", pocket=(1,))) is None
