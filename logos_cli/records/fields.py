"""The fields of a stored record, each of its kind: what all readers of records agree on.

A table program may have been at the lines: pandas makes 0.0 of a 0 whose column has gaps, and NaN of a null.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from logos_cli.errors import InputError

SCHEMA = 1
ANSWER, SCORE = "answer", "score"  # kinds of records
NEEDED = ("row", "id", "task", "input")
INTEGERS = ("row", "sample", "tokens", "rank", "count", "samples", "faithful")
NUMBERS = ("logprob", "logprob_per_token", "perplexity", "delta")
TEXTS = ("id", "task", "input", "model", "error", "text", "finish", "reaction", "mutant", "asked", "prompt")
OBJECTS = ("unfaithful", "site", "props", "similarity", "numbering")
LISTS = {"frequency": (int, float), "residues": (str, int, type(None)), "in_stock": (bool,)}
_LARGEST = 1e15  # what is beyond it was never counted or measured


def checked(found: Mapping[str, Any]) -> dict[str, Any]:
    """`found` with each field that all records know as its kind, those that say nothing as None; others as they are.

    Raises InputError, without the place, for an object that is no record.
    """
    if found.get("schema", SCHEMA) != SCHEMA:
        raise InputError(f"schema {found['schema']!r} is not {SCHEMA}; write the records with this version")
    fields = {name: None if _nothing(value) else value for name, value in found.items()}
    if isinstance(fields.get("id"), (int, float)):
        fields["id"] = f"{fields['id']:.0f}" if _whole(fields["id"]) else str(fields["id"])
    if isinstance(answer := fields.get("answer"), str):
        fields["answer"] = _listed(answer)
    missing = [name for name in NEEDED if fields.get(name) is None]
    if missing:
        raise InputError(f"not a record: it has no {', '.join(missing)}")
    kinds: dict[str, Callable[[str, Any], Any]] = {name: _integer for name in INTEGERS} | {name: _number for name in NUMBERS}
    kinds |= {name: _text for name in TEXTS} | {name: _object for name in OBJECTS} | {"valid": _truth}
    for name, kind in kinds.items():
        if fields.get(name) is not None:
            fields[name] = kind(name, fields[name])
    for name, types in LISTS.items():
        value = fields.get(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(one, types) for one in value)):
            raise InputError(f"not a record: {name} holds {json.dumps(value)[:60]}")
    if fields.get("valid") is None:
        fields["valid"] = fields.get("answer") is not None and fields.get("error") is None
    return fields


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _listed(answer: str) -> Any:
    """A list that a table program made a text of, as JSON or as Python writes it; no SMILES and no sequence begins so."""
    if answer == "[]" or answer.startswith(("['", '["')):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return ast.literal_eval(answer)
    return answer


def _whole(value: Any) -> bool:
    # A bool is an int to Python.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value) and abs(value) <= _LARGEST


def _wrong(name: str, value: Any) -> InputError:
    return InputError(f"not a record: {name} is {json.dumps(value)[:60]}")


def _integer(name: str, value: Any) -> int:
    if not _whole(value):
        raise _wrong(name, value)
    return int(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > _LARGEST:
        raise _wrong(name, value)
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value)
    return value


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(name, value)
    return value


def _truth(name: str, value: Any) -> bool:
    if value not in (0, 1):  # True and False are these too
        raise _wrong(name, value)
    return bool(value)
