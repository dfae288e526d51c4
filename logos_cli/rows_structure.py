"""Rows of PDB and mmCIF files: one a file, its protein chain as the sequence, its pocket by `--pocket-from`."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from logos_cli.binary_cif import looks_like_binary_cif, mmcif_text
from logos_cli.errors import InputError
from logos_cli.lines import all_bytes, open_bytes
from logos_cli.row import Reading, Row
from logos_cli.sequence_formats import looks_like_pdb
from logos_cli.structure_file import StructureError, parse_structure
from logos_cli.structures import Chain, Site, chain_named, contacts, heavy_positions, ligands, protein_chains, read_chain

SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif", ".bcif")
LARGEST = 1_000_000_000  # bytes of one structure file; the largest of the PDB as mmCIF has about 250 MB
_CRYSTAL = re.compile(rb"^[ \t]*_atom_site_fract_x", re.MULTILINE | re.IGNORECASE)
_PLACE = re.compile(r"(?:(?P<chain>[^:\s]+):)?(?P<number>-?\d+[A-Za-z]?)")


def looks_like_structure(name: str, start: bytes) -> bool:
    return name.endswith(SUFFIXES) or is_mmcif(name, start) or looks_like_binary_cif(start) or looks_like_pdb(start)


def is_mmcif(name: str, start: bytes) -> bool:
    lines = [line for line in start.lstrip().splitlines() if line.strip() and not line.startswith(b"#")]
    return bool(lines and lines[0].lower().startswith(b"data_")) or (
        name.endswith((".cif", ".mmcif", ".bcif")) and not looks_like_pdb(start)
    )


def folder_rows(path: str, reading: Reading) -> Iterator[Row]:
    """One row for each structure file of a folder, by name. What is wrong with a file is its row's error: the rest goes on."""
    files = structure_files(path)
    if not files:
        raise InputError(f"{path}: a folder without structure files ({' '.join(SUFFIXES)}, also .gz); name a file")
    refuse_other_tasks(path, reading)
    for ordinal, file in enumerate(files):
        try:
            with open_bytes(str(file)) as stream:
                row = structure_row(str(file), stream, reading, ordinal)
        except InputError as error:
            row = Row(ordinal, title_of(str(file)), error=str(error), kind="sequence")
        yield row


def structure_files(path: str) -> list[Path]:
    return sorted(file for file in Path(path).iterdir() if file.name.lower().removesuffix(".gz").endswith(SUFFIXES))


def structure_row(path: str, stream: io.BufferedIOBase, reading: Reading, ordinal: int = 0) -> Row:
    """What is wrong with the structure is the row's error. Raises InputError for a file that cannot be read at all."""
    refuse_other_tasks(path, reading)
    name = Path(path).name.lower().removesuffix(".gz")
    title = "" if path == "-" else title_of(path)
    data = all_bytes(path, stream, LARGEST)
    try:
        structure = parse_structure(*content(name, data))
        chain, pocket, notes = chosen(structure, reading)
    except StructureError as error:
        return Row(ordinal, title or "stdin", error=str(error), kind="sequence")
    site = Site(chain.name, chain.numbers, tuple(notes), structure)
    identity = title or structure.name or "stdin"
    structure.name = structure.name or identity
    return Row(ordinal, identity, chain.sequence, kind="sequence", pocket=pocket, site=site)


def content(name: str, data: bytes) -> tuple[bytes, bool]:
    """(text, whether it is mmCIF) of a structure file, unpacked. Raises StructureError for a crystal's CIF."""
    if looks_like_binary_cif(data):
        return mmcif_text(data), True
    mmcif = is_mmcif(name, data[:4096])
    if mmcif and _CRYSTAL.search(data):
        raise StructureError("a crystal's CIF with fractional coordinates (_atom_site_fract_x), no mmCIF of a protein")
    # gemmi knows no line ends of old Macs.
    return (data if b"\n" in data else data.replace(b"\r", b"\n")), mmcif


def refuse_other_tasks(path: str, reading: Reading) -> None:
    if reading.wants == "smiles":
        raise InputError(f"{path} is a structure; this task takes SMILES")


def title_of(path: str) -> str:
    return re.sub(r"(?i)(\.gz|\.pdb|\.ent|\.cif|\.mmcif|\.bcif)+$", "", Path(path).name)


def chosen(structure: Any, reading: Reading) -> tuple[Chain, tuple[int, ...], list[str]]:
    """(chain, pocket counted from 1, notes): by `--chain`, else the one with most contacts, else the longest."""
    notes = [f"model 1 of {len(structure)}"] if len(structure) > 1 else []
    candidates = protein_chains(structure) if reading.chain is None else [chain_named(structure, reading.chain)]
    chains, refused = readable(structure, candidates)
    if not chains:
        raise refused[0]
    notes += [f"not read: {one}" for one in refused]
    pocket: tuple[int, ...] = ()
    if reading.pocket_from is None:
        chain = max(chains, key=lambda one: len(one.sequence))
        if len(chains) > 1:
            notes.append(f"chain {chain.name}, the longest of {len(chains)}; name another with --chain")
    else:
        found = [pocket_of(structure, one, reading.pocket_from, reading.cutoff, reading.chain is not None) for one in chains]
        best = max(range(len(chains)), key=lambda i: len(found[i][0]))
        chain, (pocket, said) = chains[best], found[best]
        if not pocket:
            where = f"chain {chain.name}" if len(chains) == 1 else "any protein chain"
            others = f"; not read: {refused[0]}" if refused else ""
            raise StructureError(f"no residue of {where} within {reading.cutoff:g} Å of {reading.pocket_from}{others}")
        notes += said
        if len(chains) > 1:
            notes.append(f"chain {chain.name}, the one with most contacts ({len(pocket)}) of {len(chains)}")
    return chain, pocket, [*notes, *chain.notes]


def readable(structure: Any, candidates: Sequence[Any]) -> tuple[list[Chain], list[StructureError]]:
    """The chains that give a sequence, and why the others do not."""
    chains, refused = [], []
    for one in candidates:
        try:
            chains.append(read_chain(structure, one))
        except StructureError as error:
            refused.append(error)
    return chains, refused


def pocket_of(structure: Any, chain: Chain, asked: str, cutoff: float, only: bool) -> tuple[tuple[int, ...], list[str]]:
    """Residues of `chain` named by a ligand's name, or by a list of places `chain:number`: one that is a residue of the
    protein belongs to the pocket itself, any other is a ligand to measure from. `only`: no other chain may be named."""
    copies = ligands(structure, lambda residue: residue.name.upper() == asked.upper())
    if copies:
        said = [f"{len(copies)} copies of {asked.upper()}"] if len(copies) > 1 else []
        return contacts(chain, heavy_positions(residue for _, residue in copies), cutoff), said
    places = [part.strip() for part in asked.split(",") if part.strip()]
    if not places or not all(_PLACE.fullmatch(place) for place in places):
        names = sorted({residue.name for _, residue in ligands(structure)})
        raise StructureError(f"no ligand {asked} in this structure; it has: {', '.join(names) or 'none'}")
    own = {number: place for place, number in enumerate(chain.numbers, 1) if number}
    others = {f"{name}:{residue.seqid}": residue for name, residue in ligands(structure)}
    pocket: set[int] = set()
    centres = []
    elsewhere: list[str] = []
    for place in places:
        number = place if ":" in place else f"{chain.name}:{place}"
        if number in own:
            pocket.add(own[number])
        elif number in others:
            centres.append(others[number])
        else:
            there, found = number.partition(":")[0], known(structure, number)
            if not found:
                raise StructureError(f"residue {number} is not in this structure; chain {chain.name} has {ends(chain.numbers)}")
            if there == chain.name:
                raise StructureError(f"{number} ({found}) is neither a residue of the sequence nor a ligand")
            if only:
                raise StructureError(
                    f"residue {number} is on chain {there}, not {chain.name}: leave it out, or give --chain {there}"
                )
            elsewhere.append(number)
    if centres:
        pocket |= set(contacts(chain, heavy_positions(centres), cutoff))
    said = [f"named for the pocket but not on chain {chain.name}, left out: {' '.join(elsewhere)}"] if elsewhere else []
    return tuple(sorted(pocket)), said


def known(structure: Any, number: str) -> str:
    """What stands at a place `chain:number` of the first model; empty if nothing does."""
    found = (one.name for chain in structure[0] for one in chain if f"{chain.name}:{one.seqid}" == number)
    return str(next(found, ""))


def ends(numbers: Sequence[str | None]) -> str:
    there = [number for number in numbers if number]
    return f"{there[0]} to {there[-1]}"
