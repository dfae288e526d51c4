"""A hundred pockets of changed copies of real structures against distances of all atoms, read here without gemmi."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row

EXAMPLES = Path(__file__).parents[2] / "examples"
PDB = EXAMPLES / "1a8o.pdb.gz"
CIFS = (EXAMPLES / "4cup.cif.gz", EXAMPLES / "1gbt.cif.gz")

THREE = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL"


@dataclass(frozen=True)
class Atom:
    """As a line of the file says, in its own order."""

    name: str
    residue: str
    chain: str
    number: str
    element: str
    place: tuple[float, float, float]


def of_pdb(text: str) -> list[Atom]:
    return [
        Atom(line[12:16].strip(), line[17:20].strip(), line[21].strip(), line[22:27].strip(), line[76:78].strip(),
             (float(line[30:38]), float(line[38:46]), float(line[46:54])))
        for line in text.splitlines() if line.startswith(("ATOM", "HETATM"))
    ]  # fmt: skip


def of_cif(text: str) -> list[Atom]:
    """The loop of atoms, of which files of the PDB have one a line and no blank in a value."""
    lines = text.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("_atom_site."))
    names = [line.strip().removeprefix("_atom_site.") for line in lines[first:] if line.startswith("_atom_site.")]
    found = []
    for line in lines[first + len(names) :]:
        if not line.startswith(("ATOM", "HETATM")):
            break
        cell = dict(zip(names, (value.strip("'\"") for value in line.split()), strict=True))
        code = cell["pdbx_PDB_ins_code"].strip("?.")
        found.append(
            Atom(cell["label_atom_id"], cell["auth_comp_id"], cell["auth_asym_id"], cell["auth_seq_id"] + code,
                 cell["type_symbol"], (float(cell["Cartn_x"]), float(cell["Cartn_y"]), float(cell["Cartn_z"])))
        )  # fmt: skip
    return found


def expected(atoms: list[Atom], ligand: tuple[str, str, str], cutoff: float) -> dict[str, set[str]]:
    """Chain -> its residues with a heavy atom within `cutoff` of the ligand (name, chain, number); residues are those with an
    alpha carbon."""
    own = [one for one in atoms if (one.residue, one.chain, one.number) == ligand]
    centre = np.array([one.place for one in own if one.element not in ("H", "D")])
    rest = [one for one in atoms if (one.residue, one.chain, one.number) != ligand]
    heavy = [one for one in rest if one.element not in ("H", "D")]
    of_protein = {(one.chain, one.number) for one in rest if one.name == "CA" and one.element == "C"}
    found: dict[str, set[str]] = {}
    places = np.array([one.place for one in heavy])
    near = (((places[:, None] - centre[None]) ** 2).sum(axis=2) <= cutoff**2).any(axis=1)
    for at in np.flatnonzero(near):
        if (heavy[at].chain, heavy[at].number) in of_protein:
            found.setdefault(heavy[at].chain, set()).add(f"{heavy[at].chain}:{heavy[at].number}")
    return found


def checked(path: Path, atoms: list[Atom], ligand: tuple[str, str, str], cutoff: float) -> int:
    """How many residues the pocket has, after comparing it."""
    asked = f"{ligand[0]}:{ligand[1]}:{ligand[2]}"
    (row,) = read_rows(str(path), Reading(wants="sequence", pocket_from=asked, cutoff=cutoff))
    wanted = expected(atoms, ligand, cutoff)
    if not wanted:
        assert row.error and row.error.startswith("no residue of"), row.error
        return 0
    assert row.error is None and row.site is not None, row.error
    found = row.site.own(row.pocket)
    assert set(found) == wanted[row.site.chain] and len(found) == len(set(found))
    assert len(found) == max(map(len, wanted.values()))
    assert_same_letters(row, atoms)
    return len(found)


def assert_same_letters(row: Row, atoms: list[Atom]) -> None:
    """Each residue with a number is the one that the file has there."""
    letters = zip("ARNDCQEGHILKMFPSTWYV", THREE.split(), strict=True)
    three = {letter: {name, "MSE"} if letter == "M" else {name} for letter, name in letters}
    names = {f"{one.chain}:{one.number}": one.residue for one in atoms if one.name == "CA"}
    assert row.site is not None and isinstance(row.value, str)
    for letter, number in zip(row.value, row.site.numbers, strict=True):
        assert number is None or names[number] in three[letter]


LIGANDS = {
    "4cup.cif.gz": [("ZYB", "A", "2971"), ("MOH", "A", "2972")],
    "1gbt.cif.gz": [("GBS", "A", "704"), ("CA", "A", "701"), ("SO4", "A", "702"), ("SO4", "A", "703")],
}


@pytest.mark.parametrize("path", CIFS, ids=lambda path: path.name)
@pytest.mark.parametrize("cutoff", [3.5, 4.5, 6.0])
def test_ligands_of_mmcif_files(path: Path, cutoff: float) -> None:
    atoms = of_cif(gzip.decompress(path.read_bytes()).decode())
    assert sum(checked(path, atoms, one, cutoff) for one in LIGANDS[path.name]) > 1


def changed(lines: list[str], rng: random.Random) -> tuple[str, tuple[str, str, str]]:
    """A PDB's text moved, turned, jittered and renumbered, as one chain or two, with a ligand put somewhere; and the ligand."""
    turn = np.linalg.qr(np.array([[rng.gauss(0, 1) for _ in range(3)] for _ in range(3)]))[0]
    shift = np.array([rng.uniform(-50, 50) for _ in range(3)])
    jitter, by = rng.choice((0.0, 0.0, 0.2)), rng.choice((0, 0, -200, 1000, -160))
    places = np.array([[float(line[at : at + 8]) for at in (30, 38, 46)] for line in lines]) @ turn + shift
    places += np.array([[rng.gauss(0, jitter or 1e-9) for _ in range(3)] for _ in lines])
    letter = rng.choice("ABXa1")
    inserted = rng.random() < 0.3
    out, second = [], []
    for line, (x, y, z) in zip(lines, places, strict=True):
        number, code = int(line[22:26]) + by, " "
        if inserted and int(line[22:26]) in (180, 181):
            number, code = 179 + by, "AB"[int(line[22:26]) - 180]
        out.append(f"{line[:21]}{letter}{number:4d}{code}   {x:8.3f}{y:8.3f}{z:8.3f}{line[54:]}")
        second.append(f"{line[:21]}Q{number:4d}{code}   {x + 30:8.3f}{y:8.3f}{z:8.3f}{line[54:]}")
    name, own_number = rng.choice(("LIG", "UNK", "017", "GLU", "A", "ZN")), rng.choice(("1", "900", "-7", "9999"))
    own = rng.choice((letter, "Z", "L"))
    centre = places[rng.randrange(len(places))] + np.array([rng.gauss(0, 3) for _ in range(3)])
    atoms = []
    for at in range(rng.choice((1, 6, 20))):
        x, y, z = centre + np.array([rng.gauss(0, 2.5) for _ in range(3)])
        element = rng.choice(("C", "N", "O", "H")) if at else "C"
        record = rng.choice(("HETATM", "ATOM  ")) if name != "GLU" else "HETATM"
        atoms.append(f"{record}{at + 5000:5d}  {element}{at:<3d}{name:>3s} {own}{own_number:>4s}    {x:8.3f}{y:8.3f}{z:8.3f}"
                     f"  1.00 20.00          {element:>2s}")  # fmt: skip
    parts = [out, second] if rng.random() < 0.4 else [out]
    parts.insert(rng.choice((0, len(parts))), atoms)
    text = "\n".join("\n".join(part) + ("\nTER" if part is not atoms else "") for part in parts) + "\nEND\n"
    return text, (name, own, own_number)


@pytest.mark.slow
def test_a_hundred_changed_copies(tmp_path: Path) -> None:
    given = gzip.decompress(PDB.read_bytes()).decode().splitlines()
    lines = [line for line in given if line.startswith(("ATOM", "HETATM")) and line[17:20] != "HOH"]
    sizes = []
    for number in range(100):
        text, ligand = changed(lines, random.Random(number))
        path = tmp_path / f"{number}.pdb"
        path.write_text(text)
        sizes.append(checked(path, of_pdb(text), ligand, 4.5))
    assert sum(size > 0 for size in sizes) > 80 and sum(sizes) > 500
