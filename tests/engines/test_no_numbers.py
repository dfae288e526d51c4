"""Logits that are no numbers cost the answers that meet them, and nothing else: not what comes after in the same slot."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from logos_cli.convert.gguf_vocab import read_vocab
from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.convert.onnx_target import convert_onnx
from logos_cli.convert.to_gguf import to_gguf
from logos_cli.engines.engine import NO_NUMBERS, Generation, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.models.checkpoint import Checkpoint

BAD = "#N"
SMILES = ("CC(=O)Nc1ccc(O)cc1CCCCCC#N", "CCO", "CCN", "CC#N", "C", "COC", "CCS", "CC#N", "CC(C)C", "CCC", "CO", "CF", "CN")
SAMPLING = Sampling(temperature=1, top_k=0, top_p=0.9, max_tokens=24)


@pytest.fixture(scope="module", params=["gguf", "onnx"])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(nano in f32, whose attention is the plain one; the same with a NaN in one token's embedding)."""
    folder = tmp_path_factory.mktemp("nan")
    checkpoint = Checkpoint.open(nano_checkpoint())
    if request.param == "gguf":
        healthy = folder / "healthy.gguf"
        to_gguf(checkpoint, read_vocab(checkpoint), healthy, "f32", lambda _: None)
        damaged = Path(shutil.copy(healthy, folder / "nan.gguf"))
        weights = damaged
    else:
        healthy = folder / "healthy"
        convert_onnx(checkpoint, "f32", False, healthy, None)
        damaged = Path(shutil.copytree(healthy, folder / "nan"))
        weights = damaged / "model.onnx.data"
    raw = bytearray(weights.read_bytes())
    number = read_vocab(checkpoint).texts.index(BAD)
    row = checkpoint.tensors["model.embed_tokens.weight"].rows(number, number + 1)
    wide = (np.frombuffer(row, np.uint16).astype("<u4") << 16).tobytes()
    assert raw.count(wide) == 1
    at = raw.index(wide)
    raw[at : at + 4] = np.float32(np.nan).tobytes()
    weights.write_bytes(raw)
    return healthy, damaged


def prompts(engine: Any) -> list[tuple[int, ...]]:
    return [engine.encode(f"<MoleculeS>{smiles}<MoleculeE><ReverseReact>") for smiles in SMILES]


def answers(engine: Any, rows: list[int], samples: int) -> dict[tuple[int, int], Generation]:
    asked = prompts(engine)
    requests = [Request(row, asked[row], list(range(samples))) for row in rows]
    return {(one.row, one.sample): one for one in engine.generate(requests, SAMPLING, [])}


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1, 4])
def test_later_answers_of_the_slot_are_those_of_the_healthy_model(
    models: tuple[Path, Path], open_model: Any, samples: int
) -> None:
    """The first row fills more of its stream than those that come after; a draw may meet the token in the middle."""
    healthy, damaged = (open_model(path, threads=1, batch=8) for path in models)
    rows = list(range(len(SMILES)))
    wanted, found = answers(healthy, rows, samples), answers(damaged, rows, samples)
    bad = healthy.token_texts().index(BAD)
    untouched = [key for key, one in wanted.items() if bad not in (*prompts(healthy)[key[0]], *one.tokens)]
    assert len(untouched) >= 9 * samples
    assert {key: found[key] for key in untouched} == {key: wanted[key] for key in untouched}
    assert {found[row, 0].finish for row in (0, 3, 7)} == {NO_NUMBERS}


@pytest.mark.slow
def test_later_scores_of_the_stream_are_those_of_the_healthy_model(models: tuple[Path, Path], open_model: Any) -> None:
    healthy, damaged = (open_model(path, threads=1) for path in models)
    answer = healthy.encode("<MoleculeS>CCO<MoleculeE>")[1:]
    pairs = [(prompt, answer) for prompt in prompts(healthy)]
    bad = healthy.token_texts().index(BAD)
    for _ in range(2):  # the second time each stream holds something
        for (prompt, _), right, found in zip(pairs, healthy.score_many(pairs), damaged.score_many(pairs), strict=True):
            assert np.isnan(found).all() if bad in prompt else (found == right).all()
