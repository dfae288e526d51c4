"""The records of `logos score`: one output line each, as JSON or csv."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from logos_cli.records.record import SCHEMA, SCORE, Ending, Record, is_score, stored, table_lines
from logos_cli.tasks.table import answer_kind

# As in the records of `generate`; a line leaves out those that say nothing, a csv has the first five.
OPTIONAL = ("asked", "answer", "reaction", "text", "site", "prompt", "finish", "numbering")
CSV_COLUMNS = OPTIONAL[:5]
LISTED = ("numbering", "residue_logprobs", "each")  # columns of a csv where they are asked for, as JSON


@dataclass(frozen=True)
class ScoreRecord:
    """`logprob` is natural, summed over `tokens` tokens: those of what follows the task's prompt, and of its end. That is
    `text`, read as `answer`, unless `input` is the whole of it. `delta` is that of a mutant minus the wild type's, `rank`
    its place among the row's mutants; `mutant` is None for the wild type, which alone has the `numbering` of an antibody.
    `each` are the tokens, one by one, `residue_logprobs` [L] the residues of a chain."""

    row: int
    id: str
    task: str
    input: str
    model: str
    mutant: str | None = None
    logprob: float | None = None
    tokens: int | None = None
    delta: float | None = None
    rank: int | None = None
    error: str | None = None
    asked: str | None = None
    answer: Any = None
    reaction: str | None = None
    text: str | None = None
    site: dict[str, Any] | None = None
    prompt: str | None = None
    finish: str | None = None
    numbering: dict[str, Any] | None = None
    each: list[tuple[str, float]] | None = None
    residue_logprobs: list[float] | None = None
    columns: dict[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> ScoreRecord:
        """From the fields of a line as `records.fields` checks them."""
        known = {key: value for key, value in found.items() if key in cls.__dataclass_fields__}
        return cls(**known | {"model": known.get("model") or ""})

    @property
    def per_token(self) -> float | None:
        return None if self.logprob is None or not self.tokens else self.logprob / self.tokens

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "schema": SCHEMA, "kind": SCORE, "row": self.row, "id": self.id, "task": self.task, "input": self.input,
            "mutant": self.mutant,
            "logprob": rounded(self.logprob), "tokens": self.tokens, "logprob_per_token": rounded(self.per_token),
            "perplexity": rounded(None if self.per_token is None else math.exp(-self.per_token)), "delta": rounded(self.delta),
            "rank": self.rank, "error": self.error, "model": self.model,
        }  # fmt: skip
        found |= {key: value for key in OPTIONAL if (value := getattr(self, key)) is not None}
        if self.residue_logprobs is not None:
            found["residue_logprobs"] = [rounded(value) for value in self.residue_logprobs]
        if self.each is not None:
            found["each"] = [[text, rounded(value)] for text, value in self.each]
        return found


def read_answers_or_scores(path: str, ending: Ending) -> Iterator[Record | ScoreRecord]:
    """The records of a file as `stored` reads it, of generate and of score. Raises InputError."""
    return stored(path, lambda found: ScoreRecord.from_dict(found) if is_score(found) else Record.from_dict(found), ending)


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


class ScoreFormatter:
    """Records as lines of JSON or csv; stateful only for the header of csv, whose `columns` are those of `LISTED` that were
    asked for."""

    def __init__(self, name: str, columns: Sequence[str] = ()) -> None:
        self.name, self.columns, self.headed = name, columns, False

    def lines(self, record: ScoreRecord) -> str:
        found = record.to_dict()
        if self.name == "jsonl":
            return json.dumps(found, ensure_ascii=False) + "\n"
        cells = {key: value for key, value in found.items() if key not in (*OPTIONAL, *LISTED, "kind")}
        kind = answer_kind(record.task)
        cells |= {key: kind.cell(found.get(key)) for key in CSV_COLUMNS}
        for key in self.columns:
            value = found.get(key)
            cells[key] = json.dumps(value, ensure_ascii=False) if value is not None else None
        lines = table_lines(cells, record.columns, not self.headed)
        self.headed = True
        return lines
