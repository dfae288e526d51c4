"""Records: one output line each, with a schema number; readers that forgive a cut last line; the three output formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeVar

from logos_cli.errors import InputError
from logos_cli.records import fields as record_fields
from logos_cli.records.syntheseus_lines import is_prediction, record_objects
from logos_cli.records.table import table_mark, table_objects
from logos_cli.system.lines import Blank, Line, filled, read_lines
from logos_cli.tasks.table import answer_kind

SCHEMA, ANSWER, SCORE = record_fields.SCHEMA, record_fields.ANSWER, record_fields.SCORE
# Keys of a line that are left out where they say nothing.
OPTIONAL = (
    "asked", "rank", "count", "reaction", "residues", "frequency", "samples", "faithful", "unfaithful", "site", "prompt",
    "props", "similarity", "numbering", "in_stock", "truth",
)  # fmt: skip
IN_STOCK = "in_stock"
CSV_COLUMNS = ("asked", "rank", "count", "reaction", "truth")
POCKET_COLUMNS = ("rank", "count", "residues", "frequency", "samples", "faithful", "unfaithful", "site", "truth")
SITE_COLUMNS = ("rank", "count", "site", "truth")


@dataclass(frozen=True)
class Record:
    """One answer, or one row that gave none (`sample`, `answer` and `text` are None then, and `error` says why).

    `row` is the ordinal in the input and, with `sample`, the key of seeds and of resume; `logprob` is natural, summed
    over the answer's tokens and its stop token. `rank` (from 1) and `count` come with --top. Of an answer that was
    written but is not valid, `error` gives the reason.

    `input` is as it was given; `asked` are its molecules as the prompt has them, where that is another spelling. `site` says
    which residues of which chain the prompt marked; `prompt` is its text where `input`, `asked` and `site` do not lead back to
    it. `residues` are a pocket answer's places in a structure's own numbers. A merged pocket record has `frequency`, one number
    a residue, from `faithful` of `samples`, and why the others are `unfaithful`. `props`, `similarity` and `in_stock`, a truth
    value for each reactant, come with --props, --similar-to and --stock, the `numbering` of an antibody with --scheme. `line`
    is that of the file it was read from.
    """

    row: int
    id: str
    task: str
    input: str
    model: str
    sample: int | None = None
    answer: Any = None
    valid: bool = False
    error: str | None = None
    text: str | None = None
    tokens: int | None = None
    logprob: float | None = None
    finish: str | None = None
    rank: int | None = None
    count: int | None = None
    reaction: str | None = None
    residues: list[str | None] | None = None
    frequency: list[float] | None = None
    samples: int | None = None
    faithful: int | None = None
    unfaithful: dict[str, int] | None = None
    asked: str | None = None
    site: dict[str, Any] | None = None
    prompt: str | None = None
    props: dict[str, float | None] | None = None
    similarity: dict[str, Any] | None = None
    numbering: dict[str, Any] | None = None
    in_stock: list[bool] | None = None
    truth: Any = None
    smiles: str = field(default="", compare=False)
    columns: dict[str, str] = field(default_factory=dict, compare=False)
    line: int = field(default=0, compare=False)

    @property
    def failed(self) -> bool:
        """Whether this stands for a row without any answer."""
        return self.sample is None

    @property
    def question(self) -> str:
        """The input as the prompt has it."""
        return self.input if self.asked is None else self.asked

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "schema": SCHEMA, "kind": ANSWER, "row": self.row, "id": self.id, "task": self.task, "input": self.input,
            "sample": self.sample, "answer": self.answer, "valid": self.valid, "error": self.error, "text": self.text,
            "tokens": self.tokens, "logprob": self.logprob, "finish": self.finish, "model": self.model,
        }  # fmt: skip
        return found | {key: value for key in OPTIONAL if (value := getattr(self, key)) is not None}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Record:
        """Raises InputError for a line of another schema, and for one of `logos score`."""
        if found.get("schema", SCHEMA) != SCHEMA:
            raise InputError(f"schema {found['schema']!r} is not {SCHEMA}; write the records with this version")
        if is_score(found):
            raise InputError("these are scores, of logos score, and not answers; give the JSONL or csv of logos generate")
        names = cls.__dataclass_fields__
        known = {key: value for key, value in found.items() if key in names}
        try:
            return cls(**known | {"model": known.get("model") or ""})  # a column that a table program left out
        except TypeError as error:
            raise InputError(f"not a record: {error}") from None

    def to_line(self) -> str:
        """Writes the JSONL line."""
        return json.dumps(self.to_dict(), ensure_ascii=False) + "\n"


def is_score(found: dict[str, Any]) -> bool:
    """Whether a line is one of `logos score`: by its kind, or in files from before there were kinds, by having no samples."""
    return found["kind"] == SCORE if found.get("kind") in (ANSWER, SCORE) else "mutant" in found and "sample" not in found


class Formatter:
    """Records as lines of one format; stateful only for the header of csv.

    `columns` are the optional keys that a csv has beside those of every record; `wanted` the names under `props` and
    `similarity`, and `in_stock`, which a record without an answer lacks.
    """

    def __init__(self, name: str, columns: tuple[str, ...] = CSV_COLUMNS, wanted: tuple[str, ...] = ()) -> None:
        self.name, self.columns, self.wanted = name, columns, wanted
        self.headed = False

    def lines(self, record: Record) -> str:
        if self.name == "smi":
            return self._smi(record)
        if self.name == "fasta":
            return self._fasta(record)
        if self.name == "csv":
            return self._csv(record)
        return record.to_line()

    def _smi(self, record: Record) -> str:
        if not record.valid or not record.smiles:
            return ""
        rank = record.rank if record.rank is not None else (record.sample or 0) + 1
        # Ids come from users' files: a tab would shift the columns, a newline would make another molecule.
        name = " ".join(record.id.split())
        more = [*(record.props or {}).values(), *((record.similarity or {}).values())]
        more += [_of_stock(record)] if record.in_stock else []
        return "\t".join([record.smiles, name, str(rank), str(record.count or 1), *map(cell, more)]) + "\n"

    def _fasta(self, record: Record) -> str:
        if not record.valid or not record.smiles:
            return ""
        rank = record.rank if record.rank is not None else (record.sample or 0) + 1
        name = "_".join(record.id.split()) or "sequence"
        lines = [record.smiles[at : at + 60] for at in range(0, len(record.smiles), 60)]
        told = f"count={record.count or 1} logprob={record.logprob}"
        return "\n".join([f">{name}/{rank} {told}", *lines]) + "\n"

    def _csv(self, record: Record) -> str:
        cells = {key: value for key, value in record.to_dict().items() if key not in (*OPTIONAL, "kind")}
        cells |= {key: getattr(record, key) for key in self.columns}
        cells |= dict.fromkeys(self.wanted) | (record.props or {}) | (record.similarity or {})
        kind = answer_kind(record.task)
        cells = {key: kind.cell(value) for key, value in cells.items()}
        if IN_STOCK in self.wanted:
            cells[IN_STOCK] = _of_stock(record)
        lines = table_lines(cells, record.columns, not self.headed)
        self.headed = True
        return lines


def _of_stock(record: Record) -> str:
    """`in_stock` as one cell."""
    return " ".join("true" if one else "false" for one in record.in_stock or ())


def table_lines(cells: dict[str, Any], columns: dict[str, str], header: bool) -> str:
    """The line of a csv, after its header if that is wanted; the input's other columns last, renamed where ours has the
    name."""
    cells = cells | {f"input_{key}" if key in cells else key: value for key, value in columns.items()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(cells)
    writer.writerow(cells.values())
    return out.getvalue()


def cell(value: Any) -> str:
    """A value as one cell of a .smi line."""
    return "" if value is None else " ".join(str(value).split())


@dataclass
class Ending:
    """What is known when all lines are read; `cut`: the last one was incomplete."""

    cut: bool = False


Made = TypeVar("Made")


def stored(path: str, made: Callable[[dict[str, Any]], Made], ending: Ending) -> Iterator[Made]:
    """What `made` makes of each record of a file or of stdin (`-`), JSONL, csv or syntheseus' predictions, plain or gzipped:
    its fields as `records.fields` checks them, its line's number as `line`. A last line that a kill cut short is left out.
    Raises InputError, with path and line, for other damage and for what `made` raises it."""
    lines = read_lines(path)
    first = next((line for line in lines if line[1] is None or line[1].strip()), None)
    if first is None:
        return
    mark = table_mark(first[1] or "")
    every = chain([first], lines)
    rows = count()
    for number, found in json_objects(path, every) if mark is None else table_objects(path, every, mark):
        if found is None:
            ending.cut = True
            continue
        try:
            objects = record_objects(next(rows), found) if is_prediction(found) else [found]
            every_one = [made(record_fields.checked(one) | {"line": number}) for one in objects]
        except InputError as error:
            raise InputError(f"{path}: line {number}: {error}") from None
        yield from every_one


def json_objects(path: str, lines: Iterator[Line]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(line number, object) of each line that holds one, None for a last one that was cut short. Raises InputError."""
    cut: tuple[int, InputError] | None = None
    for number, text in filled(lines, Blank()):
        if cut:
            raise cut[1]
        if text is None:
            raise InputError(f"{path}: line {number}: too long for a record")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            damage = InputError(f"{path}: line {number}: not JSON ({error}); give the JSONL or csv of logos generate")
            if not text.startswith("{"):
                raise damage from None
            cut = number, damage
            continue
        if not isinstance(found, dict):
            raise InputError(f"{path}: line {number}: not a JSON object; give the JSONL or csv of logos generate")
        yield number, found
    if cut:
        yield cut[0], None


def read_records(path: str | Path, ending: Ending | None = None) -> Iterator[Record]:
    """The records of a file as `stored` reads it."""
    return stored(str(path), Record.from_dict, ending or Ending())


@dataclass
class Tally:
    """What the summary on stderr counts."""

    rows: int = 0
    failed: int = 0
    answers: int = 0
    valid: int = 0
    last_row: int = -1

    def add(self, record: Record) -> None:
        if record.row != self.last_row:
            self.rows += 1
            self.last_row = record.row
        if record.failed:
            self.failed += 1
        else:
            self.answers += 1
            self.valid += record.valid

    @property
    def counts(self) -> dict[str, int]:
        return {"rows": self.rows, "failed": self.failed, "answers": self.answers, "valid": self.valid}
