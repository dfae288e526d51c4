"""What the right answers are: from the records themselves, or from a file with one right answer a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.metrics.metrics import Truth
from logos_cli.chemistry.grammar import RowError, reaction_parts, read_marked
from logos_cli.chemistry.own_numbers import NumberError
from logos_cli.chemistry.smiles import canonical_set
from logos_cli.errors import InputError
from logos_cli.pipeline.recorded import numbers_of
from logos_cli.records.record import Record
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.tasks.table import TASKS, Task

_MOLECULE = re.compile(r"<MoleculeS>(.+?)<MoleculeE>")
_RESIDUE = re.compile(r"(?:[^:\s]*:)?-?\d{1,9}[A-Za-z]?")
_PROTEIN = re.compile(r"<ProteinS>(.+?)(?:<ProteinE>|$)")
# Keys of a JSON line, and columns of a table, that hold the right answer, those first that say so best.
_REACTION = ("reaction", "rxn_smiles", "reaction_smiles", "reactionsmiles", "rxn")
_SMILES = ("smiles", "canonical_smiles", "isomeric_smiles")
_KEYS = {
    "retro": ("reactants", "groundtruth", "truth", *_REACTION, *_SMILES),
    "react": ("product", "products", "groundtruth", "truth", *_REACTION, *_SMILES),
    "ligand": ("ligand", "groundtruth", "truth", *_SMILES),
    "pocket": ("pocket", "groundtruth", "truth", "test_input", "text"),
    "sequence": ("sequence", "groundtruth", "truth"),
}


def answer_keys(task: str) -> tuple[str, ...]:
    return _KEYS.get("sequence" if task in ("protein", "antibody") else task, ("groundtruth", "truth", *_SMILES))


def lowered(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same with keys that match in any case."""
    return {name.strip().lower(): one for name, one in value.items()}


def said(value: Mapping[str, Any], task: str) -> Any:
    """What an object with keys in small letters says is right: the first of its keys that is not null, None if all are;
    `value` itself if it has none of them."""
    here = [value[key] for key in answer_keys(task) if key in value]
    return next((one for one in here if one is not None), None) if here else value


def parse_truth(value: Any, task: str) -> Truth | None:
    """The molecules of a right answer: grammar text, a reaction SMILES (the side that `task` answers), SMILES joined by
    dots, a list of SMILES, or an object with `product` and `reactants`. None if a molecule is not valid."""
    if isinstance(value, dict):
        value = said(lowered(value), task)
    if isinstance(value, str):
        if found := _MOLECULE.findall(value):
            return canonical_set(found)
        parts = reaction_parts(value)
        value = [parts[-1 if task == "react" else 0] if len(parts) == 3 else value]
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return canonical_set(value)
    return None


def parse_pocket(value: Any) -> frozenset[int | str] | None:
    """The residues of a right binding site, from 1: a list of them, an object with `pocket`, or grammar text with pocket
    markers, of which the last protein counts. A number with a chain (`A:57`), and with `"numbering": "own"` any, is the
    structure's own and stays a text. None if it has none."""
    own = False
    if isinstance(value, dict):
        own = value.get("numbering") == "own"
        value = next((value[key] for key in ("pocket", "groundtruth", "truth") if value.get(key)), None)
    if isinstance(value, str) and "<PocketS>" in value:
        bodies = _PROTEIN.findall(value if value.startswith("<ProteinS>") else f"<ProteinS>{value}")
        marked = read_marked(bodies[-1]) if bodies else None
        return frozenset(marked.pocket) if marked else None
    if isinstance(value, str):
        value = [one for one in re.split(r"[\s,;]+", value.strip().strip("[]")) if one]
    if not isinstance(value, (list, tuple)) or not value:
        return None
    found: set[int | str] = set()
    for one in value:
        text = str(one)
        if isinstance(one, bool) or not isinstance(one, (int, str)) or not _RESIDUE.fullmatch(text):
            return None
        found.add(text if own or ":" in text else int(text) if text.isdigit() else text)
    return frozenset(found)


def in_places(truth: frozenset[int | str], record: Record, own: bool, where: str) -> frozenset[int]:
    """The residues of a right binding site as places in the record's sequence; `own`: bare numbers are the structure's.
    Raises InputError for one that is not in the protein."""
    numbers = numbers_of(record.site)
    found = set()
    for one in truth:
        if isinstance(one, int) and not own:
            if not 1 <= one <= len(record.input):
                told = f"residue {one} is beyond the protein of {len(record.input)} residues"
                hint = (
                    f"; for the structure's own numbers write {numbers.chains[0]}:{one}, or give --truth-numbers own"
                    if numbers and numbers.chains
                    else ""
                )
                raise InputError(f"{where}: {told}{hint}")
            found.add(one)
            continue
        if numbers is None:
            raise InputError(f"{where}: {one} is a structure's number, and the record tells none; give places from 1")
        try:
            found.add(numbers.place(str(one)))
        except NumberError as error:
            raise InputError(f"{where}: {error}") from None
    return frozenset(found)


def placed(truths: dict[int, Any], records: Iterable[Record], own: bool, path: str) -> dict[int, Any]:
    """Truths of binding sites with all residues as places from 1. Raises InputError."""
    by_row: dict[int, Record] = {}
    for record in records:
        if record.input:
            by_row.setdefault(record.row, record)
    return {
        row: in_places(truth, by_row[row], own, f"{path}: the right answer of row {row + 1}") if row in by_row else truth
        for row, truth in truths.items()
    }


def parse_sequence(value: Any) -> str | None:
    """A native sequence, markers left out."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("sequence", "groundtruth", "truth") if value.get(key)), None)
    if not isinstance(value, str):
        return None
    found = re.sub("<[A-Za-z]+>", "", value).strip().upper()
    return found if found.isalpha() else None


def parse_any(value: Any, task: str) -> Any:
    """A right answer in the form that the figures of `task` take; None if it is none."""
    if task == "pocket":
        return parse_pocket(value)
    if task in ("protein", "antibody"):
        return parse_sequence(value)
    return parse_truth(value, task)


def truths_of(records: Iterable[Record]) -> dict[int, Any]:
    """From the `truth` that published input files, and our own with a pocket or a ligand, bring along."""
    found: dict[int, Any] = {}
    for record in records:
        if record.truth is not None and record.row not in found and (truth := parse_any(record.truth, record.task)):
            found[record.row] = truth
    return found


def read_known(path: Path, task: str) -> frozenset[str]:
    """What a file holds of what `task` answers with, in the form of answers, to tell new ones from known ones; what is not
    valid is left out. Raises InputError if nothing is left."""
    wanted = TASKS.get(task if task in ("protein", "antibody", "material") else "molecule")
    assert wanted is not None
    found = frozenset(one for row in read_rows(str(path), Reading(wanted.wants)) if (one := known_answer(row, wanted)))
    if not found:
        raise InputError(f"{path}: no valid {wanted.modality} in it; give a file of known ones")
    return found


def known_answer(row: Row, task: Task) -> str | None:
    try:
        known = task.known(row) if row.error is None else None
    except RowError:
        return None
    return task.parse(known[1], "stop").smiles or None if known else None


def read_molecules(path: Path) -> frozenset[str]:
    """Canonical SMILES of a file that `generate` reads."""
    return read_known(path, "molecule")
