"""Rows of PDB and mmCIF files: one a file, its protein chain as the sequence, its pocket by `--pocket-from`, or one a copy
of a ligand."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from logos_cli.errors import InputError
from logos_cli.rows.row import Reading, Row
from logos_cli.rows.sequence_formats import looks_like_pdb
from logos_cli.rows.structure_folder import SUFFIXES, StructureFolder, named_as_structure, table_of_structures, title_of
from logos_cli.rows.structure_pocket import Found, pockets
from logos_cli.structures.binary_cif import looks_like_binary_cif, mmcif_text
from logos_cli.structures.chains import Chain, Site, chain_named, joined, protein_chains, read_chain
from logos_cli.structures.gemmi_library import StructureError
from logos_cli.structures.ligand_file import is_ligand_file, read_ligands
from logos_cli.structures.ligands import Inventory, Named, ends, largest, read_named, whole_chain
from logos_cli.structures.parsed import Parsed
from logos_cli.structures.predicted import Predicted, experiment_of
from logos_cli.structures.structure_file import parse_structure
from logos_cli.system.lines import all_bytes, open_bytes

LARGEST = 1_000_000_000  # bytes of one structure file; the largest of the PDB as mmCIF has about 250 MB


def looks_like_structure(name: str, start: bytes) -> bool:
    return named_as_structure(name) or is_mmcif(name, start) or looks_like_binary_cif(start) or looks_like_pdb(start)


def is_mmcif(name: str, start: bytes) -> bool:
    lines = [line for line in start.lstrip().splitlines() if line.strip() and not line.startswith(b"#")]
    return bool(lines and lines[0].lower().startswith(b"data_")) or (
        name.endswith((".cif", ".mmcif", ".bcif")) and not looks_like_pdb(start)
    )


def folder_rows(path: str, reading: Reading) -> Iterator[Row]:
    """The rows of each structure file of a folder, by name; its pocket, where none is asked for, from a ligand's file beside
    it. What is wrong with a file is its row's error: the rest goes on."""
    folder = StructureFolder(Path(path))
    if not folder.files:
        raise InputError(f"{path}: a folder without structure files ({' '.join(SUFFIXES)}, also .gz); name a file")
    refuse_other_tasks(path, reading)
    ordinal = 0
    for file in folder.files:
        ligand = folder.ligand_beside(file) if reading.pocket_from is None else None
        rows = file_rows(str(file), replace(reading, pocket_from=str(ligand)) if ligand else reading, ordinal)
        ordinal += len(rows)
        yield from rows


def listed_rows(path: str, stream: io.BufferedIOBase, reading: Reading) -> Iterator[Row]:
    """The rows of each structure that a table names, with the ligand or the chain that it names beside."""
    refuse_other_tasks(path, reading)
    ordinal = 0
    for one in table_of_structures(path, stream):
        if isinstance(one, InputError):
            rows = [Row(ordinal, str(ordinal + 1), error=str(one), kind="sequence")]
        else:
            asked = replace(reading, pocket_from=one.pocket_from or reading.pocket_from, chain=one.chain or reading.chain)
            rows = file_rows(one.path, asked, ordinal, one.identity)
        ordinal += len(rows)
        yield from rows


def file_rows(path: str, reading: Reading, ordinal: int, identity: str = "") -> list[Row]:
    """The rows of a file among others: one that cannot be read is a row with an error."""
    try:
        with open_bytes(path) as stream:
            return structure_rows(path, stream, reading, ordinal, identity)
    except InputError as error:
        return [Row(ordinal, identity or title_of(path), error=str(error), kind="sequence")]


def structure_rows(path: str, stream: io.BufferedIOBase, reading: Reading, ordinal: int = 0, title: str = "") -> list[Row]:
    """One row, or with --each-copy one of every copy of the ligand. What is wrong with the structure is the row's error.
    Raises InputError for a file that cannot be read at all."""
    refuse_other_tasks(path, reading)
    name = Path(path).name.lower().removesuffix(".gz")
    title = title or ("" if path == "-" else title_of(path))
    data = all_bytes(path, stream, LARGEST)
    try:
        parsed = parse_structure(*content(name, data))
        found = [with_plddt(one, parsed, reading) for one in chosen(parsed, reading)]
    except StructureError as error:
        return [Row(ordinal, title or "stdin", error=str(error), kind="sequence")]
    structure = parsed.structure
    identity = title or structure.name or "stdin"
    structure.name = structure.name or identity
    letters = {ours: letter for ours, (letter, _) in parsed.letters.items()}
    rows = []
    for at, (one, plddt) in enumerate(found):
        notes = (*parsed.notes, *one.notes, *one.chain.notes)
        site = Site(one.chain.name, one.chain.numbers, notes, structure, letters, plddt)
        label = f"{identity}/{one.label}" if one.label else identity
        rows.append(
            Row(ordinal + at, label, one.chain.sequence, kind="sequence", pocket=one.pocket, site=site, ligand=one.smiles)
        )
    return rows


def with_plddt(found: Found, parsed: Parsed, reading: Reading) -> tuple[Found, tuple[float | None, ...]]:
    """(a chain with its pocket, without residues that a prediction is not sure enough of, pLDDT of its residues). Raises
    StructureError where there is none and one is asked for."""
    predicted = parsed.predicted
    if reading.plddt_in_bfactors and not (predicted and predicted.plddt):
        if method := experiment_of(parsed.structure):
            raise StructureError(f"its file says {method}: its B-factors are no pLDDT; leave out --plddt-in-bfactors")
        predicted = Predicted()
    if predicted is None or not predicted.plddt:
        if reading.min_plddt is not None:
            method = experiment_of(parsed.structure)
            told = f"its file says {method}" if method else "its file does not say that it was predicted"
            told = predicted.told if predicted else told
            more = "" if method else ", or if its B-factors are pLDDT add --plddt-in-bfactors"
            raise StructureError(f"no pLDDT: {told}; leave out --min-plddt{more}")
        return (replace(found, notes=(predicted.told, *found.notes)) if predicted else found), ()
    plddt = tuple(map(predicted.of, found.chain.residues))
    known = [one for one in plddt if one is not None]
    notes = [f"{predicted.told}, mean pLDDT {sum(known) / len(known):.1f}" if known else f"{predicted.told}, no pLDDT here"]
    pocket = found.pocket
    if reading.min_plddt is not None:
        below = [at for at in pocket if (value := plddt[at - 1]) is None or value < reading.min_plddt]
        pocket = tuple(at for at in pocket if at not in below)
        out = [(found.chain.numbers[at - 1], plddt[at - 1]) for at in below]
        shown = " ".join(f"{number} ({'not told' if value is None else value})" for number, value in out)
        if below and not pocket:
            raise StructureError(f"no residue of the pocket has a pLDDT of {reading.min_plddt:g}: {shown[:200]}")
        notes += [f"below pLDDT {reading.min_plddt:g}, left out of the pocket: {shown}"] if below else []
    return replace(found, pocket=pocket, notes=(*notes, *found.notes)), plddt


def content(name: str, data: bytes) -> tuple[bytes, bool]:
    """(text, whether it is mmCIF) of a structure file, unpacked."""
    if looks_like_binary_cif(data):
        return mmcif_text(data), True
    mmcif = is_mmcif(name, data[:4096])
    # gemmi knows no line ends of old Macs.
    return (data if b"\n" in data else data.replace(b"\r", b"\n")), mmcif


def refuse_other_tasks(path: str, reading: Reading) -> None:
    if reading.wants == "smiles":
        raise InputError(f"{path} is a structure; this task takes SMILES")


def chosen(parsed: Parsed, reading: Reading) -> list[Found]:
    """The chain by `--chain`, else the one with most contacts, else the longest, with its pocket."""
    structure = parsed.structure
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
    inventory = Inventory(structure, tuple(chains if not asked else read_all(structure)), parsed.labels)
    found = []
    for one in asked_pockets(reading, inventory):
        if asked:
            refuse_other_chains(one.named, chains)
        try:
            found += [labelled(each, one) for each in pockets(chains, one.named, reading, one.auto)]
        except StructureError as error:
            raise StructureError(f"{error}; not read: {refused[0]}" if refused else str(error)) from None
    return [replace(one, notes=(*notes, *one.notes)) for one in found]


@dataclass(frozen=True)
class _Asked:
    """A pocket as asked for; `label` where one --pocket-from asks for several, `auto` where the ligand was not named."""

    named: Named
    notes: tuple[str, ...] = ()
    label: str = ""
    auto: bool = False


def asked_pockets(reading: Reading, inventory: Inventory) -> list[_Asked]:
    """What --pocket-from asks for, one pocket of those that a program predicted unless each is to have a row. Raises
    StructureError, and InputError for a ligand's file that cannot be read."""
    asked = reading.pocket_from or ""
    if asked.strip().lower() == "auto":
        named = largest(inventory)
        return [_Asked(named, (f"the largest ligand: {named.groups[0][0].name}",), auto=True)]
    if not is_ligand_file(asked):
        named = read_named(asked, inventory)
        if reading.each_copy and not named.groups:
            raise StructureError(f"--each-copy makes a row of each copy of a ligand; {asked} names residues")
        return [_Asked(named)]
    ligands = read_ligands(asked.strip())
    told = f"pocket from {Path(asked.strip()).name}"
    if not ligands[0].residues:
        copies = tuple(one.copy() for one in ligands)
        inside = [inventory.numbers_under(one.positions) for one in copies]
        whole = {chain for unit in inventory.chains for chain in unit.name.split(",") if covers(inside[0], chain, inventory)}
        if not any(inside):
            return [_Asked(Named((copies,)), (told,))]
        if whole:
            return [_Asked(Named((tuple(whole_chain(name, inventory) for name in sorted(whole)),)), (told,))]
        ligands = [replace(one, residues=tuple(numbers)) for one, numbers in zip(ligands, inside, strict=True) if numbers]
        told += ", residues of the structure itself"
    wanted = ligands if reading.each_copy else ligands[:1]
    more = f", {ligands[0].name} of {len(ligands)} pockets" if len(ligands) > 1 else ""
    found = []
    for one in wanted:
        known = [number for number in one.residues if number in inventory.proteins]
        if not known:
            raise StructureError(f"{asked}: no residue of {one.name} is in the proteins of this structure: {one.residues[0]}")
        lost = [number for number in one.residues if number not in inventory.proteins]
        notes = [told + ("" if reading.each_copy else more)]
        notes += [f"of {one.name} not in a protein of this structure: {' '.join(lost)}"] if lost else []
        parts = [number.rpartition(":") for number in known]
        residues = tuple((chain, number, number) for chain, _, number in parts)
        found.append(_Asked(Named((), residues), tuple(notes), one.name if reading.each_copy else ""))
    return found


def covers(numbers: Sequence[str], chain: str, inventory: Inventory) -> bool:
    """Whether `numbers` are all of a chain."""
    own = {number for number in inventory.proteins if number.rpartition(":")[0] == chain}
    return bool(own) and own <= set(numbers)


def labelled(found: Found, asked: _Asked) -> Found:
    return replace(found, notes=(*asked.notes, *found.notes), label=found.label or asked.label)


def read_all(structure: Any) -> list[Chain]:
    """All proteins, those too that --chain leaves out: they are no ligands."""
    return readable(structure, protein_chains(structure))[0]


def refuse_other_chains(named: Named, chains: Sequence[Chain]) -> None:
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
