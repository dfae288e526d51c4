"""The engine against an independent forward pass, and the promise that an answer does not depend on its neighbours."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import PATIENCE
from reference import ReferenceLlama

from logos_cli.engines import batching as engine_batching
from logos_cli.engines.engine import Generation, Request
from logos_cli.engines.llamacpp import context as engine_llamacpp_context
from logos_cli.engines.llamacpp.engine import LlamaCppEngine
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError, ModelFileError, TokenizerError

GREEDY = Sampling(temperature=0.0, max_tokens=24)
DRAWN = Sampling(temperature=1.0, top_k=0, max_tokens=60)
PROMPT = "<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE><ReverseReact>"


def generations(engine: LlamaCppEngine, requests: Iterable[Request], sampling: Sampling, **more: Any) -> list[Generation]:
    found = engine.generate(requests, sampling, ["<MoleculeE>"] if more.pop("stop", False) else [], **more)
    return sorted((g for g in found if g), key=lambda g: (g.row, g.sample))


def test_logits_equal_an_independent_forward_pass(tiny: Path, tiny_gguf: Callable[[str], Path], open_model: Any) -> None:
    engine = open_model(tiny_gguf("f32"))
    tokens = engine.encode(PROMPT * 3)
    expected = ReferenceLlama(tiny).logits(list(tokens))
    found = engine.logits(tokens)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3
    assert np.abs(expected).max() > 1, "a model that says nothing would agree with anything"


@pytest.mark.slow
@pytest.mark.parametrize("dtype, tied", [("F32", True), ("F16", False)])
def test_tied_heads_and_other_dtypes(tmp_path: Path, tokenizer: Any, open_model: Any, dtype: str, tied: bool) -> None:
    from builders import convert, write_checkpoint

    folder = write_checkpoint(tmp_path / "c", tokenizer, dtype, tied, shards=2, rope_scaling=None)
    engine = open_model(convert(folder, tmp_path / "m.gguf", "f32"))
    tokens = engine.encode(PROMPT)
    assert np.abs(engine.logits(tokens) - ReferenceLlama(folder).logits(list(tokens))).max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("single", [True, False])
def test_greedy_text_and_logprob_equal_the_reference(
    tiny: Path, tiny_gguf: Callable[[str], Path], open_model: Any, single: bool
) -> None:
    engine = open_model(tiny_gguf("f32"))
    tokens = engine.encode(PROMPT)
    expected, logprob = ReferenceLlama(tiny).greedy(list(tokens), GREEDY.max_tokens)
    (found,) = generations(engine, [Request(0, tokens, [0])], GREEDY, single=single)
    assert list(found.tokens) == expected
    assert abs(found.logprob - logprob) < 1e-3
    assert found.finish == "length"
    assert abs(engine.score(tokens, found.tokens).sum() - logprob) < 1e-3


@pytest.mark.slow
def test_text_does_not_depend_on_batch_order_or_what_was_done_before(nano_int4: Path, open_model: Any) -> None:
    smiles = ["CC(=O)Oc1ccccc1C(=O)O", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=C(Nc1ccccc1)c1ccncc1", "CCN"]
    engine = open_model(nano_int4)
    requests = [
        Request(row, engine.encode(f"<MoleculeS>{s}<MoleculeE><ReverseReact>"), range(9)) for row, s in enumerate(smiles)
    ]
    expected = generations(engine, requests, DRAWN)
    assert len({g.text for g in expected}) > 20, "the answers must differ, or equality proves nothing"
    for batch in (2, 8, 11, 36):
        assert generations(open_model(nano_int4, batch=batch), requests, DRAWN) == expected, f"batch {batch}"
    shuffled = [replace(r, samples=random.Random(1).sample(range(9), 9)) for r in reversed(requests)]
    assert generations(engine, shuffled, DRAWN) == expected
    rest = [replace(requests[1], samples=[5, 6, 7, 8]), *requests[2:]]
    assert generations(engine, rest, DRAWN) == [g for g in expected if (g.row, g.sample) >= (1, 5)]
    # A prompt of 513 tokens must not end in a piece of one: that one's attention would be divided among the threads.
    requests = [*requests, Request(9, (engine.encode(PROMPT) * 60)[:513], [0, 1])]
    expected = generations(engine, requests, DRAWN)
    assert generations(open_model(nano_int4, threads=1), requests, DRAWN) == expected


@pytest.mark.slow
def test_a_longer_prompt_opens_a_longer_context_and_changes_nothing(nano_int4: Path, open_model: Any) -> None:
    engine = open_model(nano_int4)
    long = Request(1, engine.encode("<MoleculeS>" + "C" * 900 + "c1ccccc1O" * 40 + "<MoleculeE>")[:700], [0, 1])
    short = Request(0, engine.encode(PROMPT), range(3))
    alone = generations(open_model(nano_int4), [long], DRAWN)
    assert [g for g in generations(engine, [short, long], DRAWN) if g.row == 1] == alone


@pytest.mark.slow
def test_seeds_stops_and_limits(nano_int4: Path, open_model: Any) -> None:
    engine = open_model(nano_int4)
    request = Request(0, engine.encode("<MoleculeS>"), range(16))
    found = generations(engine, [request], replace(DRAWN, max_tokens=200), stop=True)
    stopped = [g for g in found if g.finish == "stop"]
    assert stopped and all(g.text.count("<MoleculeE>") <= 1 for g in stopped)
    assert all(g.text.endswith("<MoleculeE>") or engine.marker("<MoleculeE>") not in g.tokens for g in found)
    assert generations(engine, [request], replace(DRAWN, max_tokens=200, seed=1), stop=True) != found
    short = generations(engine, [request], replace(DRAWN, max_tokens=3), stop=True)
    assert {len(g.tokens) for g in short if g.finish == "length"} == {3}
    limit = engine.info.context
    close = Request(0, engine.encode("<MoleculeS>") + (5,) * (limit - 5), [0])
    assert len(generations(engine, [close], DRAWN)[0].tokens) <= 3


def test_logprob_is_of_the_raw_distribution(nano_int4: Path, open_model: Any) -> None:
    """Whatever shaped the draw, the log-probability is that of the tokens under the model itself."""
    engine = open_model(nano_int4)
    tokens = engine.encode(PROMPT)
    shaped = Sampling(temperature=0.7, top_k=20, top_p=0.9, repetition_penalty=1.2, max_tokens=40)
    for g in generations(engine, [Request(0, tokens, range(4))], shaped):
        # Decoding and prefill use different kernels at int4, hence the tolerance.
        assert abs(g.logprob - float(engine.score(tokens, g.tokens).sum())) < 0.02 * len(g.tokens)


def test_markers_and_text_round_trip(nano_int4: Path, open_model: Any, tiny: Path) -> None:
    from tokenizers import Tokenizer

    from logos_cli.convert.nano_model import nano_checkpoint

    engine = open_model(nano_int4)
    reference = Tokenizer.from_file(str(nano_checkpoint() / "tokenizer.json"))
    assert list(engine.encode(PROMPT)) == reference.encode(PROMPT).ids
    assert engine.decode(engine.encode(PROMPT)[1:]) == PROMPT
    with pytest.raises(TokenizerError, match="<NoSuch>"):
        engine.marker("<NoSuch>")


def test_what_is_no_model_is_refused(tmp_path: Path, tiny_gguf: Callable[[str], Path], open_model: Any) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_gguf("bf16").read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="cut short"):
        open_model(cut)
    (tmp_path / "text.gguf").write_text(json.dumps({"no": "model"}))
    with pytest.raises(ModelFileError, match="not a GGUF file"):
        open_model(tmp_path / "text.gguf")


@pytest.mark.slow
def test_ctrl_c_ends_a_decode_in_the_middle(nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_model(nano_int4)
    request = [Request(0, engine.encode(PROMPT), range(12))]
    expected = generations(engine, request, DRAWN)
    monkeypatch.setattr(engine_llamacpp_context, "SLOW_STEP", -1.0)  # every step counts as slow
    assert generations(engine, request, DRAWN) == expected
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        while timer.is_alive() or time.monotonic() < began + PATIENCE:
            generations(engine, request, DRAWN)


@pytest.mark.slow
@pytest.mark.parametrize("slots", [16, 8, 0])
def test_short_memory_gives_fewer_slots_and_never_a_failed_run(
    nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch, slots: int
) -> None:
    """KV cache of nano: 7 layers × 2 × 2 heads × 64 × 2 bytes = 3,584 bytes a token, 256 tokens a slot here."""
    requests = [Request(0, open_model(nano_int4).encode(PROMPT), range(20))]
    expected = generations(open_model(nano_int4), requests, DRAWN)
    monkeypatch.setattr(engine_batching, "available_bytes", lambda: int((slots + 1) * 256 * 3584 / 0.8))
    notes: list[str] = []
    engine = open_model(nano_int4, note=notes.append)
    found = generations(engine, requests, DRAWN)
    assert len(notes) == 1 and (f"{slots} answers at a time" if slots else "one answer at a time") in notes[0]
    assert len(found) == 20
    if slots:
        assert found == expected, "the same texts in fewer slots"


def foreign(source: Path, target: Path) -> Path:
    """The same model as another tool would have written it: without our keys."""
    target.write_bytes(source.read_bytes().replace(b"logos.", b"other."))
    return target


@pytest.mark.slow
def test_a_foreign_file_runs_and_a_deadly_one_is_refused(tmp_path: Path, nano_int4: Path, open_model: Any) -> None:
    engine = open_model(foreign(nano_int4, tmp_path / "foreign.gguf"))
    expected = generations(open_model(nano_int4), [Request(0, engine.encode(PROMPT), range(3))], DRAWN)
    assert generations(engine, [Request(0, engine.encode(PROMPT), range(3))], DRAWN) == expected
    deadly = foreign(nano_int4, tmp_path / "deadly.gguf")
    deadly.write_bytes(deadly.read_bytes().replace(b"llama.block_count", b"llama.glock_count"))
    with pytest.raises(ModelFileError, match=r"cannot be loaded.*block_count"):
        open_model(deadly)


def test_cuda_without_a_cuda_build_names_the_command(tiny_gguf: Callable[[str], Path], open_model: Any) -> None:
    from logos_cli.engines.llamacpp.devices import gpus

    if any(gpu.name.startswith("CUDA") for gpu in gpus()):
        pytest.skip("this build has CUDA")
    with pytest.raises(EngineError, match="GGML_CUDA=on"):
        open_model(tiny_gguf("bf16"), device="cuda")
