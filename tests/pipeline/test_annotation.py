"""What --scheme and --similar-to known add to records, as JSON lines and as csv, and read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from schemas import check_records

from logos_cli.chemistry.antibody import numbering
from logos_cli.pipeline.annotation import Annotation
from logos_cli.records.record import Record, read_records

Logos = Callable[..., Run]
H = "EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSRWGGDGFYAMDYWGQGTLVTVSS"
L = "DIQMTQSPSSLSASVGDRVTITCRASQDVNTAVAWYQQKPGKAPKLLIYSASFLYSGVPSRFSGSRSGTDFTLTISSLQPEDFATYYCQQHYTTPPTFGQGTKVEIK"


@pytest.mark.slow
def test_numbers_of_answers(nano_bf16: Path, logos_here: Logos, tmp_path: Path) -> None:
    rows = tmp_path / "pairs.csv"
    rows.write_text(f"name,heavy,light\nt,{H[:95]},{L[:86]}\n")
    asked = ["generate", "antibody", rows, "-m", nano_bf16, "--scheme", "kabat", "-n", "2", "--threads", "1"]
    found = logos_here(*asked)
    check_records(found.lines, "answer")
    assert [line["id"] for line in found.lines] == ["t/H"] * 2 + ["t/L"] * 2
    for line in found.lines:
        if line["valid"]:
            assert line["numbering"] == numbering(line["answer"], "kabat")
        else:
            assert "numbering" not in line
    assert any(line["valid"] for line in found.lines)
    table = tmp_path / "out.csv"
    logos_here(*asked, "--format", "csv", "-o", table)
    cells = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [json.loads(one["numbering"]) if one["numbering"] else None for one in cells] == [
        line.get("numbering") for line in found.lines
    ]
    assert [one.numbering for one in read_records(table)] == [line.get("numbering") for line in found.lines]


@pytest.mark.slow
def test_numbers_of_scores_in_csv(nano_bf16: Path, logos_here: Logos) -> None:
    asked = ["score", "-", "-m", nano_bf16, "--task", "antibody", "--format", "csv", "--threads", "1"]
    found = logos_here(*asked, "--scheme", "imgt", "--mutants", "H:S97A,L:Q27E", stdin=f">s\n{H}GGGGSGGGGSGGGGS{L}\n")
    cells = list(csv.DictReader(io.StringIO(found.out)))
    assert [(one["id"], one["mutant"], one["error"]) for one in cells] == [
        ("s/H", "", ""), ("s/H", "S97A", ""), ("s/L", "", ""),
        ("s/L", "L:Q27E", "residue L:27 is not in this sequence, which has L:136 to L:242"),
    ]  # fmt: skip
    assert json.loads(cells[0]["numbering"]) == numbering(H, "imgt") and cells[1]["numbering"] == ""
    assert json.loads(cells[2]["numbering"])["domains"][0]["CDR3"] == "QQHYTTPPT"
    plain = logos_here(*asked, stdin=f">h\n{H}\n")
    assert "numbering" not in plain.out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["generate", "protein", "--scheme", "imgt"], "--scheme numbers antibodies, and protein has none"),
        (["score", "x", "--scheme", "imgt"], "say --task antibody"),
    ],
)
def test_schemes_are_for_antibodies(logos_here: Logos, arguments: list[str], told: str) -> None:
    found = logos_here(*arguments)
    assert found.code == 2 and told in found.err


@pytest.mark.slow
def test_similarity_to_the_rows_own_ligand(nano_bf16: Path, logos_here: Logos, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    protein = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"
    rows.write_text(f"id,sequence,pocket,ligand\na,{protein},3 5 9,CCOc1ccccc1\nb,{protein},3 5 9,\n")
    found = logos_here("generate", "ligand", rows, "-m", nano_bf16, "--similar-to", "known", "-n", "4", "--threads", "1")
    check_records(found.lines, "answer")
    valid = [line for line in found.lines if line["valid"]]
    assert {line["id"] for line in valid} == {"a", "b"}
    assert all((line["similarity"]["to"] == "known") if line["id"] == "a" else "similarity" not in line for line in valid)


@pytest.mark.parametrize(
    ("truth", "tanimoto"),
    [("OCC", 1.0), ("<MoleculeS>CCO<MoleculeE>", 1.0), ("CCO<MoleculeE>", 1.0), ("c1ccccc1", 0.0), (None, None), ("?", None)],
)
def test_the_known_ligand_with_and_without_markers(truth: str | None, tanimoto: float | None) -> None:
    record = Record(0, "x", "ligand", "M", "m", 0, "CCO", valid=True, smiles="CCO", truth=truth)
    found = Annotation(known=True).of(record).similarity
    assert (found["tanimoto"] if found else None) == tanimoto


def test_what_is_no_antibody_has_no_domains() -> None:
    record = Record(0, "x", "antibody", "", "m", 0, "MKT", valid=True, smiles="MKT")
    assert Annotation(scheme="chothia").of(record).numbering == {"scheme": "chothia", "domains": []}
