"""Tables as spreadsheets, databases and scripts write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logos_cli.errors import InputError, UsageError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import Blank


def read(folder: Path, content: str, name: str = "in.csv", **options: Any) -> tuple[list[Row], Blank, list[str]]:
    path, notes = folder / name, list[str]()
    path.write_bytes(content.encode())
    blank = Blank(note=notes.append)
    return list(read_rows(str(path), Reading(**options), blank)), blank, notes


def pairs(rows: list[Row]) -> list[tuple[str, object]]:
    return [(row.id, row.value) for row in rows]


def test_a_quote_in_a_tsv_is_a_character_unless_it_closes(tmp_path: Path) -> None:
    text = 'name\tsmiles\n5" pipe\tCCO\n"open\tCCN\n"closed"\tCCC\n"a\tb"\tCCF\n'
    rows, _, _ = read(tmp_path, text, "in.tsv")
    assert pairs(rows) == [('5" pipe', "CCO"), ('"open', "CCN"), ("closed", "CCC"), ("a\tb", "CCF")]


@pytest.mark.parametrize("name", ["in.csv", "unnamed"])
def test_a_header_over_two_lines(tmp_path: Path, name: str) -> None:
    rows, _, _ = read(tmp_path, '"Compound\nname",SMILES,"MW\n(g/mol)"\nx,CCO,46\n', name)
    assert pairs(rows) == [("x", "CCO")] or rows[0].value == "CCO"
    assert rows[0].columns.get("MW (g/mol)") == "46"


def test_more_cells_than_the_header_names(tmp_path: Path) -> None:
    rows, _, _ = read(tmp_path, "id,smiles\n1,CCO,x\n2,CCN,\n3,CCC\n4,CC |&1:1,4,r|\n")
    assert "line 2 has 3 cells, the header 2" in (rows[0].error or "")
    assert pairs(rows)[1:] == [("2", "CCN"), ("3", "CCC"), ("4", "CC")], "empty cells at the end, an extension that was cut"
    rows, blank, _ = read(tmp_path, "SMILES,Name\nC[C@@H]1CC[C@@H](O1)C |&1:1,4,r|,F620\nCCO,F621\n")
    assert pairs(rows) == [("F620", "C[C@@H]1CC[C@@H](O1)C"), ("F621", "CCO")] and blank.left_out["enhanced stereo"] == 1


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;", "sep=;;"])
@pytest.mark.parametrize("name", ["in.csv", "unnamed"])
def test_the_line_that_excel_adds(tmp_path: Path, first: str, name: str) -> None:
    rows, _, _ = read(tmp_path, f"{first}\r\nID;SMILES;MW\r\nA1;CCO;46,07\r\nA2;CCN;45,08\r\n", name)
    assert pairs(rows) == [("A1", "CCO"), ("A2", "CCN")] and rows[0].columns == {"MW": "46,07"}


def test_cells_parted_by_bars(tmp_path: Path) -> None:
    rows, _, _ = read(tmp_path, "ID|SMILES|MW\na|CCO|46\n", "unnamed")
    assert pairs(rows) == [("a", "CCO")] and rows[0].columns == {"MW": "46"}


def test_comments(tmp_path: Path) -> None:
    rows, blank, _ = read(tmp_path, "# made by hand\n# on Monday\nid,smiles\n1,CCO\n#2,CCN\n# a note\n3,CCC\n")
    assert pairs(rows) == [("1", "CCO"), ("#2", "CCN"), ("3", "CCC")] and blank.comments == 3
    assert [row.ordinal for row in rows] == [0, 1, 2]
    rows, blank, _ = read(tmp_path, "#smiles,id\nCCO,1\n#CCN,2\nCCC,#3\n")
    assert pairs(rows) == [("1", "CCO"), ("#3", "CCC")] and blank.comments == 1, "a header may be a comment"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("CCO,ethanol\nCCN,amine\n", "in.csv", [("ethanol", "CCO"), ("amine", "CCN")]),
        ("CCO,ethanol\nCCN,amine\n", "unnamed", [("ethanol", "CCO"), ("amine", "CCN")]),
        ("CCO;ethanol\nCCN;amine\n", "in.smi", [("ethanol", "CCO"), ("amine", "CCN")]),
        ("1,ethanol,CCO\n2,amine,CCN\n", "in.csv", [("1", "CCO"), ("2", "CCN")]),
        ("CCO\nCCN\n", "in.csv", [("1", "CCO"), ("2", "CCN")]),
        ("2244\tCCO\n2519\tCCN\n", "in.tsv", [("2244", "CCO"), ("2519", "CCN")]),
        ('"CCO"\t"ethanol"\n"CCN"\t"amine"\n', "in.smi", [("ethanol", "CCO"), ("amine", "CCN")]),
    ],
)
def test_tables_without_a_header(tmp_path: Path, content: str, name: str, expected: list[tuple[str, str]]) -> None:
    rows, _, notes = read(tmp_path, content, name)
    assert pairs(rows) == expected and "--no-header" in notes[0]
    rows, _, notes = read(tmp_path, content, name, header=False)
    assert pairs(rows) == expected and notes == []


def test_files_that_were_joined_bring_their_byte_order_marks(tmp_path: Path) -> None:
    rows, _, _ = read(tmp_path, "\ufeffCCO a\n\ufeffCCN b\n", "in.smi")
    assert pairs(rows) == [("a", "CCO"), ("b", "CCN")]


def test_numbers_behind_a_reaction_are_no_ranks(tmp_path: Path) -> None:
    rows, _, _ = read(tmp_path, "CCO>>CC=O\tUS1\t0012\t1976\n", "in.rsmi")
    assert (rows[0].value, rows[0].columns) == ("CCO>>CC=O", {}) and rows[0].id.startswith("US1")


def test_columns_by_number(tmp_path: Path) -> None:
    text = "a,CCO,ethanol\nb,CCN,amine\n"
    rows, _, _ = read(tmp_path, text, header=False, smiles_column="2", id_column="3")
    assert pairs(rows) == [("ethanol", "CCO"), ("amine", "CCN")] and rows[0].columns == {"column_1": "a"}
    with pytest.raises(UsageError, match="no column '4'; it has: 1, 2, 3"):
        read(tmp_path, text, header=False, smiles_column="4")
    with pytest.raises(InputError, match="by its number"):
        read(tmp_path, "a,b\nc,d\n", header=False)
    rows, _, _ = read(tmp_path, "p1,MKTAY\np2,ACDEF\n", header=False, wants="sequence")
    assert pairs(rows) == [("p1", "MKTAY"), ("p2", "ACDEF")]


def test_a_cell_of_any_length(tmp_path: Path) -> None:
    long = "y" * 200_000
    rows, _, _ = read(tmp_path, f'id,smiles,note\n1,CCO,x\n2,CCN,{long}\n3,CCC,"{long}"\n4,{long},z\n5,CCF,z\n')
    assert pairs(rows)[:3] == [("1", "CCO"), ("2", "CCN"), ("3", "CCC")] and rows[1].columns["note"] == long
    assert rows[4].value == "CCF" and [row.error for row in rows] == [None] * 5
