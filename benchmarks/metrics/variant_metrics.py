"""How well scores rank the variants of an assay: Spearman's correlation, AUC, MCC and recall of the best tenth, as ProteinGym
defines them (performance_DMS_benchmarks.py), with intervals over resampled variants.

A resample is how often each variant came. Every figure is of such counts, the one of all variants too: ranks and quantiles
then cost no sorting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from logos_cli.benchmarks.metrics.intervals import MANY, RESAMPLES, Estimate, Resamples

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

TOP = 0.9  # the quantile that the best tenth reach
RESAMPLES_OF_MANY = 500
NUMBERS = frozenset({"spearman", "auc", "mcc", "top_recall"})


@dataclass(frozen=True)
class Ranked:
    """Values [N] by `distinct`, those that differ, in order, and the `places` [N] of each among them."""

    distinct: Floats
    places: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: Sequence[float] | Floats) -> Ranked:
        distinct, places = np.unique(np.asarray(values, np.float64), return_inverse=True)
        return cls(distinct, places)

    def counts(self, times: Floats) -> Floats:
        """How often each distinct value came."""
        return np.bincount(self.places, times, len(self.distinct)).astype(np.float64)

    def ranks(self, times: Floats) -> Floats:
        """The rank [N] of each value from 1, equal ones sharing the mean of theirs."""
        counts = self.counts(times)
        found: Floats = (np.cumsum(counts) - (counts - 1) / 2)[self.places]
        return found

    def reach(self, times: Floats, quantile: float) -> Flags:
        """Which values [N] are not below a quantile, interpolated linearly as numpy does."""
        ends = np.cumsum(self.counts(times))
        at = (ends[-1] - 1) * quantile
        low, high = (self.distinct[np.searchsorted(ends, np.floor(one), side="right")] for one in (at, np.ceil(at)))
        found: Flags = (self.distinct >= low + (high - low) * (at - np.floor(at)))[self.places]
        return found


def spearman(measured: Floats, score: Floats, times: Floats) -> float:
    """Pearson's correlation of the ranks [N] of both; NaN where one side is constant."""
    a, b = (ranks - times @ ranks / times.sum() for ranks in (measured, score))
    root = np.sqrt((times * a @ a) * (times * b @ b))
    return float(times * a @ b / root) if root > 0 else float("nan")


def auc(fit: Flags, ranks: Floats, times: Floats) -> float:
    """How often a fit variant has the higher score than one that is not, by the ranks [N] of scores; NaN if all are alike."""
    fits = times @ fit
    others = times.sum() - fits
    if not fits or not others:
        return float("nan")
    return float(((times * fit) @ ranks - fits * (fits + 1) / 2) / (fits * others))


def mcc(fit: Flags, named: Flags, times: Floats) -> float:
    """Matthews's correlation of what is fit with what is named so; 0 where it is not defined, as in scikit-learn."""
    tp, fp = times @ (named & fit), times @ (named & ~fit)
    fn, tn = times @ (fit & ~named), times @ ~(fit | named)
    root = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return float((tp * tn - fp * fn) / root) if root > 0 else 0.0


@dataclass(frozen=True)
class Assay:
    """What was `measured` [N] of variants, and which of them are `fit` [N], where that is known."""

    measured: Ranked
    fit: Flags | None

    @classmethod
    def of(cls, measured: Sequence[float] | Floats, fit: npt.ArrayLike | None) -> Assay:
        """`fit`: not 0 for a variant that is."""
        return cls(Ranked.of(measured), None if fit is None else np.asarray(fit) != 0)

    def figures(self, scores: Sequence[Ranked], times: Floats) -> list[list[float]]:
        """All figures of each score in one resample, in the order of `names`. Fit is taken for what reaches the median."""
        measured, best = self.measured.ranks(times), self.measured.reach(times, TOP)
        found = []
        for score in scores:
            ranks = score.ranks(times)
            figures = [spearman(measured, ranks, times)]
            if self.fit is not None:
                figures += [auc(self.fit, ranks, times), mcc(self.fit, score.reach(times, 0.5), times)]
            found.append([*figures, float(times @ (best & score.reach(times, TOP)) / (times @ best))])
        return found

    @property
    def names(self) -> list[str]:
        return ["spearman", *(["auc", "mcc"] if self.fit is not None else []), "top_recall"]


def variant_figures(assay: Assay, scores: Sequence[Ranked]) -> list[Mapping[str, Estimate]]:
    """Measures one or two scores of the same variants: the figures of each, and of two also what the first is above the second,
    in the same resamples. A figure that is not defined is left out."""
    rows = len(assay.measured.places)
    resamples = Resamples(rows)

    def in_resample(times: Floats) -> list[list[float]]:
        found = assay.figures(scores, times)
        return [*found, *([[one - other for one, other in zip(*found, strict=True)]] if len(found) == 2 else [])]

    values = in_resample(np.ones(rows))
    draws = np.array([in_resample(times) for times in resamples.draws(RESAMPLES if rows <= MANY else RESAMPLES_OF_MANY)])
    return [
        {
            name: Estimate(value, *resamples.interval(draws[:, at, place]), rows)
            for place, (name, value) in enumerate(zip(assay.names, several, strict=True))
            if np.isfinite(value)
        }
        for at, several in enumerate(values)
    ]
