"""Rows through the real command: runs without an answer, spreadsheets, prefixes, queries, our own files read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading
from logos_cli.system.lines import Blank

FAST = ("-m", "nano", "--max-tokens", "12")
Logos = Callable[..., Run]


@pytest.mark.slow
def test_no_answer_at_all_is_a_failure(logos_here: Logos, tmp_path: Path) -> None:
    path, out = tmp_path / "letter.txt", tmp_path / "o.jsonl"
    path.write_text("Dear colleague,\nplease find attached\nthe structures.\n")
    found = logos_here("generate", "retro", path, *FAST, "-o", out)
    assert found.code == 1 and len(out.read_text().splitlines()) == 3, "the records are written all the same"
    assert found.err.splitlines()[-1] == (
        f"logos: none of the 3 rows gave an answer (see error); is {path} the file that was meant?"
    )
    found = logos_here("generate", "retro", *FAST, stdin="xx\n")
    assert found.code == 1 and found.err.endswith("the row gave no answer (see error); is stdin the file that was meant?\n")
    found = logos_here("score", "-", "-m", "nano", stdin="xx\nyy\n")
    assert found.code == 1 and "none of the 2 rows gave a" in found.err.splitlines()[-1]
    for rows in ("xx\nCCO\n", ""):
        assert logos_here("generate", "retro", *FAST, stdin=rows).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("id", ["=1+1", "+44", "-x", "@SUM(A1)"])
def test_cells_of_a_csv_are_what_the_input_said(logos_here: Logos, id: str) -> None:
    """No apostrophe before what a spreadsheet would take for a formula: the next program reads the same id."""
    found = logos_here("generate", "retro", *FAST, "--format", "csv", stdin=f"smiles,id,note\nCCO,{id},{id}\n")
    (row,) = csv.DictReader(io.StringIO(found.out))
    assert (row["id"], row["note"], row["input"]) == (id, id, "CCO")


def test_prefixes_that_no_smiles_begins_with(logos_here: Logos) -> None:
    found = logos_here("generate", "molecule", "-", *FAST, stdin="c1ccc(\nInChI=1S/CH4\naspirin\nC C ( = O\n")
    assert [bool(record["sample"] is None) for record in found.lines] == [False, True, True, False]
    assert (
        found.lines[1]["error"] == "not a valid SMILES, nor the beginning of one: InChI=1S/CH4"
        and found.lines[3]["input"] == "CC(=O"
    )


def block(*atoms: str, bonds: tuple[str, ...], more: str = "") -> str:
    lines = [f"    0.0000    0.0000    0.0000 {atom:<3} 0  0  0  0  0  0  0  0  0  0  0  0" for atom in atoms]
    counts = f"{len(atoms):3d}{len(bonds):3d}  0  0  0  0            999 V2000"
    return "\n".join(["name", "  by hand", "", counts, *lines, *bonds, *([more] if more else []), "M  END", "$$$$", ""])


BOND = "  1  2  1  0"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (block("C", "L", bonds=(BOND,), more="M  ALS   2  2 F N   O   "), "atom 2 is a list of atoms"),
        (block("C", "A", bonds=(BOND,)), "atom 2 is a list of atoms or an atom of any kind"),
        (block("C", "Q", bonds=(BOND,)), "atom 2 is"),
    (block("C", "R#", bonds=(BOND,), more="M  RGP  1   2   1"), "atom 2 is an R group"),
        (block("C", "*", bonds=(BOND,)), "atom 2 is"), (block("C", "C", bonds=("  1  2  8  0",)), "bond 1 is of any kind"),
        (block("C", "C", bonds=("  1  2  5  0",)), "bond 1 is of any kind"), (block("C", "D", bonds=(BOND,)), ""),
        (block("C", "Zn", bonds=("  1  2  9  0",)), ""),
    ],
)  # fmt: skip
def test_queries_are_no_molecules(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "x.sdf").write_text(content)
    (row,) = read_rows(str(tmp_path / "x.sdf"))
    assert told in (row.error or "") and bool(row.error) == bool(told) == (row.value is None)


def test_an_empty_sdf_record_has_its_own_line(tmp_path: Path) -> None:
    one = block("C", "O", bonds=(BOND,))
    (tmp_path / "x.sdf").write_text(one + "$$$$\n" + one)
    found = list(read_rows(str(tmp_path / "x.sdf")))
    assert [row.error for row in found] == [None, f"line {one.count(chr(10)) + 1}: an empty record", None]


@pytest.mark.slow
def test_answers_go_round(logos_here: Logos, tmp_path: Path) -> None:
    """What `--format smi` wrote is the next task's input, with its id; rank and count come along as columns."""
    product = "CC(=O)Nc1ccc(O)cc1\tpara cetamol\n"
    smi = logos_here("generate", "retro", "-m", "nano", "--top", "2", "-n", "6", "--format", "smi", stdin=product)
    (tmp_path / "x.smi").write_text(smi.out)
    blank = Blank()
    rows = list(read_rows(str(tmp_path / "x.smi"), Reading(side="reactants"), blank))
    assert rows and {row.id for row in rows} == {"para cetamol"}
    assert [row.columns["rank"] for row in rows] == [str(place) for place in range(1, len(rows) + 1)]
    found = logos_here("generate", "react", tmp_path / "x.smi", *FAST, "--format", "csv")
    assert "rank" in next(csv.reader(io.StringIO(found.out)))


@pytest.mark.slow
def test_a_huge_cell_and_a_resume(logos_here: Logos, tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "o.jsonl"
    path.write_text(f"id,smiles,note\n1,CCO,x\n2,CCN,{'y' * 140_000}\n3,{'C' * 140_000},z\n4,CCC,z\n")
    assert logos_here("generate", "retro", path, *FAST, "-o", out).code == 0
    whole = out.read_text()
    assert [record["error"] is None or record["sample"] is not None for record in map(json.loads, whole.splitlines())] == [
        True, True, False, True,
    ]  # fmt: skip
    settings = logos_here("generate", "retro", path, *FAST, "-o", tmp_path / "p.jsonl", "--limit", "2")
    assert settings.code == 0


def test_what_was_left_out_is_counted(logos_here: Logos) -> None:
    found = logos_here("generate", "retro", *FAST, stdin="# made by x\nCC[C@H](O)C |&1:2| a\nCCO b\n")
    assert found.code == 0 and "1 comment line skipped" in found.err and "enhanced stereo (1)" in found.err
