"""Prompt and answers of `material`: a metal node and its linkers, the building blocks of a MOF."""

from __future__ import annotations

from logos_cli.chemistry.grammar import MATERIAL, MOLECULE, RowError, refuse_markers, usable, wrap
from logos_cli.chemistry.mofid import Blocks, building_blocks, organic
from logos_cli.chemistry.smiles import lenient, shortened, written
from logos_cli.rows.row import Row
from logos_cli.tasks.task import Answer, Prompt, invalid


def material_prompt(row: Row) -> Prompt:
    """From nothing, from a node (of a whole MOF, its own), or from grammar text that begins a material."""
    if row.text is not None:
        if not row.text.startswith("<MaterialS>") or "<MaterialE>" in row.text:
            raise RowError(f"the text is not <MaterialS> and perhaps a material's beginning: {shortened(row.text)}")
        shown = prefix = row.text.removeprefix("<MaterialS>")
    else:
        shown, _ = blocks(row)
        if shown and not written(shown):
            raise RowError(f"not a SMILES, even unsanitized: {shortened(shown)}")
        prefix = f"<MetalS>{shown}<MetalE>" if shown else ""
    return Prompt("<MaterialS>" + prefix, shown, prefix=prefix)


def blocks(row: Row) -> Blocks:
    """Node and linkers of a row that names a node or a MOF, both empty for one that names nothing. Raises RowError for a
    SMILES without a metal, and for a node with a linker in it."""
    if row.material is None and not isinstance(row.value, str):
        return "", ()
    value = row.material[0] if row.material else str(row.value)
    refuse_markers(value)
    node, linkers = row.material or building_blocks(value, row.columns)
    if linkers and not node:
        raise RowError(f"no metal in {shortened(value)}: a node has one")
    if found := next((part for part in node.split(".") if organic(part)), None):
        raise RowError(f"a part of the node is organic, which is a linker: {shortened(found)}")
    return node.strip(), linkers


def known_material(row: Row) -> tuple[str, str] | None:
    if row.text is None:
        node, linkers = blocks(row)
        if not node or (not linkers and row.material is None):
            return None
        if not linkers:
            raise RowError("a material without linkers")
        parts = [block(one) for one in (node, *linkers)]
        return "<MaterialS>", f"<MetalS>{parts[0]}<MetalE>{''.join(map(wrap, parts[1:]))}<MaterialE>"
    if row.text.startswith("<MaterialS>"):
        return "<MaterialS>", row.text.removeprefix("<MaterialS>")
    return None


def block(smiles: str) -> str:
    """A node or linker as it goes into the text: as written, atom maps removed where RDKit can read them."""
    try:
        return usable(smiles, as_written=True)
    except RowError:
        if written(refuse_markers(smiles)):
            return smiles
        raise


def parse_material(text: str, finish: str, prompt: Prompt) -> Answer:
    """Valid if node and linkers are SMILES as strings go: many published nodes do not survive sanitization, for their metals
    have valences RDKit does not know, nor do some linkers, which were cut off metals (`C1=[N]=C…`, `[n-][nH]`)."""
    match = MATERIAL.fullmatch(prompt.prefix + text)
    if match is None:
        form = "<MetalS>…<MetalE><MoleculeS>…<MoleculeE><MaterialE>"
        return invalid("cut at the token limit" if finish == "length" else f"not {form}")
    node, linkers = match[1], MOLECULE.findall(match[2])
    value = {"metal": node, "linkers": linkers}
    if not written(node):
        return invalid(f"the node is not a SMILES, even unsanitized: {shortened(node)}", value)
    found = [lenient(one) for one in linkers]
    if None in found:
        return invalid(f"a linker is not a SMILES, even unsanitized: {shortened(linkers[found.index(None)])}", value)
    smiles = sorted(one for one in found if one)
    return Answer({"metal": node, "linkers": smiles}, True, ".".join((node, *smiles)))
