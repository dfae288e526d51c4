"""Rows in, log-likelihoods out: a generator that knows neither files nor the console.

What is scored is what a task would have to write: a molecule after `<MoleculeS>`, reactants after their product, a ligand
after its pocket; its end marker, or the tokenizer's end token, counts as `generate` counts it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from logos_cli.chemistry.antibody import numbering
from logos_cli.chemistry.grammar import RowError, residues
from logos_cli.chemistry.mutants import Mutations
from logos_cli.engines.engine import NOT_NUMBERS, Engine
from logos_cli.errors import ForeignText
from logos_cli.pipeline.recorded import numbers_of
from logos_cli.pipeline.sequences import grammar_text, shown_of, task_and_record, text_of_row, tokens_of
from logos_cli.records.score_record import ScoreRecord
from logos_cli.rows.row import Row
from logos_cli.tasks.task import Task, chain_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class ScorePlan:
    """`task` None: by what each row is. `each`: tell every token's own log-probability. `as_written`: SMILES of rows are
    scored as they are spelled there, and not in canonical form. `scheme`: number antibodies by it."""

    task: Task | None
    mutations: Mutations | None = None
    each: bool = False
    as_written: bool = False
    scheme: str | None = None


@dataclass
class _Waiting:
    """A record whose figure is still to come, if it has no error; `last` of those that its row ranks together."""

    record: ScoreRecord
    tokens: tuple[int, ...] = ()
    last: bool = True


def score_records(rows: Iterable[Row], plan: ScorePlan, engine: Engine) -> Iterator[ScoreRecord]:
    """Scores rows, records in input order; a row's mutants follow its wild type, in the order asked for. Raises TokenizerError
    if the model lacks a marker of what a row is scored as: its pieces would be scored instead."""
    spoken: set[str] = set()
    queue: deque[_Waiting] = deque()
    texts = engine.token_texts() if plan.each else []

    def pairs() -> Iterator[tuple[Sequence[int], Sequence[int]] | None]:
        for row in rows:
            task, _ = task_and_record(row, plan.task)
            if task.name not in spoken:
                for marker in task.needs:
                    engine.marker(marker)
                spoken.add(task.name)
            for waiting, pair in requests_of(row, plan, engine):
                waiting.tokens = tuple(pair[1]) if pair and plan.each else ()
                queue.append(waiting)
                yield pair

    group: list[ScoreRecord] = []
    for logprobs in engine.score_many(pairs()):
        waiting = queue.popleft()
        group.append(filled_in(waiting, logprobs, texts))
        if waiting.last:
            yield from ranked(group)
            group = []


def requests_of(
    row: Row, plan: ScorePlan, engine: Engine
) -> Iterator[tuple[_Waiting, tuple[Sequence[int], Sequence[int]] | None]]:
    """Makes each record of a row with its (prompt, continuation); None for one with an error."""
    task, recorded = task_and_record(row, plan.task)
    if plan.mutations is not None:
        recorded = None
    error = None if recorded else row.error
    base = ScoreRecord(
        row.ordinal, row.id, task.name, shown_of(row)[:4000], engine.info.model, columns=row.columns, error=error,
        site=chain_of(row),
    )  # fmt: skip
    if error is not None:
        yield _Waiting(base), None
        return
    try:
        if plan.mutations is None:
            text = grammar_text(row, plan.task, plan.as_written)
            base = replace(base, **text.fields)
            if plan.scheme:
                base = replace(base, numbering=numbering(residues(base.input), plan.scheme))
            yield _Waiting(base), tokens_of(text, engine)
            return
        if not task.mutates or not isinstance(row.value, str):
            raise RowError(f"--mutants changes residues of a protein or an antibody; this row is scored as {task.name}")
        sequence = residues(row.value)
        own = row.site.own_numbers if row.site else numbers_of(row.recorded.site) if row.recorded else None
        variants = list(plan.mutations.of(sequence, own, row.part))
        base = replace(base, input=sequence)
        wild = replace(base, numbering=numbering(sequence, plan.scheme)) if plan.scheme else base
        yield _Waiting(wild, last=not variants), tokens_of(text_of_row(replace(row, value=sequence), task), engine)
        for place, mutant in enumerate(variants, 1):
            record, last = replace(base, mutant=mutant.name, error=mutant.error), place == len(variants)
            if own and base.site and mutant.places:
                own_places = [own.numbers[one - 1] for one in mutant.places]
                site = {key: value for key, value in base.site.items() if key != "notes"}  # once, with the wild type
                record = replace(record, site=site | {"places": list(mutant.places), "residues": own_places})
            if mutant.error:
                yield _Waiting(record, last=last), None
            else:
                text = text_of_row(replace(row, value=mutant.sequence), task)
                yield _Waiting(record, last=last), tokens_of(text, engine)
    except (RowError, ForeignText) as error:
        yield _Waiting(replace(base, error=str(error))), None


def filled_in(waiting: _Waiting, logprobs: npt.NDArray[np.float32] | None, texts: Sequence[str]) -> ScoreRecord:
    """Adds the log-probabilities of its tokens [T] to a record, one by one if `texts` names the vocabulary."""
    if logprobs is None:
        return waiting.record
    if not math.isfinite(total := float(logprobs.sum(dtype="float64"))):
        return replace(waiting.record, error=NOT_NUMBERS)
    each = [(texts[token], float(value)) for token, value in zip(waiting.tokens, logprobs, strict=True)] if texts else None
    return replace(waiting.record, logprob=total, tokens=len(logprobs), each=each)


def ranked(group: Sequence[ScoreRecord]) -> Iterator[ScoreRecord]:
    """Adds to a wild type's mutants the differences and ranks that only show when all are there."""
    wild = group[0].logprob
    order = sorted(one.logprob for one in group[1:] if one.logprob is not None)
    yield group[0]
    for record in group[1:]:
        if record.logprob is None or wild is None:
            yield record
        else:
            yield replace(record, delta=record.logprob - wild, rank=1 + len(order) - bisect_right(order, record.logprob))
