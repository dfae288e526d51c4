"""Rates over samples: how many answers are valid, cut, or the question over again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from logos_cli.benchmarks.metrics.intervals import Estimate, rate, share_over_rows
from logos_cli.benchmarks.metrics.judged_answers import JudgedAnswers
from logos_cli.benchmarks.metrics.row_answers import repeats_question
from logos_cli.records.record import Record


def validity(answers: JudgedAnswers) -> Estimate | None:
    """Measures the share of valid answers."""
    return over_samples(answers, lambda record: record.valid)


def cut_at_limit(answers: JudgedAnswers) -> Estimate | None:
    """Measures the share of answers that the token limit cut."""
    return over_samples(answers, lambda record: record.finish == "length")


def question_repeated(answers: JudgedAnswers) -> Estimate | None:
    """Measures the share of answers that are the question over again."""
    return over_samples(answers, lambda record: bool(repeats_question(record))) if answers.task.repeats else None


def over_samples(answers: JudgedAnswers, counts: Callable[[Record], bool]) -> Estimate | None:
    """Measures a rate over answers; its interval is drawn over rows as soon as there are several. None of ranked answers."""
    if answers.ranked:
        return None
    per_row = [(sum(map(counts, row.written)), len(row.written)) for row in answers.rows.values()]
    hits, totals = np.array(per_row, np.int64).reshape(-1, 2).T
    total = int(totals.sum())
    if len(hits) == 1 or total == len(hits):  # one row, or one answer each: independent answers
        return rate(int(hits.sum()), total)
    return share_over_rows(hits, totals)
