"""Rows in, records out: a generator that knows neither files nor the console.

Rows become requests as slots fall free, answers come back in the order in which they end, records leave in the order
of the input. One row gives exactly `samples` records, or with `top` at most that many distinct valid answers, or one
record with `error`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from logos_cli.chemistry.grammar import RowError
from logos_cli.engines.engine import NO_NUMBERS, NOT_NUMBERS, Engine, Generation, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import ForeignText
from logos_cli.pipeline.pocket_vote import CONSENSUS, merged
from logos_cli.records.record import Record
from logos_cli.rows.row import Row
from logos_cli.structures.chains import Site
from logos_cli.system.read_ahead import Ahead
from logos_cli.tasks.task import NOTHING, Prompt, Task

# Tokens; a prompt that leaves less of the context may cut an answer, and that is said.
LITTLE_ROOM = 128
PENDING = 512  # rows taken up whose records wait for an earlier row, at most


@dataclass(frozen=True)
class GenerationPlan:
    """What to do with every row. `single`: one answer is all that was asked for, decode it with one-row kernels.
    `beam`: the width of a beam search instead of draws, whose hypotheses then are the `samples`, to be ranked for `top`.
    `consensus` is for tasks whose samples are merged. `keep_identity`: an answer that is the question is as valid as others.
    `warn` hears of answers that may be cut, before they are written."""

    task: Task
    sampling: Sampling
    samples: int
    top: int | None = None
    single: bool = False
    consensus: float = CONSENSUS
    keep_identity: bool = False
    warn: Callable[[str], None] = lambda _: None
    beam: int = 0


@dataclass(frozen=True)
class Done:
    """Where an interrupted run stopped: all rows before `row`, and the first `samples` records of it, are written."""

    row: int = 0
    samples: int = 0

    def first(self, row: int, plan: GenerationPlan) -> int | None:
        """The first sample of `row` that is still to be written; None if all are."""
        first = self.samples if row == self.row and plan.top is None else 0
        return None if row < self.row or first >= plan.samples else first


class Samples(Protocol):
    """Where records wait that are not due yet, so that a later run need not draw them again."""

    def of_row(self, row: int) -> Sequence[Record]:
        """Gives what an earlier run has kept of a row: samples, or all of its final records."""
        ...

    def keep_sample(self, record: Record) -> None:
        """Stores a sample of a row whose records leave together."""
        ...


@dataclass
class _Pending:
    """A row on its way: the record all its answers share, those that came, and which is due next. `whole`: its final
    records, where nothing is left to do."""

    base: Record
    wanted: Sequence[int]
    prompt: Prompt = NOTHING
    site: Site | None = None
    arrived: dict[int, Record] = field(default_factory=dict)
    due: int = 0
    last: tuple[tuple[int, ...], Record] | None = None  # the tokens of the answer that came last, and its record
    whole: Sequence[Record] = ()


def generate_records(
    rows: Iterable[Row],
    plan: GenerationPlan,
    engine: Engine,
    done: Done | None = None,
    kept: Samples | None = None,
    ended: Callable[[int], None] = lambda _: None,
) -> Iterator[Record]:
    """Answers rows, records in input order. Rows and samples in `done` are left out, those that `kept` has are not drawn again;
    everything else is as if they were not. `ended` hears of each row whose last record was taken.

    Rows are read by a thread: while none is there, answers are written. An error of `rows` is raised after the records of
    the rows before it.
    """
    done = done or Done()
    source = rows if isinstance(rows, Ahead) else Ahead(rows)
    failed: list[Exception] = []
    for marker in plan.task.needs:
        engine.marker(marker)
    queue: deque[_Pending] = deque()
    waiting: dict[int, _Pending] = {}

    def requests() -> Iterator[Request | None]:
        while True:
            if waiting and (len(queue) >= PENDING or not source.ready()):
                yield None
                continue
            try:
                row = next(source)
            except StopIteration:
                return
            except Exception as error:  # noqa: BLE001  # raised again when its turn has come
                failed.append(error)
                return
            if (first := done.first(row.ordinal, plan)) is None:
                continue
            earlier = kept.of_row(row.ordinal) if kept else ()
            whole = [record for record in earlier if record.failed or record.rank is not None]
            if whole:
                queue.append(_Pending(whole[0], (), whole=whole))
                yield None
                continue
            pending, tokens = admit(row, plan, engine, first)
            queue.append(pending)
            if not plan.beam:  # a beam is searched as a whole
                wanted = set(pending.wanted)
                pending.arrived = {one.sample: one for one in earlier if one.sample is not None and one.sample in wanted}
            missing = [sample for sample in pending.wanted if sample not in pending.arrived]
            if not missing:
                if not waiting:
                    yield None  # its record can leave now
                continue
            waiting[row.ordinal] = pending
            yield Request(row.ordinal, tokens, missing)

    try:
        for generation in engine.generate(requests(), plan.sampling, plan.task.stops, plan.single, plan.beam):
            if generation is not None and (pending := waiting.get(generation.row)):  # else its row has ended in an error
                # Samples of one branch come one after the other and share their tokens.
                if generation.unknown or pending.last is None or pending.last[0] is not generation.tokens:
                    pending.last = (generation.tokens, answer_record(pending, generation, plan))
                record = replace(pending.last[1], sample=None if pending.last[1].failed else generation.sample)
                pending.arrived[generation.sample] = record
                if record.failed:
                    pending.base, pending.wanted, pending.arrived = record, (), {}
                    del waiting[generation.row]
                else:
                    if kept and plan.top is not None and not plan.beam:
                        kept.keep_sample(record)
                    if len(pending.arrived) == len(pending.wanted) - pending.due:
                        del waiting[generation.row]
            yield from ready(queue, plan, ended)
        yield from ready(queue, plan, ended)
        if failed:
            raise failed[0]
    finally:
        source.close()


def admit(row: Row, plan: GenerationPlan, engine: Engine, first: int) -> tuple[_Pending, tuple[int, ...]]:
    """Makes the row's shared record and its prompt's tokens, none if the row cannot be used."""
    base = Record(
        row.ordinal, row.id, plan.task.name, "", engine.info.model, truth=row.truth, columns=row.columns, error=row.error
    )
    if row.error is None:
        try:
            prompt = plan.task.prompt(row)
            base = replace(
                base, input=prompt.shown, asked=prompt.asked, site=prompt.site, prompt=prompt.stored,
                truth=prompt.truth if row.truth is None else row.truth,
            )  # fmt: skip
            tokens = engine.encode(prompt.text)
            if len(tokens) >= engine.info.context:
                raise RowError(f"a prompt of {len(tokens):,} tokens; the model's context is {engine.info.context:,}")
            if not tokens:
                raise RowError("an empty prompt")
            if warning := foreseen_cut(prompt, tokens, plan.sampling.max_tokens, engine):
                plan.warn(f"row {row.ordinal + 1} ({row.id}): {warning}")
            return _Pending(base, range(first, plan.samples), prompt, row.site), tokens
        except (RowError, ForeignText) as error:
            base = replace(base, error=str(error))
    if not base.input:
        shown = row.text if row.text is not None else row.value
        base = replace(base, input=(".".join(shown) if isinstance(shown, tuple) else shown or "")[:4000])
    return _Pending(base, ()), ()


def foreseen_cut(prompt: Prompt, tokens: Sequence[int], max_tokens: int, engine: Engine) -> str | None:
    """Says what must be said of a prompt whose answer may well be cut. Raises RowError if it must be: hours would go into
    answers of which none can be whole."""
    left = engine.info.context - len(tokens)
    room = min(max_tokens, left)
    leaves = f"the prompt leaves {left:,} of the model's {engine.info.context:,} tokens"
    limit = leaves if left <= max_tokens else f"--max-tokens is {max_tokens:,}"
    if prompt.least:
        least, usual = (len(engine.encode(prompt.text + text)) - len(tokens) for text in (prompt.least, prompt.usual))
        if least > room:
            # A larger --max-tokens helps only as far as the context goes.
            remedy = f"{leaves}; give a shorter part of it" if left < least else f"give --max-tokens {min(left, usual):,}"
            raise RowError(f"the answer repeats the protein, at least {least:,} tokens, and would be cut: {remedy}")
        if usual > room:
            return f"the answer repeats the protein, {least:,} tokens and often {usual:,}; {limit}: some will be cut"
    elif room < min(LITTLE_ROOM, max_tokens):
        return f"{leaves}: answers may be cut"
    return None


def answer_record(pending: _Pending, generation: Generation, plan: GenerationPlan) -> Record:
    """Makes the record of one sample; or that of its row, if the model gives no numbers for the prompt or for all that was
    asked of it."""
    base, task = pending.base, plan.task
    if generation.error is not None:
        return replace(base, error=generation.error)
    logprob = None if "logprob" in generation.unknown else round(generation.logprob, 4)
    count = None if "tokens" in generation.unknown else len(generation.tokens)
    if generation.finish == NO_NUMBERS:
        if not generation.tokens or plan.samples == 1:
            return replace(base, error=NOT_NUMBERS)
        return replace(
            base, sample=generation.sample, error=NOT_NUMBERS, text=generation.text, tokens=count, logprob=logprob,
        )  # fmt: skip
    answer = task.parse(generation.text, generation.finish, pending.prompt)
    if answer.valid and task.repeats and not plan.keep_identity and (why := task.repeats(base.question, answer.smiles)):
        answer = replace(answer, valid=False, reason=why)
    reaction = task.reaction(base.question, answer.smiles) if answer.valid else None
    marked = pending.site if answer.valid and task.merges else None
    own = marked.own(answer.value) if marked else None
    site = {**(base.site or {}), **marked.confidence(answer.value)} if marked else base.site
    return replace(
        base, sample=generation.sample, answer=answer.value, valid=answer.valid, error=answer.reason, text=generation.text,
        tokens=count, logprob=logprob, finish=generation.finish, reaction=reaction,
        residues=own, smiles=answer.smiles, site=site,
    )  # fmt: skip


def ready(queue: deque[_Pending], plan: GenerationPlan, ended: Callable[[int], None]) -> Iterator[Record]:
    """Gives the records that can leave now: those of the first row as far as they came, then of the next."""
    while queue:
        head = queue[0]
        if not head.wanted:
            yield from head.whole or (head.base,)
        elif plan.top is not None:
            if len(head.arrived) < len(head.wanted):
                return
            records = [head.arrived[sample] for sample in head.wanted]
            if plan.task.merges:
                yield merged(head.base, records, head.prompt, head.site, plan.consensus)
            else:
                yield from ranked(head.base, records, plan.top, counted=not plan.beam)
        else:
            while head.due < len(head.wanted):
                record = head.arrived.pop(head.wanted[head.due], None)
                if record is None:
                    return
                head.due += 1
                yield record
        queue.popleft()
        ended(head.base.row)


def ranked(base: Record, records: Sequence[Record], top: int, counted: bool = True) -> Iterator[Record]:
    """Picks at most `top` distinct valid answers, by how many samples gave them if that is `counted`, then by
    log-probability."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.valid:
            groups.setdefault(record.smiles or str(record.answer), []).append(record)
    if not groups:
        yield replace(
            base,
            error=f"no valid answer in {len(records)} {'samples' if counted else 'answers of the beam'}{repeated(records)}",
        )
        return
    # The lowest sample number settles equal log-probabilities, whatever order the answers came in.
    best = [(len(g) if counted else 0, min(g, key=lambda r: (-(r.logprob or 0.0), r.sample))) for g in groups.values()]
    best.sort(key=lambda item: (-item[0], -(item[1].logprob or 0.0), item[1].sample))
    for rank, (count, record) in enumerate(best[:top], 1):
        yield replace(record, rank=rank, count=count or None)


def repeated(records: Sequence[Record]) -> str:
    """Says what must be said of answers that would be valid if they were not the question."""
    count = sum(bool(record.smiles) for record in records)
    verb, them = ("repeats", "it") if count == 1 else ("repeat", "them")
    return f"; {count} only {verb} the question (--keep-identity keeps {them})" if count else ""
