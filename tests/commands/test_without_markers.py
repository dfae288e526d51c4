"""A model that knows none of LOGOS's markers: raw, score and bench work, tasks that ask with markers are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run, build_tokenizer, write_checkpoint

Logos = Callable[..., Run]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("plain") / "plain", build_tokenizer(markers=()))


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
def test_it_converts_with_a_note_and_runs(plain: Path, tmp_path: Path, logos_here: Logos, to: str) -> None:
    if to == "onnx":
        pytest.importorskip("onnxruntime")
    out = tmp_path / ("m.gguf" if to == "gguf" else "m")
    done = logos_here("convert", plain, "-o", out, "--to", to, "--type", "f32")
    assert done.code == 0 and "none of LOGOS's markers: tasks that ask with them will be refused" in done.err
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"id": "a", "text": "CC(=O)N"}\n')
    (answer,) = logos_here("generate", "raw", texts, "-m", out, "--max-tokens", "5").lines
    assert answer["tokens"] == 5 and answer["finish"] == "length"
    (score,) = logos_here("score", texts, "-m", out).lines
    assert score["error"] is None and score["logprob"] < 0
    for command in (("generate", "retro"), ("score",)):
        refused = logos_here(*command, "-", "-m", out, stdin="CCO a\n")
        assert (refused.code, refused.out) == (1, "")
        assert "marker <MoleculeS> is 11 tokens in this model, not one; it does not speak this task's grammar" in refused.err


@pytest.mark.slow
def test_it_is_quantized_and_measured(plain: Path, tmp_path: Path, logos_here: Logos) -> None:
    texts, whole, small = tmp_path / "texts.jsonl", tmp_path / "f32.gguf", tmp_path / "int8.gguf"
    texts.write_text('{"id": "a", "text": "CC(=O)Nc1ccc(O)cc1"}\n')
    for out, kind in ((whole, "f32"), (small, "int8")):
        assert logos_here("convert", plain, "-o", out, "--type", kind).code == 0
    done = logos_here("bench", "accuracy", small, "--baseline", whole, "--task", "raw", "--data", texts)
    assert done.code == 0, done.err
    assert 0 < json.loads(done.out)["models"][0]["kld"]["mean"]["value"] < 0.1
    alone = logos_here("bench", "accuracy", small, "--baseline", whole)
    assert alone.code == 1 and "give --data and --task" in alone.err


def test_its_vocabulary_is_not_trimmed(plain: Path, tmp_path: Path, logos_here: Logos) -> None:
    done = logos_here("convert", plain, "-o", tmp_path / "m.gguf", "--trim-vocab")
    assert done.code == 1 and "this vocabulary has no <ProteinS>; convert without it" in done.err
