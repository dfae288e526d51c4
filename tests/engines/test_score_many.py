"""Scoring many sequences at once gives bit for bit what scoring each alone gives, and agrees with independent arithmetic."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import EOS
from processes import PATIENCE
from reference import ReferenceLlama

from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.engines import batching as engine_batching
from logos_cli.engines import reading as engine_scoring
from logos_cli.engines.engine import Engine
from logos_cli.engines.llamacpp.context import Context
from logos_cli.engines.ort.context import OnnxContext
from logos_cli.engines.reading import WINDOW_PAIRS, Pair
from logos_cli.errors import EngineError
from logos_cli.quant.quantize_gguf import quantize_gguf
from logos_cli.quant.schemes import scheme_named

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
PROTEIN = (
    "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVVHSLAKWKRQTLGQHDFSAGEGLYTHMKALRPDEDRLSPLHSVYVDQWDWE"
)

Found = Sequence["np.ndarray[Any, np.dtype[np.float32]] | None"]


@pytest.fixture(scope="module")
def tiny_model(tiny_gguf: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny model in any scheme, once each."""
    folder = tmp_path_factory.mktemp("scored")

    def get(scheme: str) -> Path:
        if scheme in ("f32", "bf16"):
            return tiny_gguf(scheme)
        out = folder / f"{scheme}.gguf"
        if not out.exists():
            quantize_gguf(tiny_gguf("bf16"), out, scheme_named(scheme), None, lambda *_: None)
        return out

    return get


def mutants(engine: Engine, count: int, protein: str = PROTEIN) -> list[Pair]:
    """Of one protein: of one length in letters, and alike up to the mutation."""
    drawn = random.Random(2)
    places = sorted(drawn.randrange(len(protein)) for _ in range(count))
    texts = (protein[:at] + drawn.choice(AMINO_ACIDS) + protein[at + 1 :] for at in places)
    return [split(engine.encode(f"<ProteinS>{text}<ProteinE>"), 2) for text in texts]


def split(tokens: Sequence[int], prompt: int) -> Pair:
    return tokens[:prompt], tokens[prompt:]


def mixed(engine: Engine) -> list[Pair | None]:
    """Lengths around every multiple that matters, long prompts, nothing in common, much in common, the same twice."""
    drawn = random.Random(1)
    ids = range(len(engine.token_texts()))
    short = [split(drawn.choices(ids, k=drawn.randint(2, 60)), 1 + i % 2) for i in range(16)]
    edges = [split(drawn.choices(ids, k=length), 1) for length in (2, 8, 9, 10, 63, 64, 65, 66, 69, 128, 129, 130, 131)]
    base = drawn.choices(ids, k=193)
    changed = [split([*base[:at], base[at] ^ 1, *base[at + 1 :]], 1) for at in (63, 64, 65, 127, 128, 191, 192)]
    again = [split(base, 1), split(base, 100), split(base, 64), split(base, 1), split(base[:129], 1), split(base[:100], 3)]
    long = [split(drawn.choices(ids, k=length), prompt) for length, prompt in ((600, 500), (598, 2))]
    return [*long, *short, None, *mutants(engine, 10), *edges, None, *changed, *again, ([ids[5], ids[9]], [])]


def same(found: Found, expected: Found) -> bool:
    return len(found) == len(expected) and all(
        (a is None and b is None) or (a is not None and b is not None and a.shape == b.shape and a.tobytes() == b.tobytes())
        for a, b in zip(found, expected, strict=True)
    )


def alone(engine: Engine, pairs: Sequence[Pair | None]) -> Found:
    """Each by itself, with nothing held of the one before."""
    found = []
    for pair in pairs:
        if engine._reader:  # type: ignore[attr-defined]  # the streams stay open, which saves time, and forget
            engine._reader.held = [None] * len(engine._reader.held)  # type: ignore[attr-defined]
        found.append(None if pair is None else engine.score(*pair))
    return found


def check_neighbours(path: Path, open_model: Any, batches: Sequence[int]) -> None:
    engine = open_model(path)
    pairs = mixed(engine)
    expected = alone(engine, pairs)
    assert len({value.tobytes() for value in expected if value is not None}) > 40, (
        "they must differ, or equality proves nothing"
    )
    assert same(list(engine.score_many(pairs)), expected)
    for batch in batches:
        other = open_model(path, batch=batch, threads=2 if engine.info.threads == 1 else 1)
        order = random.Random(batch).sample(range(len(pairs)), len(pairs))
        found = dict(zip(order, other.score_many([pairs[i] for i in order]), strict=True))
        assert same([found[i] for i in range(len(pairs))], expected), f"batch {batch}"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["f32", "bf16", "q8_0", "q4_k_m"])
def test_a_score_does_not_depend_on_neighbours_order_or_batch(
    tiny_model: Callable[[str], Path], open_model: Any, scheme: str
) -> None:
    check_neighbours(tiny_model(scheme), open_model, (1, 9))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["f32", "int8", "int4"])
def test_nor_does_it_on_onnx_runtime(tiny: Path, onnx_folder: Callable[..., Path], open_model: Any, scheme: str) -> None:
    check_neighbours(onnx_folder(tiny, scheme), open_model, (1, 5))


def test_nano_scores_and_its_logits_agree(nano_int4: Path, open_model: Any) -> None:
    """Other rows together round otherwise, so agreement within what int4 and an f16 cache leave."""
    engine = open_model(nano_int4)
    pairs = mutants(engine, 4)
    for (prompt, continuation), found in zip(pairs, engine.score_many(pairs), strict=True):
        logits = engine.logits([*prompt, *continuation]).astype(np.float64)
        expected = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        expected = expected[np.arange(len(prompt) - 1, len(logits) - 1), list(continuation)]
        assert found is not None and np.abs(found - expected).mean() < 0.02
        assert -5 < found.mean() < -1, "a trained model's log-probabilities"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gguf", "onnx"])
def test_scores_equal_an_independent_forward_pass(
    tiny: Path, tiny_gguf: Callable[[str], Path], onnx_folder: Callable[..., Path], open_model: Any, kind: str
) -> None:
    engine = open_model(tiny_gguf("f32") if kind == "gguf" else onnx_folder(tiny, "f32"))
    reference = ReferenceLlama(tiny)
    pairs = mixed(engine)
    for pair, found in zip(pairs, engine.score_many(pairs), strict=True):
        if pair is None or found is None:
            assert pair is found
            continue
        prompt, continuation = pair
        assert found.shape == (len(continuation),) and found.dtype == np.float32
        logits = reference.logits([*prompt, *continuation])[len(prompt) - 1 : -1]
        expected = logits[np.arange(len(continuation)), list(continuation)] - np.logaddexp.reduce(logits, axis=1)
        assert np.abs(found - expected).max(initial=0) < 1e-3


class Spy:
    """Counts what a context's `read` is asked, and lets it work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type[Context | OnnxContext]) -> None:
        self.tokens = self.calls = self.most_outputs = self.most_rows = 0
        real: Any = kind.read

        def read(context: Any, first: int, start: int, tokens: Any, keep: int) -> Iterator[Any]:
            self.calls += 1
            self.tokens += tokens.size
            self.most_rows = max(self.most_rows, tokens.size)
            self.most_outputs = max(self.most_outputs, len(tokens) * keep)
            return real(context, first, start, tokens, keep)  # type: ignore[no-any-return]

        monkeypatch.setattr(kind, "read", read)


@pytest.mark.slow
def test_mutants_are_read_from_about_their_mutation_on(
    nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_scoring, "FIRST_WINDOW", engine_scoring.WINDOW_TOKENS)  # all in one, however slow this is
    engine = open_model(nano_int4)
    pairs = mutants(engine, 64, PROTEIN * 2)
    expected = alone(engine, pairs)
    spy = Spy(monkeypatch, Context)
    assert same(list(engine.score_many(pairs)), expected)
    assert spy.tokens < 0.75 * sum(len(prompt) + len(rest) for prompt, rest in pairs)
    assert 256 < spy.most_rows <= 512, "several side by side"


@pytest.mark.slow
def test_logits_of_a_call_stay_few_where_the_vocabulary_is_large(
    tiny: Path, nano_int4: Path, onnx_folder: Callable[..., Path], open_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, kind in ((nano_int4, Context), (onnx_folder(tiny, "int4"), OnnxContext)):
        engine = open_model(path)
        prompted = [split([*range(12, 500), *[last] * 100], 580) for last in (3, 4)]  # whose blocks mostly need no logits
        pairs = [*prompted, *mixed(engine)[:18]]
        expected = list(engine.score_many(pairs))
        with monkeypatch.context() as patch:
            patch.setattr(engine_scoring, "OUTPUT_BYTES", 100 * 4 * engine.vocabulary)
            spy, narrow = Spy(patch, kind), open_model(path)
            found = list(narrow.score_many(pairs))
            assert 64 <= spy.most_outputs <= 100
            if kind is Context:  # ONNX's blocks follow the vocabulary, llama.cpp's are shorter anyway
                assert same(found, expected)
            assert same(found, alone(narrow, pairs))


def test_prompts_cost_no_logits(nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_model(nano_int4)
    spy = Spy(monkeypatch, Context)
    tokens = engine.encode("<MoleculeS>" + "CCO" * 100 + "<MoleculeE>")
    engine.score(tokens[:-3], tokens[-3:])
    assert spy.tokens >= len(tokens) - 1 and spy.most_outputs == 8


@pytest.mark.slow
def test_a_stream_gives_no_scores_that_it_was_not_asked_for(nano_int4: Path, open_model: Any) -> None:
    tokens = random.Random(4).choices(range(700), k=193)
    pairs = [split(tokens, prompt) for prompt in (150, 60, 1, 100)]
    engine = open_model(nano_int4, batch=1)
    assert same([engine.score(*pair) for pair in pairs], alone(engine, pairs))


@pytest.mark.slow
def test_short_memory_gives_fewer_streams_and_the_same_scores(
    nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_model(nano_int4)
    pairs = mixed(engine)
    expected = list(engine.score_many(pairs))
    monkeypatch.setattr(engine_batching, "available_bytes", lambda: 1)
    poor = open_model(nano_int4)
    assert same(list(poor.score_many(pairs)), expected)
    assert poor._reader.context.streams == 1


@pytest.mark.slow
def test_an_endless_iterator_is_read_a_bounded_window_ahead(nano_int4: Path, open_model: Any) -> None:
    engine = open_model(nano_int4)
    pairs: list[Pair | None] = [([1], [2, 3]), None, ([4, 5], [6]), ([1], [])]
    taken = itertools.count()
    found = engine.score_many(pair for pair, _ in zip(itertools.cycle(pairs), taken, strict=False))
    first = [next(found) for _ in range(4)]
    assert [None if one is None else one.shape for one in first] == [(2,), None, (1,), (0,)]
    for given in range(4, 4 * WINDOW_PAIRS):
        assert same([next(found)], [first[given % 4]])
        ahead = int(repr(taken)[len("count(") : -1]) - given
        assert ahead <= WINDOW_PAIRS + 1, f"{ahead} pairs ahead"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gguf", "onnx"])
def test_what_cannot_be_scored_is_refused_after_the_results_before_it(
    nano_int4: Path, tiny: Path, onnx_folder: Callable[..., Path], open_model: Any, kind: str
) -> None:
    engine = open_model(nano_int4 if kind == "gguf" else onnx_folder(tiny, "int8"))
    whole = ([1], [2, 3, 4] * ((engine.info.context - 1) // 3))
    assert engine.score(*whole).shape == (1023,)
    for bad, words in ((([1, *whole[0]], whole[1]), "1,025 tokens.*1,024"), (([], [1, 2]), "prompt of at least one")):
        results = engine.score_many([([1], [2]), ([1], [2, 3]), bad, ([1], [3])])
        assert next(results).shape == (1,) and next(results).shape == (2,)
        with pytest.raises(EngineError, match=words):
            next(results)
    assert engine.score([1], [2]).shape == (1,), "the engine goes on"


def test_a_damaged_file_gives_no_numbers(tmp_path: Path, tiny_gguf: Callable[[str], Path], open_model: Any) -> None:
    damaged = tmp_path / "damaged.gguf"
    content = bytearray(tiny_gguf("f32").read_bytes())
    content[-4096:] = np.full(1024, np.nan, np.float32).tobytes()
    damaged.write_bytes(content)
    assert np.isnan(open_model(damaged).score([1], list(range(2, 80)))).all()


@pytest.mark.slow
def test_ctrl_c_ends_a_call_in_the_middle_and_leaves_nothing_behind(
    nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_model(nano_int4, batch=1)
    pairs = mutants(engine, 40)
    expected = list(engine.score_many(pairs))
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        while timer.is_alive() or time.monotonic() < began + PATIENCE:
            list(engine.score_many(pairs))
    assert same(list(engine.score_many(pairs)), expected)

    def interrupted(*_: Any) -> Iterator[Any]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        assert same([engine.score(*pairs[-1])], expected[-1:])
        patch.setattr(Context, "read", interrupted)
        engine.score([7], pairs[0][1])
    assert same([engine.score(*pairs[-1])], expected[-1:]), "the stream does not hold what it held before"


def test_the_end_token_is_the_tokenizers(
    tokenizer: Any, tiny: Path, tiny_gguf: Callable[[str], Path], nano_int4: Path, onnx_folder: Callable[..., Path],
    open_model: Any,
) -> None:  # fmt: skip
    expected = tokenizer.token_to_id(EOS)
    assert open_model(tiny_gguf("bf16")).end == open_model(onnx_folder(tiny, "int4")).end == expected
    assert open_model(nano_int4).end == open_model(onnx_folder(nano_checkpoint(), "int4")).end == 750


def test_torch_scores_the_same(tiny: Path, tiny_gguf: Callable[[str], Path], open_model: Any) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from logos_cli.engines.engine import EngineSettings
    from logos_cli.engines.torch_engine import TorchEngine

    reference, ours = TorchEngine(tiny, EngineSettings(device="cpu", threads=2)), open_model(tiny_gguf("f32"))
    assert reference.end == ours.end
    pairs = mixed(ours)[-10:]
    for theirs, found in zip(reference.score_many(pairs), ours.score_many(pairs), strict=True):
        assert (theirs is None) == (found is None)
        if theirs is not None and found is not None:
            assert theirs.shape == found.shape and np.abs(theirs - found).max(initial=0) < 1e-3
