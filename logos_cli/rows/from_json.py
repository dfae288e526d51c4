"""Rows of `.jsonl`: our own files and records, and LOGOS's published input files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from logos_cli.chemistry.smiles import shortened
from logos_cli.chemistry.smiles_text import read_cell
from logos_cli.errors import UsageError
from logos_cli.records.record import is_score
from logos_cli.records.syntheseus_lines import plain_reaction
from logos_cli.rows.column_names import ID, asked_for, first_of
from logos_cli.rows.from_smi import row_of
from logos_cli.rows.from_table import pocket_cell
from logos_cli.rows.row import Reading, Recorded, Row, too_long
from logos_cli.rows.source import Source, only_other_side, source_of
from logos_cli.system.lines import Blank, Line, filled
from logos_cli.tasks.table import answer_kind

# Keys of a JSON line that hold grammar text, LOGOS's published files' first.
TEXT_KEYS = ("test_input", "protein_pocket_ligand", "text")
MATERIAL_KEYS = ("metal", "linkers")


def json_rows(path: str, lines: Iterator[Line], blank: Blank, reading: Reading) -> Iterator[Row]:
    """Raises UsageError if the first object has no key that the user named; later ones then are rows with an error."""
    seen = False
    for ordinal, (number, text) in enumerate(filled(lines, blank)):
        if text is None:
            yield too_long(ordinal, number)
            continue
        found = json_object(number, text)
        if isinstance(found, str):
            yield Row(ordinal, str(number), error=found)
            continue
        try:
            yield json_row(path, ordinal, number, found, blank, reading)
        except UsageError as error:
            if not seen:
                raise
            yield Row(ordinal, str(number), error=f"line {number}: {str(error).removeprefix(f'{path}: ')}")
        seen = True


def json_object(number: int, line: str) -> dict[str, Any] | str:
    """The object of a line, or why there is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"line {number} is not JSON: {error}"
    return found if isinstance(found, dict) else f"line {number} is not a JSON object: {shortened(line)}"


def json_row(path: str, ordinal: int, number: int, found: dict[str, Any], blank: Blank, reading: Reading) -> Row:
    given = {key: value for key, value in plain_reaction(found).items() if value is not None}
    names = list(given)
    lowered = {key.lower(): value for key, value in reversed(given.items())}
    name = identity(path, given, reading) or str(number)
    named = reading.smiles_column or reading.sequence_column
    if not named and "schema" in found and ("answer" in found or is_score(found)):
        row = score_row(ordinal, name, found) if is_score(found) else record_row(ordinal, name, found)
        return replace(row, recorded=recorded(found))
    truth = lowered.get("groundtruth", lowered.get("truth"))
    texts = [] if named else [lowered[key] for key in TEXT_KEYS if isinstance(lowered.get(key), str)]
    # A molecule or a protein may come with a remark under `text`; grammar begins with a marker.
    if texts and texts[0].startswith("<"):
        return Row(ordinal, name, text=texts[0], truth=truth)
    source = source_of(path, "key", names, reading, sequence_first=True, both=True)
    if source is None or source.guessed:
        if texts:
            return Row(ordinal, name, text=texts[0], truth=truth)
        if all(key in lowered for key in MATERIAL_KEYS):
            return material_row(ordinal, number, name, lowered, truth)
    if source is None:
        return Row(ordinal, name, truth=truth, error=f"line {number} {without_source(names, reading)}")
    if source.chains:
        return chains_row(ordinal, number, name, given, source, truth)
    if source.sequence:
        return sequence_row(ordinal, number, name, lowered, names[source.at], truth, given[names[source.at]])
    if source.guessed or source.unused:
        others = "".join(f", not from {names[place]}" for place in source.unused)
        blank.note_once("source", f"the SMILES are read from key {names[source.at]}{others}; name another with --smiles-column")
    row = smiles_row(ordinal, number, name, given, source, reading, blank)
    return replace(row, truth=truth)


def identity(path: str, given: dict[str, Any], reading: Reading) -> str:
    names = list(given)
    if reading.id_column:
        return str(given[names[asked_for(path, "key", names, reading.id_column)]])
    kept = [name for name in names if given[name] != ""]
    at = first_of(kept, ID)
    return "" if at is None else str(given[kept[at]])


def without_source(names: list[str], reading: Reading) -> str:
    """What is said of an object that holds nothing that is wanted."""
    has = shortened(", ".join(names), 200) or "none"
    option = "--sequence-column" if reading.wants == "sequence" else "--smiles-column"
    if other := only_other_side(names, reading.side):
        return f"has {other} and no {reading.side}; its keys: {has}; name one with {option}"
    wanted = "a sequence" if reading.wants == "sequence" else "SMILES"
    return f"has no key that is known to hold {wanted}; its keys: {has}; name one with {option}"


def record_row(ordinal: int, name: str, found: dict[str, Any]) -> Row:
    """One of our own records, fed on to the next task: what it answered goes in; its truth was that of another question."""
    if found["answer"] is None or not found.get("valid"):
        return Row(ordinal, name, error="the record has no valid answer")
    return fed_row(ordinal, name, answer_kind(found.get("task")).as_input(found))


def score_row(ordinal: int, name: str, found: dict[str, Any]) -> Row:
    """A record of `logos score`, fed on."""
    return fed_row(ordinal, name, answer_kind(found.get("task")).scored_as_input(found))


def fed_row(ordinal: int, name: str, given: dict[str, Any]) -> Row:
    """A row of what a kind of answer says to the next task."""
    if "sequence" in given:
        return sequence_row(ordinal, ordinal + 1, name, given, "sequence", None)
    if "metal" in given:
        return material_row(ordinal, ordinal + 1, name, given, None)
    return molecules_row(ordinal, ordinal + 1, name, given["smiles"])


def recorded(found: dict[str, Any]) -> Recorded | None:
    """What a record says of itself; None if it does not even say what was asked."""

    def text(key: str) -> str | None:
        return found[key] if isinstance(found.get(key), str) else None

    task, given, site = text("task"), text("input"), found.get("site")
    if task is None or given is None:
        return None
    known = site if isinstance(site, dict) else None
    return Recorded(
        task, given, text("text"), text("finish"), text("prompt"), known, is_score(found), text("mutant"), text("asked")
    )


def sequence_row(ordinal: int, number: int, name: str, found: dict[str, Any], key: str, truth: Any, value: Any = None) -> Row:
    """`found` has its keys in lower case; `value` is that of `key` where this is not."""
    value, pocket, ligand = found.get(key, value), found.get("pocket"), found.get("ligand")
    if not isinstance(value, str):
        return Row(ordinal, name, truth=truth, error=f"line {number}: {key} is not a text", kind="sequence")
    places: tuple[int, ...] = ()
    error = None
    if isinstance(pocket, str):
        places, error = pocket_cell(pocket, number)
    elif isinstance(pocket, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in pocket):
        places = tuple(pocket)
    elif pocket is not None:
        error = f"line {number}: pocket is no list of residue numbers: {shortened(json.dumps(pocket))}"
    known = ligand if isinstance(ligand, str) and ligand else None
    return Row(ordinal, name, value, truth=truth, error=error, kind="sequence", pocket=places, ligand=known)


def chains_row(ordinal: int, number: int, name: str, given: dict[str, Any], source: Source, truth: Any) -> Row:
    """A row of several sequences, each under a key of its own."""
    names = list(given)
    found = [(label, given[names[place]]) for label, place in source.chains]
    if any(not isinstance(value, str) for _, value in found):
        keys = ", ".join(names[place] for _, place in source.chains)
        return Row(ordinal, name, truth=truth, error=f"line {number}: {keys}: not all of them are a text", kind="sequence")
    return Row(ordinal, name, truth=truth, kind="sequence", chains=tuple(found))


def material_row(ordinal: int, number: int, name: str, found: dict[str, Any], truth: Any) -> Row:
    node, linkers = (found.get(key) for key in MATERIAL_KEYS)
    if not isinstance(node, str) or not isinstance(linkers, list) or not all(isinstance(one, str) for one in linkers):
        return Row(ordinal, name, truth=truth, error=f"line {number}: metal is not a SMILES or linkers no list of them")
    return Row(ordinal, name, truth=truth, material=(node, tuple(linkers)))


def smiles_row(
    ordinal: int, number: int, name: str, given: dict[str, Any], source: Source, reading: Reading, blank: Blank
) -> Row:
    names = list(given)
    grouped = reading.side == "reactants"
    if source.at < 0:
        sides = [side_of(given[names[place]]) for place in (source.reactants, source.product)]
        if None in sides:
            return Row(ordinal, name, error=f"line {number}: expected SMILES or lists of SMILES on both sides of the reaction")
        # A whole reaction: each task takes its side. A list says which fragments belong together.
        found = read_cell(">>".join(".".join(side) for side in sides if side is not None))
        row = row_of(found, ordinal, name, number, reading, {})
        listed = isinstance(given[names[source.reactants]], list) or any("." in part for part in sides[0] or ())
        return replace(row, reactants=tuple(sides[0] or ())) if listed else row
    value = given[names[source.at]]
    if not isinstance(value, str):
        return molecules_row(ordinal, number, name, value)
    found = read_cell(value, grouped)
    blank.left_out.update(found.left_out)
    return row_of(found, ordinal, name, number, reading, {})


def molecules_row(ordinal: int, number: int, name: str, value: Any) -> Row:
    """A row of one SMILES or of a list of them."""
    found = side_of(value)
    if not found:
        return Row(ordinal, name, error=f"line {number}: expected a SMILES or a list of SMILES")
    return Row(ordinal, name, value if isinstance(value, str) else tuple(found))


def side_of(value: Any) -> list[str] | None:
    """The molecules of one side of a reaction, given as a text or as a list of texts; None if it is neither."""
    if isinstance(value, str):
        found = read_cell(value, grouped=True)
        return list(found.parts or found.smiles.split("."))
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return None
    return [read_cell(one, grouped=True).smiles for one in value]
