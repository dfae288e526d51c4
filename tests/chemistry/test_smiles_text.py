"""Blanks inside a SMILES, CXSMILES, `~`, names that look like SMILES, ids before SMILES: never a fragment in silence."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.smiles import ChemError, canonical_strict, lenient, written
from logos_cli.chemistry.smiles_text import begins_a_smiles, extent, meaning, parses
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import Blank
from logos_cli.tasks.table import TASKS

AMIDE = "CC(=O)Nc1ccc(O)cc1"


def read(folder: Path, content: str, name: str = "in.smi", **options: Any) -> tuple[list[Row], Blank, list[str]]:
    path, notes = folder / name, list[str]()
    path.write_text(content)
    blank = Blank(note=notes.append)
    return list(read_rows(str(path), Reading(**options), blank)), blank, notes


JOINED = [
    ("C C ( = O ) N c 1 c c c ( O ) c c 1", AMIDE, ""), ("C C ( = O ) C l . [ N a + ]", "CC(=O)Cl.[Na+]", ""),
    ("C C ( = O ) Cl . N >> C C ( = O ) N", "CC(=O)Cl.N>>CC(=O)N", ""), ("C C O ethanol", "CCO", "ethanol"),
    ("CC(=O)O . CCO >> CCOC(C)=O r2", "CC(=O)O.CCO>>CCOC(C)=O", "r2"), ("CCO >>CCN a", "CCO>>CCN", "a"),
    ("CCO> [Na+] >CCN a b", "CCO>[Na+]>CCN", "a b"), ("CCO . CCN", "CCO.CCN", ""), ("CCO. CCN mix", "CCO.CCN", "mix"),
    ("CC(=O )O acid", "CC(=O)O", "acid"), ("CC( C)C isobutane", "CC(C)C", "isobutane"),
    ("c1ccccc 1 benzene", "c1ccccc1", "benzene"),
    ("N[C@@H] (C)C(=O)O ala", "N[C@@H](C)C(=O)O", "ala"), ("C1CC C1 ring", "C1CCC1", "ring"),
]  # fmt: skip
NAMES = [
    ("CCO ethanol", "ethanol"), ("CCO 12", "12"), ("CCO N-1", "N-1"), ("CCO SN-38", "SN-38"), ("CCO (S)", "(S)"),
    ("C 1 2", "1 2"),
    ("CCO\tC C N", "C C N"), ("CCO BOC", "BOC"), ("CCO CN a", "CN a"), ("C methane", "methane"),
    ("CCO name |x| y", "name |x| y"), ("CCO vitamin B + C", "vitamin B + C"), ("CCO plate 1 C 5", "plate 1 C 5"),
]  # fmt: skip
REFUSED = [
    "OC1=CC=C(C=C1) C1=CC=CC=C1 biphenylol", "CCO + CCN >> CC b", "CCO -> CC=O x", "CCO c1ccccc1 x", "CCO (C)C x", "CCO =O x",
    "CC O\tethanol", "CCO x >> CCN", "C[C@H] (N) C(=O)O ala", "CC x C ( = O ) N",
]  # fmt: skip


@pytest.mark.parametrize("odd", ["\u2212", "\u200b", "\u2022", "\xb7", "\x01", "\x1a"])
def test_a_character_that_no_smiles_has_is_not_passed_over(odd: str) -> None:
    """RDKit takes them off both ends and reads the rest."""
    for smiles in (f"CC(=O)O{odd}", f"{odd}CC(=O)O", f"CC{odd}O"):
        with pytest.raises(ChemError, match=rf"no SMILES has the character U\+{ord(odd):04X}"):
            canonical_strict(smiles)
        assert not parses(smiles) and not written(smiles) and lenient(smiles) is None
    assert meaning(f"CC(=O)O{odd}", "|^1:0|").smiles == f"CC(=O)O{odd}"


@pytest.mark.parametrize(("line", "smiles", "name"), JOINED)
def test_what_goes_on_after_a_blank_is_joined(tmp_path: Path, line: str, smiles: str, name: str) -> None:
    ((row,), _, _) = read(tmp_path, line)
    assert (row.error, row.value, row.id) == (None, smiles, name or "1") and parses(smiles)


@pytest.mark.parametrize(("line", "name"), NAMES)
def test_a_name_stays_a_name(tmp_path: Path, line: str, name: str) -> None:
    ((row,), _, _) = read(tmp_path, line)
    assert (row.error, row.value, row.id) == (None, line.split()[0], name)


@pytest.mark.parametrize("line", REFUSED)
def test_what_could_be_either_is_an_error_record(tmp_path: Path, line: str) -> None:
    rows, _, _ = read(tmp_path, f"CCO ethanol\n{line}\nCCN amine\n")
    assert [bool(row.error) for row in rows] == [False, True, False] and "line 2: " in (rows[1].error or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "C" + "->" * 400 + "x", ">" * 5000, "C " * 400_000, "x " * 400_000, "C . " * 200_000, "C " + "a b " * 200_000,
        "CC |" + "$a" * 200_000 + "|", "CC |$" + "a" * 400_000 + "|", "CC |f:" + "0.1," * 90_000 + "|",
        "C" * 900_000 + " |^1:0|", "CC " + "(" * 900_000, "[" * 900_000 + " a", "C," * 400_000, "C;" * 400_000,
    ],
)  # fmt: skip
def test_no_line_takes_long(tmp_path: Path, line: str) -> None:
    began = time.process_time()
    rows, _, _ = read(tmp_path, f"{line}\nCCO a\n")
    for row in rows:
        with suppress(RowError):
            TASKS["molecule"].prompt(row)
    assert rows[-1].value in ("CCO", "CCO a") and time.process_time() - began < 5


def test_the_first_lines_decide_and_it_is_said(tmp_path: Path) -> None:
    rows, _, notes = read(tmp_path, "C C ( = O ) N\nC C\nC O\nC C N\n")
    assert [row.value for row in rows] == ["CC(=O)N", "CC", "CO", "CCN"] and "written as tokens" in notes[0]
    rows, _, notes = read(tmp_path, "CCO c1ccccc1\nCCN C1CC1\nCCC OC1CC1 x\n")
    assert [(row.value, row.id) for row in rows] == [("CCO", "c1ccccc1"), ("CCN", "C1CC1"), ("CCC", "OC1CC1 x")]
    assert len(notes) == 1 and "taken as the name" in notes[0]
    _, _, notes = read(tmp_path, "CCO a\nCCN b\nCCC c\nCCCC d\nCCF CN e\nCCI CN f\n")
    assert notes == ["line 5: CN, after the SMILES, is taken as its name, though it reads as one"]


def test_cells_and_keys_hold_no_names(tmp_path: Path) -> None:
    rows, _, _ = read(tmp_path, "id,smiles\na,C C O\nb,CCO . CCN\nc,CCO ethanol\nd,C C\n", "in.csv")
    assert [row.value for row in rows] == ["CCO", "CCO.CCN", "CCO ethanol", "CC"]
    rows, _, _ = read(tmp_path, '{"smiles": "C C ( = O ) N"}\n{"product": "CCO CCN"}\n', "in.jsonl")
    assert [row.value for row in rows] == ["CC(=O)N", "CCO CCN"], "the task refuses the blank"


@pytest.mark.slow
@given(
    st.lists(
        st.sampled_from(["CCO", "C", "(", ")", "=O", "1", ">>", ".", "name", "C1CC1", "[Na+]", "x-1"]), min_size=1, max_size=8
    )
)
def test_every_word_is_smiles_or_name(words: list[str]) -> None:
    used, _ = extent(words)
    assert 1 <= used <= len(words)


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ("2244\tCC(=O)Oc1ccccc1C(=O)O\n2519\tCCO\n", 2), ("CHEMBL25 CC(=O)O\nCHEMBL112 CCN extra\n", 2), ("ZINC1 CCO\n", 2),
        ("1\tethanol\tCCO\n2\tmethanol\tCO\n3\tx\n", 3), ("S1234 CCO\nS1235 CCN\n", 2),
    ],
)  # fmt: skip
def test_ids_before_smiles(tmp_path: Path, content: str, column: int) -> None:
    rows, _, notes = read(tmp_path, content)
    cells = [line.split("\t") if "\t" in line else line.split() for line in content.splitlines()]
    assert [row.value for row in rows] == [line[column - 1] if len(line) >= column else None for line in cells]
    assert all(row.id.startswith(line[0]) for row, line in zip(rows, cells, strict=True))
    assert f"column {column}" in notes[0]
    assert (rows[-1].error is None) == (len(cells[-1]) >= column)


def test_headers_of_smi_files(tmp_path: Path) -> None:
    rows, _, _ = read(tmp_path, "isosmiles version_id parent_id\nCCO 474 475\nCCN 476\n")
    assert [(row.id, row.value) for row in rows] == [("474", "CCO"), ("476", "CCN")]
    rows, _, _ = read(tmp_path, "xyz smiles\nCCO a\n")
    assert [row.id for row in rows] == ["smiles", "a"], "a damaged SMILES, and a name"
    rows, _, _ = read(tmp_path, "CID SMILES\n2244 CCO\n")
    assert [(row.id, row.value) for row in rows] == [("2244", "CCO")]
    header = "ReactionSmiles\tPatentNumber\tParagraphNum\tYear\tTextMinedYield\tCalculatedYield\n"
    rows, _, _ = read(tmp_path, header + "CC.O>>CCO |f:0.1|\tUS1\t\t1976\t84.5%\t\n", "in.rsmi", side="reactants")
    assert [(row.id, row.reactants, row.columns["Year"]) for row in rows] == [("US1", ("CC.O",), "1976")]
    rows, blank, _ = read(tmp_path, "# made by hand\n# SMILES Name\nCCO a\n#CCC c\nCCN b\n")
    assert [row.id for row in rows] == ["a", "b"] and blank.comments == 3 and [row.ordinal for row in rows] == [0, 1]


def test_our_own_smi_is_read_back(tmp_path: Path) -> None:
    rows, _, _ = read(tmp_path, "CC(=O)Cl.N\tpara cetamol\t1\t32\nCCO\tb\t2\t5\n")
    assert [(row.id, row.columns) for row in rows] == [
        ("para cetamol", {"rank": "1", "count": "32"}), ("b", {"rank": "2", "count": "5"}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("smiles", "extension", "whole", "parts", "lost"),
    [
        ("[CH3]", "^1:0", "[CH3]", (), ()), ("CN", "^1:0", "[CH2]N", (), ()),
        ("N[Pt+2](N)([Cl-])[Cl-]", "C:0.0,2.1,3.2,4.3", "[NH3]->[Pt+2](<-[NH3])(<-[Cl-])<-[Cl-]", (), ()),
        ("CC.CN>>C", "^1:3", "CC.C[NH]>>C", (), ()),
        ("CC[C@H](O)C", "&1:2,r", "CC[C@H](O)C", (), ("enhanced stereo", "relative stereo")),
        ("*C.c1ccccc1", "m:0:2.3.4,$R;;;;;;;$", "*C.c1ccccc1", (), ("positions of attachment", "labels")),
        ("CCO", "(1.2,3,;2,3,;3,3,)", "CCO", (), ()), ("CCO", "foo", "CCO", (), ("what is no CXSMILES",)),
        ("CC.O.[Na+].[OH-]>>CO", "f:2.3", "CC.O.[Na+].[OH-]>>CO", ("CC", "O", "[Na+].[OH-]"), ()),
        ("C.N.O.S>>C.Cl", "f:0.2,1.3,4.5", "C.N.O.S>>C.Cl", ("C.O", "N.S"), ()),
        ("CC>[Na+].[OH-]>C", "f:1.2", "CC>[Na+].[OH-]>C", (), ()),
        ("C.N", "f:0.7", "C.N", (), ("groups of fragments that are not there",)),
    ],
)  # fmt: skip
def test_cxsmiles_means_something(
    smiles: str, extension: str, whole: str, parts: tuple[str, ...], lost: tuple[str, ...]
) -> None:
    found = meaning(smiles, f"|{extension}|")
    assert (found.smiles, found.parts, found.left_out) == (whole, parts, lost)


def test_groups_are_one_reactant(tmp_path: Path) -> None:
    lines = "CC.[Na+].[OH-]>>CO |f:1.2| a\nCC.[Na+]~[OH-]>>CO b\nCC.[Na+].[OH-] |f:1.2| c\nCC.[Na+]~[OH-] d\n"
    rows, _, _ = read(tmp_path, lines, side="reactants")
    prompts = {TASKS["react"].prompt(row).text for row in rows}
    assert prompts == {"<MoleculeS>CC<MoleculeE><MoleculeS>[Na+].[OH-]<MoleculeE><React>"}
    rows, _, _ = read(tmp_path, "[Na+]~[Cl-] salt\nC~C any\n", side="product")
    assert [row.value for row in rows] == ["[Na+].[Cl-]", "C~C"], "a bond of any kind is no group"


@pytest.mark.parametrize(
    "prefix", ["CC(", "c1ccc(", "CC(=O", "[nH", "C[C@@", "C%1", "OC(=O)c1ccccc1OC(", "N->[Pt](", "[Na+].", "C/C=C/"]
)
def test_beginnings_of_smiles(prefix: str) -> None:
    assert begins_a_smiles(prefix)


@pytest.mark.parametrize(
    "prefix", ["InChI=1S/CH4", "aspirin", "CC)", "=C", "Benzene", "CHEMBL25", "CC>>C", "(C)", "C(=", "2244", "C(("]
)
def test_what_no_smiles_begins_with(prefix: str) -> None:
    assert begins_a_smiles(prefix) == (prefix == "C(=")
