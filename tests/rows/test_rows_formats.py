"""FASTA, SDF and sequence tables as they come; what a task cannot take is refused in one line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.errors import InputError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row

EXAMPLES = Path(__file__).parents[2] / "examples"


def read(tmp_path: Path, data: str | bytes, name: str = "x", **options: Any) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(read_rows(str(path), Reading(**{"wants": "sequence", **options})))


def test_fasta(tmp_path: Path) -> None:
    text = "\n>one first protein\nMKT\nayI AK\n\n>two\nACD*\n>empty\n>\nGG\n"
    found = read(tmp_path, text)
    assert [(row.id, row.value) for row in found] == [("one", "MKTayIAK"), ("two", "ACD*"), ("empty", None), ("9", "GG")]
    assert [row.ordinal for row in found] == [0, 1, 2, 3]
    assert found[2].error == "line 8: no sequence follows the name" and found[0].columns == {"description": "first protein"}
    assert all(row.kind == "sequence" for row in found)


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r")])
def test_fasta_of_any_machine(tmp_path: Path, change: Any) -> None:
    text = ">one a\nMKT\nAYI\n>two\nACD\n"
    expected = [(row.id, row.value) for row in read(tmp_path, text)]
    assert [(row.id, row.value) for row in read(tmp_path, change(text))] == expected
    assert [(row.id, row.value) for row in read(tmp_path, gzip.compress(change(text).encode()))] == expected


names = st.text(st.characters(codec="ascii", exclude_categories=["C"], exclude_characters=" \t>"), min_size=1, max_size=12)


@pytest.mark.slow
@given(st.lists(st.tuples(names, st.text("ACDEFGHIKLMNPQRSTVWY", min_size=1, max_size=200), st.integers(1, 70)), min_size=1))
def test_fasta_round_trip(tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str, int]]) -> None:
    lines = []
    for name, sequence, width in records:
        lines += [f">{name}", *(sequence[at : at + width] for at in range(0, len(sequence), width))]
    found = read(tmp_path_factory.mktemp("fasta"), "\n".join(lines))
    assert [(row.id, row.value) for row in found] == [(name, sequence) for name, sequence, _ in records]


def test_a_huge_line_costs_its_own_record(tmp_path: Path) -> None:
    found = read(tmp_path, ">huge\n" + "A" * 1_200_000 + "\n>next\nMKT\n")
    assert "longer than" in (found[0].error or "") and found[1].value == "MKT"
    found = read(tmp_path, ">many\n" + ("A" * 60_000 + "\n") * 3 + ">next\nMKT\n")
    assert "over 100,000 residues" in (found[0].error or "") and found[1].value == "MKT"


def test_sdf() -> None:
    found = list(read_rows(str(EXAMPLES / "drugs.sdf")))
    assert [row.id for row in found] == ["aspirin", "paracetamol", "ibuprofen", "naproxen"]
    assert found[0].value == "CC(=O)Oc1ccccc1C(=O)O" and found[0].columns["SMILES"] == "CC(=O)Oc1ccccc1C(=O)O"


def test_a_damaged_sdf_record_costs_only_itself(tmp_path: Path) -> None:
    whole = (EXAMPLES / "drugs.sdf").read_text()
    records = whole.split("$$$$\n")
    records[1] = records[1].replace("V2000", "V9000")
    records[2] = records[2][:200] + "\n"
    found = read(tmp_path, "$$$$\n".join(records), wants="smiles")
    assert [row.error is None for row in found] == [True, False, False, True]
    assert "RDKit cannot read" in (found[1].error or "") and "no M  END" in (found[2].error or "")
    lone = read(tmp_path, records[0].replace("\n", "\r\n"), "lone.mol", wants="smiles")
    assert [row.value for row in lone] == ["CC(=O)Oc1ccccc1C(=O)O"]
    untitled = read(tmp_path, "\n" + records[0].partition("\n")[2] + "$$$$\n", wants="smiles")
    assert [(row.id, row.error) for row in untitled] == [("1", None)], "an SDF is known by its counts line, title or not"


def test_an_sdf_without_a_version_is_known_by_its_counts(tmp_path: Path) -> None:
    whole = (EXAMPLES / "drugs.sdf").read_text().partition("$$$$")[0]
    for end in ("999 V2000", ""):
        ((row),) = read(tmp_path, whole.replace("999 V2000", end), "unnamed", wants="smiles")
        assert (row.id, row.value) == ("aspirin", "CC(=O)Oc1ccccc1C(=O)O")
    names = read(tmp_path, "CCO a\nCCN b\nCCC c\n123456789012345 d\n", "unnamed", wants="smiles")
    assert [row.id for row in names] == list("abcd"), "a long number is no counts line"


def test_a_point_of_attachment_makes_no_molecule(tmp_path: Path) -> None:
    whole = (EXAMPLES / "drugs.sdf").read_text().partition("$$$$")[0]
    ((row),) = read(tmp_path, whole.replace("M  END", "M  APO  1   1   1\nM  END"), "x.sdf", wants="smiles")
    assert row.error == "line 1: atom 1 is a point of attachment; a query is no molecule"


def test_sdf_fields_of_later_records_are_not_lost(tmp_path: Path) -> None:
    molecule = (EXAMPLES / "drugs.sdf").read_text().split("M  END")[0] + "M  END\n"
    text = molecule + "> <A>\n1\n\n$$$$\n" + molecule + "> <A>\n2\n\n> <B>\nx\ny\n\n$$$$\n"
    found = read(tmp_path, text, wants="smiles")
    assert found[0].columns == {"A": "1", "other_fields": ""}
    assert found[1].columns == {"A": "2", "other_fields": '{"B": "x\\ny"}'}


def test_tables_of_sequences(tmp_path: Path) -> None:
    found = read(tmp_path, "name,Sequence,pocket,ligand,score\np1,MKTAY,2 4,CCO,5\np2,ACD,x,,6\np3,ACD,,,7\n")
    assert [(row.id, row.value, row.pocket, row.ligand) for row in found] == [
        ("p1", "MKTAY", (2, 4), "CCO"), ("p2", None, (), None), ("p3", "ACD", (), None),
    ]  # fmt: skip
    assert "no list of residue numbers" in (found[1].error or "")
    assert read(tmp_path, "a\tb\nx\tMKT\n", sequence_column="b")[0].value == "MKT"
    with pytest.raises(InputError, match="no column named sequence"):
        read(tmp_path, "a,b\nx,MKT\n", "table.csv")


def test_json_of_every_modality(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "sequence": "MKTAY", "pocket": [2, 4], "ligand": "CCO"}',
        '{"id": "b", "sequence": "MKTAY", "pocket": ["x"]}',
        '{"id": "c", "protein_pocket_ligand": "<ProteinS>MK<ProteinE><MoleculeS>", "groundtruth": "CCO"}',
        '{"id": "d", "metal": "[Zn]", "linkers": ["CCO"]}',
        '{"schema": 1, "id": "e", "task": "pocket", "input": "MKTAY", "answer": [2], "valid": true}',
        '{"schema": 1, "id": "f", "task": "antibody", "input": "", "answer": "EVQ", "valid": true}',
    ]
    a, b, c, d, e, f = read(tmp_path, "\n".join(lines))
    assert (a.value, a.pocket, a.ligand) == ("MKTAY", (2, 4), "CCO") and "pocket is no list" in (b.error or "")
    assert (c.text, c.truth) == ("<ProteinS>MK<ProteinE><MoleculeS>", "CCO") and d.material == ("[Zn]", ("CCO",))
    assert (e.value, e.pocket, e.kind) == ("MKTAY", (2,), "sequence") and (f.value, f.kind) == ("EVQ", "sequence")


def test_places_of_a_pocket_named_for_sequences(tmp_path: Path) -> None:
    assert read(tmp_path, ">a\nMKTAY\n", pocket_from="2,4")[0].pocket == (2, 4)
    assert "needs a structure" in (read(tmp_path, ">a\nMKTAY\n", pocket_from="STI")[0].error or "")


def test_formats_that_a_task_cannot_take(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds sequences \(FASTA\); this task takes SMILES"):
        read(tmp_path, ">a\nMKT\n", wants="smiles")
    with pytest.raises(InputError, match=r"holds molecules \(SDF\); this task takes sequences"):
        list(read_rows(str(EXAMPLES / "drugs.sdf"), Reading(wants="sequence")))
