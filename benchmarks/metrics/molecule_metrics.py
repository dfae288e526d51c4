"""Figures of answers made of molecules: against the right ones, and as a set of new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from logos_cli.benchmarks.metrics.answer_sets import distinct_among, new_among
from logos_cli.benchmarks.metrics.intervals import Estimate, rate, share_over_rows
from logos_cli.benchmarks.metrics.judged_answers import JudgedAnswers
from logos_cli.benchmarks.metrics.molecules import Diversity, internal_diversity, similarity, wasserstein

TOP = (1, 3, 5, 10)


def top(answers: JudgedAnswers) -> dict[str, Estimate | None] | None:
    """Measures the rows whose right answer is among their first k."""
    ranks = answers.ranks.values()
    return {str(k): rate(sum(rank is not None and rank <= k for rank in ranks), len(ranks)) for k in TOP} if ranks else None


def mrr(answers: JudgedAnswers) -> Estimate | None:
    """Averages the reciprocal rank of the right answer."""
    return share_over_rows([1 / rank if rank else 0.0 for rank in answers.ranks.values()], [1] * len(answers.ranks))


def similarity_mean(answers: JudgedAnswers) -> Estimate | None:
    """Averages over rows the mean similarity of a row's answers to the right one."""
    return over_similarities(answers, lambda values: float(np.mean(values)))


def similarity_best(answers: JudgedAnswers) -> Estimate | None:
    """Averages over rows the similarity of the row's nearest answer to the right one."""
    return over_similarities(answers, max)


def over_similarities(answers: JudgedAnswers, of_row: Callable[[Sequence[float]], float]) -> Estimate | None:
    """Averages Tanimoto similarity over rows, of tasks where nearness counts; an answer that is not valid has none, 0."""
    if not answers.task.near_counts or not answers.truths:
        return None
    values = []
    for row, truth in answers.truths.items():
        right = ".".join(truth)
        records = answers.answers_of(row)
        values.append(of_row([similarity(str(r.answer), right) if r.valid else 0.0 for r in records] or [0.0]))
    return share_over_rows(values, [1] * len(values))


def unique(answers: JudgedAnswers) -> Estimate | None:
    """Measures the share of distinct answers."""
    return distinct_among(answers.valid_by_row)


def novelty(answers: JudgedAnswers) -> Estimate | None:
    """Measures the share of distinct answers that are not known, of tasks that make theirs up."""
    if answers.known is None or not answers.task.invents:
        return None
    return new_among(answers.valid_by_row, answers.known)


def diversity(answers: JudgedAnswers) -> Diversity | None:
    """Measures how unlike each other the answers are."""
    return internal_diversity(answers.valid)


def medians(answers: JudgedAnswers) -> dict[str, float]:
    """Gives the median of each property."""
    return {name: float(np.median(values)) for name, values in answers.properties.items() if values}


def distance_of_halves(answers: JudgedAnswers) -> dict[str, float]:
    """Measures how far two halves of the answers are apart, property by property: what chance alone gives."""
    apart = {name: wasserstein(values[::2], values[1::2]) for name, values in answers.properties.items()}
    return {name: distance for name, distance in apart.items() if distance is not None}


def distance(answers: JudgedAnswers) -> dict[str, float] | None:
    """Measures how far the answers are from the reference's, property by property."""
    if answers.reference is None:
        return None
    apart = {name: wasserstein(values, answers.reference[name]) for name, values in answers.properties.items()}
    return {name: far for name, far in apart.items() if far is not None}
