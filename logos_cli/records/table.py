"""Records of `--format csv`, read back: each row of the table as the object that its JSON line would have been."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from logos_cli.errors import InputError
from logos_cli.records.fields import INTEGERS, LISTS, NEEDED, NUMBERS, OBJECTS
from logos_cli.system.lines import LONGEST_LINE, Line
from logos_cli.tasks.answer_kinds import json_of
from logos_cli.tasks.table import answer_kind

MARKS = (",", ";", "\t")  # the last two are what spreadsheets make of the first
_TRUE, _FALSE = ("true", "1", "1.0"), ("false", "0", "0.0")


def table_mark(header: str) -> str | None:
    """What parts the cells of a table of records by its first line; None if it is none."""
    for mark in MARKS:
        with suppress(csv.Error, StopIteration):
            if set(NEEDED) <= set(next(csv.reader([header], delimiter=mark))):
                return mark
    return None


def table_objects(path: str, lines: Iterable[Line], mark: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(line number, object) of each row, None for a last one that was cut short. Raises InputError."""
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    at = 0

    def texts() -> Iterator[str]:
        nonlocal at
        for number, text in lines:
            if text is None:
                raise InputError(f"{path}: line {number}: too long for a record")
            at = number
            yield text + "\n"

    reader = csv.reader(texts(), delimiter=mark)
    names = next(reader)
    short: int | None = None
    while True:
        first = at + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{path}: line {first}: {error}") from None
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if short is not None:
            raise InputError(f"{path}: line {short}: fewer cells than the header has names")
        if len(cells) > len(names):
            raise InputError(f"{path}: line {first}: {len(cells)} cells, and the header has {len(names)} names")
        if len(cells) < len(names):
            if at > first:
                raise InputError(f"{path}: line {first} opens a quote that does not close")
            short = first
            continue
        yield first, object_of(dict(zip(names, cells, strict=True)))
    if short is not None:
        yield short, None


def object_of(cells: dict[str, str]) -> dict[str, Any]:
    """The object that a row of cells was written from."""
    found: dict[str, Any] = {name: cell if cell != "" or name == "input" else None for name, cell in cells.items()}
    for name in ("schema", *INTEGERS, *NUMBERS):
        if found.get(name) is not None:
            with suppress(ValueError):  # what is no number is said where fields are checked
                found[name] = float(found[name])
    valid = (found.get("valid") or "").lower()
    found["valid"] = True if valid in _TRUE else False if valid in _FALSE else found.get("valid")
    found["answer"] = answer_kind(found.get("task")).from_cell(found.get("answer") or "", found["valid"] is True)
    for name in (*OBJECTS, "truth"):
        if (found.get(name) or "").startswith("{"):
            found[name] = json_of(found[name])
    for name in LISTS:
        if found.get(name) is not None:
            found[name] = [json_of(one) if name == "frequency" else one for one in found[name].split()]
    if found.get("in_stock") is not None:
        words = [one.lower() for one in found["in_stock"]]
        # Without --stock it may be a column of the input, that says what it likes.
        found["in_stock"] = [one == "true" for one in words] if set(words) <= {"true", "false"} else None
    return found | _annotations(cells)


def _annotations(cells: dict[str, str]) -> dict[str, Any]:
    """The columns of --props and --similar-to, which stand next after `truth`, as the records have them."""
    from logos_cli.chemistry.properties import PROPERTIES

    names = list(cells)
    after = iter(names[names.index("truth") + 1 :] if "truth" in names else ())
    props: dict[str, Any] = {}
    similarity: dict[str, Any] = {}
    for name in after:
        if name in PROPERTIES:
            props |= {name: json_of(cells[name])} if cells[name] else {}
        elif name in ("tanimoto", "to"):
            similarity |= {name: json_of(cells[name]) if name == "tanimoto" else cells[name]} if cells[name] else {}
        else:
            break
    return ({"props": props} if props else {}) | ({"similarity": similarity} if similarity else {})
