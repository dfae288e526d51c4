"""What a run gave for each row, judged: which answers are valid, which are the question over again, which come first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from logos_cli.chemistry.smiles import canonical_set
from logos_cli.records.record import Record
from logos_cli.tasks.table import answer_kind, task_of_record

Truth = tuple[str, ...]  # canonical molecules in canonical order


@dataclass
class RowAnswers:
    """What came for one row, in the order in which it came."""

    records: list[Record] = field(default_factory=list)

    @property
    def written(self) -> list[Record]:
        """The answers, without a record that stands for none."""
        return [record for record in self.records if not record.failed]

    def ranked(self) -> list[str]:
        """Ranks distinct valid answers, best first: by the records' own ranks, else by count, then by log-probability."""
        return self._best_first([record for record in self.written if record.valid])

    def places(self) -> list[str]:
        """Ranks them with answers that are the question, which no top-k that was ever published leaves out."""
        return self._best_first([record for record in self.written if record.valid or repeats_question(record)])

    def _best_first(self, valid: Sequence[Record]) -> list[str]:
        if any(record.rank is not None for record in valid):
            return [answer_key(record) for record in sorted(valid, key=lambda r: r.rank or 0)]
        groups: dict[str, list[Record]] = defaultdict(list)
        for record in valid:
            groups[answer_key(record)].append(record)
        best = {text: max(r.logprob or 0.0 for r in group) for text, group in groups.items()}
        first = {text: min(r.sample or 0 for r in group) for text, group in groups.items()}
        return sorted(groups, key=lambda text: (-len(groups[text]), -best[text], first[text]))


def repeats_question(record: Record) -> str | None:
    """Says why a whole answer is the question over again, which makes it invalid unless somebody wanted such answers; None if
    it is not."""
    repeats = task_of_record(record.task).repeats
    if repeats is None or record.answer is None or record.finish == "length":
        return None
    why = repeats(record.question, answer_key(record))
    return why if record.valid or record.error == why else None


def judged(record: Record, keep_identity: bool) -> Record:
    """Gives the record, valid or not as `keep_identity` will have it, whichever way it was written."""
    if record.valid == keep_identity or (why := repeats_question(record)) is None:
        return record
    return replace(record, valid=keep_identity, error=None if keep_identity else why)


def answer_key(record: Record) -> str:
    """Gives the answer in a form that is equal for equal answers."""
    return answer_kind(record.task).key(record.answer)


def by_row(records: Iterable[Record]) -> dict[int, RowAnswers]:
    """Groups records by their row."""
    rows: dict[int, RowAnswers] = defaultdict(RowAnswers)
    for record in records:
        rows[record.row].records.append(record)
    return dict(rows)


def matches(rows: Mapping[int, RowAnswers], truths: Mapping[int, Truth]) -> dict[int, int | None]:
    """Finds, by row, the rank (from 1) of the first answer that is the truth, None if none is; only rows that have a truth."""
    ranks: dict[int, int | None] = {}
    for row, truth in truths.items():
        answers = rows[row].places() if row in rows else []
        ranks[row] = next((rank for rank, text in enumerate(answers, 1) if canonical_set([text]) == truth), None)
    return ranks
