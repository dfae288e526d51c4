"""Figures of stored records: what `logos evaluate` tells, and the task half of `logos bench accuracy`. No model, no I/O.

Invalid answers and rows without an answer count as wrong. Answers of one row are not independent of each other, so
intervals over several rows are drawn over rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from logos_cli.benchmarks.metrics.answer_sets import distinct_among, new_among
from logos_cli.benchmarks.metrics.intervals import Estimate, rate, share_over_rows
from logos_cli.benchmarks.metrics.molecules import internal_diversity, properties, similarity, wasserstein
from logos_cli.benchmarks.metrics.residue_metrics import pocket_metrics, sequence_metrics, text_vnu
from logos_cli.chemistry.smiles import canonical_set
from logos_cli.records.record import Record
from logos_cli.tasks.table import TASKS

TOP = (1, 3, 5, 10)
Truth = tuple[str, ...]  # canonical molecules in canonical order
MOLECULAR = ("molecule", "retro", "react", "ligand")


@dataclass
class RowAnswers:
    """What came for one row, in the order in which it came."""

    records: list[Record] = field(default_factory=list)

    @property
    def written(self) -> list[Record]:
        return [record for record in self.records if not record.failed]

    def ranked(self) -> list[str]:
        """Distinct valid answers, best first: by the records' own ranks, else by count, then by log-probability."""
        return self._best_first([record for record in self.written if record.valid])

    def places(self) -> list[str]:
        """The same with answers that are the question, which no top-k that was ever published leaves out."""
        return self._best_first([record for record in self.written if record.valid or repeats_question(record)])

    def _best_first(self, valid: Sequence[Record]) -> list[str]:
        if any(record.rank is not None for record in valid):
            return [answer_text(record) for record in sorted(valid, key=lambda r: r.rank or 0)]
        groups: dict[str, list[Record]] = defaultdict(list)
        for record in valid:
            groups[answer_text(record)].append(record)
        best = {text: max(r.logprob or 0.0 for r in group) for text, group in groups.items()}
        first = {text: min(r.sample or 0 for r in group) for text, group in groups.items()}
        return sorted(groups, key=lambda text: (-len(groups[text]), -best[text], first[text]))


def repeats_question(record: Record) -> str | None:
    """Why a whole answer is the question over again, which makes it invalid unless somebody wanted such answers; None if it is
    not."""
    task = TASKS.get(record.task)
    if task is None or task.repeats is None or record.answer is None or record.finish == "length":
        return None
    why = task.repeats(record.question, answer_text(record))
    return why if record.valid or record.error == why else None


def judged(record: Record, keep_identity: bool) -> Record:
    """The record, valid or not as `keep_identity` will have it, whichever way it was written."""
    if record.valid == keep_identity or (why := repeats_question(record)) is None:
        return record
    return replace(record, valid=keep_identity, error=None if keep_identity else why)


def answer_text(record: Record) -> str:
    """The answer in a form that is equal for equal answers."""
    answer = record.answer
    if isinstance(answer, dict):
        return ".".join((str(answer.get("metal")), *sorted(answer.get("linkers", ()))))
    if isinstance(answer, list) and not all(isinstance(one, str) for one in answer):
        return str(answer)
    return ".".join(sorted(".".join(answer).split("."))) if isinstance(answer, list) else str(answer)


def by_row(records: Iterable[Record]) -> dict[int, RowAnswers]:
    rows: dict[int, RowAnswers] = defaultdict(RowAnswers)
    for record in records:
        rows[record.row].records.append(record)
    return dict(rows)


def matches(rows: Mapping[int, RowAnswers], truths: Mapping[int, Truth]) -> dict[int, int | None]:
    """Row -> rank (from 1) of the first answer that is the truth, None if none is; only rows that have a truth."""
    found: dict[int, int | None] = {}
    for row, truth in truths.items():
        answers = rows[row].places() if row in rows else []
        found[row] = next((rank for rank, text in enumerate(answers, 1) if canonical_set([text]) == truth), None)
    return found


def task_metrics(
    records: Sequence[Record],
    truths: Mapping[int, Any] | None = None,
    novel_against: frozenset[str] | None = None,
    reference: Mapping[str, Sequence[float]] | None = None,
    keep_identity: bool = False,
) -> dict[str, Any]:
    """Figures of the records of one task. `truths` are as `truths.parse_any` gives them for it; `reference`: property
    values of molecules to measure the distance from; `keep_identity`: an answer that is the question is as valid as others."""
    rows = by_row(judged(record, keep_identity) for record in records)
    written = [record for row in rows.values() for record in row.written]
    task = records[0].task if records else ""
    ranked = any(record.rank is not None for record in written)
    found: dict[str, Any] = {
        "rows": len(rows),
        "answers": len(written),
        "rows_without_answer": sum(not r.written for r in rows.values()),
    }
    if not ranked:
        found["validity"] = over_rows([(sum(r.valid for r in row.written), len(row.written)) for row in rows.values()])
        found["cut_at_limit"] = over_rows(
            [(sum(r.finish == "length" for r in row.written), len(row.written)) for row in rows.values()]
        )
        if task in TASKS and TASKS[task].repeats:
            found["repeats_question"] = over_rows(
                [(sum(map(bool, map(repeats_question, row.written))), len(row.written)) for row in rows.values()]
            )
    by_place = {place: row.written for place, row in rows.items()}
    valid = [[answer_text(record) for record in row.written if record.valid] for row in rows.values()]
    if task == "pocket":
        found |= pocket_metrics({place: row.records for place, row in rows.items()}, truths or {})
    elif task in ("protein", "antibody"):
        found |= sequence_metrics(by_place, truths or {}, novel_against)
    elif task == "material":
        found |= text_vnu(valid, [len(row.written) for row in rows.values()], novel_against)
    elif truths:
        found |= top_metrics(matches(rows, truths))
    if task == "ligand" and truths:
        found |= similarity_metrics(by_place, truths)
    if task in MOLECULAR:
        found |= molecule_metrics(valid, novel_against if task in ("molecule", "ligand") else None, reference)
    return {
        name: value.to_dict() if isinstance(value, Estimate) else value for name, value in found.items() if value is not None
    }


def similarity_metrics(rows: Mapping[int, Sequence[Record]], truths: Mapping[int, Truth]) -> dict[str, Any]:
    """Tanimoto similarity of ligands to the known one: the mean of a row's answers and the best of them, averaged over
    rows; an answer that is not valid has none, 0."""
    means, bests = [], []
    for row, truth in truths.items():
        known = ".".join(truth)
        values = [similarity(str(r.answer), known) if r.valid else 0.0 for r in rows.get(row, ())] or [0.0]
        means.append(float(np.mean(values)))
        bests.append(max(values))
    ones = np.ones(len(means), np.int64)
    return {"similarity_mean": share_over_rows(means, ones), "similarity_best": share_over_rows(bests, ones)}


def over_rows(counts: Sequence[tuple[int, int]]) -> Estimate | None:
    """A rate over answers; its interval is drawn over rows as soon as there are several."""
    hits, totals = np.array(counts, np.int64).reshape(-1, 2).T
    total = int(totals.sum())
    if len(hits) == 1 or total == len(hits):  # one row, or one answer each: independent answers
        return rate(int(hits.sum()), total)
    return share_over_rows(hits, totals)


def top_metrics(found: Mapping[int, int | None]) -> dict[str, Any]:
    n = len(found)
    top = {str(k): rate(sum(rank is not None and rank <= k for rank in found.values()), n) for k in TOP}
    reciprocal = np.array([1 / rank if rank else 0.0 for rank in found.values()])
    mrr = share_over_rows(reciprocal, np.ones(n, np.int64))
    return {"rows_with_truth": n, "top": {k: one.to_dict() for k, one in top.items() if one}, "mrr": mrr}


def molecule_metrics(
    rows: Sequence[Sequence[str]],
    novel_against: frozenset[str] | None,
    reference: Mapping[str, Sequence[float]] | None,
) -> dict[str, Any]:
    """Of the valid answers of each row."""
    valid = [answer for row in rows for answer in row]
    values = properties(valid)
    diversity = internal_diversity(valid)
    halves = {name: far for name, v in values.items() if (far := wasserstein(v[::2], v[1::2])) is not None}
    found: dict[str, Any] = {
        "uniqueness": distinct_among(rows),
        "internal_diversity": {"value": diversity.value, "n": diversity.n} if diversity else None,
        "median": {name: float(np.median(v)) for name, v in values.items() if v},
        "wasserstein_halves": halves,
    }
    if novel_against is not None:
        found["novelty"] = new_among(rows, novel_against)
    if reference is not None:
        apart = {name: wasserstein(v, reference[name]) for name, v in values.items()}
        found["wasserstein"] = {name: far for name, far in apart.items() if far is not None}
    return found
