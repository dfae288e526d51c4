"""Every kind of input file a chemist has, and what is wrong with them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_cli.errors import InputError, UsageError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import LONGEST_LINE, Blank


def rows(tmp_path: Path, content: str | bytes, name: str = "in.smi", **options: Any) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(str(path), Reading(**options)))


def pairs(found: list[Row]) -> list[tuple[str, object]]:
    return [(row.id, row.value) for row in found]


def test_smi_with_names_tabs_headers_and_extensions(tmp_path: Path) -> None:
    text = "SMILES Name\nCCO ethanol\nc1ccccc1\tbenzene ring\nCC |$;R1$| tagged\nN\n"
    assert pairs(rows(tmp_path, text)) == [("ethanol", "CCO"), ("benzene ring", "c1ccccc1"), ("tagged", "CC"), ("5", "N")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, end: str) -> None:
    assert pairs(rows(tmp_path, end.join(["CCO a", "CCN b", ""]))) == [("a", "CCO"), ("b", "CCN")]


def test_bom_latin1_gzip_and_no_last_newline(tmp_path: Path) -> None:
    assert pairs(rows(tmp_path, "\ufeffCCO a".encode())) == [("a", "CCO")]
    assert pairs(rows(tmp_path, "CCO café".encode("latin-1"))) == [("café", "CCO")]
    assert pairs(rows(tmp_path, gzip.compress(b"CCO a\nCCN b\n"), "in.smi.gz")) == [("a", "CCO"), ("b", "CCN")]
    assert pairs(rows(tmp_path, gzip.compress(b"CCO a\n"), "unnamed")) == [("a", "CCO")], "gzip by content, not by name"


def test_blank_lines_are_counted_and_ordinals_are_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "in.smi"
    path.write_text("\n\nCCO a\n  \nCCN\n")
    blank = Blank()
    found = list(read_rows(str(path), blank=blank))
    assert [(r.ordinal, r.id) for r in found] == [(0, "a"), (1, "5")]
    assert blank.lines == 3


def test_nothing_at_all(tmp_path: Path) -> None:
    assert rows(tmp_path, "") == rows(tmp_path, "\n\r\n") == []


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables(tmp_path: Path, mark: str) -> None:
    text = f'Name{mark}Canonical_SMILES{mark}pIC50\nx{mark}CCO{mark}7.1\n"y z"{mark}CCN{mark}\n'
    found = rows(tmp_path, text, "in.csv")
    assert pairs(found) == [("x", "CCO"), ("y z", "CCN")]
    assert found[0].columns == {"pIC50": "7.1"}


def test_a_column_by_name(tmp_path: Path) -> None:
    text = "product,batch\nCCO,7\n"
    assert pairs(rows(tmp_path, text, "in.csv", smiles_column="Product", id_column="batch")) == [("7", "CCO")]
    with pytest.raises(UsageError, match="no column 'smi'; it has: product, batch"):
        rows(tmp_path, text, "in.csv", smiles_column="smi")
    with pytest.raises(InputError, match="it has: compound_structure, batch; name one with --smiles-column"):
        rows(tmp_path, text.replace("product", "compound_structure"), "in.csv")


def test_short_table_lines_are_rows_with_an_error(tmp_path: Path) -> None:
    found = rows(tmp_path, "id,smiles\na,CCO\nb\nc,CCN\n", "in.csv")
    assert [row.error is None for row in found] == [True, False, True]
    assert "line 3 has 1 columns" in (found[1].error or "")


def test_json_lines_ours_published_and_records(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "smiles": "CCO"},
        {"id": "b", "smiles": ["CC", "[Na+].[Cl-]"]},
        {"test_input": "<MoleculeS>C<MoleculeE><ReverseReact>", "groundtruth": "x"},
        {"id": "d", "text": "<MoleculeS>"},
        {"schema": 1, "id": "e", "task": "retro", "input": "CCO", "answer": ["C", "CO"], "valid": True},
        {"schema": 1, "id": "f", "task": "retro", "input": "CCO", "answer": None, "valid": False},
        {"id": "g"},
        {"id": "h", "smiles": 7},
    ]
    text = "\n".join(map(json.dumps, lines)) + "\nnot json\n[1]\n"
    found = rows(tmp_path, text, "in.jsonl")
    assert pairs(found)[:2] == [("a", "CCO"), ("b", ("CC", "[Na+].[Cl-]"))]
    assert (found[2].text, found[2].truth) == ("<MoleculeS>C<MoleculeE><ReverseReact>", "x")
    assert found[3].text == "<MoleculeS>" and found[4].value == ("C", "CO")
    assert [bool(row.error) for row in found] == [False] * 5 + [True] * 5


def test_a_huge_line_is_one_row_with_an_error(tmp_path: Path) -> None:
    found = rows(tmp_path, "CCO a\n" + "C" * (2 * LONGEST_LINE + 5) + "\nCCN b\n")
    assert [bool(row.error) for row in found] == [False, True, False]
    assert found[2].id == "b"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        list(read_rows(str(tmp_path / "nothing.smi")))
    with pytest.raises(InputError, match="folder without structure"):
        list(read_rows(str(tmp_path)))
    with pytest.raises(InputError, match=r"cut\.smi\.gz: damaged packed data"):
        rows(tmp_path, gzip.compress(b"CCO a\n" * 5000)[:-20], "cut.smi.gz")


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_give_rows_in_order_or_one_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "in"
    path.write_bytes(data)
    try:
        found = list(read_rows(str(path)))
    except (InputError, UsageError):
        return
    assert [row.ordinal for row in found] == list(range(len(found)))
    assert len(found) <= data.count(b"\n") + data.count(b"\r") + 1


def test_an_unclosed_quote_costs_one_line(tmp_path: Path) -> None:
    text = 'name,smiles\n"unclosed,CCO\nb,CCN\n"two\nlines",CCC\nfive" pipe,CCF\n'
    found = rows(tmp_path, text, "in.csv")
    assert [bool(row.error) for row in found] == [True, False, False, False]
    assert pairs(found)[1:] == [("b", "CCN"), ("two\nlines", "CCC"), ('five" pipe', "CCF")]


def test_every_row_of_a_table_has_its_columns(tmp_path: Path) -> None:
    found = rows(tmp_path, "name,smiles,assay\nbroken\nb,CCO,7\n", "in.csv")
    assert [row.columns for row in found] == [{"assay": ""}, {"assay": "7"}]


def test_smiles_with_extensions_and_remarks(tmp_path: Path) -> None:
    assert pairs(rows(tmp_path, "smiles,n\nCC |$;R1$|,1\n", "in.csv"))[0][1] == "CC"
    (row,) = rows(tmp_path, json.dumps({"smiles": "CCO", "text": "a note"}), "in.jsonl")
    assert (row.value, row.text) == ("CCO", None)


def test_files_of_another_kind_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="jq -c"):
        rows(tmp_path, json.dumps([{"smiles": "CCO"}], indent=1), "in.json")
    with pytest.raises(InputError, match="UTF-16"):
        rows(tmp_path, "CCO a\n".encode("utf-16"), "in.smi")
    assert pairs(rows(tmp_path, "[Na+].[Cl-] salt\n[2H]C methane\n"))[0] == ("salt", "[Na+].[Cl-]")
