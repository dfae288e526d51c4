"""Beam search against one written plainly over an independent forward pass, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import Run, convert
from reference import ReferenceLlama

from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.engines.engine import Engine, Generation, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError

LIMITS = Sampling(max_tokens=14)
PRODUCTS = ("CCOC(C)=O", "CC(=O)Nc1ccccc1", "CCN")
Answer = tuple[tuple[int, ...], float]


def plain_beam(model: ReferenceLlama, prompt: Sequence[int], width: int, most: int, stops: set[int]) -> list[Answer]:
    beam: list[tuple[tuple[int, ...], float, bool]] = [((), 0.0, False)]
    while not all(ended for *_, ended in beam):
        every: list[tuple[tuple[int, ...], float, bool]] = []
        for tokens, logprob, ended in beam:
            if ended:
                every.append((tokens, logprob, True))
                continue
            logits = model.logits([*prompt, *tokens])[-1].astype(np.float64)
            logprobs = logits - np.logaddexp.reduce(logits)
            for token, more in enumerate(logprobs.tolist()):
                longer = (*tokens, token)
                every.append((longer, logprob + more, token in stops or len(longer) == most))
        beam = sorted(every, key=lambda one: -one[1])[:width]
    return [(tokens, logprob) for tokens, logprob, _ in beam]


def found_by(engine: Engine, width: int, products: Sequence[str] = PRODUCTS) -> list[Generation]:
    requests = [
        Request(row, engine.encode(f"<MoleculeS>{smiles}<MoleculeE><ReverseReact>"), range(width))
        for row, smiles in enumerate(products)
    ]
    found = [g for g in engine.generate(requests, LIMITS, ["<MoleculeE>"], beam=width) if g]
    return sorted(found, key=lambda g: (g.row, g.sample))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gguf", "onnx"])
def test_a_beam_is_that_of_a_plain_search(kind: str, tmp_path: Path, onnx_folder: Callable[..., Path], open_model: Any) -> None:
    nano = nano_checkpoint()
    path = convert(nano, tmp_path / "nano.gguf", "f32") if kind == "gguf" else onnx_folder(nano, "f32")
    engine, reference = open_model(path), ReferenceLlama(nano)
    stops = {engine.marker("<MoleculeE>"), *engine.end_tokens}
    found = found_by(engine, 5)
    for row, smiles in enumerate(PRODUCTS):
        prompt = engine.encode(f"<MoleculeS>{smiles}<MoleculeE><ReverseReact>")
        expected = plain_beam(reference, prompt, 5, LIMITS.max_tokens, stops)
        mine = [g for g in found if g.row == row]
        assert [g.tokens for g in mine] == [tokens for tokens, _ in expected]
        assert max(abs(g.logprob - logprob) for g, (_, logprob) in zip(mine, expected, strict=True)) < 1e-3
    assert {g.finish for g in found} == {"stop", "length"}, "both ends must have been met"


@pytest.mark.slow
def test_a_beam_does_not_depend_on_how_many_are_searched_at_once(nano_int4: Path, open_model: Any) -> None:
    expected = found_by(open_model(nano_int4, batch=1), 6)
    assert len({g.tokens for g in expected}) == 18
    for batch in (8, 32):
        assert found_by(open_model(nano_int4, batch=batch), 6) == expected
    assert found_by(open_model(nano_int4), 6, PRODUCTS[:1]) == expected[:6]
    engine = open_model(nano_int4)
    for g in expected[:3]:
        # Decoding and prefill use different kernels at int4, hence the tolerance.
        prompt = engine.encode(f"<MoleculeS>{PRODUCTS[0]}<MoleculeE><ReverseReact>")
        assert abs(g.logprob - float(engine.score(prompt, g.tokens).sum())) < 0.02 * len(g.tokens)


def test_memory_for_less_than_a_beam_is_told(nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from logos_cli.engines import batching as engine_batching

    monkeypatch.setattr(engine_batching, "available_bytes", lambda: int(9 * 256 * 3072 / engine_batching.KV_SHARE))
    with pytest.raises(EngineError, match="lower --beam-width"):
        found_by(open_model(nano_int4), 12)


@pytest.mark.slow
def test_the_command(logos_here: Callable[..., Run]) -> None:
    command = ("generate", "retro", "--decode", "beam", "--top", "3", "--max-tokens", "80")
    found = logos_here(*command, stdin="CC(=O)Nc1ccccc1 a\nxx b\n")
    assert found.code == 0, found.err
    records = [r for r in found.lines if r["id"] == "a"]
    assert [r["rank"] for r in records] == list(range(1, len(records) + 1)) and len(records) > 1
    assert all("count" not in r or r["count"] is None for r in records)
    logprobs = [r["logprob"] for r in records]
    assert logprobs == sorted(logprobs, reverse=True)
    assert logos_here(*command, "--batch", "1", stdin="CC(=O)Nc1ccccc1 a\nxx b\n").out == found.out


@pytest.mark.parametrize(
    "options, said",
    [
        (("retro", "--decode", "beam"), "--top K"),
        (("retro", "--decode", "beam", "--top", "2", "--temperature", "1"), "--temperature is for draws"),
        (("retro", "--decode", "beam", "--top", "2", "-n", "8"), "-n is for draws"),
        (("retro", "--decode", "beam", "--top", "9", "--beam-width", "8"), "a beam of 8"),
        (("retro", "--decode", "beam", "--top", "100"), "at most 128"),
        (("retro", "--beam-width", "8"), "add --decode beam"),
        (("pocket", "--decode", "beam", "--top", "1"), "merges samples"),
    ],
)
def test_misuse(logos_here: Callable[..., Run], options: tuple[str, ...], said: str) -> None:
    found = logos_here("generate", *options, stdin="CCO\n")
    assert found.code == 2 and said in found.err and found.err.count("\n") == 1
