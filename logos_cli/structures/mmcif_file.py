"""The text of an mmCIF file as gemmi's Structure."""

from __future__ import annotations

from typing import Any

from logos_cli.chemistry.residue_names import letter_of
from logos_cli.structures.gemmi_library import StructureError, gemmi
from logos_cli.structures.mmcif_molecules import separate
from logos_cli.structures.parsed import Parsed
from logos_cli.structures.predicted import predicted_mmcif


def read_mmcif(text: str) -> Parsed:
    """The first block with atoms; a file may hold several."""
    library = gemmi()
    blocks = list(library.cif.read_string(text))
    sites = [(block, len(block.find(["_atom_site.id"])) or len(block.find(["_atom_site.Cartn_x"]))) for block in blocks]
    block, count = next(((one, number) for one, number in sites if number), (None, 0))
    if block is None:
        if any(block.find_values(f"_atom_site{mark}fract_x") for block in blocks for mark in ("_", ".")):
            raise StructureError(
                "a crystal's CIF, with fractional coordinates (_atom_site_fract_x); what is read is mmCIF of a protein"
            )
        raise StructureError("no atoms in this structure")
    with_columns(block)
    with_elements(block)
    letters, molecules = separate(block)
    structure = library.make_structure_from_block(block)
    if not len(structure) or not len(structure[0]):
        raise StructureError(f"{count} atoms, but not the columns that mmCIF needs (_atom_site.label_atom_id, Cartn_x, …)")
    first, every = structure[0].count_atom_sites(), sum(model.count_atom_sites() for model in structure)
    notes = [f"model 1 of {len(structure)}", f"{every - first} atoms of the others not read"] if len(structure) > 1 else []
    notes += [f"{count - every} of {count} atoms not read"] if every < count else []
    others = sum(number for _, number in sites) - count
    notes += [f"{others} atoms of further data blocks not read"] if others else []
    while len(structure) > 1:
        del structure[len(structure) - 1]
    return Parsed(structure, (*notes, *molecules), letters, predicted_mmcif(block), labels_of(block))


def labels_of(block: Any) -> dict[str, str]:
    """The label_comp_id of residues that their author names otherwise, which is the name that gemmi takes."""
    table = block.find("_atom_site.", ["label_comp_id", "auth_comp_id"])
    return {row.str(0): row.str(1) for row in table if row[0] != row[1] and row.str(0) and row.str(1)}


def with_columns(block: Any) -> None:
    """Add columns of atoms that gemmi asks for and that say nothing in most files: some programs leave them out."""
    found = block.find_loop("_atom_site.Cartn_x")
    loop = found.get_loop() if found else None
    if loop is None:
        return
    tags = {tag.lower(): at for at, tag in enumerate(loop.tags)}
    chain = tags.get("_atom_site.auth_asym_id")
    for name in ("id", "label_alt_id", "label_asym_id"):
        if f"_atom_site.{name}" in tags or (name == "label_asym_id" and chain is None):
            continue
        if name == "label_asym_id":  # then nothing tells which residues the stated sequences are of
            for category in ("_entity_poly_seq.", "_entity_poly.", "_entity.", "_struct_asym."):
                block.find_mmcif_category(category).erase()
        loop.add_columns([f"_atom_site.{name}"], ".")
        last = loop.width() - 1
        for row in range(loop.length()):
            if name != "label_alt_id":
                loop[row, last] = str(row + 1) if name == "id" else loop[row, chain]


def with_elements(block: Any) -> None:
    """Some programs write no _atom_site.type_symbol, without which gemmi reads no atom: the names of atoms tell it too."""
    table = block.find("_atom_site.", ["label_atom_id", "label_comp_id"])
    if block.find_values("_atom_site.type_symbol") or not table:
        return
    elements = [element_of(row.str(0), row.str(1)) for row in table]
    loop = block.find_loop("_atom_site.label_atom_id").get_loop()
    loop.add_columns(["_atom_site.type_symbol"], "?")
    for cell, element in enumerate(elements):
        loop[cell, loop.width() - 1] = element


def element_of(atom: str, residue: str) -> str:
    letters = "".join(sign for sign in atom.upper() if sign.isalpha())
    two = letters[:2]
    if letters == residue.upper() or (two in ("CL", "BR") and not letter_of(residue)):
        return two
    return letters[:1] or "X"
