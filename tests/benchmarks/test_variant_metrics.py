"""How scores rank the variants of an assay, against definitions written out here and against scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_cli.benchmarks.metrics.variant_metrics import Assay, Ranked, variant_figures

NAMES = ("spearman", "auc", "mcc", "top_recall")
# Few different values, so that most cases have ties.
CASES = st.integers(5, 40).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(-4, 4), min_size=n, max_size=n) for _ in range(3)))
)


def plain_ranks(values: Sequence[float]) -> list[float]:
    return [sum(other < one for other in values) + (sum(other == one for other in values) + 1) / 2 for one in values]


def plain_spearman(one: Sequence[float], other: Sequence[float]) -> float:
    a, b = plain_ranks(one), plain_ranks(other)
    return float(np.corrcoef(a, b)[0, 1]) if len(set(a)) > 1 and len(set(b)) > 1 else math.nan


def plain_auc(fit: Sequence[bool], score: Sequence[float]) -> float:
    pairs = [
        (a > b) + (a == b) / 2 for a, x in zip(score, fit, strict=True) if x for b, y in zip(score, fit, strict=True) if not y
    ]
    return sum(pairs) / len(pairs) if pairs else math.nan


def plain_mcc(fit: Sequence[bool], score: Sequence[float]) -> float:
    named = [one >= np.median(score) for one in score]
    if len(set(named)) == 1 or len(set(fit)) == 1:
        return 0.0
    return float(np.corrcoef(named, fit)[0, 1])


def plain_top_recall(measured: Sequence[float], score: Sequence[float]) -> float:
    best, named = (np.asarray(one) >= np.percentile(one, 90) for one in (measured, score))
    return float((best & named).sum() / best.sum())


def plain(measured: Sequence[float], fit: Sequence[bool], score: Sequence[float]) -> list[float]:
    return [plain_spearman(measured, score), plain_auc(fit, score), plain_mcc(fit, score), plain_top_recall(measured, score)]


@pytest.mark.slow
@given(CASES, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_resample_is_the_variants_written_out(case: tuple[list[int], list[int], list[int]], random: Any) -> None:
    """Of counts every figure is what the definition gives for each variant as often as it came; all once are the variants."""
    measured, score, third = case
    fit = np.array([one > 0 for one in third])
    for times in (np.ones(len(score)), np.array([float(random.randint(0, 3)) for _ in score])):
        drawn = np.repeat(np.arange(len(score)), times.astype(int))
        if not len(drawn):
            continue
        assay, ranked = Assay.of(measured, fit), Ranked.of(score)
        expected = plain(*(np.asarray(one)[drawn].tolist() for one in (measured, fit, score)))
        assert assay.figures([ranked], times)[0] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.slow
def test_against_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy of the dev extra is not installed")
    rng = np.random.default_rng(3)
    for decimals in (0, 1, 8):
        measured = rng.normal(size=700).round(decimals)
        score = (measured + rng.normal(size=700)).round(decimals)
        fit = measured > 0.3
        ours, area, *_ = Assay.of(measured, fit).figures([Ranked.of(score)], np.ones(700))[0]
        assert ours == pytest.approx(stats.spearmanr(measured, score).statistic, abs=1e-12)
        u = stats.mannwhitneyu(score[fit], score[~fit]).statistic
        assert area == pytest.approx(u / (fit.sum() * (~fit).sum()), abs=1e-12)


def test_figures_by_hand() -> None:
    """Ten variants, the best two of which one score finds: AUC counts 21 of 24 pairs, the median halves the scores."""
    measured = [float(one) for one in range(10)]
    score = [0.0, 1, 2, 9, 4, 3, 6, 7, 8, 5]
    fit = np.array([one >= 4 for one in measured])
    _, area, matthews, recall = Assay.of(measured, fit).figures([Ranked.of(score)], np.ones(10))[0]
    assert area == pytest.approx(1 - 6 / 24) and recall == 0.0
    # Named are the scores from 4.5 on: 9, 6, 7, 8, 5, of which four are fit.
    assert matthews == pytest.approx((4 * 3 - 1 * 2) / math.sqrt(5 * 6 * 4 * 5))
    assert Assay.of(measured, fit).figures([Ranked.of(measured)], np.ones(10))[0][3] == 1.0


@pytest.mark.slow
def test_intervals_over_variants() -> None:
    rng = np.random.default_rng(5)
    measured = rng.normal(size=400)
    good, poor = measured + rng.normal(size=400), measured + 3 * rng.normal(size=400)
    assay = Assay.of(measured, measured > 0)
    first, second, difference = variant_figures(assay, [Ranked.of(good), Ranked.of(poor)])
    assert list(first) == list(second) == list(difference) == list(NAMES)
    for name in NAMES:
        one, other, both = first[name], second[name], difference[name]
        assert one.low < one.value < one.high and one.n == 400
        assert both.value == pytest.approx(one.value - other.value)
    # Fisher's interval of a correlation of 400 pairs has a half width of 0.05 here.
    assert 0.03 < (first["spearman"].high - first["spearman"].low) / 2 < 0.08
    assert difference["spearman"].low > 0, "paired, the better of the two is seen to be"
    assert variant_figures(assay, [Ranked.of(good)]) == [first], "seeded"
    same = variant_figures(assay, [Ranked.of(good), Ranked.of(good)])[2]
    assert all((one.value, one.low, one.high) == (0, 0, 0) for one in same.values())


@pytest.mark.slow
def test_what_is_not_defined_is_left_out() -> None:
    (figures,) = variant_figures(Assay.of([1.0, 2, 3, 4, 5, 6], None), [Ranked.of([2.0] * 6)])
    assert list(figures) == ["top_recall"]
    (figures,) = variant_figures(Assay.of([1.0, 2, 3, 4, 5, 6], [1] * 6), [Ranked.of([1.0, 2, 3, 4, 6, 5])])
    assert "auc" not in figures and figures["mcc"].value == 0
    (figures,) = variant_figures(Assay.of([1.0, 2, 3], None), [Ranked.of([1.0, 2, 3])])
    assert figures["spearman"].value == pytest.approx(1) and figures["spearman"].ends is None, "too few for an interval"
