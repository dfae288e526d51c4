"""Where the atoms of a ligand lie, from a file of its own: SDF, MOL, MOL2, PDB, PDBQT, fpocket's PQR; and the pockets that
P2Rank and fpocket write."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from logos_cli.chemistry.smiles import canonical, rdkit
from logos_cli.errors import InputError
from logos_cli.structures.ligands import Copy
from logos_cli.system.lines import all_bytes, open_bytes

LARGEST = 50_000_000  # bytes; a file of docked poses has some megabytes
SUFFIXES = (".sdf", ".sd", ".mol", ".mol2", ".pdb", ".pdbqt", ".ent", ".pqr", ".csv")
_ADDED = re.compile(r"pocket\d+_atm$")
_REMARK_SMILES = re.compile(r"^REMARK +SMILES +(?!IDX)(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Ligand:
    """`points` are its heavy atoms' coordinates in Å, `smiles` what the file says of its bonds; `residues` a pocket that is
    given as residues of the protein, `chain:number`; `apart`: pockets of their own even where they touch the same residues."""

    name: str
    points: tuple[tuple[float, float, float], ...] = ()
    smiles: str | None = None
    residues: tuple[str, ...] = ()
    apart: bool = False

    def copy(self) -> Copy:
        import numpy as np

        return Copy(
            self.name, "", "", apart=self.apart, points=np.array(self.points, np.float64).reshape(-1, 3), smiles=self.smiles
        )


def is_ligand_file(asked: str) -> bool:
    """Whether what --pocket-from says is a file: by its name, so that one that is not there is called missing."""
    return asked.strip().lower().removesuffix(".gz").endswith(SUFFIXES)


def read_ligands(path: str) -> list[Ligand]:
    """The molecules of a file, at least one. Raises InputError."""
    with open_bytes(path) as stream:
        text = all_bytes(path, stream, LARGEST).decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    name = Path(path).name.lower().removesuffix(".gz")
    stem = Path(path).name.removesuffix(".gz").rpartition(".")[0]
    found: list[Ligand | None]
    if name.endswith(".csv"):
        found = [*predicted(path, text)]
    elif name.endswith(".mol2"):
        found = [of_mol(mol, stem) for mol in mol2_blocks(text)]
    elif name.endswith((".sdf", ".sd", ".mol")):
        found = [of_mol(block_mol(block), stem) for block in re.split(r"(?m)^\$\$\$\$.*\n?", text) if block.strip()]
    elif _ADDED.search(stem.lower()):
        found = [Ligand(stem, residues=residues_of(text))]
    else:
        found = [*of_atoms(text, stem, name.endswith(".pqr"))]
    usable = [one for one in found if one is not None and (one.points or one.residues)]
    if not usable:
        raise InputError(f"{path}: no atoms with coordinates that could be read; give SDF, MOL2, PDB or PDBQT of the ligand")
    if len({one.name for one in usable}) < len(usable):  # poses, of one name
        return [replace(one, name=f"{one.name}:{at}") for at, one in enumerate(usable, 1)]
    return usable


def block_mol(block: str) -> Any:
    return rdkit().MolFromMolBlock(block, removeHs=False) or rdkit().MolFromMolBlock(block, sanitize=False, removeHs=False)


def mol2_blocks(text: str) -> Iterator[Any]:
    for block in re.split(r"(?m)^(?=@<TRIPOS>MOLECULE)", text):
        if "@<TRIPOS>ATOM" in block:
            read = rdkit().MolFromMol2Block
            yield read(block, removeHs=False) or read(block, sanitize=False, removeHs=False)


def of_mol(mol: Any, name: str) -> Ligand | None:
    """Coordinates, and the SMILES if RDKit can make one that it can read."""
    if mol is None or not mol.GetNumConformers():
        return None
    places = mol.GetConformer().GetPositions()
    points = tuple(tuple(map(float, places[atom.GetIdx()])) for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1)
    flat = len(points) > 2 and all(point[2] == 0 for point in points)
    if flat:
        raise InputError(f"{name}: a drawing, its atoms all have z 0; give the ligand's coordinates in the structure")
    try:
        smiles = canonical(rdkit().MolToSmiles(rdkit().RemoveHs(mol)))
    except (ValueError, RuntimeError):
        smiles = None
    return Ligand(name, points, smiles)  # type: ignore[arg-type]


def of_atoms(text: str, name: str, spheres: bool) -> Iterator[Ligand]:
    """Molecules of atom lines: each MODEL one, or all one; of fpocket's spheres each pocket. Bonds are not told there,
    but for the SMILES that Meeko writes."""
    smiles = next((canonical(found) for found in _REMARK_SMILES.findall(text)), None)
    points: dict[str, list[tuple[float, float, float]]] = {}
    model = 0
    for line in text.split("\n"):
        model += line.startswith("MODEL")
        if line.startswith(("ATOM", "HETATM")) and (point := point_of(line)) and not is_hydrogen(line, spheres):
            points.setdefault(line[22:26].strip() if spheres else str(model), []).append(point)
    for key, found in points.items():
        yield Ligand(f"{name}:{key}" if len(points) > 1 else name, tuple(found), smiles, apart=spheres)


def point_of(line: str) -> tuple[float, float, float] | None:
    try:
        return float(line[30:38]), float(line[38:46]), float(line[46:54])
    except ValueError:
        return None


def is_hydrogen(line: str, spheres: bool) -> bool:
    """By the element's columns, or AutoDock's type there, else by the atom's name; water counts as left out too."""
    if line[17:20] in ("HOH", "WAT", "DOD"):
        return True
    element = line[76:79].strip().upper()
    by_name = not element and line[12:16].strip().lstrip("0123456789")[:1] == "H"
    return not spheres and (element in ("H", "HD", "HS", "D") or by_name)


def residues_of(text: str) -> tuple[str, ...]:
    """Residues of the atom lines of a pocket that fpocket writes as atoms of the protein."""
    lines = (line for line in text.split("\n") if line.startswith("ATOM"))
    return tuple(dict.fromkeys(f"{line[20:22].strip()}:{line[22:27].strip()}" for line in lines))


def predicted(path: str, text: str) -> Iterator[Ligand]:
    """P2Rank's `_predictions.csv`: pockets by rank, residues as `A_25 A_27`. Raises InputError."""
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip() for name in rows.fieldnames or ()]
    if "residue_ids" not in names:
        raise InputError(f"{path}: no column residue_ids; of tables --pocket-from reads P2Rank's _predictions.csv")
    for row in rows:
        cells = {(key or "").strip(): (value or "").strip() for key, value in row.items() if isinstance(value, str)}
        residues = [one.rpartition("_") for one in cells.get("residue_ids", "").split()]
        yield Ligand(cells.get("name") or "pocket", residues=tuple(f"{chain}:{number}" for chain, _, number in residues))
