"""What changes between two models on the same rows: rows are the unit, and how many it takes to know is said."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import Run
from schemas import check_schema

from logos_cli.benchmarks.accuracy.comparison import changed, share
from logos_cli.benchmarks.accuracy.remarks import about
from logos_cli.benchmarks.accuracy.results import Change, Comparison
from logos_cli.benchmarks.accuracy.until import Until, change_of_figure, rows_to_narrow
from logos_cli.benchmarks.metrics.intervals import Estimate, ratio_over_rows, share_over_rows
from logos_cli.benchmarks.metrics.sample_size import Z80, rows_for_width, rows_to_show, spread_of

ROWS = [row for row in range(30) for _ in range(8)]


def estimate(found: Change) -> Estimate:
    assert found.change
    return found.change


def test_where_nothing_flips_rows_are_the_unit() -> None:
    """240 samples of 30 rows without a flip: at most 11 points of rows may differ, by Wilson's 3.84 / (30 + 3.84)."""
    same = estimate(changed([True] * 240, [True] * 240, ROWS))
    assert same.value == 0 and same.n == 240
    assert (same.low, same.high) == pytest.approx((-3.8415 / 33.8415, 3.8415 / 33.8415), abs=1e-4)
    # One sample more, and one less, cannot make it surer.
    for flipped in (1, 3):
        one = estimate(changed([True] * 240, [place % 8 != 0 or place >= 8 * flipped for place in range(240)], ROWS))
        assert one.value == pytest.approx(-flipped / 240) and one.low < -0.11 and one.low <= one.value <= one.high
    most = [place % 3 > 0 for place in range(240)]  # many rows differ: there is enough to draw from
    drawn = estimate(changed(most, most[1:] + most[:1], ROWS))
    assert -0.1 < drawn.low <= drawn.high < 0.1


def test_same_texts_are_counted_by_rows() -> None:
    """Eight of eight the same in each of 30 rows are 30 things seen, not 240."""
    same, apart = share([True] * 240, ROWS), share([True] * 240, None)
    assert same and apart and same.n == apart.n == 240
    assert same.low == pytest.approx(30 / 33.8415, abs=1e-4) and same.low < apart.low


def test_items_of_their_own_are_as_before() -> None:
    found = changed([True] * 20 + [False] * 20, [True] * 14 + [False] * 26)
    assert estimate(found).value == pytest.approx(-0.15) and found.flips.lost == 6
    # Variance of 6 losses of 40: 0.15 - 0.15 squared.
    assert found.n_for_1_point == math.ceil((1.959964 + 0.841621) ** 2 * (0.15 - 0.15**2) / 1e-4)
    assert Change.from_dict(found.to_dict()) == found


def test_a_loss_shows_at_so_many_rows_four_times_of_five() -> None:
    """Simulated: 3 % of rows lost, 2 % gained; at the number that is told the interval leaves 0 out in about 80 of 100."""
    spread = math.sqrt(0.05 - 0.01**2)
    n, seen, rng = rows_to_show(spread), 0, np.random.default_rng(5)
    for _ in range(400):
        differences = rng.choice([-1, 0, 1], n, p=[0.03, 0.95, 0.02])
        half = 1.96 * differences.std() / math.sqrt(n)
        seen += differences.mean() + half < 0
    assert 3800 < n < 4000 and 0.75 < seen / 400 < 0.85
    assert spread_of([0.0] * 30) == pytest.approx(math.sqrt(3.8415 / 33.8415), abs=1e-4)
    assert spread_of([1.0, -1.0] * 5) == 1 and spread_of([]) == 1
    assert rows_for_width(0.2, 0.005) == math.ceil((1.959964 * 0.2 / 0.005) ** 2)
    assert [about(n) for n in (0, 7, 34, 1249, 51_234)] == [0, 7, 34, 1200, 51_000]


def test_shares_that_all_rows_agree_on() -> None:
    found = share_over_rows([8.0] * 20, [8] * 20)
    assert found and (found.value, found.high, found.n) == (1.0, 1.0, 160) and found.low == pytest.approx(0.839, abs=1e-3)
    some = share_over_rows([8.0, 4.0] * 10, [8] * 20)
    assert some and some.low < 0.75 < some.high


def test_ratios_of_sets_by_hand() -> None:
    """Six rows with 5 answers each and own answers 1 … 6 of 24 distinct ones: leaving out a row, as a jackknife does."""
    own = [(float(k), 5.0) for k in range(1, 7)]
    found = ratio_over_rows(24, 30, own)
    without = [(24 - k) / 25 for k in range(1, 7)]
    half = 1.959964 * math.sqrt(5 / 6 * sum((one - sum(without) / 6) ** 2 for one in without))
    assert found and found.value == 0.8 and found.value - found.low == pytest.approx(half, abs=1e-6)
    assert found.high == 1
    assert ratio_over_rows(0, 0, []) is None
    few = ratio_over_rows(3, 4, own[:3])
    assert few and few.to_dict()["ci95"] is None
    alike = ratio_over_rows(6, 6, [(1.0, 1.0)] * 6)
    assert alike and alike.value == 1 and alike.low == pytest.approx(6 / (6 + 3.8415), abs=1e-4)


def test_when_to_look_again() -> None:
    same = Comparison(None, changed([True] * 64, [True] * 64), {"1": changed([True] * 64, [False] * 8 + [True] * 56)})
    assert change_of_figure(same, "top-1") is (same.top or {})["1"] and change_of_figure(same, "round-trip") is None
    assert change_of_figure(same, "validity") is same.validity
    wide, narrow = Until(1.0, "validity"), Until(6.0, "validity")
    assert not wide.reached([same]) and narrow.reached([same])
    assert not narrow.reached([same, Comparison(None, changed([], []))])
    assert wide.next_rows([same], 64) == 128  # at most twice as many, though it will take hundreds
    assert rows_to_narrow([same], Until(5.5, "validity")) == math.ceil((1.959964 / 0.055) ** 2 * 3.8415 / 67.8415) == 72
    assert Until(5.5, "validity").next_rows([same], 64) == 72
    assert rows_for_width(Z80, 1.0) == 3


@pytest.mark.slow
def test_rows_are_answered_until_the_interval_is_narrow(
    logos_here: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tmp_path: Path
) -> None:
    """Answers cut after 2 tokens are never valid: nothing flips, so that 64 rows give ±5.7 points and 128 give ±2.9."""
    rows = tmp_path / "rows.smi"
    rows.write_text("".join("C" * n + "O\n" for n in range(1, 131)))
    asked = ("bench", "accuracy", nano_int4, "--baseline", nano_bf16, "--task", "retro", "--data", rows, "-n", 8)
    for points, answered, told in (
        (6, 64, "after 64 of 130 rows the interval of validity is ±5.66 points at most"),
        (5, 128, "after 128 of 130 rows the interval of validity is ±2.91 points at most"),
        (1, 130, "after all 130 rows the interval of validity is ±2.87 points at most; ±1 takes about 1,100 rows"),
    ):
        found = logos_here(*asked, "--max-tokens", 2, "--threads", 1, "--until", points)
        assert found.code == 0 and told in found.err, found.err
        document = json.loads(found.out)
        check_schema(document)
        (model,) = document["models"]
        assert model["tasks"]["retro"]["rows"] == model["n_texts"] == answered and document["settings"]["until"] == points
    assert (
        "retro: a loss of 1 point shows, in four of five such runs, from about so many rows: 2,300 in validity; here are"
        in (found.err)
    )


@pytest.mark.slow
def test_what_until_needs(logos_here: Callable[..., Run], tmp_path: Path) -> None:
    rows = tmp_path / "r.smi"
    rows.write_text("CCO\n")
    for arguments, code, said in (
        (("--until", "0.5"), 2, "--until goes on to further rows"),
        (("--figure", "top-1"), 2, "--figure names what --until waits for"),
        (("--until", "1", "--task", "molecule", "--data", rows), 2, "--until goes on to further rows"),
        (("--until", "1", "--task", "retro", "--data", rows, "--figure", "top-1", "-n", "1"), 2, "retro has none here"),
    ):
        found = logos_here("bench", "accuracy", "nano", "--baseline", "nano", *arguments)
        assert found.code == code and said in found.err.splitlines()[-1], found.err
