"""Rows of Python values, as a notebook has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from logos_cli.chemistry.smiles_text import read_line
from logos_cli.errors import InputError
from logos_cli.rows.chain_rows import chain_rows
from logos_cli.rows.from_json import json_row, molecules_row
from logos_cli.rows.from_smi import row_of
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import Blank

Item = str | Sequence[str] | Mapping[str, Any] | Row


def rows_of(items: Iterable[Item], reading: Reading) -> Iterator[Row]:
    """Give a Row for each item, as it comes: a text as a line of a file would be read (grammar text begins with `<`), a list
    of SMILES as the molecules of one row, a mapping as a JSON line, a Row as it is; numbered in their order.

    Raises InputError for what is none of these.
    """
    blank = Blank()
    yield from chain_rows((_row(item, ordinal, reading, blank) for ordinal, item in enumerate(items)), reading.antibodies)


def _row(item: Item, ordinal: int, reading: Reading, blank: Blank) -> Row:
    name = str(ordinal + 1)
    if isinstance(item, Row):
        return replace(item, ordinal=ordinal)
    if isinstance(item, str):
        text = item.strip()
        if text.startswith("<"):
            return Row(ordinal, name, text=text)
        if reading.wants == "sequence":
            return Row(ordinal, name, text, kind="sequence")
        found = read_line(text, grouped=reading.side == "reactants")
        return row_of(found, ordinal, found.rest or name, ordinal + 1, reading, {})
    if isinstance(item, Mapping):
        return json_row("the rows given", ordinal, ordinal + 1, dict(item), blank, reading)
    if isinstance(item, list | tuple):
        return molecules_row(ordinal, ordinal + 1, name, list(item))
    raise InputError(f"row {ordinal + 1} is of type {type(item).__name__}; give a text, a list of SMILES, a mapping or a Row")
