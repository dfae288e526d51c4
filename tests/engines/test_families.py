"""Qwen3 and Mixtral through converter, quantizer and both engines, against an independent forward pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import MIXTRAL, QWEN3, Run, convert, write_checkpoint
from reference import ReferenceLlama

from logos_cli.engines.engine import Request
from logos_cli.engines.sampling import Sampling
from logos_cli.models.gguf_header import read_header

PROMPT = "<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE><ReverseReact>"
GREEDY = Sampling(temperature=0.0, max_tokens=24)
FAMILIES: dict[str, dict[str, Any]] = {"qwen3": QWEN3, "mixtral": MIXTRAL}


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Callable[[str], Path]:
    """A tiny checkpoint of a family, in two shards, once a session each."""
    folder = tmp_path_factory.mktemp("families")

    def get(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_checkpoint(path, tokenizer, shards=2, **FAMILIES[name])

    return get


def check_against_reference(engine: Any, folder: Path) -> None:
    reference = ReferenceLlama(folder)
    tokens = engine.encode(PROMPT * 3)
    expected = reference.logits(list(tokens))
    assert np.abs(engine.logits(tokens) - expected).max() < 1e-3
    assert np.abs(expected).max() > 1, "a model that says nothing would agree with anything"
    start = engine.encode(PROMPT)
    written, logprob = reference.greedy(list(start), GREEDY.max_tokens)
    (answer,) = (one for one in engine.generate([Request(0, start, [0])], GREEDY, []) if one)
    assert list(answer.tokens) == written[: len(answer.tokens)] and answer.finish == "length"
    assert abs(answer.logprob - logprob) < 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_gguf_equals_an_independent_forward_pass(
    family: Callable[[str], Path], tmp_path: Path, open_model: Any, name: str
) -> None:
    check_against_reference(open_model(convert(family(name), tmp_path / "m.gguf", "f32")), family(name))


@pytest.mark.slow
def test_onnx_equals_an_independent_forward_pass(
    family: Callable[[str], Path], onnx_folder: Callable[..., Path], open_model: Any
) -> None:
    pytest.importorskip("onnxruntime")
    check_against_reference(open_model(onnx_folder(family("qwen3"), "f32")), family("qwen3"))


def test_mixtral_has_no_onnx_graph(family: Callable[[str], Path], tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    pytest.importorskip("onnxruntime")
    done = logos_here("convert", family("mixtral"), "-o", tmp_path / "m", "--to", "onnx", "--type", "f32")
    assert done.code == 1 and "no ONNX graph of MixtralForCausalLM is known here; take --to gguf" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_gguf_scheme(family: Callable[[str], Path], tmp_path: Path, logos_here: Callable[..., Run], name: str) -> None:
    for scheme in ("bf16", "f16", "int8", "q6_k", "q5_k_m", "int4", "q4_0", "iq4_xs"):
        out = tmp_path / f"{scheme}.gguf"
        done = logos_here("convert", family(name), "-o", out, "--type", scheme)
        assert done.code == 0, done.err
        asked = logos_here("generate", "molecule", "-m", out, "--max-tokens", "4")
        assert asked.code == 0 and len(asked.lines) == 1, asked.err


def test_experts_are_stacked(family: Callable[[str], Path], tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    out = convert(family("mixtral"), tmp_path / "m.gguf", "bf16")
    header = read_header(out)
    shapes = {tensor.name: (tensor.shape, tensor.type) for tensor in header.tensors}
    assert shapes["blk.1.ffn_gate_exps.weight"] == ((256, 512, 4), "BF16")
    assert shapes["blk.1.ffn_gate_inp.weight"] == ((256, 4), "F32")
    assert (header.keys["llama.expert_count"], header.keys["llama.expert_used_count"]) == (4, 2)
    assert "4 experts, 2 a token" in logos_here("inspect", out).out


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_qwen3_quantized_to_onnx(
    family: Callable[[str], Path], onnx_folder: Callable[..., Path], open_model: Any, scheme: str
) -> None:
    """q/k norms are vectors, and stay as they are; the matrices around them become blocks."""
    pytest.importorskip("onnxruntime")
    engine = open_model(onnx_folder(family("qwen3"), scheme))
    tokens = engine.encode(PROMPT)
    expected = ReferenceLlama(family("qwen3")).logits(list(tokens))
    error = np.abs(engine.logits(tokens) - expected).mean() / np.abs(expected).mean()
    assert 0 < error < (0.05 if scheme == "int8" else 0.5)


@pytest.mark.slow
def test_qwen3_is_calibrated(family: Callable[[str], Path], tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    """Its q/k norms stand between a matrix and its neighbours in llama.cpp's graph; every matrix is found all the same."""
    source = convert(family("qwen3"), tmp_path / "m.gguf", "bf16")
    rows = tmp_path / "rows.smi"
    rows.write_text("CC(=O)Nc1ccc(O)cc1 a\nCC(=O)Oc1ccccc1C(=O)O b\n")
    for kind in (("--type", "int4"), ("--budget", "5")):
        out = tmp_path / f"{kind[0][2:]}.gguf"
        done = logos_here("quantize", source, "-o", out, *kind, "--calibrate", rows)
        assert done.code == 0, done.err
    matrices = {tensor.name for tensor in read_header(source).tensors if len(tensor.shape) == 2}
    chosen = {tensor.name: tensor.type for tensor in read_header(out).tensors if tensor.name in matrices}
    assert not {"BF16", "F32"} & set(chosen.values()) and len(set(chosen.values())) > 1


def test_experts_are_not_calibrated(family: Callable[[str], Path], tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    source = convert(family("mixtral"), tmp_path / "m.gguf", "bf16")
    done = logos_here("quantize", source, "-o", tmp_path / "q.gguf", "--type", "int4", "--calibrate")
    assert done.code == 1 and "a mixture of experts cannot be calibrated here" in done.err
    assert not (tmp_path / "q.gguf").exists()
