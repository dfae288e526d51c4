"""Predicted structures: known by what their files say, with pLDDT as it is told there, and never an experiment's B-factors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from predicted_models import BOLTZ_BEFORE_PLDDT, BRD, HIGH, LIGAND, LOW, STYLES, Style, model_cif, model_pdb, plddt_of, residues
from schemas import check_records

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row

POCKET = (38, 43, 46, 88, 89, 95)  # of 4cup's ligand, within 4.5 Å
ALPHAFOLD = "ALPHAFOLD MONOMER V2.0 PREDICTION FOR BROMODOMAIN (Q9UIF8)"


def row_of(path: Path, text: str, pocket_from: str | None = None, cutoff: float = 4.5, **options: object) -> Row:
    path.write_text(text)
    (row,) = read_rows(str(path), Reading("sequence", pocket_from=pocket_from, cutoff=cutoff, **options))  # type: ignore[arg-type]
    return row


def test_the_pocket_of_the_crystal() -> None:
    (row,) = read_rows(str(BRD), Reading("sequence", pocket_from=LIGAND))
    assert row.pocket == POCKET and row.site and row.site.plddt == (), "B-factors of a crystal are no pLDDT"


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_every_program(tmp_path: Path, style: Style) -> None:
    expected = tuple(plddt_of(place) for place in range(1, len(residues()[0]) + 1))
    for asked in (style.ligand, f"{style.ligand}:B", "chain:B", "B:1", "auto"):
        row = row_of(tmp_path / "model.cif", model_cif(style), asked)
        assert row.error is None and row.pocket == POCKET and row.site is not None
        assert row.site.plddt == pytest.approx(expected, abs=0.01)
        assert row.site.notes[0].startswith("a predicted model") and "mean pLDDT 88." in row.site.notes[0]
    assert row.site and ("AlphaFold" in row.site.notes[0]) == (style.name == "alphafold3")


def test_a_residue_whose_plddt_is_not_told(tmp_path: Path) -> None:
    told = f"{plddt_of(POCKET[0]):.4f}"
    line = next(one for one in model_cif(STYLES[1]).splitlines() if one.startswith(f"{POCKET[0]} 1 A ") and one.endswith(told))
    text = model_cif(STYLES[1]).replace(line, line.replace(told, "?"))
    row = row_of(tmp_path / "model.cif", text, "LIG1")
    assert row.pocket == POCKET and row.site and row.site.plddt[POCKET[0] - 1] is None
    sure = row_of(tmp_path / "model.cif", text, "LIG1", min_plddt=50.0)
    assert sure.pocket == POCKET[1:] and sure.site and f"A:{POCKET[0]} (not told)" in " ".join(sure.site.notes)
    broken = row_of(tmp_path / "model.cif", model_cif(STYLES[1]).replace(line, line.replace(told, "high")), "LIG1")
    assert broken.error == "_ma_qa_metric_local: pLDDT 'high' is no number"


def test_a_model_that_tells_no_plddt(tmp_path: Path) -> None:
    """Boltz before it wrote any: its B-factors are all 1."""
    text = model_cif(BOLTZ_BEFORE_PLDDT)
    row = row_of(tmp_path / "model.cif", text, "LIG")
    assert row.pocket == POCKET and row.site and row.site.plddt == ()
    assert row.site.notes == ("a predicted model, which tells no pLDDT",)
    refused = row_of(tmp_path / "model.cif", text, "LIG", min_plddt=50.0)
    assert refused.error == (
        "no pLDDT: a predicted model, which tells no pLDDT; leave out --min-plddt, or if its B-factors are pLDDT add "
        "--plddt-in-bfactors"
    )


def test_an_experiment_is_none_whatever_else_the_file_says(tmp_path: Path) -> None:
    method = "X-RAY DIFFRACTION"
    for text, name in ((model_cif(STYLES[0], method), "model.cif"), (model_pdb(ALPHAFOLD, method), "model.pdb")):
        row = row_of(tmp_path / name, text, "B:1" if name == "model.pdb" else "LIG_B")
        assert row.pocket == POCKET and row.site and row.site.plddt == () and row.site.notes == ()
        for options in ({"min_plddt": 50.0}, {"plddt_in_bfactors": True}):
            refused = row_of(tmp_path / name, text, "chain:B", **options)
            assert refused.error and "its file says X-RAY DIFFRACTION" in refused.error
    theoretical = row_of(tmp_path / "model.cif", model_cif(STYLES[0], exptl="THEORETICAL MODEL"), "LIG_B")
    assert theoretical.site and theoretical.site.plddt


@pytest.mark.parametrize("title", [ALPHAFOLD, "ESMFOLD V1 PREDICTION FOR INPUT"])
def test_pdb_files_by_their_titles(tmp_path: Path, title: str) -> None:
    row = row_of(tmp_path / "model.pdb", model_pdb(title), "LIG")
    assert row.pocket == POCKET and row.site and row.site.plddt[:2] == (plddt_of(1), plddt_of(2))


def test_a_pdb_that_says_nothing(tmp_path: Path) -> None:
    """As ColabFold's: its B-factors are pLDDT only where the user says so."""
    row = row_of(tmp_path / "model.pdb", model_pdb(), "LIG")
    assert row.site and row.site.plddt == () and row.site.notes == ()
    refused = row_of(tmp_path / "model.pdb", model_pdb(), "LIG", min_plddt=50.0)
    assert refused.error and refused.error.endswith("add --plddt-in-bfactors")
    told = row_of(tmp_path / "model.pdb", model_pdb(), "LIG", min_plddt=50.0, plddt_in_bfactors=True)
    assert told.pocket == POCKET and told.site and told.site.plddt[9] == LOW
    crystal = model_pdb().replace(f"{HIGH + 1:6.2f}", "134.20")
    wrong = row_of(tmp_path / "model.pdb", crystal, "LIG", plddt_in_bfactors=True)
    assert wrong.error and "134.2 where pLDDT is 0 to 100" in wrong.error


def test_residues_below_are_left_out_of_the_pocket(tmp_path: Path) -> None:
    text = model_cif(STYLES[1])
    wide = row_of(tmp_path / "model.cif", text, "LIG1", cutoff=8.0)
    low = [place for place in wide.pocket if plddt_of(place) == LOW]
    assert low, "the wide pocket has residues that the model is not sure of"
    row = row_of(tmp_path / "model.cif", text, "LIG1", cutoff=8.0, min_plddt=70.0)
    assert row.pocket == tuple(place for place in wide.pocket if place not in low)
    note = next(note for note in row.site.notes if "left out" in note) if row.site else ""
    assert note == f"below pLDDT 70, left out of the pocket: {' '.join(f'A:{place} ({LOW})' for place in low)}"
    none = row_of(tmp_path / "model.cif", text, "LIG1", min_plddt=99.0)
    assert none.error and none.error.startswith("no residue of the pocket has a pLDDT of 99: A:38 (93.0)")


def test_ligands_by_label(tmp_path: Path) -> None:
    """By label_comp_id where the author names them otherwise, and by label_asym_id where that is another chain's letter."""
    lines = model_cif(STYLES[0]).splitlines()
    named = [line.replace(" B LIG_B ", " X UNL ") if line.startswith("HETATM") else line for line in lines]
    for asked in ("LIG_B", "UNL", "LIG_B:X", "LIG_B:B", "UNL:B", "lig_b"):
        row = row_of(tmp_path / "model.cif", "\n".join(named) + "\n", asked)
        assert row.pocket == POCKET, (asked, row.error)
    (crystal,) = read_rows(str(BRD), Reading("sequence", pocket_from=f"{LIGAND}:B"))
    assert crystal.pocket == POCKET


@pytest.mark.slow
def test_in_a_record(tmp_path: Path, nano_int4: Path, logos_here: Callable[..., Run]) -> None:
    path = tmp_path / "model.cif"
    path.write_text(model_cif(STYLES[3]))
    given = ("generate", "ligand", path, "-m", nano_int4, "-n", "1", "--max-tokens", "20", "--pocket-from", "LIG")
    found = logos_here(*given, "--min-plddt", "50")
    check_records(found.lines, "answer")
    (record,) = found.lines
    assert record["site"]["pocket"] == list(POCKET)
    assert record["site"]["plddt"] == [pytest.approx(plddt_of(place), abs=0.01) for place in POCKET]
    assert "a predicted model (Chai-1 predicted structure), mean pLDDT 88." in found.err
    again = logos_here("score", "-", "-m", nano_int4, stdin=json.dumps(record))
    assert again.lines[0]["site"] == record["site"]
    pockets = logos_here("generate", "pocket", path, "-m", nano_int4, "-n", "2", "--top", "1", "--consensus", "0.1")
    (found_pocket,) = pockets.lines
    if found_pocket["answer"]:
        assert found_pocket["site"]["plddt"] == [pytest.approx(plddt_of(place), abs=0.01) for place in found_pocket["answer"]]
    needs = logos_here("generate", "pocket", path, "-m", nano_int4, "--min-plddt", "50")
    assert needs.code == 2 and "--pocket-from names; give that too" in needs.err
