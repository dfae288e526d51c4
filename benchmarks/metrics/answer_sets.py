"""Figures of sets of answers: how many differ, how many are new. Answers of one row are not independent of each other, so
that intervals over several rows come from leaving out one row at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from logos_cli.benchmarks.metrics.intervals import Estimate, rate, ratio_over_rows, uniqueness

Rows = Sequence[Sequence[str]]  # the answers of each row


def distinct_among(rows: Rows) -> Estimate | None:
    """The share of distinct answers among all; None for less than two. It falls as more are drawn: only equal numbers
    compare."""
    counts = Counter(answer for row in rows for answer in row)
    if len(rows) == 1 or counts.total() < 2:
        return uniqueness(list(counts.values()))
    return share_of_set(rows, len, [len(row) for row in rows])


def new_among(rows: Rows, known: frozenset[str]) -> Estimate | None:
    """The share of answers that are not known, among the distinct ones."""
    return share_of_set(rows, lambda answers: len(answers - known))


def share_of_set(rows: Rows, counted: Callable[[set[str]], int], totals: Sequence[int] | None = None) -> Estimate | None:
    """How many of the distinct answers are `counted`, as a share of all of them, or of each row's `totals`."""
    every = {answer for row in rows for answer in row}
    bottom = sum(totals) if totals is not None else len(every)
    if len(rows) == 1:
        return rate(counted(every), bottom)
    times = Counter(answer for row in rows for answer in set(row))
    own = [{answer for answer in row if times[answer] == 1} for row in rows]  # what leaves the set with its row
    less = totals if totals is not None else [len(one) for one in own]
    return ratio_over_rows(counted(every), bottom, list(zip(map(counted, own), less, strict=True)))
