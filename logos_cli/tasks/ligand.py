"""ligand: a protein and its pocket in, a molecule for it out.

The prompt is that of the published script, which of its three forms was used is not published.
"""

from __future__ import annotations

import re

from logos_cli.chemistry.grammar import RowError, pocket_places, protein, usable
from logos_cli.chemistry.smiles import shortened
from logos_cli.tasks.answer_kinds import MOLECULE, PUBLISHED_KEYS, SMILES_KEYS
from logos_cli.tasks.molecules import END, START, read_molecule
from logos_cli.tasks.molecules import MARKERS as MOLECULE_MARKERS
from logos_cli.tasks.proteins import MARKERS, POCKET_MARKERS, WHOLE, marked_in, reads_back, sequence_of
from logos_cli.tasks.task import Example, Input, Prompt, Style, Task

FORMS = WRAPPED, BARE, SMILES = ("wrapped", "protein", "smiles")
_TEXT = re.compile(rf"{WHOLE}(?:<MoleculeS>(?:(.+)<MoleculeE>)?)?")


def build(row: Input, style: Style) -> Prompt:
    """Makes the prompt of a complex that is cut before its ligand. Text given whole goes in as it is."""
    if row.text is not None:
        match = _TEXT.fullmatch(row.text)
        if match is None:
            raise RowError(f"the text is not <ProteinS>…<ProteinE><MoleculeS>: {shortened(row.text)}")
        marked = marked_in(match[2], row.text, any_molecule=True)
        shown, sequence, pocket = match[1], marked.sequence, marked.pocket
        ligand = usable(match[3], as_written=True) if match[3] else None
    else:
        form = style.form or WRAPPED
        sequence = sequence_of(row)
        pocket = pocket_places(row.pocket, sequence)
        if not pocket and form != BARE:
            raise RowError("no pocket in this row; give --pocket-from, a pocket in the input, or --form protein")
        shown = protein(sequence, () if form == BARE else pocket, smiles=form == SMILES)
        ligand = row.ligand
    usual = bool(pocket) and shown == protein(sequence, pocket) and reads_back(sequence)
    return Prompt(shown + START, sequence, sequence=sequence, pocket=pocket, truth=ligand, rebuildable=usual)


def example(row: Input, style: Style) -> Example:
    """Gives a pocket with the ligand that its row says."""
    prompt = build(row, style)
    ligand = prompt.truth or (row.truth if isinstance(row.truth, str) else None)
    if not ligand:
        return Example(prompt, None)
    smiles = ligand.removeprefix(START).removesuffix(END)
    return Example(prompt, usable(smiles, style.as_written or row.text is not None) + END)


TASK = Task(
    name="ligand", modality="complex",
    takes="a protein and its pocket: a structure with --pocket-from, or a pocket in the input", gives="a SMILES, canonical",
    form="<ProteinS>A<PocketS>A<PocketE>A<ProteinE><MoleculeS>", stops=(END,),
    needs=(*MARKERS, *POCKET_MARKERS, *MOLECULE_MARKERS), answers=MOLECULE, build=build, read=read_molecule,
    example_of=example, wants="sequence", spells=("answer",), forms=FORMS,
    truth_keys=("ligand", *PUBLISHED_KEYS, *SMILES_KEYS), invents=True, near_counts=True,
    unpublished="which of the three prompts was used is not published",
)  # fmt: skip
