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
from logos_cli.chemistry.mofid import is_mofid
from logos_cli.chemistry.mutants import Mutations
from logos_cli.engines.engine import NOT_NUMBERS, Engine
from logos_cli.errors import ForeignText
from logos_cli.pipeline.recorded import chain_of, numbers_of
from logos_cli.pipeline.scored_text import Known, of_record, of_row, shown_of
from logos_cli.records.score_record import ScoreRecord
from logos_cli.rows.row import Recorded, Row
from logos_cli.tasks.table import TASKS, Task, spelled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CHAINS = ("protein", "antibody")


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


def task_for(row: Row) -> Task:
    """What a row is when nobody says."""
    if row.text is not None:
        return TASKS["raw"]
    if row.material is not None or (row.kind == "smiles" and isinstance(row.value, str) and is_mofid(row.value, row.id)):
        return TASKS["material"]
    if row.kind == "sequence":
        return TASKS["ligand" if row.ligand else "pocket" if row.pocket else "protein"]
    return TASKS["retro" if isinstance(row.value, str) and ">" in row.value.replace("->", "") else "molecule"]


def score_records(rows: Iterable[Row], plan: ScorePlan, engine: Engine) -> Iterator[ScoreRecord]:
    """Records in input order; a row's mutants follow its wild type, in the order asked for. Raises TokenizerError if the model
    lacks a marker of what a row is scored as: its pieces would be scored instead."""
    spoken: set[str] = set()
    queue: deque[_Waiting] = deque()
    texts = engine.token_texts() if plan.each else []

    def pairs() -> Iterator[tuple[Sequence[int], Sequence[int]] | None]:
        for row in rows:
            task, _ = meant(row, plan.task)
            if task.name not in spoken:
                for marker in task.needs:
                    engine.marker(marker)
                spoken.add(task.name)
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


def meant(row: Row, task: Task | None) -> tuple[Task, Recorded | None]:
    """What a row is scored as, by `task` or by itself; and the record that it is, unless `task` says that it is another."""
    own = TASKS.get(row.recorded.task) if row.recorded else None
    task = task or own or task_for(row)
    return task, row.recorded if row.recorded and row.recorded.task == task.name else None


def asked(row: Row, plan: ScorePlan, engine: Engine) -> Iterator[tuple[_Waiting, tuple[Sequence[int], Sequence[int]] | None]]:
    """Each record of a row with its (prompt, continuation); None for one with an error."""
    task, recorded = meant(row, plan.task)
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
            known = of_record(row, recorded, task) if recorded else of_row(row, spelled(task, plan.as_written))
            base = replace(base, **known.told)
            if plan.scheme:
                base = replace(base, numbering=numbering(residues(base.input), plan.scheme))
            yield _Waiting(base), tokens(known, engine)
            return
        if task.name not in CHAINS or not isinstance(row.value, str):
            raise RowError(f"--mutants changes residues of a protein or an antibody; this row is scored as {task.name}")
        sequence = residues(row.value)
        own = row.site.own_numbers if row.site else numbers_of(row.recorded.site) if row.recorded else None
        variants = list(plan.mutations.of(sequence, own))
        base = replace(base, input=sequence)
        wild = replace(base, numbering=numbering(sequence, plan.scheme)) if plan.scheme else base
        yield _Waiting(wild, last=False), tokens(of_row(replace(row, value=sequence), task), engine)
        for place, mutant in enumerate(variants, 1):
            record, last = replace(base, mutant=mutant.name, error=mutant.error), place == len(variants)
            if own and base.site and mutant.places:
                residues_of = [own.numbers[one - 1] for one in mutant.places]
                told = {key: value for key, value in base.site.items() if key != "notes"}  # once, with the wild type
                record = replace(record, site=told | {"places": list(mutant.places), "residues": residues_of})
            if mutant.error:
                yield _Waiting(record, last=last), None
            else:
                yield _Waiting(record, last=last), tokens(of_row(replace(row, value=mutant.sequence), task), engine)
    except (RowError, ForeignText) as error:
        yield _Waiting(replace(base, error=str(error))), None


def tokens(known: Known, engine: Engine) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(prompt, continuation) in tokens, the end included. Raises RowError for what the context cannot hold."""
    prompt, whole = engine.encode(known.prompt), engine.encode(known.prompt + known.text)
    if not prompt:
        prompt = whole[:1]  # a tokenizer without a start token: nothing stands before the first one
    elif whole[: len(prompt)] != prompt:
        # The tokenizer would join the prompt's end with what follows; `generate` goes on from the prompt's own tokens.
        whole = prompt + engine.encode(known.text)[len(engine.encode("")) :]
    written = (*whole[len(prompt) :], *((engine.end,) if known.ends else ()))
    if len(prompt) + len(written) > engine.info.context:
        raise RowError(f"{len(prompt) + len(written):,} tokens; the model's context is {engine.info.context:,}")
    if not written:
        raise RowError("nothing to score")
    return prompt, written


def filled_in(waiting: _Waiting, found: npt.NDArray[np.float32] | None, texts: Sequence[str]) -> ScoreRecord:
    if found is None:
        return waiting.record
    if not math.isfinite(total := float(found.sum(dtype="float64"))):
        return replace(waiting.record, error=NOT_NUMBERS)
    each = [(texts[token], float(value)) for token, value in zip(waiting.tokens, found, strict=True)] if texts else None
    return replace(waiting.record, logprob=total, tokens=len(found), each=each)


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
