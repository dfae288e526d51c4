"""The ONNX engine against an independent forward pass and against GGUF, and its answers against their neighbours."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_checkpoint
from processes import wait_until
from reference import ReferenceLlama

from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.engines.engine import Engine, Generation, Request
from logos_cli.engines.ort import context as engine_onnx_context
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError, TokenizerError

GREEDY = Sampling(temperature=0.0, max_tokens=24)
DRAWN = Sampling(temperature=1.5, top_k=0, max_tokens=60)
PROMPT = "<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE><ReverseReact>"
Folder = Callable[..., Path]


def generations(engine: Engine, requests: Iterable[Request], sampling: Sampling, **more: Any) -> list[Generation]:
    found = engine.generate(requests, sampling, ["<MoleculeE>"] if more.pop("stop", False) else [], **more)
    return sorted((g for g in found if g), key=lambda g: (g.row, g.sample))


@pytest.mark.slow
def test_logits_equal_an_independent_forward_pass(tiny: Path, onnx_folder: Folder, open_model: Any) -> None:
    engine = open_model(onnx_folder(tiny, "f32"))
    tokens = engine.encode(PROMPT * 36)
    assert len(tokens) > 600, "more than one piece, and positions where the rotary scaling shows"
    expected = ReferenceLlama(tiny).logits(list(tokens))
    assert np.abs(engine.logits(tokens) - expected).max() < 1e-4
    assert np.abs(expected).max() > 1, "a model that says nothing would agree with anything"


@pytest.mark.slow
@pytest.mark.parametrize("dtype, tied", [("F32", True), ("F16", False)])
def test_tied_heads_and_other_dtypes(
    tmp_path: Path, tokenizer: Any, onnx_folder: Folder, open_model: Any, dtype: str, tied: bool
) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", tokenizer, dtype, tied, shards=2, rope_scaling=None)
    reference = ReferenceLlama(checkpoint)
    engine = open_model(onnx_folder(checkpoint, "f32"))
    tokens = engine.encode(PROMPT)
    expected = reference.logits(list(tokens))
    assert np.abs(engine.logits(tokens) - expected).max() < 1e-4
    spread = expected.std()
    for scheme, most in (("f16", 0.01), ("int8", 0.05), ("int4", 0.4)):
        found = open_model(onnx_folder(checkpoint, scheme)).logits(tokens)
        assert (found - expected).std() < most * spread, scheme
    with_half = open_model(onnx_folder(checkpoint, "int8", half=True))
    assert with_half.info.kv_type == "f16"
    assert (with_half.logits(tokens) - expected).std() < 0.06 * spread


@pytest.mark.slow
@pytest.mark.parametrize("single", [True, False])
def test_greedy_text_and_logprob_equal_the_reference(tiny: Path, onnx_folder: Folder, open_model: Any, single: bool) -> None:
    engine = open_model(onnx_folder(tiny, "f32"))
    tokens = engine.encode(PROMPT)
    expected, logprob = ReferenceLlama(tiny).greedy(list(tokens), GREEDY.max_tokens)
    (found,) = generations(engine, [Request(0, tokens, [0])], GREEDY, single=single)
    assert list(found.tokens) == expected
    assert abs(found.logprob - logprob) < 1e-3
    assert found.finish == "length"
    assert abs(engine.score(tokens, found.tokens).sum() - logprob) < 1e-3


@pytest.mark.slow
def test_texts_and_log_probabilities_are_those_of_the_gguf(tmp_path: Path, onnx_folder: Folder, open_model: Any) -> None:
    from builders import convert

    engines = [
        open_model(convert(nano_checkpoint(), tmp_path / "nano.gguf", "f32")),
        open_model(onnx_folder(nano_checkpoint(), "f32")),
    ]
    request = Request(0, engines[0].encode(PROMPT), range(12))
    assert engines[0].encode(PROMPT) == engines[1].encode(PROMPT)
    assert engines[0].token_texts() == engines[1].token_texts()
    assert engines[0].end_tokens == engines[1].end_tokens
    gguf, onnx = (generations(engine, [request], DRAWN) for engine in engines)
    assert [g.text for g in gguf] == [g.text for g in onnx] and len({g.text for g in gguf}) > 5
    assert max(abs(a.logprob - b.logprob) for a, b in zip(gguf, onnx, strict=True)) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["f32", "int8", "int4"])
def test_text_does_not_depend_on_batch_order_or_what_was_done_before(onnx_folder: Folder, open_model: Any, scheme: str) -> None:
    smiles = ["CC(=O)Oc1ccccc1C(=O)O", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=C(Nc1ccccc1)c1ccncc1", "CCN"]
    folder = onnx_folder(nano_checkpoint(), scheme)
    engine = open_model(folder)
    requests = [
        Request(row, engine.encode(f"<MoleculeS>{s}<MoleculeE><ReverseReact>"), range(9)) for row, s in enumerate(smiles)
    ]
    expected = generations(engine, requests, DRAWN)
    assert len({g.text for g in expected}) > 20, "the answers must differ, or equality proves nothing"
    for batch in (2, 8, 11, 36):
        assert generations(open_model(folder, batch=batch), requests, DRAWN) == expected, f"batch {batch}"
    shuffled = [replace(r, samples=random.Random(1).sample(range(9), 9)) for r in reversed(requests)]
    assert generations(engine, shuffled, DRAWN) == expected
    rest = [replace(requests[1], samples=[5, 6, 7, 8]), *requests[2:]]
    assert generations(engine, rest, DRAWN) == [g for g in expected if (g.row, g.sample) >= (1, 5)]
    requests = [*requests, Request(9, (engine.encode(PROMPT) * 60)[:513], [0, 1])]
    expected = generations(engine, requests, DRAWN)
    assert generations(open_model(folder, threads=1 if engine.info.threads > 1 else 2), requests, DRAWN) == expected


@pytest.mark.slow
def test_a_longer_prompt_opens_a_longer_context_and_changes_nothing(onnx_folder: Folder, open_model: Any) -> None:
    folder = onnx_folder(nano_checkpoint(), "int4")
    engine = open_model(folder)
    long = Request(1, engine.encode("<MoleculeS>" + "C" * 900 + "c1ccccc1O" * 40 + "<MoleculeE>")[:700], [0, 1])
    short = Request(0, engine.encode(PROMPT), range(3))
    alone = generations(open_model(folder), [long], DRAWN)
    assert [g for g in generations(engine, [short, long], DRAWN) if g.row == 1] == alone


@pytest.mark.slow
def test_markers_and_text_round_trip(onnx_folder: Folder, open_model: Any) -> None:
    engine = open_model(onnx_folder(nano_checkpoint(), "int4"))
    assert engine.decode(engine.encode(PROMPT)[1:]) == PROMPT
    with pytest.raises(TokenizerError, match="<NoSuch>"):
        engine.marker("<NoSuch>")


@pytest.mark.slow
@pytest.mark.parametrize("slots", [16, 8, 0])
def test_short_memory_gives_fewer_slots(
    onnx_folder: Folder, open_model: Any, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    from logos_cli.engines import batching as engine_batching

    folder, said = onnx_folder(nano_checkpoint(), "int4"), list[str]()
    engine = open_model(folder, batch=32, note=said.append)
    request = Request(0, engine.encode(PROMPT), range(20))
    expected = generations(open_model(folder, batch=32), [request], DRAWN)
    cells = -(-(160 + DRAWN.max_tokens) // 256) * 256
    room = int((slots + 0.5) * cells * engine.kv_bytes_per_token / engine_batching.KV_SHARE)
    monkeypatch.setattr(engine_batching, "available_bytes", lambda: room)
    found = generations(engine, [request], DRAWN)
    assert len(said) == 1 and ("one answer at a time" if not slots else f"{slots} answers") in said[0]
    if slots:
        assert found == expected


def test_ctrl_c_ends_a_run_in_the_middle(onnx_folder: Folder, open_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_model(onnx_folder(nano_checkpoint(), "int4"))
    request = [Request(0, engine.encode(PROMPT), range(12))]
    expected = generations(engine, request, DRAWN)
    monkeypatch.setattr(engine_onnx_context, "SLOW_STEP", 1e-9)  # every run counts as slow
    assert generations(engine, request, DRAWN) == expected
    ended = list[bool]()

    def slow(self: Any, binding: Any, options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        wait_until(lambda: options.terminate)
        ended.append(options.terminate)

    with monkeypatch.context() as patch:
        patch.setattr(engine_onnx_context.OnnxContext, "_checked", slow)
        with pytest.raises(KeyboardInterrupt):
            generations(engine, request, DRAWN)
    assert ended == [True], "the run was told to end, and waited for"
    assert generations(engine, request, DRAWN) == expected, "the engine goes on after it"


def test_cuda_without_a_cuda_build_names_the_command(onnx_folder: Folder, open_model: Any) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(EngineError, match="pip install onnxruntime-gpu"):
        open_model(onnx_folder(nano_checkpoint(), "int4"), device="cuda")


@pytest.mark.cuda
def test_cuda_gives_the_same_greedy_text(onnx_folder: Folder, open_model: Any) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("needs onnxruntime-gpu and a CUDA GPU")
    folder = onnx_folder(nano_checkpoint(), "f16")
    engines = [open_model(folder), open_model(folder, device="cuda")]
    request = Request(0, engines[0].encode(PROMPT), range(3))
    cpu, cuda = (generations(engine, [request], GREEDY) for engine in engines)
    assert [g.text for g in cpu] == [g.text for g in cuda]
    assert max(abs(a.logprob - b.logprob) for a, b in zip(cpu, cuda, strict=True)) < 0.1
