"""The text of a PDB file as gemmi's Structure, one chain a molecule."""

from __future__ import annotations

import re
from typing import Any

from logos_cli.chemistry.residue_names import letter_of, pdb_of_three
from logos_cli.structures.gemmi_library import StructureError, gemmi
from logos_cli.structures.molecules import Molecules, separated
from logos_cli.structures.parsed import Parsed
from logos_cli.structures.pdb_text import read_text
from logos_cli.structures.predicted import predicted_pdb

# Atoms whose x, y, z are not as everyone writes them, %8.3f; few files have one, so what follows may be slow.
_UNUSUAL = re.compile(r"^(?:ATOM|HETA)(?!.{26}(?:(?= *-?\d+\.\d{3}).{4}\..{3}){3}).*", re.MULTILINE | re.IGNORECASE)
_COORDINATE = re.compile(r" *[-+]?\d*\.\d+")
AMINO_ELEMENTS = ("C", "D", "H", "N", "O", "S", "Se", "P", "X")


def read_pdb(text: str) -> Parsed:
    given = read_text(text)
    molecules = separated(pdb_of_three(given.text))
    library = gemmi()
    try:
        structure = library.read_pdb_string(molecules.text)
    except (ValueError, RuntimeError) as error:
        if "charge" not in str(error):
            raise
        structure = library.read_pdb_string(molecules.text, max_line_length=78)
    if not len(structure) or not len(structure[0]):
        raise StructureError("no atoms in this structure")
    check_columns(given.text)
    structure.name = dict(structure.info).get("_entry.id", "")
    regrouped(structure[0], molecules)
    for residue in (one for chain in structure[0] for one in chain if letter_of(one.name)):
        for atom in residue:
            # Without a column for the element, a name that begins a column early reads as calcium, mercury, helium.
            if atom.element.name not in AMINO_ELEMENTS and atom.name[:1] in "CHNOS":
                atom.element = library.Element(atom.name[0])
    read = structure[0].count_atom_sites()
    lost = [f"{given.atoms - read} of {given.atoms} atoms not read"] if read < given.atoms else []
    letters = {name: (letter, segment) for name, letter, segment in molecules.chains.values()}
    return Parsed(structure, (*given.notes, *lost, *molecules.notes), letters, predicted_pdb(structure))


def regrouped(model: Any, molecules: Molecules) -> None:
    """Chains by molecule, and those that stand in no order sorted by number."""
    library = gemmi()
    groups: dict[str, list[Any]] = {}
    for chain in model:
        for residue in chain:
            copy = residue.clone()
            name = chain.name
            if residue.segment in molecules.chains:
                name, _, copy.segment = molecules.chains[residue.segment]
                # TER told them of the letter, not of the molecule.
                copy.entity_type, copy.subchain = library.EntityType.Unknown, ""
            groups.setdefault(name, []).append(copy)
    if not molecules.chains and not molecules.unordered:
        return
    for name in [chain.name for chain in model]:
        if model.find_chain(name) is not None:
            model.remove_chain(name)
    for name, residues in groups.items():
        chain = library.Chain(name)
        if name in molecules.unordered:
            residues = sorted(residues, key=lambda one: (one.het_flag == "H", one.seqid.num, one.seqid.icode))
        for residue in residues:
            chain.add_residue(residue)
        model.add_chain(chain)


def check_columns(text: str) -> None:
    """gemmi reads what stands in the columns of a PDB's coordinates as well as it can: slipped by one they are other places.
    Raises StructureError."""
    for found in _UNUSUAL.finditer(text):
        fields = (found[0][start : start + 8] for start in (30, 38, 46))
        if not all(_COORDINATE.fullmatch(field) for field in fields):
            line = text.count("\n", 0, found.start()) + 1
            raise StructureError(
                f"line {line}: no x, y, z of eight columns each in columns 31-54, but {found[0][30:54].rstrip()!r}; "
                "write the file again"
            )
