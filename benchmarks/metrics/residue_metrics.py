"""Figures of answers made of residues: binding sites against the known ones, sequences against the native one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from logos_cli.benchmarks.metrics.answer_sets import Rows, distinct_among, new_among, share_of_set
from logos_cli.benchmarks.metrics.intervals import Estimate, share_over_rows
from logos_cli.records.record import Record

# Name of a figure -> its function of true positives, false positives, false negatives and true negatives.
SCORES = ("precision", "recall", "f1", "mcc")


def pocket_scores(found: Collection[int], wanted: Collection[int], length: int) -> dict[str, float]:
    """Of the residues 1 … `length`. What is not defined (nothing found, say) is 0, as in scikit-learn."""
    tp = len(set(found) & set(wanted))
    fp, fn = len(set(found)) - tp, len(set(wanted)) - tp
    tn = length - tp - fp - fn
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "precision": tp / (tp + fp) if tp + fp else 0.0,
        "recall": tp / (tp + fn) if tp + fn else 0.0,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp else 0.0,
        "mcc": (tp * tn - fp * fn) / root if root else 0.0,
    }


def pocket_metrics(rows: Mapping[int, Sequence[Record]], truths: Mapping[int, frozenset[int]]) -> dict[str, Any]:
    """Means over proteins with 95 % intervals. An answer that does not repeat its protein has found nothing; of a merged
    record its consensus counts. `chance_precision` is what residues named at random reach."""
    found: dict[str, Any] = {}
    merged = [record for records in rows.values() for record in records if record.samples is not None]
    if merged:
        found["faithful"] = share_over_rows([r.faithful or 0 for r in merged], [r.samples or 0 for r in merged])
        found["proteins_never_repeated"] = sum(not record.faithful for record in merged)
    if not truths:
        return found
    each: dict[str, list[float]] = {name: [] for name in SCORES}
    chance = []
    for row, wanted in truths.items():
        records = rows.get(row, ())
        length = max((len(record.input) for record in records), default=0)
        scores = [pocket_scores(r.answer if r.valid else (), wanted, length) for r in records] or [pocket_scores((), wanted, 0)]
        for name in SCORES:
            each[name].append(statistics.fmean(score[name] for score in scores))
        if length:
            chance.append(len(wanted) / length)
    found["rows_with_truth"] = len(truths)
    found |= {f"residue_{name}": mean_score(name, values) for name, values in each.items()}
    found["chance_precision"] = share_over_rows(chance, [1] * len(chance))
    return found


def mean_score(name: str, values: Sequence[float]) -> Estimate | None:
    ones = [1] * len(values)
    if name != "mcc":
        return share_over_rows(values, ones)
    found = share_over_rows([(value + 1) / 2 for value in values], ones)  # it goes from -1 to 1
    return found and Estimate(2 * found.value - 1, 2 * found.low - 1, 2 * found.high - 1, found.n)


def recovered(answer: str, native: str, prefix: str) -> float | None:
    """Part of the native residues after the prefix that stand at the same place in the answer (amino acid recovery);
    None if nothing was left to write."""
    wanted = native[len(prefix) :]
    if not wanted:
        return None
    return sum(a == b for a, b in zip(answer[len(prefix) :], wanted, strict=False)) / len(wanted)


def sequence_metrics(
    rows: Mapping[int, Sequence[Record]], truths: Mapping[int, str], novel_against: frozenset[str] | None
) -> dict[str, Any]:
    """Recovery by place, without gaps: an answer of another length loses what follows. Invalid answers recover nothing."""
    valid = [[str(record.answer) for record in records if record.valid] for records in rows.values()]
    found: dict[str, Any] = {"uniqueness": distinct_among(valid)}
    if lengths := [len(one) for row in valid for one in row]:
        found["median"] = {"residues": float(np.median(lengths))}
    if novel_against is not None:
        found["novelty"] = new_among(valid, novel_against)
    means = []
    for row, native in truths.items():
        records = rows.get(row, ())
        values = [recovered(str(r.answer) if r.valid else "", native, r.input) for r in records]
        known = [value for value in values if value is not None]
        if known or not records:
            means.append(statistics.fmean(known) if known else 0.0)
    if truths:
        found["rows_with_truth"] = len(truths)
        found["recovery"] = share_over_rows(means, [1] * len(means))
    return found


def text_vnu(valid: Rows, answers: Sequence[int], known: frozenset[str] | None) -> dict[str, Estimate | None]:
    """Valid, novel and unique of materials as text: the `valid` ones of each row, of so many `answers`. An upper bound of the
    published figure, which assembles structures; without known materials only valid and unique can be told."""
    found = {"text_valid_unique": share_of_set(valid, len, answers)}
    if known is not None:
        found["novelty"] = new_among(valid, known)
        found["text_vnu"] = share_of_set(valid, lambda every: len(every - known), answers)
    return found
