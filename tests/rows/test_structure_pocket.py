"""Pockets by every form of --pocket-from, of copies, of several chains, from files of their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gemmi
import pytest

from logos_cli.benchmarks.metrics.truths import in_places
from logos_cli.chemistry.own_numbers import OwnNumbers
from logos_cli.errors import InputError
from logos_cli.records.record import Record
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.tasks.table import TASKS

BRD = Path(__file__).parents[2] / "examples" / "4cup.cif.gz"  # A:1856 to A:1970, ZYB at A:2971, methanol, water
NEAR = ["A:1893", "A:1898", "A:1901", "A:1943", "A:1944", "A:1950"]  # heavy atoms within 4.5 Å of ZYB
LIGAND = re.compile("(?m)^HETATM.{11}ZYB.*\n")


@pytest.fixture(scope="module")
def whole() -> str:
    text = str(gemmi.read_structure(str(BRD)).make_pdb_string())
    return "".join(line for line in text.splitlines(True) if line.startswith(("ATOM", "HETATM")))


@pytest.fixture(scope="module")
def protein(whole: str) -> str:
    return "".join(line for line in whole.splitlines(True) if line.startswith("ATOM"))


@pytest.fixture(scope="module")
def ligand(whole: str) -> str:
    return "".join(LIGAND.findall(whole))


def moved(text: str, x: float, chain: str = "A") -> str:
    """Atoms of chain A as those of another, `x` Å away."""
    return re.sub(
        r"(?m)^(.{21})A(.{8})(.{8})", lambda found: f"{found[1]}{chain}{found[2]}{float(found[3]) + x:8.3f}", text
    )  # fmt: skip


def rows(path: Path, text: str = "", **options: Any) -> list[Row]:
    if text:
        path.write_text(text)
    return list(read_rows(str(path), Reading(wants="sequence", **options)))


def own(found: Row) -> list[str | None]:
    assert found.error is None and found.site is not None, found.error
    return found.site.own(found.pocket)


def notes(found: Row) -> str:
    assert found.error is None and found.site is not None, found.error
    return "; ".join(found.site.notes)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("ZYB", NEAR), ("zyb", NEAR), ("ZYB:A:2971", NEAR), ("ZYB A:2971", NEAR), ("ZYB:A", NEAR), ("A:2971", NEAR),
        ("auto", NEAR),
        ("A_1893 A_1898", NEAR[:2]), ("A:1900-1902", ["A:1900", "A:1901", "A:1902"]), ("1900-1901", ["A:1900", "A:1901"]),
        ("PRO1888, A:VAL1893", ["A:1888", "A:1893"]), ("ZYB,A:1856", ["A:1856", *NEAR]),
    ],
)  # fmt: skip
def test_forms_of_a_pocket(asked: str, expected: list[str]) -> None:
    (found,) = rows(BRD, pocket_from=asked)
    if "PRO1888" in asked:
        structure = gemmi.read_structure(str(BRD))
        names = {str(one.seqid): one.name for one in structure[0]["A"]}
        (found,) = rows(BRD, pocket_from=f"{names['1888']}1888, A:{names['1893']}1893")
    assert own(found) == expected


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("XXX", "it has: ZYB A:2971, MOH A:2972"), ("GLY1893", "A:1893 is"), ("A:1900-9999", "A:9999 is not in this structure"),
        ("chain:Q", "chain Q is not in this structure; its chains: A"), ("chain:A", "is the only protein"),
        ("ZYB:A:1", "no ligand ZYB:A:1"),
    ],
)  # fmt: skip
def test_forms_that_name_nothing(asked: str, reason: str) -> None:
    (found,) = rows(BRD, pocket_from=asked)
    assert reason in (found.error or "")


def test_a_blank_chain_is_read_as_it_is_written(tmp_path: Path, whole: str) -> None:
    (found,) = rows(tmp_path / "x.pdb", moved(whole, 0, " "), pocket_from="ZYB")
    assert own(found) == [number.removeprefix("A") for number in NEAR]
    (again,) = rows(tmp_path / "x.pdb", pocket_from=",".join(str(one) for one in own(found)))
    assert own(again) == own(found)


def test_copies_with_pockets_of_their_own_must_be_chosen(tmp_path: Path, protein: str, ligand: str) -> None:
    text = protein + ligand + moved(protein + ligand, 200, "B")
    (found,) = rows(tmp_path / "x.pdb", text, pocket_from="ZYB")
    assert found.error and "ZYB A:2971, 6 residues; ZYB B:2971, 6 residues; choose one" in found.error
    assert own(rows(tmp_path / "x.pdb", pocket_from="ZYB:B:2971")[0]) == [one.replace("A", "B") for one in NEAR]
    each = rows(tmp_path / "x.pdb", pocket_from="ZYB", each_copy=True)
    assert [one.id for one in each] == ["x/ZYB:A:2971", "x/ZYB:B:2971"] and [one.ordinal for one in each] == [0, 1]
    assert own(rows(tmp_path / "x.pdb", pocket_from="ZYB", chain="A")[0]) == NEAR


def test_residues_of_another_chain_are_told_and_can_be_taken_in(tmp_path: Path, protein: str, ligand: str) -> None:
    """The same chain again, a little aside: both touch the one ligand."""
    text = protein + moved(protein, 0.4, "B") + ligand
    (found,) = rows(tmp_path / "x.pdb", text, pocket_from="ZYB")
    assert "residues of other chains within 4.5 Å left out" in notes(found) and "--chains A,B" in notes(found)
    both = [rows(tmp_path / "x.pdb", pocket_from="ZYB", chain=chain)[0] for chain in ("A,B", "all")]
    assert [one.value for one in both] == [(found.value or "") * 2] * 2
    single = [own(rows(tmp_path / "x.pdb", pocket_from="ZYB", chain=chain)[0]) for chain in ("A", "B")]
    assert own(both[0]) == own(both[1]) == single[0] + single[1]
    (bare,) = rows(tmp_path / "x.pdb", pocket_from="1893", chain="A,B")
    assert "name the chain: A:1893" in (bare.error or "")


def test_spheres_of_two_numbers_are_two_pockets(tmp_path: Path, protein: str, ligand: str) -> None:
    """Even where they touch the same residues."""
    spheres = re.sub(r"(?m)^HETATM(.{11})ZYB A2971", r"HETATM\1STP C   1", ligand)
    text = protein + spheres + spheres.replace("STP C   1", "STP C   2")
    (found,) = rows(tmp_path / "x.pdb", text, pocket_from="STP")
    assert "STP C:1, 6 residues; STP C:2, 6 residues" in (found.error or "")
    assert len(rows(tmp_path / "x.pdb", pocket_from="STP", each_copy=True)) == 2


@pytest.mark.parametrize("name", ["UNK", "GLU", "TYR", "A", "U", "DA"])
@pytest.mark.parametrize("record", ["ATOM  ", "HETATM"])
@pytest.mark.parametrize("chain", ["A", "X"])
@pytest.mark.parametrize("first", [False, True])
def test_a_ligand_of_any_name(
    tmp_path: Path, protein: str, ligand: str, name: str, record: str, chain: str, first: bool
) -> None:
    """It has no alpha carbon: no residue, whatever its record and wherever it stands."""
    other = re.sub(r"(?m)^HETATM(.{11})ZYB A2971", rf"{record}\1{name:>3s} {chain}3000", ligand)
    text = other + protein if first else protein + "TER\n" + other
    (found,) = rows(tmp_path / "x.pdb", text, pocket_from=f"{chain}:3000")
    assert own(found) == NEAR and len(found.value or "") == 115
    assert own(rows(tmp_path / "x.pdb", pocket_from=name)[0]) == NEAR


@pytest.mark.parametrize("suffix", ["sdf", "mol2", "pdb", "pdbqt"])
def test_a_ligand_in_a_file_of_its_own(tmp_path: Path, protein: str, ligand: str, suffix: str) -> None:
    from rdkit import Chem

    path = tmp_path / f"x_ligand.{suffix}"
    mol = Chem.MolFromPDBBlock(ligand, removeHs=False)
    if suffix == "sdf":
        Chem.MolToMolFile(mol, str(path))
    elif suffix == "mol2":
        places = mol.GetConformer().GetPositions()
        atoms = "".join(
            f"{i + 1} {a.GetSymbol()}{i} {x:.3f} {y:.3f} {z:.3f} {a.GetSymbol()}.3 1 L 0\n".replace(
                ".3 1 L", " 1 L", a.GetSymbol() in "FH"
            )
            for i, (a, (x, y, z)) in enumerate(zip(mol.GetAtoms(), places, strict=True))
        )
        path.write_text(
            f"@<TRIPOS>MOLECULE\nx\n{mol.GetNumAtoms()} 0 1\nSMALL\nNO_CHARGES\n\n@<TRIPOS>ATOM\n{atoms}@<TRIPOS>BOND\n"
        )
    else:
        path.write_text(ligand)
    (found,) = rows(tmp_path / "x_protein.pdb", protein, pocket_from=str(path))
    assert own(found) == NEAR and f"pocket from {path.name}" in notes(found)
    assert bool(found.ligand) == (suffix in ("sdf", "mol2"))
    # PDBbind's layout, and a table.
    folder = tmp_path / "set" / "x"
    folder.mkdir(parents=True)
    for one in ("x_protein.pdb", path.name):
        (folder / one).write_text((tmp_path / one).read_text())
    (folder / "x_pocket.pdb").write_text(protein[:4000])
    (paired,) = rows(tmp_path / "set")
    assert own(paired) == NEAR and paired.id == "x_protein"
    (tmp_path / "table.csv").write_text(f"id,structure,ligand\na,x_protein.pdb,{path.name}\nb,x_protein.pdb,\nc,none.pdb,\n")
    listed = rows(tmp_path / "table.csv")
    assert [one.id for one in listed] == ["a", "b", "c"] and own(listed[0]) == NEAR and listed[1].pocket == ()
    assert "No such file" in (listed[2].error or "")


def test_a_ligands_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        rows(BRD, pocket_from=str(tmp_path / "none.sdf"))


def test_pockets_of_p2rank(tmp_path: Path) -> None:
    path = tmp_path / "x_predictions.csv"
    path.write_text("name , rank, residue_ids\npocket1 , 1, A_1893 A_1898\npocket2 , 2, A_1943 A_9999\n")
    (first,) = rows(BRD, pocket_from=str(path))
    assert own(first) == NEAR[:2] and "pocket1 of 2 pockets" in notes(first)
    _, second = rows(BRD, pocket_from=str(path), each_copy=True)
    assert own(second) == ["A:1943"] and second.id == "4cup/pocket2" and "A:9999" in notes(second)


def test_truths_in_own_numbers() -> None:
    numbers = OwnNumbers(("A:57", "A:60", "A:102", "B:57"))
    record = Record(0, "x", "pocket", "HDSH", "m", site={"numbers": numbers.runs()})

    def placed(value: Any, own_numbers: bool = False) -> list[int]:
        truth = TASKS["pocket"].truth(value)
        assert truth is not None
        return sorted(in_places(truth, record, own_numbers, "t"))

    assert placed(["A:57", "A:102"]) == placed({"pocket": [1, 3]}) == placed({"pocket": "A:57 A:102"}) == [1, 3]
    assert placed({"pocket": [60, 102], "numbering": "own"}) == placed([60, 102], True) == [2, 3]
    for value, reason in (
        ([9999], "beyond the protein of 4 residues"),
        (["A:61"], "not in this sequence"),
        (["C:1"], "C:1 is not in"),
    ):
        with pytest.raises(InputError, match=reason):
            placed(value)
    with pytest.raises(InputError, match="name the chain"):
        placed([57], True)
