"""pocket: a protein in, its binding residues out: the protein is written again with these in markers.

The prompt is that of the published script.
"""

from __future__ import annotations

import re

from logos_cli.chemistry.grammar import RowError, pocket_places, protein, read_marked
from logos_cli.chemistry.smiles import shortened
from logos_cli.tasks.answer_kinds import RESIDUES
from logos_cli.tasks.proteins import END, MARKERS, POCKET_MARKERS, START, WHOLE, marked_in, reads_back, sequence_of
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, Task, Tool, body_of, invalid

_TEXT = re.compile(rf"{WHOLE}(?:<Search>(?:<ProteinS>(?:(.+?)(?:<ProteinE>)?)?)?)?")
_USUAL_STEP = 8  # every eighth residue in pocket markers: about what pockets have


def build(row: Input, style: Style) -> Prompt:
    """Makes the prompt of a protein; its pocket, if the row has one, is the right answer."""
    if row.text is not None:
        match = _TEXT.fullmatch(row.text)
        if match is None:
            raise RowError(f"the text is not <ProteinS>AA<ProteinE><Search><ProteinS>: {shortened(row.text)}")
        question = marked_in(match[2], row.text)
        answer = marked_in(match[3], row.text) if match[3] else question
        sequence, truth = question.sequence, answer.pocket
    else:
        sequence = sequence_of(row)
        truth = pocket_places(row.pocket, sequence)
    return Prompt(
        protein(sequence) + "<Search><ProteinS>", sequence, sequence=sequence, least=sequence + END,
        usual=protein(sequence, range(1, len(sequence) + 1, _USUAL_STEP)), truth=list(truth) or None,
        rebuildable=reads_back(sequence),
    )  # fmt: skip


def example(row: Input, style: Style) -> Example:
    """Gives a protein with its pocket."""
    prompt = build(row, style)
    return Example(prompt, protein(prompt.sequence, prompt.truth).removeprefix(START) if prompt.truth else None)


def read(text: str, finish: str, prompt: Prompt) -> Answer:
    """Reads the marked residues. Valid if the protein is repeated exactly: only then do places in the answer mean places in
    the protein."""
    body = body_of(text, finish, END)
    if not isinstance(body, str):
        return body
    marked = read_marked(body)
    if marked is None:
        return invalid("not residues and pocket markers")
    if marked.sequence != prompt.sequence:
        return invalid(f"repeats another protein: {difference(marked.sequence, prompt.sequence)}")
    return Answer(list(marked.pocket), True, str(list(marked.pocket)))


def difference(written: str, wanted: str) -> str:
    """Says where a sequence is another than the one that was wanted."""
    for place, (mine, other) in enumerate(zip(written, wanted, strict=False), 1):
        if mine != other:
            return f"residue {place} is {mine}, not {other}"
    return f"{len(written)} residues, not {len(wanted)}"


TOOL = Tool(
    "find_pocket", "Predict which residues of a protein bind a ligand: their places in the sequence, counted from 1.",
    "sequence", "the protein, one letter for each residue",
)  # fmt: skip
TASK = Task(
    name="pocket", modality="pocket", takes="a protein: FASTA, PDB, mmCIF, a sequence column",
    gives="binding residues, counted from 1", form="<ProteinS>AA<ProteinE><Search><ProteinS>",
    needs=(*MARKERS, *POCKET_MARKERS, "<Search>"), answers=RESIDUES, build=build, read=read, example_of=example,
    wants="sequence", tool=TOOL,
)  # fmt: skip
