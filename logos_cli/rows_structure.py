"""Rows of PDB and mmCIF files: one a file, its protein chain as the sequence, its pocket by `--pocket-from`, or one a copy
of a ligand."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from logos_cli.errors import InputError
from logos_cli.lines import all_bytes, open_bytes
from logos_cli.row import Reading, Row
from logos_cli.structure_file import StructureError, parse_structure
from logos_cli.structure_ligands import Inventory, Named, ends, largest, read_named
from logos_cli.structure_pocket import Found, pockets
from logos_cli.structures import Chain, Site, chain_named, joined, protein_chains, read_chain

SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
LARGEST = 1_000_000_000  # bytes of one structure file; the largest of the PDB as mmCIF has about 250 MB
_PDB = re.compile(rb"(HEADER|TITLE |COMPND|SOURCE|KEYWDS|EXPDTA|AUTHOR|REVDAT|REMARK|CRYST1|ATOM  |HETATM|MODEL |SEQRES) ")


def looks_like_structure(name: str, start: bytes) -> bool:
    text = start.lstrip()
    return named_as_structure(name) or is_mmcif(name, start) or bool(_PDB.match(text))


def is_mmcif(name: str, start: bytes) -> bool:
    lines = [line for line in start.lstrip().splitlines() if line.strip() and not line.startswith(b"#")]
    return bool(lines and lines[0].lower().startswith(b"data_")) or (
        name.endswith((".cif", ".mmcif")) and not _PDB.match(start)
    )


def folder_rows(path: str, reading: Reading) -> Iterator[Row]:
    """One row for each structure file of a folder, by name. What is wrong with a file is its row's error: the rest goes on."""
    files = structure_files(path)
    if not files:
        raise InputError(f"{path}: a folder without structure files ({' '.join(SUFFIXES)}, also .gz); name a file")
    refuse_other_tasks(path, reading)
    ordinal = 0
    for file in files:
        try:
            with open_bytes(str(file)) as stream:
                rows = structure_rows(str(file), stream, reading, ordinal)
        except InputError as error:
            rows = [Row(ordinal, title_of(str(file)), error=str(error), kind="sequence")]
        ordinal += len(rows)
        yield from rows


def structure_files(path: str) -> list[Path]:
    return sorted(file for file in Path(path).iterdir() if named_as_structure(file.name))


def files_not_read(path: str) -> list[str]:
    """Names of what else a folder of structures holds."""
    return sorted(file.name for file in Path(path).iterdir() if not named_as_structure(file.name))


def named_as_structure(name: str) -> bool:
    """`x.pdb1` and so on are biological assemblies."""
    plain = name.lower().removesuffix(".gz")
    return plain.endswith(SUFFIXES) or bool(re.search(r"\.pdb\d+$", plain))


def structure_rows(path: str, stream: io.BufferedIOBase, reading: Reading, ordinal: int = 0) -> list[Row]:
    """One row, or with --each-copy one of every copy of the ligand. What is wrong with the structure is the row's error.
    Raises InputError for a file that cannot be read at all."""
    refuse_other_tasks(path, reading)
    name = Path(path).name.lower().removesuffix(".gz")
    title = "" if path == "-" else title_of(path)
    data = all_bytes(path, stream, LARGEST)
    try:
        parsed = parse_structure(data, is_mmcif(name, data[:4096]))
        found = chosen(parsed.structure, reading)
    except StructureError as error:
        return [Row(ordinal, title or "stdin", error=str(error), kind="sequence")]
    structure = parsed.structure
    identity = title or structure.name or "stdin"
    structure.name = structure.name or identity
    letters = {ours: letter for ours, (letter, _) in parsed.letters.items()}
    rows = []
    for at, one in enumerate(found):
        notes = (*parsed.notes, *one.notes, *one.chain.notes)
        site = Site(one.chain.name, one.chain.numbers, notes, structure, letters)
        label = f"{identity}/{one.copy.asked}" if one.copy else identity
        rows.append(
            Row(ordinal + at, label, one.chain.sequence, kind="sequence", pocket=one.pocket, site=site, ligand=one.smiles)
        )
    return rows


def refuse_other_tasks(path: str, reading: Reading) -> None:
    if reading.wants == "smiles":
        raise InputError(f"{path} is a structure; this task takes SMILES")


def title_of(path: str) -> str:
    return re.sub(r"(?i)(\.gz|\.pdb\d*|\.ent|\.cif|\.mmcif)+$", "", Path(path).name)


def chosen(structure: Any, reading: Reading) -> list[Found]:
    """The chain by `--chain`, else the one with most contacts, else the longest, with its pocket."""
    asked = [one.strip() for one in reading.chain.split(",")] if reading.chain is not None else []
    several = [one.lower() for one in asked] == ["all"] and not any(one.name == asked[0] for one in structure[0])
    wanted = protein_chains(structure) if several or not asked else [chain_named(structure, one) for one in asked]
    chains, refused = readable(structure, wanted)
    if not chains or (refused and asked and not several):
        raise refused[0]
    notes = tuple(f"not read: {one}" for one in refused)
    if several or len(asked) > 1:
        chains = [joined(chains)]
    if reading.pocket_from is None:
        chain = max(chains, key=lambda one: len(one.sequence))
        more = (f"chain {chain.name}, the longest of {len(chains)}; name another with --chain",) if len(chains) > 1 else ()
        return [Found(chain, (), (*notes, *more))]
    inventory = Inventory(structure, tuple(chains if not asked else read_all(structure)))
    auto = reading.pocket_from.strip().lower() == "auto"
    named = largest(inventory) if auto else read_named(reading.pocket_from, inventory)
    if asked:
        refuse_other_chains(named, chains, inventory)
    try:
        found = pockets(chains, named, inventory, reading, auto)
    except StructureError as error:
        raise StructureError(f"{error}; not read: {refused[0]}" if refused else str(error)) from None
    return [replace(one, notes=(*notes, *one.notes)) for one in found]


def read_all(structure: Any) -> list[Chain]:
    """All proteins, those too that --chain leaves out: they are no ligands."""
    return readable(structure, protein_chains(structure))[0]


def refuse_other_chains(named: Named, chains: Sequence[Chain], inventory: Inventory) -> None:
    """A residue that is named with another chain than --chain. Raises StructureError."""
    there = {name for one in chains for name in one.name.split(",")}
    for chain, first, _ in named.residues:
        if chain is not None and chain not in there:
            raise StructureError(
                f"residue {chain}:{first} is on chain {chain}, not {', '.join(sorted(there))}: "
                f"leave it out, or give --chain {','.join([*sorted(there), chain])}"
            )
        if chain is None and not any(f"{one}:{first}" in unit.numbers for unit in chains for one in there):
            raise StructureError(
                f"residue {first} is not on chain {', '.join(sorted(there))}, which has {ends(chains[0].numbers)}"
            )


def readable(structure: Any, candidates: Sequence[Any]) -> tuple[list[Chain], list[StructureError]]:
    """The chains that give a sequence, and why the others do not."""
    chains, refused = [], []
    for one in candidates:
        try:
            chains.append(read_chain(structure, one))
        except StructureError as error:
            refused.append(error)
    return chains, refused
