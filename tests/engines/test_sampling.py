"""Draws against a plain rendering of what transformers' logits processors do, one row at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from logos_cli.engines.logits import largest, log_sum_exp
from logos_cli.engines.sampling import Sampler, Sampling, resolve, uniforms
from logos_cli.errors import ModelFileError, UsageError


def probabilities(logits: Any, seen: Any, s: Sampling) -> Any:
    """Repetition penalty, temperature, top-k, top-p in this order, in float64."""
    x = logits.astype(np.float64).copy()
    x[seen] = np.where(x[seen] > 0, x[seen] / s.repetition_penalty, x[seen] * s.repetition_penalty)
    x /= s.temperature
    if s.top_k:
        x[x < np.sort(x)[-min(s.top_k, len(x))]] = -np.inf
    p = np.exp(x - x.max())
    p /= p.sum()
    if s.top_p < 1:
        order = np.argsort(-p, kind="stable")
        before = np.cumsum(p[order]) - p[order]
        p[order[before >= s.top_p]] = 0
        p /= p.sum()
    return p


CASES = [
    Sampling(temperature=1.2, top_k=50, top_p=0.85, repetition_penalty=1.05),
    Sampling(temperature=0.7, top_k=0, top_p=0.95),
    Sampling(temperature=1.0, top_k=0, top_p=1.0, repetition_penalty=1.3),
    Sampling(temperature=2.0, top_k=5, top_p=1.0),
    Sampling(temperature=1.0, top_k=0, top_p=0.9999),
]


@pytest.mark.slow
@pytest.mark.parametrize("s", CASES)
@pytest.mark.parametrize("vocabulary", [40, 700, 20_000])
def test_draws_follow_the_distribution(s: Sampling, vocabulary: int) -> None:
    """A grid of uniform numbers must give each token its share of the grid, to within one grid step a token."""
    rng = np.random.default_rng(3)
    logits = (rng.standard_normal(vocabulary) * 3).astype(np.float32)
    seen = np.unique(rng.integers(0, vocabulary, 12))
    expected = probabilities(logits, seen, s)
    n = 4000
    sampler = Sampler(s)
    rows = 50
    counts = np.zeros(vocabulary)
    grid = (np.arange(n) + 0.5) / n
    for start in range(0, n, rows):
        block = np.repeat(logits[None], rows, 0)
        tokens, logprobs = sampler.draw(block, [seen] * rows, grid[start : start + rows])
        assert (block == logits).all(), "the scratch space is left as it was"
        np.add.at(counts, tokens, 1)
        raw = logits.astype(np.float64)
        assert np.allclose(logprobs, raw[tokens] - np.logaddexp.reduce(raw), atol=1e-5)
    assert np.abs(counts / n - expected).max() < 2 / n
    assert set(np.nonzero(counts)[0]) <= set(np.nonzero(expected)[0])


def test_greedy_is_the_largest_after_the_penalty() -> None:
    logits = np.array([[1.0, 3.0, 2.9, -1.0]], np.float32)
    greedy = Sampler(Sampling(temperature=0, repetition_penalty=1.2))
    assert greedy.draw(logits, [np.array([1])], np.array([0.5]))[0].tolist() == [2]
    assert greedy.draw(logits, [np.array([], np.int64)], np.array([0.5]))[0].tolist() == [1]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.sampled_from([7, 300, 1000, 6400, 6431]), st.integers(1, 60), st.integers(0, 10**6), st.booleans())
def test_largest_equals_a_full_sort(rows: int, vocabulary: int, k: int, seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, vocabulary)).astype(np.float32)
    if ties:
        x = x.round(1)
    k = min(k, vocabulary)
    found = np.take_along_axis(x, largest(x, k), axis=1)
    assert (found == -np.sort(-x, axis=1)[:, :k]).all()
    assert all(len(set(row)) == k for row in largest(x, k).tolist())


@given(arrays(np.float32, (3, 17), elements=st.floats(-80, 80, width=32)))
def test_log_sum_exp(x: Any) -> None:
    assert np.allclose(log_sum_exp(x), np.logaddexp.reduce(x.astype(np.float64), axis=1), atol=1e-4)


def test_a_sample_has_random_numbers_of_its_own() -> None:
    assert (uniforms(0, 5, 2, 10) == uniforms(0, 5, 2, 20)[:10]).all()
    drawn = [tuple(uniforms(*key, 4)) for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]]
    assert len(set(drawn)) == 4


def test_settings_come_from_the_first_that_is_given() -> None:
    default = Sampling(temperature=1.2, top_k=50, top_p=0.85)
    table = {"retro": {"temperature": 1, "top_k": 0}}
    found = resolve("retro", default, "README", table, {"top_k": 7, "seed": None})
    assert (found.settings.temperature, found.settings.top_k, found.settings.top_p) == (1.0, 7, 0.85)
    assert found.sources["temperature"] == "model file"
    assert (found.sources["top_k"], found.sources["top_p"]) == ("flag", "README")
    with pytest.raises(ModelFileError, match="cold"):
        resolve("retro", default, "README", {"retro": {"cold": 1}}, {})
    for flag in ({"temperature": -1.0}, {"top_p": 0.0}, {"max_tokens": 0}, {"repetition_penalty": 0.0}):
        with pytest.raises(UsageError, match="out of range"):
            resolve("retro", default, "README", {}, flag)


SETTINGS = [
    Sampling(top_k=0),
    Sampling(top_k=0, top_p=0.9),
    Sampling(temperature=0.8, top_k=0, top_p=0.85),
    Sampling(temperature=1.2, top_k=50, top_p=0.85, repetition_penalty=1.05),
    Sampling(temperature=0.0),
]


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", [300, 768, 5000, 40_000])
@pytest.mark.parametrize("settings", SETTINGS)
def test_a_row_draws_as_if_it_were_alone(vocabulary: int, settings: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever its neighbours are, sharp or flat, however many draw from it, in however many threads: to the last bit."""
    monkeypatch.setattr("logos_cli.engines.sampling._PARALLEL", 1)
    rng = np.random.default_rng(vocabulary)
    logits = (rng.normal(size=(13, vocabulary)) * rng.choice([0.1, 1, 4, 9], (13, 1))).astype(np.float32)
    logits[5] = np.round(logits[5])  # ties
    before = logits.copy()
    rows = np.sort(rng.integers(0, 13, 40))
    u = rng.random(40)
    seen = [np.unique(rng.integers(0, vocabulary, 9)) for _ in range(13)] if settings.repetition_penalty != 1 else []
    expected = [
        Sampler(settings).draw(logits[row : row + 1].copy(), seen[row : row + 1], u[i : i + 1])
        for i, row in enumerate(rows.tolist())
    ]
    for threads in (1, 3):
        tokens, logprobs = Sampler(settings, threads).draw(logits, seen, u, rows)
        assert tokens.tolist() == [int(one[0][0]) for one in expected]
        assert logprobs.tolist() == [float(one[1][0]) for one in expected]
        assert (logits == before).all(), "what was scratch space is as it was"
    assert settings.temperature == 0 or len(set(tokens.tolist())) > 8


def test_damaged_logits_are_told_from_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_cli.engines.sampling._PARALLEL", 1)
    logits = np.zeros((4, 100), np.float32)
    for row in (0, 3):
        logits[:] = 0
        logits[row, 7] = np.nan
        _, logprobs = Sampler(Sampling(), 3).draw(logits, [], np.full(4, 0.5))
        assert np.isnan(logprobs).tolist() == [one == row for one in range(4)]
