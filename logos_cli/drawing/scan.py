"""All mutants of one sequence as one card: where they are, which are best, and position by residue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from logos_cli.drawing.sheet import (
    GREY,
    Card,
    HeatMap,
    Legend,
    Lines,
    Mark,
    Part,
    Ranking,
    Residues,
    counted,
    diverging,
    number,
    signed,
)
from logos_cli.drawing.stored_record import StoredRecord

# By kind: small and greasy, aromatic, polar, charged; what is alike stands together in a heat map.
RESIDUES = "GAVLIMPFWYSTCNQDEHKR"
_MUTATION = re.compile(r"([A-Z])([1-9]\d{0,5})([A-Z*])")
_HEAT_FROM = 10  # mutants; fewer are read faster in the list
_BEST, _WORST = 40, 20  # of a longer list


@dataclass(frozen=True)
class ScoredMutant:
    """A scored mutant; `changes` are (position from 1, wild type's residue, new residue), empty if the name tells none."""

    name: str
    changes: tuple[tuple[int, str, str], ...]
    delta: float | None
    logprob: float | None


def changes_of(name: str) -> tuple[tuple[int, str, str], ...]:
    """Reads `A23V+K45R`; empty if a part of it is not such a change."""
    found = [_MUTATION.fullmatch(part) for part in re.split(r"[+:,;/ ]+", name.strip())]
    return tuple((int(one[2]), one[1], one[3]) for one in found if one) if all(found) else ()


def own_changes(name: str, site: dict[str, Any]) -> tuple[tuple[int, str, str], ...]:
    """Reads a structure's mutant, whose places the record tells; empty if it tells none that fit the name."""
    places, parts = site.get("places"), [part.rpartition(":")[2] for part in name.split("+")]
    if not isinstance(places, list) or len(places) != len(parts) or not all(type(at) is int and at > 0 for at in places):
        return ()
    if not all(part[:1].isalpha() and part[-1:].isalpha() and len(part) > 1 for part in parts):
        return ()
    return tuple((at, part[0], part[-1]) for at, part in zip(places, parts, strict=True))


def wild_type(records: Sequence[StoredRecord], mutants: Sequence[ScoredMutant]) -> str:
    """Finds the sequence that was mutated: that of the unmutated record, else the first mutant's, changes taken back."""
    letters = list(next((one.input for one in records if not one.mutant), records[0].input))
    for mutant in mutants:
        for at, old, new in mutant.changes:
            if at <= len(letters) and letters[at - 1] == new != old:
                letters[at - 1] = old
    return "".join(letters)


def scan_card(records: Sequence[StoredRecord]) -> Card:
    """Makes the card of one row's records, at least one of them a mutant."""
    plain = next((one for one in records if not one.mutant and one.error is None), None)
    mutants = []
    for one in records:
        if one.mutant and one.error is None:
            delta = one.delta
            if delta is None and plain and plain.logprob is not None and one.logprob is not None:
                delta = one.logprob - plain.logprob
            own, changes = own_changes(one.mutant, one.site), changes_of(one.mutant)
            # Of a structure the name has its own numbers; the places are shown beside them.
            beside = f" (place {' '.join(str(at) for at, _, _ in own)})" if own and own != changes else ""
            mutants.append(ScoredMutant(one.mutant + beside, own or changes, delta, one.logprob))
    letters = wild_type(records, mutants)
    limit = max((abs(one.delta) for one in mutants if one.delta is not None), default=0.0)
    parts: list[Part] = []
    if plain and plain.logprob is not None:
        each = f", {number(plain.logprob_per_token)} a token" if plain.logprob_per_token is not None else ""
        parts.append(Lines((f"wild type: log-prob {number(plain.logprob)}{each}",), "strong"))
    parts.append(Residues(letters, marks(mutants, len(letters), limit)))
    if limit:
        stops = tuple(diverging(share) for share in (-1, -0.5, 0, 0.5, 1))
        meaning = "delta of log-prob, mutant minus wild type; a residue has the mean of its mutants"
        parts.append(Legend(meaning, f"{signed(-limit)} worse", f"{signed(limit)} better", stops))
    outside = [one.name for one in mutants if not one.changes or any(at > len(letters) for at, _, _ in one.changes)]
    if outside:
        parts.append(Lines((f"not marked, no place in this sequence: {', '.join(outside[:10])}",)))
    if heat := heat_map(mutants, letters, limit):
        parts.append(heat)
    if mutants:
        parts += ranking(mutants, limit)
    parts += [Lines((f"{one.mutant or 'wild type'}: {one.error}",), "error") for one in records if one.error is not None]
    return Card(tuple(parts), "full", copies=(letters,))


def fill(delta: float | None, limit: float) -> str:
    return GREY if delta is None else diverging(delta / limit if limit else 0.0)


def marks(mutants: Sequence[ScoredMutant], length: int, limit: float) -> dict[int, Mark]:
    """Marks each position with the mean of the mutants with that change alone, where there are none of all with it."""
    found = {}
    places = sorted({at for one in mutants for at, _, _ in one.changes if at <= length})
    framed = len(places) <= length / 2  # a frame around every letter would tell nothing
    for at in places:
        having = [one for one in mutants if at in (place for place, _, _ in one.changes)]
        used = [one for one in having if len(one.changes) == 1] or having
        deltas = [one.delta for one in used if one.delta is not None]
        mean = fmean(deltas) if deltas else None
        names = ", ".join(one.name for one in used[:6]) + (" …" if len(used) > 6 else "")
        title = f"{names}: {signed(mean)}" if mean is not None else names
        found[at] = Mark(fill(mean, limit), framed, title)
    return found


def heat_map(mutants: Sequence[ScoredMutant], letters: str, limit: float) -> HeatMap | None:
    """Makes a heat map; None if a list says as much: few mutants, or one substitution a position."""
    single = {
        (one.changes[0][0], one.changes[0][2]): one
        for one in mutants
        if len(one.changes) == 1 and one.delta is not None and one.changes[0][0] <= len(letters)
    }
    places = sorted({at for at, _ in single})
    if len(single) < _HEAT_FROM or len(single) == len(places):
        return None
    residues = RESIDUES + "".join(sorted({new for _, new in single} - set(RESIDUES)))
    fills = {key: Mark(fill(one.delta, limit), title=f"{one.name}: {signed(one.delta or 0.0)}") for key, one in single.items()}
    return HeatMap(tuple((at, letters[at - 1]) for at in places), residues, fills)


def ranking(mutants: Sequence[ScoredMutant], limit: float) -> list[Part]:
    """Lists mutants, the best first; of a long list both ends, and a line that says so."""

    def worth(one: ScoredMutant) -> float:
        return next((value for value in (one.delta, one.logprob) if value is not None), float("-inf"))

    ordered = sorted(mutants, key=worth, reverse=True)
    rows = []
    for place, one in enumerate(ordered, 1):
        delta = signed(one.delta) if one.delta is not None else "–"
        logprob = number(one.logprob) if one.logprob is not None else "–"
        rows.append(((str(place), one.name, delta, logprob), fill(one.delta, limit)))
    head = ("rank", "mutant", "delta", "log-prob")
    if len(rows) <= _BEST + _WORST:
        return [Ranking(head, tuple(rows))]
    between = counted(len(rows) - _BEST - _WORST, "mutant")
    return [
        Lines((f"best {_BEST}",), "strong"),
        Ranking(head, tuple(rows[:_BEST])),
        Lines((f"{between} between these are not listed; last {_WORST}:",), "strong"),
        Ranking(head, tuple(rows[-_WORST:])),
    ]
