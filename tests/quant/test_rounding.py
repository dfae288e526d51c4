"""Rounding with feedback: block formats against ggml's own dequantizer, the error it leaves, and what it does to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_cli.benchmarks.accuracy.token_level import TokenMap, read_text
from logos_cli.engines.engine import EngineSettings
from logos_cli.engines.llamacpp.tensors import dequantized, quantized
from logos_cli.inspection.of_gguf import inspect_gguf
from logos_cli.models.gguf_header import read_header
from logos_cli.pipeline.own_texts import NamedText
from logos_cli.quant.calibration.calibrate import Sequences, open_unquantized
from logos_cli.quant.calibration.k_blocks import FORMATS
from logos_cli.quant.calibration.moments import inputs_of, moments, passes
from logos_cli.quant.calibration.refine_gguf import Refiner
from logos_cli.quant.calibration.rounding import Feedback, nearest, rounded
from logos_cli.quant.quantize_gguf import quantize_gguf
from logos_cli.quant.schemes import scheme_named


def number(kind: str) -> int:
    return int(GGMLQuantizationType[kind])


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1e-3, 1.0, 300.0]))
@pytest.mark.parametrize("kind", FORMATS)
def test_formats_are_what_ggml_reads(kind: str, seed: int, size: float) -> None:
    """Values of blocks as ggml makes them, and with any other codes put in."""
    form, rng = FORMATS[kind], np.random.default_rng(seed)
    values = (size * rng.normal(size=(4, 512))).astype(np.float32)
    values[1] = 0
    blocks = quantized(values, number(kind), None, 1)
    assert (form.block, len(blocks[0])) == (
        GGML_QUANT_SIZES[GGMLQuantizationType[kind]][0],
        512 // form.block * GGML_QUANT_SIZES[GGMLQuantizationType[kind]][1],
    )
    raw = blocks.reshape(4 * 512 // form.block, -1)
    same = raw.copy()
    form.put(same, form.codes(same))
    assert np.array_equal(same, raw)
    assert np.array_equal(form.values(raw).reshape(values.shape), dequantized(blocks, number(kind), 512, 1))
    codes = rng.integers(0, len(form.levels), form.codes(raw).shape, np.uint8)
    form.put(same, codes)
    assert np.array_equal(form.codes(same), codes)
    read = dequantized(same.reshape(blocks.shape), number(kind), 512, 1)
    assert form.values(same).reshape(values.shape) == pytest.approx(read, rel=1e-6)


def correlated(rng: np.random.Generator, tokens: int, columns: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Inputs as models have them: a few directions carry most."""
    mixing = rng.normal(size=(columns, columns)) * np.geomspace(1, 0.01, columns)[:, None]
    return np.asarray(rng.normal(size=(tokens, columns)) @ mixing, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
def test_the_output_changes_less(kind: str) -> None:
    rng = np.random.default_rng(0)
    inputs, values = correlated(rng, 1500, 512), rng.normal(size=(600, 512)).astype(np.float32)
    before = quantized(values, number(kind), (inputs**2).mean(0), 1)
    feedback = Feedback.of(inputs.T @ inputs, len(inputs))
    after = rounded(values, before, FORMATS[kind], feedback, 2)

    def error(blocks: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
        return float((((dequantized(blocks, number(kind), 512, 1) - values) @ inputs.T) ** 2).sum())

    assert error(after) < 0.6 * error(before)
    # The scales are as they were, rows do not depend on each other, and threads change nothing.
    form = FORMATS[kind]
    grids = [form.grid(blocks.reshape(600 * 512 // form.block, -1)) for blocks in (before, after)]
    assert all(np.array_equal(old, new) for old, new in zip(*grids, strict=True))
    assert np.array_equal(rounded(values[512:], before[512:], form, feedback, 1), after[512:])


def test_the_factor_is_that_of_the_moments() -> None:
    """H = U D Uᵀ, U unit upper triangular, columns by falling second moment; without enough texts damped until it is."""
    rng = np.random.default_rng(1)
    inputs = (rng.normal(size=(400, 64)) * np.arange(1, 65)).astype(np.float32)
    products = np.asarray(inputs.T @ inputs, np.float32)
    found = Feedback.of(products, 10_000)
    assert np.array_equal(found.upper, np.triu(found.upper)) and np.all(np.diag(found.upper) == 1)
    assert list(found.order[:3]) == list(np.argsort(-np.diag(products))[:3])
    damped = products[np.ix_(found.order, found.order)] + 0.01 * np.diag(products).mean() * np.eye(64)
    inverse = np.linalg.inv(found.upper)
    diagonal = inverse @ damped @ inverse.T
    assert np.abs(diagonal - np.diag(np.diag(diagonal))).max() < 1e-3 * np.diag(diagonal).max()
    for few in (np.asarray(inputs[:1].T @ inputs[:1], np.float32), np.zeros((64, 64), np.float32)):
        assert np.isfinite(Feedback.of(few, 1).upper).all()


def test_nearest_levels() -> None:
    uneven = FORMATS["IQ4_XS"].levels
    values = np.array([-1000, -116, -115, 0, 7.4, 1000, np.nan], np.float32)
    assert nearest(values[:-1], uneven).tolist() == [int(np.abs(uneven - v).argmin()) for v in values[:-1]]
    assert nearest(values[:-1], FORMATS["Q4_0"].levels).tolist() == [0, 0, 0, 8, 15, 15]


@pytest.mark.slow
def test_inputs_and_their_moments(tiny_gguf: Callable[[str], Path]) -> None:
    engine = open_unquantized(tiny_gguf("f32"), EngineSettings(device="cpu"))
    try:
        inputs = inputs_of(engine)
        shared = [set(one.matrices) for one in inputs]
        assert {f"blk.1.attn_{n}.weight" for n in "qkv"} in shared
        assert len(inputs) == 2 * 4 + 1 and {one.width for one in inputs} == {256, 512}
        ids = tuple(tuple(np.random.default_rng(0).integers(3, 500, n).tolist()) for n in (30, 530))
        texts = Sequences(ids, "random")
        at_once = {one.name: sums for one, sums in moments(engine, texts, inputs)}
        several = passes(inputs, 2 * 4 * 256**2)
        assert [one for part in several for one in part] == inputs and len(several) > 3
        for part in several:
            for one, sums in moments(engine, texts, part):
                assert sums == pytest.approx(at_once[one.name], rel=1e-4, abs=1e-3) and np.allclose(sums, sums.T)
    finally:
        engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["q4_k_m", "q8_0", "iq4_xs"])
def test_a_file_is_refined_in_place(nano_bf16: Path, tmp_path: Path, open_model: Any, kind: str) -> None:
    """Same types, same size, whole and sealed, nearer to the unquantized model."""
    engine = open_unquantized(nano_bf16, EngineSettings(device="cpu"))
    texts = [
        f"<MoleculeS>{s}<MoleculeE>" for s in ("CC(=O)Oc1ccccc1C(=O)O", "CN1CCC[C@H]1c1cccnc1", "O=C(Nc1ccc(Cl)cc1)c1ccco1")
    ]
    texts += ["<ProteinS>MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV<ProteinE>"]
    sequences = Sequences(tuple(engine.encode(text) for text in texts), "four texts")
    scheme = scheme_named(kind)
    try:
        plain = quantize_gguf(nano_bf16, tmp_path / "plain.gguf", scheme, None, lambda *_: None)
        refiner = Refiner(engine, sequences)
        report = quantize_gguf(nano_bf16, tmp_path / "refined.gguf", scheme, None, lambda *_: None, refiner=refiner)
    finally:
        engine.close()
    before, after = read_header(tmp_path / "plain.gguf"), read_header(tmp_path / "refined.gguf")
    assert [(t.name, t.type) for t in before.tensors] == [(t.name, t.type) for t in after.tensors]
    assert report.bits_per_weight == plain.bits_per_weight and before.fingerprint != after.fingerprint
    found = inspect_gguf(tmp_path / "refined.gguf", False, lambda _: None)
    assert not found.problems and "data checksum" in found.checks and found.provenance["rounding"] == "feedback"
    baseline = open_model(nano_bf16)
    pairs = [TokenMap(baseline, open_model(header.path)) for header in (before, after)]
    lost = np.zeros(2)
    for text in texts:
        for place, one in enumerate(read_text(NamedText("", "any", text), baseline, pairs)):
            assert not isinstance(one, str)
            lost[place] += one.kl.sum()
    assert lost[1] < lost[0]
