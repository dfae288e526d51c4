"""What the tasks about molecules share: prompts of marker pairs, sides of reactions, answers that are SMILES."""

from __future__ import annotations

from collections import Counter

from logos_cli.chemistry.grammar import MOLECULE, MOLECULES, RowError, reaction_side, refuse_markers, usable, wrap
from logos_cli.chemistry.smiles import MAX_SMILES, ChemError, canonical_set, canonical_strict, shortened
from logos_cli.tasks.task import Answer, Example, Input, Prompt, body_of, invalid

START, END = MARKERS = ("<MoleculeS>", "<MoleculeE>")


def published_molecules(text: str, end: str) -> list[str]:
    """Gives the molecules of a prompt given whole, which must be `<MoleculeS>…<MoleculeE>` pairs and then `end`."""
    body = text.removesuffix(end)
    if not text.endswith(end) or not MOLECULES.fullmatch(body):
        raise RowError(f"the text is not this task's prompt, <MoleculeS>SMILES<MoleculeE>{end}: {shortened(text)}")
    return MOLECULE.findall(body)


def pairs_prompt(parts: list[str], shown: str, as_written: bool, end: str) -> Prompt:
    """Makes a prompt of molecules, each in its own marker pair, and `end`."""
    molecules = [usable(part, as_written) for part in parts]
    question = ".".join(molecules)
    short = max(map(len, molecules)) <= MAX_SMILES  # a canonical form may be longer than what was read
    return Prompt("".join(map(wrap, molecules)) + end, shown, question if question != shown else None, rebuildable=short)


def reaction_example(row: Input, prompt: Prompt, side: int, as_written: bool) -> Example:
    """Gives a prompt with the other side of its reaction, from the truth of a published file or the row itself."""
    if isinstance(row.truth, str) and row.truth.startswith(START):
        return Example(prompt, row.truth)
    if row.reactants and side == 0:
        return Example(prompt, "".join(wrap(usable(part, as_written)) for part in row.reactants))
    if isinstance(row.value, str):
        other = reaction_side(row.value, side)
        if other != row.value:
            return Example(prompt, "".join(wrap(usable(part, as_written)) for part in other.split(".")))
    return Example(prompt, None)


def contains(whole: str, part: str) -> bool:
    """Whether each molecule of `part` is one of `whole`, as often; dots part molecules."""
    all_of, some = canonical_set([whole]), canonical_set([part])
    return all_of is not None and some is not None and Counter(some) <= Counter(all_of)


def read_molecule(text: str, finish: str, prompt: Prompt) -> Answer:
    """Reads a SMILES up to its end marker, with what the prompt began of it."""
    body = body_of(text, finish, END)
    return smiles_answer(prompt.prefix + body) if isinstance(body, str) else body


def smiles_answer(smiles: str) -> Answer:
    """Gives a SMILES as an answer, valid or not."""
    try:
        value = canonical_strict(refuse_markers(smiles))
    except (ChemError, RowError) as error:
        return invalid(str(error), smiles or None)
    return Answer(value, True, value)
