"""Lines of records as `logos draw` needs them: with the fields that only some tasks have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from logos_cli.records.record import Ending, is_score, stored


@dataclass(frozen=True)
class StoredRecord:
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
    prompt: str | None = None
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


def read_stored(path: str, ending: Ending) -> Iterator[StoredRecord]:
    """Reads the records of a file as `stored` does."""
    return stored(path, lambda fields: stored_record(plain(fields)), ending)


def plain(value: Any) -> Any:
    """Gives the same JSON value, each string without what XML forbids, a line end or an invisible sign that turns text
    around."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(_shown(sign) for sign in value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return {plain(key): plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def _shown(sign: str) -> str:
    return sign if sign.isprintable() else " " if sign.isspace() else "\ufffd"


def stored_record(found: dict[str, Any]) -> StoredRecord:
    """Makes a record of an object whose fields are checked."""
    names = StoredRecord.__dataclass_fields__
    fields = {name: value for name, value in found.items() if name in names and value is not None}
    for name in ("frequency", "residues"):
        fields[name] = tuple(fields.get(name, ()))
    fields["residues"] = tuple(one if one is None else str(one) for one in fields["residues"])
    scored = is_score(found) or ("sample" not in found and found.get("answer") is None and not found.get("frequency"))
    return StoredRecord(**fields | {"scored": scored})
