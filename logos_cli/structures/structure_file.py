"""The content of a PDB or mmCIF file as gemmi's Structure, its protein chains whole."""

from __future__ import annotations

from logos_cli.structures.gemmi_library import StructureError
from logos_cli.structures.mmcif_file import read_mmcif
from logos_cli.structures.parsed import Parsed
from logos_cli.structures.pdb_file import read_pdb
from logos_cli.structures.polymers import make_whole


def parse_structure(data: bytes, mmcif: bool) -> Parsed:
    """A file's content, named as the file names its entry, else not at all. Raises StructureError."""
    text = data.decode("utf-8", "replace")
    if not mmcif:  # whose columns gemmi counts in bytes
        text = text.encode("ascii", "replace").decode("ascii")
    try:
        found = read_mmcif(text) if mmcif else read_pdb(text)
    except (ValueError, RuntimeError, IndexError) as error:
        if isinstance(error, StructureError):
            raise
        raise StructureError(
            f"not a readable {'mmCIF' if mmcif else 'PDB'} file: {' '.join(str(error).split())[:160]}"
        ) from None
    structure = found.structure
    structure.merge_chain_parts()  # ligands and water stand after the chains, under the same names
    structure.add_entity_types()
    stated = mmcif and any(len(entity.full_sequence) for entity in structure.entities)
    modified = {(one.chain_name, str(one.res_id.seqid)) for one in structure.mod_residues}
    for chain in structure[0]:
        make_whole(chain, mmcif, stated, {number for name, number in modified if name == chain.name})
    structure.setup_entities()
    if not mmcif:
        structure.assign_label_seq_id()
    return found
