"""expand: a protein with its pocket in, the same with each pocket residue written as its SMILES out.

No prompt of it is published: it is cut from the grammar's sequences.
"""

from __future__ import annotations

import re

from logos_cli.chemistry.grammar import RowError, pocket_places, protein, read_marked
from logos_cli.chemistry.smiles import canonical, shortened
from logos_cli.tasks.answer_kinds import POCKET_SMILES
from logos_cli.tasks.proteins import END, MARKERS, POCKET_MARKERS, WHOLE, marked_in, reads_back, sequence_of
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, Task, body_of, invalid

_TEXT = re.compile(rf"{WHOLE}(?:<Trans>(?:<ProteinS>(?:(.+?)(?:<ProteinE>)?)?)?)?")


def build(row: Input, style: Style) -> Prompt:
    """Makes the prompt of a protein with its pocket residues in markers."""
    if row.text is not None:
        match = _TEXT.fullmatch(row.text)
        if match is None:
            raise RowError(f"the text is not <ProteinS>…<ProteinE><Trans>: {shortened(row.text)}")
        marked = marked_in(match[2], row.text)
        sequence, pocket, truth = marked.sequence, marked.pocket, match[3]
    else:
        sequence = sequence_of(row)
        pocket, truth = pocket_places(row.pocket, sequence), None
    if not pocket:
        raise RowError("no pocket in this row; give --pocket-from or a pocket in the input")
    return Prompt(
        protein(sequence, pocket) + "<Trans><ProteinS>", sequence, sequence=sequence, pocket=pocket, least=sequence + END,
        usual=protein(sequence, pocket, smiles=True), truth=truth, rebuildable=reads_back(sequence),
    )  # fmt: skip


def example(row: Input, style: Style) -> Example:
    """Gives a pocket with the answer that its text holds."""
    prompt = build(row, style)
    return Example(prompt, prompt.truth + END if prompt.truth else None)


def read(text: str, finish: str, prompt: Prompt) -> Answer:
    """Reads the SMILES of the pocket. Valid if the same residues are in markers and all others are repeated."""
    body = body_of(text, finish, END)
    if not isinstance(body, str):
        return body
    marked = read_marked(body)
    if marked is None:
        return invalid("not residues and pocket markers")
    value = {"pocket": list(marked.pocket), "smiles": list(marked.inside)}
    if marked.pocket != prompt.pocket:
        return invalid("marks other residues than the prompt", value)
    letters = zip(marked.sequence, prompt.sequence, strict=False)
    same = all(mine == other for place, (mine, other) in enumerate(letters, 1) if place not in prompt.pocket)
    if len(marked.sequence) != len(prompt.sequence) or not same:
        return invalid("repeats another protein", value)
    smiles = [canonical(one) for one in marked.inside]
    if None in smiles:
        return invalid(f"not a valid SMILES: {shortened(marked.inside[smiles.index(None)])}", value)
    return Answer({**value, "smiles": smiles}, True, ".".join(one for one in smiles if one))


TASK = Task(
    name="expand", modality="pocket", takes="a protein and its pocket", gives="pocket residues, from 1, and their SMILES",
    form="<ProteinS>A<PocketS>A<PocketE>A<ProteinE><Trans><ProteinS>", needs=(*MARKERS, *POCKET_MARKERS, "<Trans>"),
    answers=POCKET_SMILES, build=build, read=read, example_of=example, wants="sequence",
    unpublished="no such script is published",
)  # fmt: skip
