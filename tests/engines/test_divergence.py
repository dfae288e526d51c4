"""KL divergence and its company against sums written out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logos_cli.engines.divergence import Shared, compare, log_softmax


def logits_of(*rows: list[float]) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.log(np.array(rows)).astype(np.float32) + np.float32(3)  # any constant may be added
    return found


def test_by_hand() -> None:
    p, q = [0.5, 0.25, 0.25], [0.25, 0.5, 0.25]
    found = compare(logits_of(p, p), logits_of(q, p), np.array([0, 2]), np.array([0, 2]))
    kl = 0.5 * math.log(2) + 0.25 * math.log(0.5)
    assert found.kl == pytest.approx([kl, 0], abs=1e-7)
    assert found.same.tolist() == [False, True]
    assert np.exp(found.baseline_logprob) == pytest.approx([0.5, 0.25]) and np.exp(found.model_logprob) == pytest.approx(
        [0.25, 0.25]
    )
    assert not found.outside.any()


def test_another_vocabulary_by_hand() -> None:
    """The model has b and a, the baseline a, b and c: over a and b its 0.5 and 0.25 become 2/3 and 1/3."""
    shared = Shared.of(["a", "b", "c"], ["b", "a"])
    assert shared and shared.baseline.tolist() == [0, 1] and shared.model.tolist() == [1, 0]
    found = compare(logits_of([0.5, 0.25, 0.25]), logits_of([0.6, 0.4]), np.array([0]), np.array([1]), shared)
    kl = 2 / 3 * math.log((2 / 3) / 0.4) + 1 / 3 * math.log((1 / 3) / 0.6)
    assert found.kl == pytest.approx([kl]) and found.outside == pytest.approx([0.25]) and found.same.tolist() == [False]
    assert found.model_outside == pytest.approx([0.0]) and np.exp(found.model_logprob) == pytest.approx([0.4])
    assert Shared.of(["a", "b"], ["a", "b"]) is None
    back = compare(logits_of([0.6, 0.4]), logits_of([0.05, 0.05, 0.9]), np.array([0]), np.array([0]), Shared.of("ab", "abc"))
    assert back.model_outside == pytest.approx([0.9]) and back.outside == pytest.approx([0.0])


def test_no_numbers_are_no_figures() -> None:
    good, bad = logits_of([0.5, 0.5]), np.array([[np.nan, 1.0]], np.float32)
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(FloatingPointError, match="NaN or infinity"):
            compare(pair[0], pair[1], np.array([0]), np.array([0]))


@given(hnp.arrays(np.float32, (3, 20), elements=st.floats(-30, 30, width=32)), st.integers(0, 2**32 - 1))
def test_zero_against_itself_and_never_below(logits: np.ndarray[Any, Any], seed: int) -> None:
    after = np.array([0, 1, 2])
    itself = compare(logits, logits.copy(), after, after)
    assert itself.kl.max() == 0 and itself.same.all()
    other = np.random.default_rng(seed).normal(0, 3, logits.shape).astype(np.float32)
    found = compare(logits, other, after, after)
    assert found.kl.min() >= 0
    whole = log_softmax(logits)
    assert np.exp(whole).sum(axis=1) == pytest.approx(np.ones(3))
    assert found.baseline_logprob == pytest.approx(whole[np.arange(3), after])
