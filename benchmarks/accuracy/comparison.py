"""What a model loses and gains against the baseline on the same rows and seeds, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from logos_cli.benchmarks.accuracy.task_level import TaskPlan, TaskRun
from logos_cli.benchmarks.metrics.intervals import FEW, Estimate, Flips, Resamples, flips
from logos_cli.benchmarks.metrics.metrics import TOP, by_row, matches, over_rows
from logos_cli.benchmarks.metrics.sample_size import rows_to_show, spread_of
from logos_cli.records.record import Record


def compare_runs(baseline: TaskRun, model: TaskRun, task: TaskPlan) -> dict[str, Any]:
    """What the model loses and gains against the baseline on the same rows and seeds: changes of rates with intervals, and
    flips in both directions with McNemar's test. An answer that only one of them gave is wrong in the other."""
    before, after = by_sample(baseline.records), by_sample(model.records)
    keys = sorted(before.keys() | after.keys())
    rows = [row for row, _ in keys] if len({row for row, _ in keys}) > 1 else None
    old = [key in before and before[key].valid for key in keys]
    new = [key in after and after[key].valid for key in keys]
    same: dict[int, list[bool]] = defaultdict(list)
    for key in keys:
        same[key[0]].append(key in before and key in after and before[key].text == after[key].text)
    alike = over_rows([(sum(one), len(one)) for one in same.values()]) if keys else None
    found: dict[str, Any] = {"same_text": alike.to_dict() if alike else None, "validity": changed(old, new, rows)}
    if task.has_top:
        ranks = [matches(by_row(run.records), task.truths) for run in (baseline, model)]
        found["top"] = {}
        for k in TOP:
            old, new = ([rank is not None and rank <= k for rank in one.values()] for one in ranks)
            found["top"][str(k)] = changed(old, new)
    if baseline.returned and model.returned:
        found["round_trip"] = changed(list(baseline.returned.values()), list(model.returned.values()))
    return found


def changed(before: Sequence[bool], after: Sequence[bool], rows: Sequence[int] | None = None) -> dict[str, Any]:
    """A rate's change, its flips, and how many rows a change of one point needs to show. Where items share `rows` the interval
    is drawn over rows; where hardly any row differs, and of items that share none, it is Newcombe's."""
    found = flips(before, after, rows)
    estimate = found.change()
    differences = [float(new) - old for old, new in zip(before, after, strict=True)]
    if rows is not None and estimate is not None:
        sums: dict[int, list[float]] = {}
        for row, one in zip(rows, differences, strict=True):
            own = sums.setdefault(row, [0.0, 0.0])
            own[0] += one
            own[1] += 1
        values = np.array(list(sums.values()))
        differences = (values[:, 0] / values[:, 1]).tolist()
        estimate = Resamples(len(values)).mean(values[:, 0], values[:, 1])
        if estimate and len(values) >= FEW and np.count_nonzero(values[:, 0]) < FEW:
            estimate = few_differ(estimate, differences, sum(before) / len(before))
    return {
        "change": estimate.to_dict() if estimate else None, "flips": found.to_dict(),
        **({"n_for_1_point": rows_to_show(spread_of(differences))} if differences else {}),
    }  # fmt: skip


def few_differ(change: Estimate, differences: Sequence[float], share: float) -> Estimate:
    """The interval of a change that fewer than `FEW` rows show: too few to draw from, so it is as if those had flipped whole,
    the others being right in both models as often as the baseline's `share` says."""
    lost, gained = sum(one < 0 for one in differences), sum(one > 0 for one in differences)
    both = max(0, min(round(share * len(differences)), len(differences) - gained) - lost)
    whole = Flips(both, lost, gained, len(differences) - both - lost - gained, 1.0).change()
    assert whole
    return Estimate(change.value, min(whole.low, change.value), max(whole.high, change.value), change.n)


def by_sample(records: Sequence[Record]) -> dict[tuple[int, int], Record]:
    """(row, sample) -> record; a row without any answer gives nothing, for either model."""
    return {(record.row, record.sample): record for record in records if record.sample is not None}
