"""What a model loses and gains against the baseline on the same rows and seeds, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from logos_cli.benchmarks.accuracy.results import Change, Comparison
from logos_cli.benchmarks.accuracy.task_level import TaskPlan, TaskRun
from logos_cli.benchmarks.metrics.intervals import FEW, Estimate, Flips, Resamples, flips, rate, share_over_rows
from logos_cli.benchmarks.metrics.molecule_metrics import TOP
from logos_cli.benchmarks.metrics.row_answers import by_row, matches
from logos_cli.benchmarks.metrics.sample_size import rows_to_show, spread_of
from logos_cli.records.record import Record


def compare_runs(baseline: TaskRun, model: TaskRun, task: TaskPlan) -> Comparison:
    """Measures what the model loses and gains against the baseline on the same rows and seeds: changes of rates with
    intervals, and flips in both directions with McNemar's test. An answer that only one of them gave is wrong in the other."""
    before, after = by_sample(baseline.records), by_sample(model.records)
    keys = sorted(before.keys() | after.keys())
    rows = [row for row, _ in keys] if len({row for row, _ in keys}) > 1 else None
    old = [key in before and before[key].valid for key in keys]
    new = [key in after and after[key].valid for key in keys]
    same = share([key in before and key in after and before[key].text == after[key].text for key in keys], rows)
    top = back = None
    if task.has_top:
        ranks = [matches(by_row(run.records), task.truths).values() for run in (baseline, model)]
        hits = {k: [[rank is not None and rank <= k for rank in one] for one in ranks] for k in TOP}
        top = {str(k): changed(*both) for k, both in hits.items()}
    if baseline.returned and model.returned:
        back = changed(list(baseline.returned.values()), list(model.returned.values()))
    return Comparison(same, changed(old, new, rows), top, back)


def changed(before: Sequence[bool], after: Sequence[bool], rows: Sequence[int] | None = None) -> Change:
    """Measures a rate's change, its flips, and how many rows a change of one point needs to show. Where items share `rows` the
    interval is drawn over rows; where hardly any row differs, and of items that share none, it is Newcombe's."""
    outcomes = flips(before, after, rows)
    estimate = outcomes.change()
    differences = [float(new) - old for old, new in zip(before, after, strict=True)]
    if rows is not None and estimate is not None:
        sums, counts = summed(differences, rows)
        differences = (sums / counts).tolist()
        estimate = Resamples(len(sums)).mean(sums, counts)
        if estimate and len(sums) >= FEW and np.count_nonzero(sums) < FEW:
            estimate = few_differ(estimate, differences, sum(before) / len(before))
    return Change(estimate, outcomes, rows_to_show(spread_of(differences)) if differences else None)


def few_differ(change: Estimate, differences: Sequence[float], rate_before: float) -> Estimate:
    """Gives the interval of a change that fewer than `FEW` rows show: too few to draw from, so it is as if those had flipped
    whole, the others being right in both models as often as the baseline's rate says."""
    lost, gained = sum(one < 0 for one in differences), sum(one > 0 for one in differences)
    both = max(0, min(round(rate_before * len(differences)), len(differences) - gained) - lost)
    whole = Flips(both, lost, gained, len(differences) - both - lost - gained, 1.0).change()
    assert whole
    return Estimate(change.value, min(whole.low, change.value), max(whole.high, change.value), change.n)


def share(items: Sequence[bool], rows: Sequence[int] | None) -> Estimate | None:
    """Measures a rate over items; its interval is drawn over the `rows` that they share."""
    if rows is None or not items:
        return rate(sum(items), len(items))
    return share_over_rows(*summed(items, rows))


def summed(items: Iterable[float], rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Sums items by row: (sums, counts)."""
    by: dict[int, list[float]] = defaultdict(list)
    for row, item in zip(rows, items, strict=True):
        by[row].append(item)
    return np.array([sum(one) for one in by.values()], np.float64), np.array([len(one) for one in by.values()], np.float64)


def by_sample(records: Sequence[Record]) -> dict[tuple[int, int], Record]:
    """Finds records by (row, sample); a row without any answer gives nothing, for either model."""
    return {(record.row, record.sample): record for record in records if record.sample is not None}
