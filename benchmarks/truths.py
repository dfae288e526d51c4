"""What the right answers are: from the records themselves, or from a file with one right answer a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.metrics import Truth
from logos_cli.chem import canonical, canonical_set
from logos_cli.errors import InputError
from logos_cli.grammar import reaction_parts
from logos_cli.lines import Blank, filled, read_lines
from logos_cli.records import Record
from logos_cli.rows import read_rows

_MOLECULE = re.compile(r"<MoleculeS>(.+?)<MoleculeE>")


def parse_truth(value: Any, task: str) -> Truth | None:
    """The molecules of a right answer: grammar text, a reaction SMILES (the side that `task` answers), SMILES joined by
    dots, a list of SMILES, or an object with `product` and `reactants`. None if a molecule is not valid."""
    if isinstance(value, dict):
        keys = ("product" if task == "react" else "reactants", "groundtruth", "truth", "reaction", "smiles")
        value = next((value[key] for key in keys if value.get(key) is not None), None)
    if isinstance(value, str):
        if found := _MOLECULE.findall(value):
            return canonical_set(found)
        parts = reaction_parts(value)
        value = [parts[-1 if task == "react" else 0] if len(parts) == 3 else value]
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return canonical_set(value)
    return None


def truths_of(records: Iterable[Record]) -> dict[int, Truth]:
    """From the `truth` that published input files bring along."""
    found = {}
    for record in records:
        if record.truth is not None and record.row not in found and (truth := parse_truth(record.truth, record.task)):
            found[record.row] = truth
    return found


def read_truths(path: Path, task: str) -> dict[int, Truth]:
    """Row ordinal -> right answer. Raises InputError for a line that gives none: figures would silently lack it."""
    found = {}
    for ordinal, (number, value) in enumerate(truth_values(path)):
        truth = parse_truth(value, task)
        if truth is None:
            raise InputError(
                f"{path}: line {number} holds no right answer for {task}: {str(value)[:80]}; mend or remove the line"
            )
        found[ordinal] = truth
    if not found:
        raise InputError(f"{path}: no rows; give a file with one right answer a line")
    return found


def truth_values(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number, what it says); lines of JSON whole, all others as `generate` reads them."""
    lines = filled(read_lines(str(path)), Blank())
    first = next(lines, None)
    if first is None:
        return
    if not (first[1] or "").lstrip().startswith("{"):
        for row in read_rows(str(path)):
            yield row.ordinal + 1, row.error or row.value
        return
    for number, text in (first, *lines):
        try:
            yield number, json.loads(text or "")
        except ValueError as error:
            raise InputError(f"{path}: line {number} is not JSON ({error}); mend or remove the line") from None


def read_molecules(path: Path) -> frozenset[str]:
    """Canonical SMILES of a file that `generate` reads, to tell new molecules from known ones; invalid ones are left out."""
    found = frozenset(one for row in read_rows(str(path)) if isinstance(row.value, str) and (one := canonical(row.value)))
    if not found:
        raise InputError(f"{path}: no valid molecule in it; give a .smi file of known molecules")
    return found
