"""Which records are drawn, and together: one group a row, one card for all mutants of a row, one grid for scored molecules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from logos_cli.chemistry.grammar import reaction_parts
from logos_cli.drawing.cards import (
    SEQUENCE_INPUT,
    answer_card,
    caption,
    drawn,
    first_side,
    input_card,
    joined,
    last_side,
    ordered,
    width_of,
)
from logos_cli.drawing.entries import Entry
from logos_cli.drawing.molecules import Undrawn, picture
from logos_cli.drawing.scan import scan_card
from logos_cli.drawing.sheet import Card, Group, Lines, Molecule, Part, Residues, Scheme, Sheet, counted

_SEQUENCE_TASKS = (*SEQUENCE_INPUT, "protein", "antibody")
_READABLE = 520.0  # pixels at natural size, of which a narrow card shows less than half
_MARKER = re.compile(r"<(?!-)")  # `<-` is a dative bond
_LETTERS = re.compile(r"[A-Z*]{10,}")
Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Chosen:
    """What is drawn, and how many records are not: over the limit, or not valid when only valid ones are asked for."""

    entries: tuple[Entry, ...]
    over: int
    invalid: int


def choose(entries: Iterable[Entry], limit: int, valid_only: bool) -> Chosen:
    """The first `limit` of them, in which all mutants of a row, being one card, count as one."""
    taken: list[Entry] = []
    scans: set[Key] = set()
    cards = over = invalid = 0
    for entry in entries:
        if valid_only and (entry.error is not None or not (entry.valid or entry.scored)):
            invalid += 1
            continue
        # The wild type of a scan is a record without a mutant.
        scanned = entry.scored and kind_of(entry) in ("sequence", "text")
        if scanned and key(entry) in scans:
            taken.append(entry)
        elif cards >= limit:
            over += 1
        else:
            cards += 1
            scans |= {key(entry)} if scanned else set()
            taken.append(entry)
    return Chosen(tuple(taken), over, invalid)


def key(entry: Entry) -> Key:
    """Equal for what belongs in one group. Row and id may repeat where files were joined: the input then tells."""
    if not entry.scored:
        return (entry.task, entry.row, entry.id, entry.input, entry.model)
    if entry.error is None and kind_of(entry) == "answer":
        # Ligands of one pocket stand together, pockets alone, all others in one grid.
        asked = (entry.input, str(entry.site)) if entry.task == "ligand" else ()
        alone = (entry.row, entry.id) if entry.task in ("pocket", "expand") else ()
        return ("score", entry.task, *asked, *alone, entry.model)
    if entry.mutant is None and entry.error is None and kind_of(entry) in ("molecule", "reaction"):
        return ("score", kind_of(entry), entry.model)
    return ("score", entry.task, entry.row, entry.id, entry.model)


def kind_of(entry: Entry) -> str:
    """What was scored: the answer to an input, or an input that is a molecule, reaction, sequence or text."""
    if entry.answer is not None or entry.text is not None:
        return "answer"
    if _MARKER.search(entry.input):
        return "text"
    if len(reaction_parts(entry.input)) == 3:
        return "reaction"
    # CCCCCCCCCC is decane and a row of cysteines: the task tells, or a letter that is no atom.
    if entry.task in _SEQUENCE_TASKS or (_LETTERS.fullmatch(entry.input) and set(entry.input) - set("BCNOPSFI")):
        return "sequence"
    return "molecule"


def sheet_of(entries: Iterable[Entry], title: str, columns: int) -> Sheet:
    grouped: dict[Key, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(key(entry), []).append(entry)
    groups = tuple(widened(group(members)) for members in grouped.values())
    everyone = [one for members in grouped.values() for one in members]
    tasks = Counter("score" if one.scored else one.task for one in everyone)
    models = sorted({one.model for one in everyone if one.model})
    about = [", ".join(f"{name}: {counted(count, 'record')}" for name, count in tasks.items())]
    about += [f"model{'s' if len(models) > 1 else ''} {', '.join(models)}"] if models else []
    return Sheet(title, " · ".join(about), groups, columns)


def widened(found: Group) -> Group:
    """The same with cards twice as wide if one of them would show a molecule, a peptide say, too small to read."""
    sizes = [natural_width(part) for card in found.cards if card.width == "narrow" for part in card.parts]
    if max(sizes, default=0.0) <= _READABLE:
        return found
    cards = (replace(card, width="wide") if card.width == "narrow" else card for card in found.cards)
    return replace(found, cards=tuple(cards))


def natural_width(part: Part) -> float:
    """Of the widest molecule in it."""
    widths = [0.0]
    for one in part.items if isinstance(part, Scheme) else ():
        with suppress(Undrawn):
            widths.append(picture(one).width if isinstance(one, Molecule) else 0.0)
    return max(widths)


def group(members: list[Entry]) -> Group:
    first = members[0]
    if first.scored:
        return scored_group(members)
    answers = [one for one in members if not one.failed]
    wrong = sum(not one.valid for one in answers)
    detail = [first.task]
    if first.task in _SEQUENCE_TASKS and first.input:
        given = "given" if first.task in ("protein", "antibody") else "in the sequence"
        detail.append(f"{counted(len(first.input), 'residue')} {given}")
    detail.append(counted(len(answers), "answer") if answers else "no answer")
    detail += [f"{wrong:,} not valid"] if wrong else []
    cards = [answer_card(one) for one in members]
    if asked := input_card(first):
        cards.insert(0, asked)
    # Without an input the id is a line number of nothing.
    name = first.task if not first.input and first.id == str(first.row + 1) else first.id
    return Group(name, " · ".join(detail[name == first.task :]), tuple(cards))


def scored_group(members: list[Entry]) -> Group:
    first = members[0]
    if first.error is None and kind_of(first) == "answer":
        cards = [scored_answer_card(one) for one in members]
        if first.task == "ligand" and (asked := input_card(first)):
            cards.insert(0, asked)
        name = first.id if len({one.id for one in members}) == 1 else "scored"
        return Group(name, f"score · {first.task} · {counted(len(members), 'record')}", tuple(cards))
    if first.mutant is None and first.error is None and kind_of(first) in ("molecule", "reaction"):
        kind = kind_of(first)
        return Group("scored", f"{kind} · {counted(len(members), 'record')}", tuple(scored_card(one) for one in members))
    mutants = sum(one.mutant is not None for one in members)
    length = f"{counted(len(first.input), 'residue')} · " if kind_of(first) == "sequence" else ""
    if mutants and kind_of(first) != "text":
        return Group(first.id, f"score · {length}{counted(mutants, 'mutant')}", (scan_card(members),))
    return Group(first.id, f"score · {length}{first.task}", tuple(scored_card(one) for one in members))


def scored_answer_card(entry: Entry) -> Card:
    """What was scored as its task shows it, a text that is no answer as it is; with its name, for it shares the group."""
    parts, copies = drawn(entry) if entry.answer is not None else (None, ())
    width = width_of(entry.task)
    shown = parts if parts is not None else (Lines((entry.text or "",), "code"),)
    return Card(ordered(shown, (Lines((entry.id,)), *caption(entry)), width), width, copies=copies)


def scored_card(entry: Entry) -> Card:
    if entry.error is not None:
        return Card((Lines((f"not scored: {entry.error}",), "error"), Lines((entry.input,), "code")), "full", "invalid")
    told, kind = caption(entry), kind_of(entry)
    if kind == "molecule":
        named: Part = Lines((entry.id,))
        return Card((Scheme((Molecule(entry.input),)), named, *told), copies=(entry.input,))
    if kind == "reaction":
        sides = [[Molecule(one) for one in side(entry.input).split(".") if one] for side in (first_side, last_side)]
        scheme = Scheme((*joined(sides[0]), "→", *joined(sides[1])))
        agents = reaction_parts(entry.input)[1]
        over = [Lines((f"over the arrow: {agents}",), "code")] if agents else []
        return Card((scheme, Lines((entry.id,)), *over, *told), "wide", copies=(entry.input,))
    body: Part = Residues(entry.input, {}) if kind == "sequence" else Lines((entry.input,), "code")
    return Card((*told, body), "full", copies=(entry.input,))
