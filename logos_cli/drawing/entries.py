"""Lines of records as `logos draw` needs them: checked at the door, with the fields that only some tasks have."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from logos_cli.errors import InputError
from logos_cli.records import SCHEMA, Ending, is_score, stored

_INTEGER = (int,)
_NUMBER = (int, float)
_LARGEST = 1e15  # what is beyond it was never counted or measured


@dataclass(frozen=True)
class Entry:
    """One record, of `generate` or (`scored`) of `score`. `answer` is as it came: each task has its own shape."""

    row: int
    id: str
    task: str
    input: str
    model: str = ""
    scored: bool = False
    sample: int | None = None
    answer: Any = None
    valid: bool = False
    error: str | None = None
    text: str | None = None
    logprob: float | None = None
    logprob_per_token: float | None = None
    rank: int | None = None
    count: int | None = None
    reaction: str | None = None
    mutant: str | None = None
    delta: float | None = None
    samples: int | None = None
    faithful: int | None = None
    frequency: tuple[float, ...] = ()
    residues: tuple[str | None, ...] = ()  # None: not modelled in the structure
    unfaithful: dict[str, Any] = field(default_factory=dict)
    site: dict[str, Any] = field(default_factory=dict)
    props: dict[str, Any] = field(default_factory=dict)
    similarity: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether this stands for a row that could not be answered or scored."""
        return self.error is not None and self.answer is None and self.text is None


def read_entries(path: str, ending: Ending) -> Iterator[Entry]:
    """The records of a file as `stored` reads it."""
    return stored(path, lambda found: entry(plain(found)), ending)


def plain(value: Any) -> Any:
    """The same JSON value, each string without what XML forbids, a line end or an invisible sign that turns text around."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(_shown(sign) for sign in value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return {plain(key): plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def _shown(sign: str) -> str:
    return sign if sign.isprintable() else " " if sign.isspace() else "\ufffd"


def entry(found: dict[str, Any]) -> Entry:
    """Raises InputError, without the place, for an object that is no record."""
    if found.get("schema", SCHEMA) != SCHEMA:
        raise InputError(f"schema {found['schema']!r} is not {SCHEMA}; write the records with this version")
    missing = [name for name in ("row", "id", "task", "input") if found.get(name) is None]
    if missing:
        raise InputError(f"not a record: it has no {', '.join(missing)}")
    if isinstance(found["id"], int):
        found["id"] = str(found["id"])

    def get(name: str, *types: type) -> Any:
        value = found.get(name)
        # A bool is an int to Python, and a NaN a number.
        fits = isinstance(value, types) and (not isinstance(value, bool) or bool in types)
        if float in types and isinstance(value, float) and not math.isfinite(value):
            return None
        if value is not None and (not fits or (isinstance(value, (int, float)) and abs(value) > _LARGEST)):
            raise InputError(f"not a record: {name} is {json.dumps(value)[:60]}")
        return value

    def listed(name: str, *types: type) -> tuple[Any, ...]:
        values = get(name, list) or []
        if not all(isinstance(one, types) for one in values):
            raise InputError(f"not a record: {name} holds {json.dumps(values)[:60]}")
        return tuple(values)

    valid = get("valid", bool)
    if valid is None:
        valid = found.get("answer") is not None and found.get("error") is None
    return Entry(
        row=get("row", int), id=get("id", str), task=get("task", str), input=get("input", str), model=get("model", str) or "",
        scored=is_score(found) or ("sample" not in found and found.get("answer") is None and not found.get("frequency")),
        sample=get("sample", int), answer=found.get("answer"), valid=valid, error=get("error", str),
        text=get("text", str), reaction=get("reaction", str), mutant=get("mutant", str), rank=get("rank", int),
        logprob=get("logprob", *_NUMBER), logprob_per_token=get("logprob_per_token", *_NUMBER), delta=get("delta", *_NUMBER),
        count=get("count", int), samples=get("samples", int), faithful=get("faithful", int),
        frequency=listed("frequency", *_NUMBER),
        residues=tuple(one if one is None else str(one) for one in listed("residues", str, *_INTEGER, type(None))),
        unfaithful=get("unfaithful", dict) or {}, site=get("site", dict) or {},
        props=get("props", dict) or {}, similarity=get("similarity", dict) or {},
    )  # fmt: skip
