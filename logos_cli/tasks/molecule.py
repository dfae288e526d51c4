"""molecule: new molecules, or those that go on from the beginning of a SMILES."""

from __future__ import annotations

from logos_cli.chemistry.grammar import RowError, refuse_markers, usable
from logos_cli.chemistry.smiles import MAX_SMILES, canonical, shortened
from logos_cli.chemistry.smiles_text import begins_a_smiles, bracket_atoms_valid
from logos_cli.tasks.answer_kinds import MOLECULE
from logos_cli.tasks.molecules import END, MARKERS, START, read_molecule
from logos_cli.tasks.task import Example, Input, Prompt, Style, Task, Tool


def build(row: Input, style: Style) -> Prompt:
    """Makes a prompt of nothing, or of the beginning of a SMILES, which is text: it need not be valid by itself."""
    prefix = row.text.removeprefix(START) if row.text is not None else row.value or ""
    if not isinstance(prefix, str):
        raise RowError("a list of SMILES; molecule goes on from the beginning of one")
    if row.text is not None and not row.text.startswith(START):
        raise RowError(f"the text is not <MoleculeS> and perhaps the beginning of a SMILES: {shortened(row.text)}")
    prefix = refuse_markers(prefix.strip())
    if len(prefix) > MAX_SMILES:
        raise RowError(f"a prefix of {len(prefix):,} characters; at most {MAX_SMILES:,} are read")
    if not prefix.isprintable() or " " in prefix:
        raise RowError(f"blanks or control characters inside a SMILES: {shortened(prefix)}")
    if prefix and not (begins_a_smiles(prefix) and bracket_atoms_valid(prefix)) and canonical(prefix) is None:
        raise RowError(f"not a valid SMILES, nor the beginning of one: {shortened(prefix)}")
    return Prompt(START + prefix, prefix, prefix=prefix)


def example(row: Input, style: Style) -> Example | None:
    """Gives the whole molecule, none of it as the question."""
    if row.text is not None:
        return Example(Prompt(START, ""), row.text.removeprefix(START)) if row.text.startswith(START) else None
    value = ".".join(row.value) if isinstance(row.value, tuple) else row.value
    return Example(Prompt(START, ""), usable(value or "", style.as_written) + END)


TOOL = Tool(
    "generate_molecules", "Write new molecules as SMILES, or molecules whose SMILES begins as asked.",
    "beginning", "how the SMILES begins; leave it out for molecules of any kind",
)  # fmt: skip
TASK = Task(
    name="molecule", modality="molecule", takes="nothing: samples new molecules; or the beginning of a SMILES",
    gives="a SMILES, canonical", form=START, stops=(END,), needs=MARKERS, needs_input=False, answers=MOLECULE, build=build,
    read=read_molecule, example_of=example, whole=True, spells=("answer",), invents=True,
    unpublished="no molecule script is published", tool=TOOL,
)  # fmt: skip
