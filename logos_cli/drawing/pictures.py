"""What a chemist wants to see of an answer, by its kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from logos_cli.chemistry.grammar import MOLECULE, reaction_parts
from logos_cli.drawing.sheet import Legend, Lines, Mark, Molecule, MoleculeLine, Part, Residues, Width, counted, shade
from logos_cli.drawing.stored_record import StoredRecord
from logos_cli.tasks import answer_kinds
from logos_cli.tasks.table import task_of_record

CardContent = tuple[tuple[Part, ...], tuple[str, ...]]  # the parts of a card, and what may be copied of it


@dataclass(frozen=True)
class Picture:
    """How answers of a kind are drawn: on cards how wide, with which parts; `draw` gives None for what is no such answer."""

    width: Width
    draw: Callable[[StoredRecord], CardContent | None]


def picture_of(record: StoredRecord) -> Picture:
    """Finds the picture of a record's answer: a reaction where the task asks with one side of it."""
    task = task_of_record(record.task)
    return REACTION if task.side else PICTURES.get(task.answers.name, ONE_MOLECULE)


def drawn(record: StoredRecord) -> CardContent | None:
    """Draws a valid answer; None if it has none of the shapes we know."""
    return picture_of(record).draw(record) or draw_molecule(record)


def draw_molecule(record: StoredRecord) -> CardContent | None:
    """Draws a SMILES; that is also what answers of tasks that are yet to come are taken for."""
    answer = record.answer
    return ((MoleculeLine((Molecule(answer),)),), (answer,)) if isinstance(answer, str) else None


def draw_molecules(record: StoredRecord) -> CardContent | None:
    """Draws a list of SMILES."""
    smiles = texts(record.answer)
    return ((MoleculeLine(tuple(joined(list(map(Molecule, smiles))))),), (".".join(smiles),)) if smiles else None


def draw_reaction(record: StoredRecord) -> CardContent | None:
    """Draws question and answer as the two sides of a reaction."""
    task = task_of_record(record.task)
    answer = [record.answer] if task.answers.one_molecule and isinstance(record.answer, str) else texts(record.answer)
    if not answer:
        return None
    left, right = (answer, [last_side(record.input)]) if task.side == "product" else (reactants_of(record), answer)
    return (reaction(left, right),), (f"{'.'.join(left)}>>{'.'.join(right)}",)


def draw_sequence(record: StoredRecord) -> CardContent | None:
    """Draws a chain of residues, those that were given apart from the others."""
    answer = record.answer
    if not isinstance(answer, str):
        return None
    given = len(record.input) if answer.startswith(record.input) else 0
    length = f"{counted(len(answer), 'residue')}" + (f", the first {given:,} given" if given else "")
    return (Residues(answer, {}, given), Lines((length,))), (answer,)


def draw_residues(record: StoredRecord) -> CardContent | None:
    """Draws the input with its pocket."""
    numbers = places(record.answer)
    return None if numbers is None else (pocket(record, numbers), (record.input,))


def draw_pocket_smiles(record: StoredRecord) -> CardContent | None:
    """Draws the input with its pocket, and the residues of that as structures."""
    if not isinstance(record.answer, dict):
        return None
    numbers, smiles = places(record.answer.get("pocket")), texts(record.answer.get("smiles"))
    if numbers is None or smiles is None:
        return None
    structures = (MoleculeLine(expanded(record.input, numbers, smiles)),) if smiles else ()
    return (*pocket(record, numbers), *structures), (record.input, *smiles)


def draw_material(record: StoredRecord) -> CardContent | None:
    """Draws a node and its linkers."""
    if not isinstance(record.answer, dict):
        return None
    metal, linkers = record.answer.get("metal"), texts(record.answer.get("linkers"))
    if not isinstance(metal, str) or linkers is None:
        return None
    items = [Molecule(metal, "node", lenient=True), *(Molecule(one, "linker", lenient=True) for one in linkers)]
    return (MoleculeLine(tuple(joined(items))),), (metal, *linkers)


def draw_text(record: StoredRecord) -> CardContent | None:
    """Shows a text after the one it goes on from."""
    answer = record.answer
    text = answer if isinstance(answer, str) else record.text or json.dumps(answer, ensure_ascii=False)
    return (Lines((record.input + text,), "code"),), (record.input + text,)


ONE_MOLECULE = Picture("narrow", draw_molecule)
REACTION = Picture("wide", draw_reaction)
PICTURES: Mapping[str, Picture] = {
    answer_kinds.REACTANTS.name: Picture("wide", draw_molecules),
    answer_kinds.MOLECULE.name: ONE_MOLECULE,
    answer_kinds.SEQUENCE.name: Picture("full", draw_sequence),
    answer_kinds.RESIDUES.name: Picture("full", draw_residues),
    answer_kinds.POCKET_SMILES.name: Picture("full", draw_pocket_smiles),
    answer_kinds.MATERIAL.name: Picture("wide", draw_material),
    answer_kinds.TEXT.name: Picture("full", draw_text),
}


def expanded(letters: str, numbers: list[int], smiles: list[str]) -> tuple[Molecule, ...]:
    """Puts structures under the names of their residues, if there is one for each."""
    if len(numbers) != len(smiles) or not all(1 <= at <= len(letters) for at in numbers):
        return tuple(Molecule(one) for one in smiles)
    return tuple(Molecule(one, f"{letters[at - 1]}{at}") for at, one in zip(numbers, smiles, strict=True))


def texts(value: Any) -> list[str] | None:
    """Gives a list of texts; None for anything else."""
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def places(value: Any) -> list[int] | None:
    """Gives a list of whole numbers; None for anything else."""
    return value if isinstance(value, list) and all(type(one) is int for one in value) else None


def reactants_of(record: StoredRecord) -> list[str]:
    """Gives the molecules that a record asks with; a salt that its prompt keeps together is one of them."""
    if record.prompt is not None and (grouped := MOLECULE.findall(record.prompt)):
        return grouped
    return [part for part in first_side(record.reaction or record.input).split(".") if part]


def last_side(smiles: str) -> str:
    """Gives the product of a reaction SMILES; any other as it is."""
    return reaction_parts(smiles)[-1]


def first_side(smiles: str) -> str:
    """Gives the reactants of a reaction SMILES; any other as it is."""
    return reaction_parts(smiles)[0]


def joined(molecules: list[Molecule]) -> Iterator[Molecule | str]:
    """Puts plus signs between molecules."""
    for i, molecule in enumerate(molecules):
        if i:
            yield "+"
        yield molecule


def reaction(left: list[str], right: list[str]) -> MoleculeLine:
    """Puts an arrow between two sides."""
    before, after = ([Molecule(one) for one in side if one] for side in (left, right))
    return MoleculeLine((*joined(before), "→", *joined(after)))


def pocket(record: StoredRecord, numbers: list[int]) -> tuple[Part, ...]:
    """Draws the sequence with its pocket; of merged records every residue by how many samples named it, the consensus
    framed."""
    letters = record.input
    inside = sorted({at for at in numbers if 1 <= at <= len(letters)})
    names = {at: own for at, own in zip(numbers, record.residues, strict=False) if own is not None}
    scale: list[Part] = []

    def place(at: int) -> str:
        return f"{letters[at - 1]}{at}" + (f" ({names[at]})" if at in names else "")

    if record.frequency:
        marks = {
            at: Mark(shade(share), at in inside, f"{place(at)}: {share:.0%} of the faithful samples")
            for at, share in enumerate(record.frequency[: len(letters)], 1)
            if share > 0 or at in inside
        }
        scale.append(
            Legend("of the faithful samples; framed: the consensus", "0 %", "100 %", tuple(shade(i / 8) for i in range(9)))
        )
    else:
        marks = {at: Mark(shade(0.7), title=place(at)) for at in inside}
    if not inside:
        line = "no residue reached the consensus" if record.frequency else "no residue"
    elif names:
        line = f"{counted(len(inside), 'residue')}, in the structure's own numbers in brackets: {'  '.join(map(place, inside))}"
    else:
        line = f"{counted(len(inside), 'residue')}: {'  '.join(map(place, inside))}"
    outside = len(set(numbers)) - len(inside)
    lines = [line, f"{counted(outside, 'number')} outside the sequence"] if outside else [line]
    return (Residues(letters, marks), *scale, Lines(tuple(lines)))
