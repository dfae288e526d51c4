"""Figures of answers made of residues: binding sites against the known ones, sequences against the native one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence

import numpy as np

from logos_cli.benchmarks.metrics.answer_sets import share_of_set
from logos_cli.benchmarks.metrics.intervals import Estimate, share_over_rows
from logos_cli.benchmarks.metrics.judged_answers import JudgedAnswers
from logos_cli.records.record import Record

# Name of a figure -> its function of true positives, false positives, false negatives and true negatives.
SCORES = ("precision", "recall", "f1", "mcc")


def pocket_scores(named: Collection[int], wanted: Collection[int], length: int) -> dict[str, float]:
    """Compares residues of 1 … `length` with those that are wanted. What is not defined (none named, say) is 0, as in
    scikit-learn."""
    tp = len(set(named) & set(wanted))
    fp, fn = len(set(named)) - tp, len(set(wanted)) - tp
    tn = length - tp - fp - fn
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "precision": tp / (tp + fp) if tp + fp else 0.0,
        "recall": tp / (tp + fn) if tp + fn else 0.0,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp else 0.0,
        "mcc": (tp * tn - fp * fn) / root if root else 0.0,
    }


def merged(answers: JudgedAnswers) -> list[Record]:
    """Gives the records that were merged from several samples."""
    return [record for row in answers.rows.values() for record in row.records if record.samples is not None]


def faithful(answers: JudgedAnswers) -> Estimate | None:
    """Measures how many of the merged samples repeat their protein."""
    records = merged(answers)
    return share_over_rows([r.faithful or 0 for r in records], [r.samples or 0 for r in records]) if records else None


def proteins_never_repeated(answers: JudgedAnswers) -> int | None:
    """Counts merged records without a sample that repeats the protein."""
    records = merged(answers)
    return sum(not record.faithful for record in records) if records else None


def residue_score(answers: JudgedAnswers, name: str) -> Estimate | None:
    """Averages one of `SCORES` over proteins. An answer that does not repeat its protein has found nothing; of a merged
    record its consensus counts."""
    values = []
    for row, wanted in answers.truths.items():
        records, length = answers.all_of(row), answers.input_length(row)
        scores = [pocket_scores(r.answer if r.valid else (), wanted, length) for r in records] or [pocket_scores((), wanted, 0)]
        values.append(statistics.fmean(score[name] for score in scores))
    return mean_score(values, name) if values else None


def mean_score(values: Sequence[float], name: str) -> Estimate | None:
    """Averages a score over proteins."""
    ones = [1] * len(values)
    if name != "mcc":
        return share_over_rows(values, ones)
    mean = share_over_rows([(value + 1) / 2 for value in values], ones)  # it goes from -1 to 1
    return mean and Estimate(2 * mean.value - 1, 2 * mean.low - 1, 2 * mean.high - 1, mean.n)


def chance_precision(answers: JudgedAnswers) -> Estimate | None:
    """Measures what residues named at random reach."""
    lengths = {row: length for row in answers.truths if (length := answers.input_length(row))}
    return share_over_rows([len(answers.truths[row]) / length for row, length in lengths.items()], [1] * len(lengths))


def recovered(answer: str, native: str, prefix: str) -> float | None:
    """Measures the part of the native residues after the prefix that stand at the same place in the answer (amino acid
    recovery); None if nothing was left to write."""
    wanted = native[len(prefix) :]
    if not wanted:
        return None
    return sum(a == b for a, b in zip(answer[len(prefix) :], wanted, strict=False)) / len(wanted)


def recovery(answers: JudgedAnswers) -> Estimate | None:
    """Averages recovery over rows, by place and without gaps: an answer of another length loses what follows. Invalid answers
    recover nothing."""
    if not answers.truths:
        return None
    means = []
    for row, native in answers.truths.items():
        records = answers.answers_of(row)
        values = [recovered(str(r.answer) if r.valid else "", native, r.input) for r in records]
        measured = [value for value in values if value is not None]
        if measured or not records:
            means.append(statistics.fmean(measured) if measured else 0.0)
    return share_over_rows(means, [1] * len(means))


def median_length(answers: JudgedAnswers) -> dict[str, float] | None:
    """Gives the median number of residues."""
    return {"residues": float(np.median([len(one) for one in answers.valid]))} if answers.valid else None


def text_valid_unique(answers: JudgedAnswers) -> Estimate | None:
    """Measures valid and unique materials as text."""
    return share_of_set(answers.valid_by_row, len, answers_by_row(answers))


def text_vnu(answers: JudgedAnswers) -> Estimate | None:
    """Measures valid, novel and unique materials as text: an upper bound of the published figure, which assembles
    structures; without known materials there is none."""
    known = answers.known
    if known is None:
        return None
    return share_of_set(answers.valid_by_row, lambda every: len(every - known), answers_by_row(answers))


def answers_by_row(answers: JudgedAnswers) -> list[int]:
    """Counts the answers of each row, valid or not."""
    return [len(row.written) for row in answers.rows.values()]
