"""material: a metal node and its linkers, the building blocks of a MOF."""

from __future__ import annotations

from logos_cli.chemistry.grammar import MATERIAL, MOLECULE, RowError, refuse_markers, usable, wrap
from logos_cli.chemistry.mofid import Blocks, building_blocks, organic
from logos_cli.chemistry.smiles import lenient, shortened, written
from logos_cli.tasks import answer_kinds
from logos_cli.tasks.molecules import MARKERS as MOLECULE_MARKERS
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, Task, invalid

START, END = "<MaterialS>", "<MaterialE>"


def build(row: Input, style: Style) -> Prompt:
    """Makes a prompt of nothing, of a node (of a whole MOF, its own), or of grammar text that begins a material."""
    if row.text is not None:
        if not row.text.startswith(START) or END in row.text:
            raise RowError(f"the text is not <MaterialS> and perhaps a material's beginning: {shortened(row.text)}")
        prefix = row.text.removeprefix(START)
        return Prompt(START + prefix, prefix, prefix=prefix, rebuildable=not prefix)
    return node_prompt(blocks(row)[0])


def node_prompt(node: str) -> Prompt:
    """Makes the prompt of a node, which may be empty."""
    if node and not written(node):
        raise RowError(f"not a SMILES, even unsanitized: {shortened(node)}")
    prefix = f"<MetalS>{node}<MetalE>" if node else ""
    # A node that came as one may hold parts that a MOF's name would count among the linkers.
    return Prompt(START + prefix, node, prefix=prefix, rebuildable=building_blocks(node)[0] == node)


def blocks(row: Input) -> Blocks:
    """Gives node and linkers of a row that names a node or a MOF, both empty for one that names nothing. Raises RowError for
    a SMILES without a metal, and for a node with a linker in it."""
    if row.material is None and not isinstance(row.value, str):
        return "", ()
    value = row.material[0] if row.material else str(row.value)
    refuse_markers(value)
    node, linkers = row.material or building_blocks(value, row.columns)
    if linkers and not node:
        raise RowError(f"no metal in {shortened(value)}: a node has one")
    if carbon := next((part for part in node.split(".") if organic(part)), None):
        raise RowError(f"a part of the node is organic, which is a linker: {shortened(carbon)}")
    return node.strip(), linkers


def example(row: Input, style: Style) -> Example | None:
    """Gives the whole material, its node too, after the start marker."""
    bare = Prompt(START, "")
    if row.text is not None:
        return Example(bare, row.text.removeprefix(START)) if row.text.startswith(START) else None
    node, linkers = blocks(row)
    prompt = node_prompt(node)
    if not node or (not linkers and row.material is None):
        return Example(prompt, None)
    if not linkers:
        raise RowError("a material without linkers")
    parts = [block(one) for one in (node, *linkers)]
    return Example(bare, f"<MetalS>{parts[0]}<MetalE>{''.join(map(wrap, parts[1:]))}{END}")


def block(smiles: str) -> str:
    """Gives a node or linker as it goes into the text: as written, atom maps removed where RDKit can read them."""
    try:
        return usable(smiles, as_written=True)
    except RowError:
        if written(refuse_markers(smiles)):
            return smiles
        raise


def read(text: str, finish: str, prompt: Prompt) -> Answer:
    """Reads node and linkers. Valid if they are SMILES as strings go: many published nodes do not survive sanitization, for
    their metals have valences RDKit does not know, nor do some linkers, which were cut off metals (`C1=[N]=C…`,
    `[n-][nH]`)."""
    match = MATERIAL.fullmatch(prompt.prefix + text)
    if match is None:
        form = "<MetalS>…<MetalE><MoleculeS>…<MoleculeE><MaterialE>"
        return invalid("cut at the token limit" if finish == "length" else f"not {form}")
    node, linkers = match[1], MOLECULE.findall(match[2])
    value = {"metal": node, "linkers": linkers}
    if not written(node):
        return invalid(f"the node is not a SMILES, even unsanitized: {shortened(node)}", value)
    forms = [lenient(one) for one in linkers]
    if None in forms:
        return invalid(f"a linker is not a SMILES, even unsanitized: {shortened(linkers[forms.index(None)])}", value)
    smiles = sorted(one for one in forms if one)
    return Answer({"metal": node, "linkers": smiles}, True, ".".join((node, *smiles)))


TASK = Task(
    name="material", modality="material", takes="nothing: samples MOF building blocks; or a metal node's SMILES",
    gives="a metal node and its linkers", form=START, stops=(END,),
    needs=(START, END, "<MetalS>", "<MetalE>", *MOLECULE_MARKERS), needs_input=False, answers=answer_kinds.MATERIAL,
    build=build, read=read, example_of=example, invents=True,
)  # fmt: skip
