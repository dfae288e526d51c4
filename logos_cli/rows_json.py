"""Rows of `.jsonl`: our own files and records, and LOGOS's published input files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from logos_cli.chem import shortened
from logos_cli.lines import Blank, Line, filled
from logos_cli.records import is_score
from logos_cli.row import Recorded, Row, too_long
from logos_cli.rows_table import SEQUENCE_COLUMNS, SMILES_COLUMNS, pocket_cell, without_extension

# Keys of a JSON line that hold the input, in order of preference; the first three are LOGOS's published files'.
TEXT_KEYS = ("test_input", "protein_pocket_ligand", "text")
SMILES_KEYS = (*SMILES_COLUMNS, "reaction", "input", "product", "reactants")
MATERIAL_KEYS = ("metal", "linkers")


def json_rows(lines: Iterator[Line], blank: Blank, wants: str) -> Iterator[Row]:
    for ordinal, (number, text) in enumerate(filled(lines, blank)):
        yield too_long(ordinal, number) if text is None else json_row(ordinal, number, text, wants)


def json_row(ordinal: int, number: int, line: str, wants: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(ordinal, str(number), error=f"line {number} is not JSON: {error}")
    if not isinstance(found, dict):
        return Row(ordinal, str(number), error=f"line {number} is not a JSON object: {shortened(line)}")
    name = next((str(found[key]) for key in ("id", "name") if found.get(key) not in (None, "")), str(number))
    if "schema" in found and ("answer" in found or is_score(found)):
        row = score_row(ordinal, name, found) if is_score(found) else record_row(ordinal, name, found)
        return replace(row, recorded=recorded(found))
    truth = found.get("groundtruth", found.get("truth"))
    texts = [found[key] for key in TEXT_KEYS if isinstance(found.get(key), str)]
    # A molecule or a protein may come with a remark under `text`; grammar begins with a marker.
    if texts and texts[0].startswith("<"):
        return Row(ordinal, name, text=texts[0], truth=truth)
    keys = (*SEQUENCE_COLUMNS, *SMILES_KEYS) if wants != "smiles" else (*SMILES_KEYS, *SEQUENCE_COLUMNS)
    key = next((key for key in keys if found.get(key) is not None), None)
    if key is None and texts:
        return Row(ordinal, name, text=texts[0], truth=truth)
    if key is None and all(key in found for key in MATERIAL_KEYS):
        return material_row(ordinal, number, name, found, truth)
    if key is None:
        wanted = ", ".join((*TEXT_KEYS, *keys))
        return Row(ordinal, name, truth=truth, error=f"line {number} has none of the keys {wanted}")
    if key in SEQUENCE_COLUMNS:
        return sequence_row(ordinal, number, name, found, key, truth)
    return smiles_row(ordinal, number, name, found, found[key], truth)


def record_row(ordinal: int, name: str, found: dict[str, Any]) -> Row:
    """One of our own records, fed on to the next task: what it answered goes in; its truth was that of another question."""
    answer, task = found["answer"], found.get("task")
    if answer is None or not found.get("valid"):
        return Row(ordinal, name, error="the record has no valid answer")
    if task == "pocket" and isinstance(found.get("input"), str):
        return sequence_row(ordinal, ordinal + 1, name, {"sequence": found["input"], "pocket": answer}, "sequence", None)
    if task in ("protein", "antibody"):
        return sequence_row(ordinal, ordinal + 1, name, {"sequence": answer}, "sequence", None)
    if task == "material" and isinstance(answer, dict):
        return material_row(ordinal, ordinal + 1, name, answer, None)
    return smiles_row(ordinal, ordinal + 1, name, {}, answer, None)


def score_row(ordinal: int, name: str, found: dict[str, Any]) -> Row:
    """A record of `logos score`, fed on."""
    if found.get("task") == "material" and isinstance(found.get("answer"), dict):
        return material_row(ordinal, ordinal + 1, name, found["answer"], None)
    return smiles_row(ordinal, ordinal + 1, name, {}, found.get("input"), None)


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


def sequence_row(ordinal: int, number: int, name: str, found: dict[str, Any], key: str, truth: Any) -> Row:
    value, pocket, ligand = found[key], found.get("pocket"), found.get("ligand")
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


def material_row(ordinal: int, number: int, name: str, found: dict[str, Any], truth: Any) -> Row:
    node, linkers = (found.get(key) for key in MATERIAL_KEYS)
    if not isinstance(node, str) or not isinstance(linkers, list) or not all(isinstance(one, str) for one in linkers):
        return Row(ordinal, name, truth=truth, error=f"line {number}: metal is not a SMILES or linkers no list of them")
    return Row(ordinal, name, truth=truth, material=(node, tuple(linkers)))


def smiles_row(ordinal: int, number: int, name: str, found: dict[str, Any], value: Any, truth: Any) -> Row:
    product, parts = found.get("product"), found.get("reactants")
    if value is product and isinstance(product, str) and isinstance(parts, list) and all(isinstance(p, str) for p in parts):
        # A whole reaction: each task takes its side.
        return Row(ordinal, name, f"{'.'.join(parts)}>>{product}", reactants=tuple(parts), truth=truth)
    if isinstance(value, str):
        return Row(ordinal, name, without_extension(value), truth=truth)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return Row(ordinal, name, tuple(value), truth=truth)
    return Row(ordinal, name, truth=truth, error=f"line {number}: expected a SMILES or a list of SMILES")
