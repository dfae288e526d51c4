"""Records as cards: what a chemist wants to see of each task's answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from logos_cli.chemistry.grammar import MOLECULE, reaction_parts
from logos_cli.drawing.entries import Entry
from logos_cli.drawing.sheet import (
    Card,
    Legend,
    Lines,
    Mark,
    Molecule,
    Part,
    Residues,
    Scheme,
    Width,
    counted,
    number,
    shade,
    signed,
)

SEQUENCE_INPUT = ("pocket", "ligand", "expand")
SEQUENCE_ANSWER = ("protein", "antibody")
_WIDE = ("retro", "react", "material")
_NAMES = {"mw": "MW", "logp": "logP", "tpsa": "TPSA", "qed": "QED", "hbd": "HBD", "hba": "HBA"}


def caption(entry: Entry) -> tuple[Part, ...]:
    """Which answer this is and how likely; then its properties."""
    first = []
    merged = bool(entry.frequency)  # its rank is always 1, its count that of the faithful
    if entry.rank is not None and not merged:
        first.append(f"rank {entry.rank}")
    elif entry.sample is not None and not merged:
        first.append(f"sample {entry.sample}")
    if entry.count is not None and not merged:
        first.append(counted(entry.count, "sample"))
    if entry.samples is not None:
        first.append(
            counted(entry.samples, "sample") + (f", {entry.faithful:,} faithful" if entry.faithful is not None else "")
        )
    if entry.logprob is not None:
        first.append(f"log-prob {number(float(entry.logprob))}")
    if entry.logprob_per_token is not None:
        first.append(f"{number(float(entry.logprob_per_token))} a token")
    if entry.delta is not None:
        first.append(f"delta {signed(entry.delta)}")
    props = [f"{_NAMES.get(key, key)} {shown(value)}" for key, value in entry.props.items() if value is not None]
    lines = [", ".join(props)] if props else []
    if entry.unfaithful:
        lines.append("left out: " + ", ".join(f"{shown(count)} {reason}" for reason, count in entry.unfaithful.items()))
    value, to = entry.similarity.get("tanimoto"), entry.similarity.get("to")
    if value is not None:
        lines.append(f"Tanimoto {shown(value)}" + (f" to {shown(to)}" if to else ""))
    found: list[Part] = [Lines((" · ".join(first),), "strong")] if first else []
    return (*found, Lines(tuple(lines))) if lines else tuple(found)


def shown(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15:
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def width_of(task: str) -> Width:
    return "wide" if task in _WIDE else "full" if task in ("pocket", "expand", "raw", *SEQUENCE_ANSWER) else "narrow"


def answer_card(entry: Entry) -> Card:
    """One answer, valid or not, or a row that failed."""
    if entry.failed:
        return Card((Lines((f"no answer: {entry.error}",), "error"),), "full", "invalid")
    width = width_of(entry.task)
    parts, copies = drawn(entry) if entry.valid else (None, ())
    if parts is None:
        told = entry.error or "no reason given"
        reason = "an answer of another shape" if entry.valid else told if told.startswith("not ") else f"not valid: {told}"
        told = entry.text or (json.dumps(entry.answer, ensure_ascii=False) if entry.answer is not None else "")
        body: list[Part] = [Lines((reason,), "error")]
        body += [Lines((told,), "code")] if told else []
        return Card(ordered(tuple(body), caption(entry), width), width, "invalid")
    return Card(ordered(parts, caption(entry), width), width, copies=copies)


def ordered(parts: tuple[Part, ...], told: tuple[Part, ...], width: str) -> tuple[Part, ...]:
    """A structure has its caption below, the long lines of a sequence have theirs above."""
    return (*told, *parts) if width == "full" else (*parts, *told)


def drawn(entry: Entry) -> tuple[tuple[Part, ...] | None, tuple[str, ...]]:
    """The parts of a valid answer and what may be copied; no parts if the answer is not what the task gives."""
    answer, task = entry.answer, entry.task
    if task == "retro" and (reactants := texts(answer)):
        return (reaction(reactants, [last_side(entry.input)]),), (f"{'.'.join(reactants)}>>{last_side(entry.input)}",)
    if task == "react" and isinstance(answer, str):
        left = reactants_of(entry)
        return (reaction(left, [answer]),), (f"{'.'.join(left)}>>{answer}",)
    if task in SEQUENCE_ANSWER and isinstance(answer, str):
        given = len(entry.input) if answer.startswith(entry.input) else 0
        told = f"{counted(len(answer), 'residue')}" + (f", the first {given:,} given" if given else "")
        return (Residues(answer, {}, given), Lines((told,))), (answer,)
    if task == "pocket" and (numbers := places(answer)) is not None:
        return pocket(entry, numbers), (entry.input,)
    if task == "expand" and isinstance(answer, dict):
        numbers, smiles = places(answer.get("pocket")), texts(answer.get("smiles"))
        if numbers is not None and smiles is not None:
            found: list[Part] = [*pocket(entry, numbers)]
            found += [Scheme(expanded(entry.input, numbers, smiles))] if smiles else []
            return tuple(found), (entry.input, *smiles)
    if task == "material" and isinstance(answer, dict):
        metal, linkers = answer.get("metal"), texts(answer.get("linkers"))
        if isinstance(metal, str) and linkers is not None:
            items = [Molecule(metal, "node", lenient=True), *(Molecule(one, "linker", lenient=True) for one in linkers)]
            return (Scheme(tuple(joined(items))),), (metal, *linkers)
    if task == "raw":
        told = answer if isinstance(answer, str) else entry.text or json.dumps(answer, ensure_ascii=False)
        return (Lines((entry.input + told,), "code"),), (entry.input + told,)
    # Molecule, ligand, and tasks that are yet to come: a SMILES.
    return ((Scheme((Molecule(answer),)),), (answer,)) if isinstance(answer, str) else (None, ())


def expanded(letters: str, numbers: list[int], smiles: list[str]) -> tuple[Molecule, ...]:
    """The structures under the names of their residues, if there is one for each."""
    if len(numbers) != len(smiles) or not all(1 <= at <= len(letters) for at in numbers):
        return tuple(Molecule(one) for one in smiles)
    return tuple(Molecule(one, f"{letters[at - 1]}{at}") for at, one in zip(numbers, smiles, strict=True))


def texts(value: Any) -> list[str] | None:
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def places(value: Any) -> list[int] | None:
    return value if isinstance(value, list) and all(type(one) is int for one in value) else None


def reactants_of(entry: Entry) -> list[str]:
    """The molecules that a record of `react` asks with; a salt that its prompt keeps together is one of them."""
    if entry.prompt is not None and (grouped := MOLECULE.findall(entry.prompt)):
        return grouped
    return [part for part in first_side(entry.reaction or entry.input).split(".") if part]


def last_side(smiles: str) -> str:
    return reaction_parts(smiles)[-1]


def first_side(smiles: str) -> str:
    return reaction_parts(smiles)[0]


def joined(molecules: list[Molecule]) -> Iterator[Molecule | str]:
    for i, one in enumerate(molecules):
        if i:
            yield "+"
        yield one


def reaction(left: list[str], right: list[str]) -> Scheme:
    before, after = ([Molecule(one) for one in side if one] for side in (left, right))
    return Scheme((*joined(before), "→", *joined(after)))


def pocket(entry: Entry, numbers: list[int]) -> tuple[Part, ...]:
    """The sequence with its pocket; of merged records every residue by how many samples named it, the consensus framed."""
    letters = entry.input
    inside = sorted({one for one in numbers if 1 <= one <= len(letters)})
    names = {at: own for at, own in zip(numbers, entry.residues, strict=False) if own is not None}
    scale: list[Part] = []

    def place(at: int) -> str:
        return f"{letters[at - 1]}{at}" + (f" ({names[at]})" if at in names else "")

    if entry.frequency:
        found = {
            at: Mark(shade(share), at in inside, f"{place(at)}: {share:.0%} of the faithful samples")
            for at, share in enumerate(entry.frequency[: len(letters)], 1)
            if share > 0 or at in inside
        }
        scale.append(
            Legend("of the faithful samples; framed: the consensus", "0 %", "100 %", tuple(shade(i / 8) for i in range(9)))
        )
    else:
        found = {at: Mark(shade(0.7), title=place(at)) for at in inside}
    if not inside:
        told = "no residue reached the consensus" if entry.frequency else "no residue"
    elif names:
        told = f"{counted(len(inside), 'residue')}, in the structure's own numbers in brackets: {'  '.join(map(place, inside))}"
    else:
        told = f"{counted(len(inside), 'residue')}: {'  '.join(map(place, inside))}"
    outside = len(set(numbers)) - len(inside)
    lines = [told, f"{counted(outside, 'number')} outside the sequence"] if outside else [told]
    return (Residues(letters, found), *scale, Lines(tuple(lines)))


def input_card(entry: Entry) -> Card | None:
    """What was asked: a structure, the pocket that a ligand was asked for; None if the heading says it all."""
    name = Lines(("input",), "strong")
    if entry.task == "retro" and entry.input:
        product = last_side(entry.input)
        return Card((Scheme((Molecule(product),)), name), "wide", "input", (product,))
    if entry.task == "react" and entry.input:
        left = reactants_of(entry)
        return Card((Scheme(tuple(joined([Molecule(one) for one in left]))), name), "wide", "input", (".".join(left),))
    if entry.task == "ligand":
        named = places(entry.site.get("pocket")) or []
        chosen = {at for at in named if 1 <= at <= len(entry.input)}
        site = Residues(entry.input, {at: Mark(shade(0.7), title=f"{entry.input[at - 1]}{at}") for at in chosen})
        own = entry.site.get("residues")
        told = f"pocket of {counted(len(chosen), 'residue')}"
        told += f", chain {entry.site['chain']}" if entry.site.get("chain") else ""
        if isinstance(own, list):
            pairs = zip(named, own, strict=False)
            told += ": " + "  ".join(
                f"{entry.input[at - 1]}{at}" + ("" if name is None else f" ({name})") for at, name in pairs if at in chosen
            )
        return Card((name, site, *((Lines((told,)),) if chosen else ())), "full", "input", (entry.input,))
    return None
