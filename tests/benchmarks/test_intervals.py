"""Intervals and tests against numbers worked out by hand or printed in the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.benchmarks.metrics.intervals import (
    MANY,
    Flips,
    Resamples,
    flips,
    mean_over_rows,
    percentile,
    rate,
    sign_test,
    uniqueness,
)


def test_wilson_by_hand() -> None:
    found = rate(8, 10)
    # p = 0.8, z = 1.96: centre (0.8 + 0.192) / 1.384 and half width 1.96 sqrt(0.016 + 0.0096) / 1.384.
    assert found and found.value == 0.8
    assert found.low == pytest.approx(0.4902, abs=1e-4) and found.high == pytest.approx(0.9433, abs=1e-4)
    assert rate(0, 0) is None


@given(st.integers(1, 500), st.data())
def test_wilson_holds_its_rate(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    found = rate(hits, n)
    assert found and 0 <= found.low <= found.value <= found.high <= 1
    assert (found.low == 0) == (hits == 0) and (found.high == 1) == (hits == n)


def test_mcnemar_by_hand() -> None:
    baseline = [True] * 5 + [False] * 1 + [True] * 3 + [False] * 2
    model = [False] * 5 + [True] * 1 + [True] * 3 + [False] * 2
    found = flips(baseline, model)
    assert (found.both, found.lost, found.gained, found.neither) == (3, 5, 1, 2)
    # Two-sided: 2 (C(6,0) + C(6,1)) / 2^6.
    assert found.p == pytest.approx(2 * 7 / 64)
    assert sign_test(0, 0) == sign_test(4, 4) == 1.0
    assert 0 < sign_test(1400, 1600) < 1e-3  # beyond 2^1024


def test_mcnemar_counts_rows_where_answers_belong_together() -> None:
    """One row that loses its eight answers is one loss, not eight."""
    rows = [0] * 8 + [1] * 8
    found = flips([True] * 16, [False] * 8 + [True] * 8, rows)
    assert found.lost == 8 and found.p == 1.0
    alone = flips([True] * 16, [False] * 8 + [True] * 8)
    assert alone.p == pytest.approx(2 / 2**8)


def test_newcombe_by_hand() -> None:
    """a = 20 both, b = 4 gained, c = 12 lost, d = 14 neither: by the formula of method 10, worked out step by step."""
    change = Flips(20, 12, 4, 14, 0.0).change()
    assert change and change.value == pytest.approx(-0.16)
    model, baseline = rate(24, 50), rate(32, 50)
    assert model and baseline
    phi = (20 * 14 - 4 * 12 - 25) / math.sqrt(24 * 26 * 32 * 18)
    a, b = model.value - model.low, baseline.high - baseline.value
    assert change.low == pytest.approx(-0.16 - math.sqrt(a * a - 2 * phi * a * b + b * b))
    c, d = baseline.value - baseline.low, model.high - model.value
    assert change.high == pytest.approx(-0.16 + math.sqrt(c * c - 2 * phi * c * d + d * d))


def test_newcombe_covers_the_truth() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(400):
        kind = rng.choice(4, 60, p=[0.6, 0.1, 0.06, 0.24])  # both, lost, gained, neither: the rate falls by 0.04
        both, lost, gained, neither = (int((kind == k).sum()) for k in range(4))
        found = Flips(both, lost, gained, neither, 0.0).change()
        assert found
        hits += found.low <= -0.04 <= found.high
    assert 0.92 <= hits / 400 <= 0.985
    nothing = Flips(32, 0, 0, 0, 1.0).change()
    assert nothing and nothing.value == 0 and nothing.low < 0 < nothing.high  # 32 of 32 prove little


def test_uniqueness_by_hand() -> None:
    """Counts 2, 1, 1 of four answers: leaving out one of the pair gives 3/3, one of the others 2/3."""
    found = uniqueness([2, 1, 1])
    mean = (2 * 1 + 2 * 2 / 3) / 4
    half = 1.959964 * math.sqrt(3 / 4 * (2 * (1 - mean) ** 2 + 2 * (2 / 3 - mean) ** 2))
    assert found and found.value == 0.75 and found.low == pytest.approx(0.75 - half, abs=1e-6) and found.high == 1.0
    assert uniqueness([1]) is None
    all_new = uniqueness([1] * 50)
    assert all_new and all_new.value == 1 and 0.9 < all_new.low < 1


def test_a_drawn_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(10.0, 2.0, 400)
    found = mean_over_rows(values, np.ones(400))
    assert found and found.n == 400 and found.value == pytest.approx(values.mean())
    half = 1.96 * values.std(ddof=1) / math.sqrt(400)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


@pytest.mark.slow
def test_many_rows_have_the_limit_of_few() -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 9, MANY).astype(np.float64)
    sums = rng.binomial(counts.astype(int), 0.3).astype(np.float64)
    few, many = mean_over_rows(sums, counts), mean_over_rows(np.append(sums, 0), np.append(counts, 0))
    assert few and many and few.value == many.value
    assert (many.low, many.high) == pytest.approx((few.low, few.high), abs=0.1 * (few.high - few.low))
    assert len(list(Resamples(MANY + 1).draws(3))) == 3


def test_rows_are_drawn_and_not_their_tokens() -> None:
    """Ten rows of a thousand equal tokens: only ten things were seen, and the interval must be that wide."""
    sums, counts = np.array([1000.0, 0] * 5), np.full(10, 1000.0)
    found = mean_over_rows(sums, counts)
    assert found and found.value == 0.5 and found.high - found.low > 0.4 and found.n == 10_000


def test_nothing_to_draw_from() -> None:
    assert mean_over_rows([], []) is None and mean_over_rows([0.0], [0]) is None
    assert all(map(math.isnan, Resamples(2).interval([math.nan, math.nan])))
    few = mean_over_rows([1.0, 0.0], [1, 1])
    assert few and few.to_dict() == {"value": 0.5, "ci95": None, "n": 2}
    assert percentile([1, 2, 3, 4], 50) == 2.5
