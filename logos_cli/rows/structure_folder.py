"""Structures in folders and tables, each with the ligand that lies beside it: PDBbind's and CrossDocked's layouts, tables
of `structure,ligand`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from logos_cli.errors import InputError
from logos_cli.system.lines import lines_of

STRUCTURE, LIGAND, CHAIN, IDS = "structure", "ligand", "chain", ("id", "name")
SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif", ".bcif")
# A ligand as PDB can only be told from a structure by its name.
_ENDS = tuple(
    f"{part}{suffix}{packed}"
    for part, suffixes in (("_ligand", (".sdf", ".mol2", ".pdbqt", ".pdb")), ("", (".sdf", ".mol2", ".pdbqt")))
    for suffix in suffixes
    for packed in ("", ".gz")
)
_ROLE = re.compile(r"(?i)_(?:protein|receptor|rec|pocket\d*|complex)$")


def named_as_structure(name: str) -> bool:
    """`x.pdb1` and so on are biological assemblies."""
    plain = name.lower().removesuffix(".gz")
    return plain.endswith(SUFFIXES) or bool(re.search(r"\.pdb\d+$", plain))


def title_of(path: str) -> str:
    return re.sub(r"(?i)(\.gz|\.bz2|\.xz|\.lzma|\.pdb\d*|\.pdbqt|\.ent|\.cif|\.mmcif|\.bcif)+$", "", Path(path).name)


@dataclass(frozen=True)
class StructureFolder:
    """A folder of structures, or one of folders that each hold one."""

    path: Path

    @cached_property
    def entries(self) -> list[Path]:
        """Its files, or if none of them is a structure those of the folders in it."""
        own = sorted(self.path.iterdir())
        if any(named_as_structure(one.name) and one.is_file() for one in own):
            return own
        return [file for folder in own for file in (sorted(folder.iterdir()) if folder.is_dir() else [folder])]

    @cached_property
    def files(self) -> list[Path]:
        """The structures. A pocket beside its whole protein is not another one."""
        every = [one for one in self.entries if named_as_structure(one.name) and one.is_file()]
        found = [one for one in every if not title_of(one.name).endswith("_ligand")]
        proteins = {(one.parent, _ROLE.sub("", title_of(one.name))) for one in found if title_of(one.name).endswith("_protein")}
        return [
            one
            for one in found
            if title_of(one.name).endswith("_protein")
            or not _ROLE.search(title_of(one.name))
            or (one.parent, _ROLE.sub("", title_of(one.name))) not in proteins
        ]

    def ligand_beside(self, file: Path) -> Path | None:
        """`x_ligand.sdf` or `x.sdf` beside `x_protein.pdb`, `x_pocket10.pdb` or `x.pdb`."""
        title = title_of(file.name)
        names = set(self.by_folder.get(file.parent, ()))
        for stem in dict.fromkeys((_ROLE.sub("", title), title)):
            for end in _ENDS:
                if f"{stem}{end}" in names:
                    return file.parent / f"{stem}{end}"
        return None

    @cached_property
    def by_folder(self) -> dict[Path, list[str]]:
        found: dict[Path, list[str]] = {}
        for one in self.entries:
            found.setdefault(one.parent, []).append(one.name)
        return found

    @cached_property
    def not_read(self) -> list[str]:
        """What else it holds, relative to it."""
        read = {*self.files, *filter(None, map(self.ligand_beside, self.files))}
        return [str(one.relative_to(self.path)) for one in self.entries if one not in read]


@dataclass(frozen=True)
class Listed:
    """A row of a table of structures; paths are as the table's folder sees them."""

    path: str
    identity: str
    pocket_from: str | None
    chain: str | None


def looks_like_structure_table(start: bytes) -> bool:
    """Whether the first line names a column `structure`, and the next has a structure's file there."""
    lines = [line for line in start.decode("utf-8", "replace").lstrip("\ufeff").splitlines() if line.strip()][:2]
    if len(lines) < 2:
        return False
    mark = delimiter(lines[0])
    names, cells = (next(csv.reader([line], delimiter=mark)) for line in lines)
    lowered = [name.strip().lower() for name in names]
    at = lowered.index(STRUCTURE) if STRUCTURE in lowered else len(cells)
    return at < len(cells) and named_as_structure(cells[at].strip())


def delimiter(header: str) -> str:
    return max(",\t;", key=header.count)


def table_of_structures(path: str, stream: io.BufferedIOBase) -> Iterator[Listed | InputError]:
    """The rows of a table, an error for one that names no structure."""
    base = Path(path).parent if path != "-" else Path()
    lines = ((number, text or "") for number, text in lines_of(path, stream) if text is None or text.strip())
    _, header = next(lines)
    mark = delimiter(header)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=mark))]

    def beside(cell: str) -> str:
        """A file of the table's folder, else as it is: another path, a ligand's name."""
        return str(base / cell) if (base / cell).is_file() else cell

    for number, text in lines:
        cells = dict(zip(names, (one.strip() for one in next(csv.reader([text], delimiter=mark))), strict=False))
        if not cells.get(STRUCTURE):
            yield InputError(f"{path}: line {number} names no structure")
            continue
        identity = next((cells[name] for name in IDS if cells.get(name)), "")
        ligand = cells.get(LIGAND)
        yield Listed(beside(cells[STRUCTURE]), identity, beside(ligand) if ligand else None, cells.get(CHAIN) or None)
