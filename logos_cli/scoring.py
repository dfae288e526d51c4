"""Rows in, log-likelihoods out: a generator that knows neither files nor the console.

What is scored is what a task would have to write: a molecule after `<MoleculeS>`, reactants after their product, a ligand
after its pocket; its end marker, or the tokenizer's end token, counts as `generate` counts it.
"""

from __future__ import annotations

import csv
import io
import json
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from logos_cli.engine import Engine
from logos_cli.errors import ForeignText
from logos_cli.grammar import RowError, residues
from logos_cli.mutants import Mutations
from logos_cli.records import SCHEMA
from logos_cli.row import Row
from logos_cli.tasks import TASKS, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CHAINS = ("protein", "antibody")


@dataclass(frozen=True)
class ScoreRecord:
    """`logprob` is natural, summed over `tokens` tokens: those of `text`, which follows the task's prompt, and of its end.
    `delta` is that of a mutant minus the wild type's, `rank` its place among the row's mutants; `mutant` is None for the
    wild type. `each` are the tokens, one by one."""

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
    text: str | None = None
    each: list[tuple[str, float]] | None = None
    columns: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def per_token(self) -> float | None:
        return None if self.logprob is None or not self.tokens else self.logprob / self.tokens

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "schema": SCHEMA, "row": self.row, "id": self.id, "task": self.task, "input": self.input, "mutant": self.mutant,
            "logprob": rounded(self.logprob), "tokens": self.tokens, "logprob_per_token": rounded(self.per_token),
            "perplexity": rounded(None if self.per_token is None else math.exp(-self.per_token)), "delta": rounded(self.delta),
            "rank": self.rank, "error": self.error, "model": self.model,
        }  # fmt: skip
        return found | ({"each": [[text, rounded(value)] for text, value in self.each]} if self.each is not None else {})


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


class ScoreFormatter:
    """Records as lines of JSON or csv; stateful only for the header of csv."""

    def __init__(self, name: str) -> None:
        self.name, self.headed = name, False

    def lines(self, record: ScoreRecord) -> str:
        cells = record.to_dict()
        if self.name == "jsonl":
            return json.dumps(cells, ensure_ascii=False) + "\n"
        cells = {
            key: json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value for key, value in cells.items()
        }
        cells |= {f"input_{key}" if key in cells else key: value for key, value in record.columns.items()}
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        if not self.headed:
            writer.writerow(cells)
            self.headed = True
        writer.writerow(cells.values())
        return out.getvalue()


@dataclass(frozen=True)
class ScorePlan:
    """`task` None: by what each row is. `each`: tell every token's own log-probability."""

    task: Task | None
    mutations: Mutations | None = None
    each: bool = False


@dataclass
class _Waiting:
    """A record whose figure is still to come, if it has no error; `last` of those that its row ranks together."""

    record: ScoreRecord
    tokens: tuple[int, ...] = ()
    last: bool = True


def task_for(row: Row) -> Task:
    """What a row is when nobody says."""
    if row.text is not None:
        return TASKS["raw"]
    if row.material is not None:
        return TASKS["material"]
    if row.kind == "sequence":
        return TASKS["ligand" if row.ligand else "pocket" if row.pocket else "protein"]
    return TASKS["retro" if isinstance(row.value, str) and ">" in row.value.replace("->", "") else "molecule"]


def score_records(rows: Iterable[Row], plan: ScorePlan, engine: Engine) -> Iterator[ScoreRecord]:
    """Records in input order; a row's mutants follow its wild type, in the order asked for."""
    queue: deque[_Waiting] = deque()
    texts = engine.token_texts() if plan.each else []

    def pairs() -> Iterator[tuple[Sequence[int], Sequence[int]] | None]:
        for row in rows:
            for waiting, pair in asked(row, plan, engine):
                waiting.tokens = tuple(pair[1]) if pair and plan.each else ()
                queue.append(waiting)
                yield pair

    group: list[ScoreRecord] = []
    for found in engine.score_many(pairs()):
        waiting = queue.popleft()
        group.append(filled_in(waiting, found, texts))
        if waiting.last:
            yield from ranked(group)
            group = []


def asked(row: Row, plan: ScorePlan, engine: Engine) -> Iterator[tuple[_Waiting, tuple[Sequence[int], Sequence[int]] | None]]:
    """Each record of a row with its (prompt, continuation); None for one with an error."""
    task = plan.task or task_for(row)
    shown = row.text if row.text is not None else ".".join(row.value) if isinstance(row.value, tuple) else row.value or ""
    base = ScoreRecord(row.ordinal, row.id, task.name, shown[:4000], engine.info.model, columns=row.columns, error=row.error)
    if row.error is not None:
        yield _Waiting(base), None
        return
    try:
        if plan.mutations is None:
            base = replace(base, input=shown if row.text is not None else task.prompt(row).shown or shown)
            yield scored(base, task, row, engine)
            return
        if task.name not in CHAINS or not isinstance(row.value, str):
            raise RowError(f"--mutants changes residues of a protein or an antibody; this row is scored as {task.name}")
        sequence = residues(row.value)
        variants = list(plan.mutations.of(sequence))
        base = replace(base, input=sequence)
        yield scored(base, task, replace(row, value=sequence), engine, last=False)
        for place, mutant in enumerate(variants, 1):
            record, last = replace(base, mutant=mutant.name, error=mutant.error), place == len(variants)
            if mutant.error:
                yield _Waiting(record, last=last), None
            else:
                yield scored(record, task, replace(row, value=mutant.sequence), engine, last)
    except (RowError, ForeignText) as error:
        yield _Waiting(replace(base, error=str(error))), None


def scored(
    record: ScoreRecord, task: Task, row: Row, engine: Engine, last: bool = True
) -> tuple[_Waiting, tuple[Sequence[int], Sequence[int]]]:
    """The record and its (prompt, continuation). Raises RowError for a row without an answer, or longer than the context."""
    known = task.known(row)
    if known is None:
        raise RowError(f"no answer to score in this row: {task.name} needs its prompt and what follows")
    return _Waiting(replace(record, text=known[1]), last=last), encoded(task, known, engine)


def encoded(task: Task, known: tuple[str, str], engine: Engine) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(prompt, continuation) in tokens, the task's end included. Raises RowError for what the context cannot hold."""
    prompt, whole = engine.encode(known[0]), engine.encode("".join(known))
    if not prompt:
        prompt = whole[:1]  # a tokenizer without a start token: nothing stands before the first one
    written = (*whole[len(prompt) :], *(() if task.stops or task.name == "raw" else (engine.end,)))
    if len(prompt) + len(written) > engine.info.context:
        raise RowError(f"{len(prompt) + len(written):,} tokens; the model's context is {engine.info.context:,}")
    if not written:
        raise RowError("nothing to score")
    return prompt, written


def filled_in(waiting: _Waiting, found: npt.NDArray[np.float32] | None, texts: Sequence[str]) -> ScoreRecord:
    if found is None:
        return waiting.record
    each = [(texts[token], float(value)) for token, value in zip(waiting.tokens, found, strict=True)] if texts else None
    return replace(waiting.record, logprob=float(found.sum(dtype="float64")), tokens=len(found), each=each)


def ranked(group: Sequence[ScoreRecord]) -> Iterator[ScoreRecord]:
    """A wild type and its mutants with the differences and ranks that only show when all are there."""
    wild = group[0].logprob
    scored = [one.logprob for one in group[1:] if one.logprob is not None]
    order = sorted(scored)
    yield group[0]
    for record in group[1:]:
        if record.logprob is None or wild is None:
            yield record
        else:
            yield replace(record, delta=record.logprob - wild, rank=1 + len(order) - bisect_right(order, record.logprob))
