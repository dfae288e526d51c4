"""Records as cards: what was asked, and each answer with how likely it is."""

from __future__ import annotations

import json
from typing import Any

from logos_cli.drawing.pictures import drawn, joined, last_side, picture_of, places, reactants_of
from logos_cli.drawing.sheet import (
    Card,
    Lines,
    Mark,
    Molecule,
    MoleculeLine,
    Part,
    Residues,
    counted,
    number,
    shade,
    signed,
)
from logos_cli.drawing.stored_record import StoredRecord
from logos_cli.tasks.table import task_of_record

_NAMES = {"mw": "MW", "logp": "logP", "tpsa": "TPSA", "qed": "QED", "hbd": "HBD", "hba": "HBA"}


def caption(record: StoredRecord) -> tuple[Part, ...]:
    """Says which answer this is and how likely; then its properties."""
    first = []
    merged = bool(record.frequency)  # its rank is always 1, its count that of the faithful
    if record.rank is not None and not merged:
        first.append(f"rank {record.rank}")
    elif record.sample is not None and not merged:
        first.append(f"sample {record.sample}")
    if record.count is not None and not merged:
        first.append(counted(record.count, "sample"))
    if record.samples is not None:
        first.append(
            counted(record.samples, "sample") + (f", {record.faithful:,} faithful" if record.faithful is not None else "")
        )
    if record.logprob is not None:
        first.append(f"log-prob {number(float(record.logprob))}")
    if record.logprob_per_token is not None:
        first.append(f"{number(float(record.logprob_per_token))} a token")
    if record.delta is not None:
        first.append(f"delta {signed(record.delta)}")
    props = [f"{_NAMES.get(key, key)} {shown(value)}" for key, value in record.props.items() if value is not None]
    lines = [", ".join(props)] if props else []
    if record.unfaithful:
        lines.append("left out: " + ", ".join(f"{shown(count)} {reason}" for reason, count in record.unfaithful.items()))
    value, to = record.similarity.get("tanimoto"), record.similarity.get("to")
    if value is not None:
        lines.append(f"Tanimoto {shown(value)}" + (f" to {shown(to)}" if to else ""))
    found: list[Part] = [Lines((" · ".join(first),), "strong")] if first else []
    return (*found, Lines(tuple(lines))) if lines else tuple(found)


def shown(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15:
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def answer_card(record: StoredRecord) -> Card:
    """Makes the card of one answer, valid or not, or of a row that failed."""
    if record.failed:
        return Card((Lines((f"no answer: {record.error}",), "error"),), "full", "invalid")
    width = picture_of(record).width
    if record.valid and (content := drawn(record)):
        parts, copies = content
        return Card(ordered(parts, caption(record), width), width, copies=copies)
    error = record.error or "no reason given"
    reason = "an answer of another shape" if record.valid else error if error.startswith("not ") else f"not valid: {error}"
    text = record.text or (json.dumps(record.answer, ensure_ascii=False) if record.answer is not None else "")
    body: list[Part] = [Lines((reason,), "error")]
    body += [Lines((text,), "code")] if text else []
    return Card(ordered(tuple(body), caption(record), width), width, "invalid")


def ordered(parts: tuple[Part, ...], caption: tuple[Part, ...], width: str) -> tuple[Part, ...]:
    """Puts a caption below a structure, and above the long lines of a sequence."""
    return (*caption, *parts) if width == "full" else (*parts, *caption)


def shows_site(record: StoredRecord) -> bool:
    """Whether a record's question is a pocket, which its answer does not show."""
    task = task_of_record(record.task)
    return task.about_sequence and task.answers.one_molecule


def input_card(record: StoredRecord) -> Card | None:
    """Makes the card of what was asked: structures, or the pocket that a molecule was asked for; None if the heading says it
    all."""
    name = Lines(("input",), "strong")
    side = task_of_record(record.task).side
    if side == "product" and record.input:
        product = last_side(record.input)
        return Card((MoleculeLine((Molecule(product),)), name), "wide", "input", (product,))
    if side == "reactants" and record.input:
        left = reactants_of(record)
        line = MoleculeLine(tuple(joined([Molecule(one) for one in left])))
        return Card((line, name), "wide", "input", (".".join(left),))
    return site_card(record, name) if shows_site(record) else None


def site_card(record: StoredRecord, name: Lines) -> Card:
    """Makes the card of a pocket that was asked for."""
    letters, named = record.input, places(record.site.get("pocket")) or []
    chosen = {at for at in named if 1 <= at <= len(letters)}
    site = Residues(letters, {at: Mark(shade(0.7), title=f"{letters[at - 1]}{at}") for at in chosen})
    own = record.site.get("residues")
    line = f"pocket of {counted(len(chosen), 'residue')}"
    line += f", chain {record.site['chain']}" if record.site.get("chain") else ""
    if isinstance(own, list):
        pairs = zip(named, own, strict=False)
        line += ": " + "  ".join(
            f"{letters[at - 1]}{at}" + ("" if own_name is None else f" ({own_name})") for at, own_name in pairs if at in chosen
        )
    return Card((name, site, *((Lines((line,)),) if chosen else ())), "full", "input", (letters,))
