"""Which records are drawn, and together: one group a row, one card for all mutants of a row, one grid for scored molecules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum, auto

from logos_cli.chemistry.grammar import reaction_parts
from logos_cli.drawing.cards import answer_card, caption, input_card, ordered, shows_site
from logos_cli.drawing.molecules import Undrawn, picture
from logos_cli.drawing.pictures import drawn, first_side, joined, last_side, picture_of
from logos_cli.drawing.scan import scan_card
from logos_cli.drawing.sheet import Card, Group, Lines, Molecule, MoleculeLine, Part, Residues, Sheet, counted
from logos_cli.drawing.stored_record import StoredRecord
from logos_cli.tasks.table import task_of_record

_READABLE = 520.0  # pixels at natural size, of which a narrow card shows less than half
_MARKER = re.compile(r"<(?!-)")  # `<-` is a dative bond
_LETTERS = re.compile(r"[A-Z*]{10,}")
Key = tuple[str | int, ...]


class Scored(StrEnum):
    """What was scored: the answer to an input, or an input that is a molecule, reaction, sequence or text."""

    ANSWER = auto()
    MOLECULE = auto()
    REACTION = auto()
    SEQUENCE = auto()
    TEXT = auto()


@dataclass(frozen=True)
class Chosen:
    """What is drawn, and how many records are not: over the limit, or not valid when only valid ones are asked for."""

    records: tuple[StoredRecord, ...]
    over: int
    invalid: int


def choose(records: Iterable[StoredRecord], limit: int, valid_only: bool) -> Chosen:
    """Takes the first `limit` of them, in which all mutants of a row, being one card, count as one."""
    taken: list[StoredRecord] = []
    scans: set[Key] = set()
    cards = over = invalid = 0
    for record in records:
        if valid_only and (record.error is not None or not (record.valid or record.scored)):
            invalid += 1
            continue
        # The wild type of a scan is a record without a mutant.
        scanned = record.scored and what_was_scored(record) in (Scored.SEQUENCE, Scored.TEXT)
        if scanned and key(record) in scans:
            taken.append(record)
        elif cards >= limit:
            over += 1
        else:
            cards += 1
            scans |= {key(record)} if scanned else set()
            taken.append(record)
    return Chosen(tuple(taken), over, invalid)


def key(record: StoredRecord) -> Key:
    """Gives what is equal for records of one group. Row and id may repeat where files were joined: the input then tells."""
    if not record.scored:
        return (record.task, record.row, record.id, record.input, record.model)
    scored = what_was_scored(record)
    if record.error is None and scored is Scored.ANSWER:
        # Molecules for one pocket stand together, other answers about a protein alone, all others in one grid.
        task = task_of_record(record.task)
        site = (record.input, str(record.site)) if shows_site(record) else ()
        alone = (record.row, record.id) if task.about_sequence and not site else ()
        return ("score", record.task, *site, *alone, record.model)
    if record.mutant is None and record.error is None and scored in (Scored.MOLECULE, Scored.REACTION):
        return ("score", scored, record.model)
    return ("score", record.task, record.row, record.id, record.model)


def what_was_scored(record: StoredRecord) -> Scored:
    """Tells it by what the record holds, and by its task."""
    if record.answer is not None or record.text is not None:
        return Scored.ANSWER
    if _MARKER.search(record.input):
        return Scored.TEXT
    if len(reaction_parts(record.input)) == 3:
        return Scored.REACTION
    # CCCCCCCCCC is decane and a row of cysteines: the task tells, or a letter that is no atom.
    if task_of_record(record.task).wants == "sequence":
        return Scored.SEQUENCE
    letters = _LETTERS.fullmatch(record.input) and set(record.input) - set("BCNOPSFI")
    return Scored.SEQUENCE if letters else Scored.MOLECULE


def sheet_of(records: Iterable[StoredRecord], title: str, columns: int) -> Sheet:
    """Lays records out as groups of cards."""
    grouped: dict[Key, list[StoredRecord]] = {}
    for record in records:
        grouped.setdefault(key(record), []).append(record)
    groups = tuple(widened(group(members)) for members in grouped.values())
    everyone = [one for members in grouped.values() for one in members]
    tasks = Counter("score" if one.scored else one.task for one in everyone)
    models = sorted({one.model for one in everyone if one.model})
    about = [", ".join(f"{name}: {counted(count, 'record')}" for name, count in tasks.items())]
    about += [f"model{'s' if len(models) > 1 else ''} {', '.join(models)}"] if models else []
    return Sheet(title, " · ".join(about), groups, columns)


def widened(found: Group) -> Group:
    """Gives the same with cards twice as wide if one of them would show a molecule, a peptide say, too small to read."""
    sizes = [natural_width(part) for card in found.cards if card.width == "narrow" for part in card.parts]
    if max(sizes, default=0.0) <= _READABLE:
        return found
    cards = (replace(card, width="wide") if card.width == "narrow" else card for card in found.cards)
    return replace(found, cards=tuple(cards))


def natural_width(part: Part) -> float:
    """Measures the widest molecule in it."""
    widths = [0.0]
    for one in part.items if isinstance(part, MoleculeLine) else ():
        with suppress(Undrawn):
            widths.append(picture(one).width if isinstance(one, Molecule) else 0.0)
    return max(widths)


def group(members: list[StoredRecord]) -> Group:
    """Makes the group of one row's records."""
    first = members[0]
    if first.scored:
        return scored_group(members)
    answers = [one for one in members if not one.failed]
    wrong = sum(not one.valid for one in answers)
    detail = [first.task]
    task = task_of_record(first.task)
    if task.wants == "sequence" and first.input:
        detail.append(f"{counted(len(first.input), 'residue')} {'in the sequence' if task.about_sequence else 'given'}")
    detail.append(counted(len(answers), "answer") if answers else "no answer")
    detail += [f"{wrong:,} not valid"] if wrong else []
    cards = [answer_card(one) for one in members]
    if question := input_card(first):
        cards.insert(0, question)
    # Without an input the id is a line number of nothing.
    name = first.task if not first.input and first.id == str(first.row + 1) else first.id
    return Group(name, " · ".join(detail[name == first.task :]), tuple(cards))


def scored_group(members: list[StoredRecord]) -> Group:
    """Makes a group of scores."""
    first = members[0]
    scored = what_was_scored(first)
    if first.error is None and scored is Scored.ANSWER:
        cards = [scored_answer_card(one) for one in members]
        if shows_site(first) and (question := input_card(first)):
            cards.insert(0, question)
        name = first.id if len({one.id for one in members}) == 1 else "scored"
        return Group(name, f"score · {first.task} · {counted(len(members), 'record')}", tuple(cards))
    if first.mutant is None and first.error is None and scored in (Scored.MOLECULE, Scored.REACTION):
        return Group("scored", f"{scored} · {counted(len(members), 'record')}", tuple(scored_card(one) for one in members))
    mutants = sum(one.mutant is not None for one in members)
    length = f"{counted(len(first.input), 'residue')} · " if scored is Scored.SEQUENCE else ""
    if mutants and scored is not Scored.TEXT:
        return Group(first.id, f"score · {length}{counted(mutants, 'mutant')}", (scan_card(members),))
    return Group(first.id, f"score · {length}{first.task}", tuple(scored_card(one) for one in members))


def scored_answer_card(record: StoredRecord) -> Card:
    """Makes the card of what was scored as its task shows it, a text that is no answer as it is; with its name, for it shares
    the group."""
    content = drawn(record) if record.answer is not None else None
    width = picture_of(record).width
    parts, copies = content or ((Lines((record.text or "",), "code"),), ())
    return Card(ordered(parts, (Lines((record.id,)), *caption(record)), width), width, copies=copies)


def scored_card(record: StoredRecord) -> Card:
    """Makes the card of an input that was scored."""
    if record.error is not None:
        failed = (Lines((f"not scored: {record.error}",), "error"), Lines((record.input,), "code"))
        return Card(failed, "full", "invalid")
    lines, scored = caption(record), what_was_scored(record)
    if scored is Scored.MOLECULE:
        named: Part = Lines((record.id,))
        return Card((MoleculeLine((Molecule(record.input),)), named, *lines), copies=(record.input,))
    if scored is Scored.REACTION:
        sides = [[Molecule(one) for one in side(record.input).split(".") if one] for side in (first_side, last_side)]
        line = MoleculeLine((*joined(sides[0]), "→", *joined(sides[1])))
        agents = reaction_parts(record.input)[1]
        over = [Lines((f"over the arrow: {agents}",), "code")] if agents else []
        return Card((line, Lines((record.id,)), *over, *lines), "wide", copies=(record.input,))
    body: Part = Residues(record.input, {}) if scored is Scored.SEQUENCE else Lines((record.input,), "code")
    return Card((*lines, body), "full", copies=(record.input,))
