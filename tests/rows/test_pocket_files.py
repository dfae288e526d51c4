"""Pockets that a file of its own gives as residues: cut out of the protein as PDB, SDF or MOL2, and peptides in files."""

from __future__ import annotations

from pathlib import Path

import gemmi
import pytest

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row

BRD = Path(__file__).parents[2] / "examples" / "4cup.cif.gz"
NEAR = ["A:1893", "A:1898", "A:1901", "A:1943", "A:1944", "A:1950"]  # heavy atoms within 4.5 Å of ZYB


@pytest.fixture(scope="module")
def lines() -> list[str]:
    text = str(gemmi.read_structure(str(BRD)).make_pdb_string())
    return [line for line in text.splitlines(True) if line.startswith(("ATOM", "HETATM"))]


def read(path: Path, text: str, pocket: Path) -> Row:
    path.write_text(text)
    (found,) = read_rows(str(path), Reading(wants="sequence", pocket_from=str(pocket)))
    assert found.error is None and found.site is not None, found.error
    return found


def near(found: Row) -> list[str | None]:
    assert found.site is not None
    return found.site.own(found.pocket)


def mol2(lines: list[str]) -> str:
    atoms = "".join(
        f"{at} {line[12:16].strip()} {float(line[30:38]):.4f} {float(line[38:46]):.4f} {float(line[46:54]):.4f} "
        f"{line[76:78].strip()}.3 1 {line[17:20]}{line[22:26].strip()} 0.0\n"
        for at, line in enumerate(lines, 1)
    )
    head = f"@<TRIPOS>MOLECULE\nsite\n{len(lines)} 0 1\nPROTEIN\nNO_CHARGES\n\n@<TRIPOS>ATOM\n"
    return f"{head}{atoms}@<TRIPOS>BOND\n"


@pytest.mark.parametrize("form", ["pdb", "mol2", "sdf"])
@pytest.mark.parametrize("with_ligand", [False, True])
def test_a_pocket_that_was_cut_out_of_the_protein(tmp_path: Path, lines: list[str], form: str, with_ligand: bool) -> None:
    """PDBbind's x_pocket.pdb, sc-PDB's site.mol2: those residues, not all within 4.5 Å of them."""
    numbers = {number.removeprefix("A:") for number in NEAR}
    cut = [line for line in lines if line.startswith("ATOM") and line[22:26].strip() in numbers]
    cut += [line for line in lines if line[17:20] == "ZYB"] if with_ligand else []
    path = tmp_path / f"x_pocket.{form}"
    if form == "sdf":
        from rdkit import Chem

        mol = Chem.MolFromPDBBlock("".join(cut), removeHs=False, sanitize=False)
        Chem.MolToMolFile(mol, str(path), kekulize=False)
    else:
        path.write_text("".join(cut) if form == "pdb" else mol2(cut))
    found = read(tmp_path / "x.pdb", "".join(lines), path)
    assert near(found) == NEAR and found.site and "residues of the structure itself" in found.site.notes[0]


def peptide(lines: list[str]) -> str:
    """Residues 1893 to 1900 as chain P, 14 Å aside."""
    own = [line for line in lines if line.startswith("ATOM") and 1893 <= int(line[22:26]) <= 1900]
    return "".join(
        f"{line[:21]}P{int(line[22:26]) - 1890:4d}{line[26:30]}{float(line[30:38]) + 14:8.3f}{line[38:]}" for line in own
    )


def test_a_peptide_in_a_file_is_a_ligand_whether_the_structure_has_it_or_not(tmp_path: Path, lines: list[str]) -> None:
    protein = "".join(line for line in lines if line.startswith("ATOM"))
    (tmp_path / "peptide.pdb").write_text(peptide(lines))
    alone = read(tmp_path / "x.pdb", protein, tmp_path / "peptide.pdb")
    whole = read(tmp_path / "x.pdb", f"{protein}TER\n{peptide(lines)}", tmp_path / "peptide.pdb")
    named = read(tmp_path / "x.pdb", f"{protein}TER\n{peptide(lines)}", Path("chain:P"))
    assert near(alone) == near(whole) == near(named) and len(near(alone)) > 5
    assert {one.site.chain for one in (alone, whole, named) if one.site} == {"A"}


@pytest.mark.parametrize(("chain", "record"), [("A", "HETATM"), ("A", "ATOM  "), ("B", "HETATM"), ("B", "ATOM  ")])
def test_an_amino_acid_alone_is_a_ligand(tmp_path: Path, lines: list[str], chain: str, record: str) -> None:
    """Even with N, CA and C, as ATOM, in a chain of its own."""
    protein = "".join(line for line in lines if line.startswith("ATOM"))
    valine = [line for line in lines if line.startswith("ATOM") and line[22:26] == "1893"]
    free = "".join(f"{record}{line[6:21]}{chain}5000{line[26:30]}{float(line[30:38]) + 2:8.3f}{line[38:]}" for line in valine)
    found = read(tmp_path / "x.pdb", f"{protein}TER\n{free}", Path(f"{chain}:5000"))
    assert near(found) == ["A:1891", "A:1892", "A:1893", "A:1894", "A:1895", "A:1901", "A:1908"]
    assert len(found.value or "") == 115
