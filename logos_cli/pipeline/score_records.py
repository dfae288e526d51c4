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

from logos_cli.chemistry.antibody import numbering
from logos_cli.chemistry.grammar import RowError, residues
from logos_cli.chemistry.mutants import Mutations
from logos_cli.chemistry.own_numbers import OwnNumbers
from logos_cli.chemistry.residues import STANDARD
from logos_cli.engines.engine import NOT_NUMBERS, Engine
from logos_cli.errors import ForeignText
from logos_cli.pipeline.recorded import numbers_of
from logos_cli.pipeline.score_journal import Figures, Pair, ScoreJournal
from logos_cli.pipeline.sequences import grammar_text, shown_of, task_and_record, text_of_row, tokens_of
from logos_cli.records.score_record import ScoreRecord
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS
from logos_cli.tasks.task import Task, chain_of


@dataclass(frozen=True)
class ScorePlan:
    """`task` None: by what each row is. `each`: tell every token's own log-probability, `each_residue` that of every residue of
    a protein or an antibody. `as_written`: SMILES of rows are scored as they are spelled there, and not in canonical form.
    `scheme`: number antibodies by it. `first`: the number that `mutations` give the first residue of a sequence, which has no
    numbers of its own."""

    task: Task | None
    mutations: Mutations | None = None
    each: bool = False
    as_written: bool = False
    scheme: str | None = None
    first: int | None = None
    each_residue: bool = False

    @property
    def by_token(self) -> bool:
        """Whether more than the sum over all tokens is told."""
        return self.each or self.each_residue


@dataclass
class _Waiting:
    """A record whose figures are still to come, if it has no error; `last` of those that its row ranks together. `pair` is what
    is asked for them, `known` what an earlier run has found."""

    record: ScoreRecord
    last: bool = True
    pair: Pair | None = None
    known: Figures | None = None


def score_records(
    rows: Iterable[Row], plan: ScorePlan, engine: Engine, journal: ScoreJournal | None = None
) -> Iterator[ScoreRecord]:
    """Scores rows, records in input order; a row's mutants follow its wild type, in the order asked for. What `journal` knows
    is not asked again, and what is found goes into it. Raises TokenizerError if the model lacks a marker of what a row is
    scored as: its pieces would be scored instead."""
    spoken: set[str] = set()
    queue: deque[_Waiting] = deque()
    texts = engine.token_texts() if plan.by_token else []

    def pairs() -> Iterator[Pair | None]:
        for row in rows:
            task, _ = task_and_record(row, plan.task)
            if task.name not in spoken:
                for marker in task.needs:
                    engine.marker(marker)
                spoken.add(task.name)
            for waiting, pair in requests_of(row, plan, engine):
                waiting.pair = pair
                waiting.known = journal.get(pair) if journal and pair else None
                queue.append(waiting)
                yield pair if waiting.known is None else None

    group: list[ScoreRecord] = []
    for logprobs in engine.score_many(pairs()):
        waiting = queue.popleft()
        figures = waiting.known if logprobs is None else Figures.of(logprobs, plan.by_token)
        if journal and waiting.pair and figures and waiting.known is None:
            journal.put(waiting.pair, figures)
        group.append(filled_in(waiting, figures, texts, plan))
        if waiting.last:
            yield from ranked(group)
            group = []


def requests_of(row: Row, plan: ScorePlan, engine: Engine) -> Iterator[tuple[_Waiting, Pair | None]]:
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
        plain = own is None
        if plan.first is not None:
            if own is not None:
                raise RowError("this sequence has numbers of its own; leave out --numbered-from")
            own = OwnNumbers.counted_from(plan.first, len(sequence))
            base = replace(base, site={"chain": "", "numbers": own.runs()})
        variants = list(plan.mutations.of(sequence, own, row.part))
        hint = first_number_told(plan, sequence) if plain and any(one.misplaced for one in variants) else ""
        base = replace(base, input=sequence)
        wild = replace(base, numbering=numbering(sequence, plan.scheme)) if plan.scheme else base
        yield _Waiting(wild, last=not variants), tokens_of(text_of_row(replace(row, value=sequence), task), engine)
        for place, mutant in enumerate(variants, 1):
            error = f"{mutant.error}{hint}" if mutant.misplaced else mutant.error
            record, last = replace(base, mutant=mutant.name, error=error), place == len(variants)
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


def first_number_told(plan: ScorePlan, sequence: str) -> str:
    """Gives what to add to the error of a variant whose residue is not where it says, if another numbering fits all."""
    first = plan.mutations.first_number(sequence) if plan.mutations else None
    return f"; all of them fit with --numbered-from {first}" if first is not None and first != (plan.first or 1) else ""


def filled_in(waiting: _Waiting, figures: Figures | None, texts: Sequence[str], plan: ScorePlan) -> ScoreRecord:
    """Adds its figures to a record, and each by itself as `plan` asks; `texts` [V] are the vocabulary's."""
    if figures is None or waiting.pair is None:
        return waiting.record
    if not math.isfinite(figures.total):
        return replace(waiting.record, error=NOT_NUMBERS)
    tokens = waiting.pair[1] if plan.by_token else ()
    each = [(texts[token], value) for token, value in zip(tokens, figures.each, strict=True)]
    by_residue = residue_logprobs(each, TASKS[waiting.record.task]) if plan.each_residue else None
    return replace(
        waiting.record, logprob=figures.total, tokens=figures.tokens, each=each if plan.each else None,
        residue_logprobs=by_residue,
    )  # fmt: skip


def residue_logprobs(each: Sequence[tuple[str, float]], task: Task) -> list[float] | None:
    """Gives the log-probability [L] of each residue of a chain from those of its tokens, the end left out; the residues that
    one token spells have equal parts of it. None for what is no chain of standard residues."""
    if not task.mutates:
        return None
    found: list[float] = []
    for text, value in each:
        if text in task.stops:
            break
        if not set(text) <= set(STANDARD):
            return None
        found += [value / len(text)] * len(text)
    return found


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
