"""Samples that share a beginning share its decoding: the answers of each alone, for as many rows as there are beginnings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.engines import batching as engine_batching
from logos_cli.engines import requests as engine_requests
from logos_cli.engines.engine import Engine, Generation, Request
from logos_cli.engines.sampling import Sampling

PRODUCTS = ("CC(=O)Oc1ccccc1C(=O)O", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=C(Nc1ccccc1)c1ccncc1")
NUCLEUS = Sampling(temperature=1.0, top_k=0, top_p=0.9, max_tokens=60)
SHAPED = Sampling(temperature=1.2, top_k=50, top_p=0.85, repetition_penalty=1.05, max_tokens=60)


@pytest.fixture(params=["gguf", "onnx"])
def open_nano(
    request: pytest.FixtureRequest, nano_int4: Path, onnx_folder: Callable[..., Path], open_model: Any
) -> Callable[..., Engine]:
    path = nano_int4 if request.param == "gguf" else onnx_folder(nano_checkpoint(), "int4")

    def get(**settings: Any) -> Engine:
        engine: Engine = open_model(path, **settings)
        return engine

    return get


def asked(engine: Engine, samples: Sequence[int], products: Sequence[str] = PRODUCTS) -> list[Request]:
    texts = [f"<MoleculeS>{smiles}<MoleculeE><ReverseReact>" for smiles in products]
    return [Request(row, engine.encode(text), samples) for row, text in enumerate(texts)]


def answers(engine: Engine, requests: Iterable[Request], sampling: Sampling) -> list[Generation]:
    found = [g for g in engine.generate(requests, sampling, ["<MoleculeE>"]) if g]
    return sorted(found, key=lambda g: (g.row, g.sample))


def beginnings(found: Iterable[Generation]) -> int:
    """How many rows must be decoded: one for each that any answer goes on from after its first token."""
    return len({(g.row, g.tokens[:length]) for g in found for length in range(1, len(g.tokens))})


@pytest.mark.slow
@pytest.mark.parametrize("sampling", [NUCLEUS, SHAPED])
def test_together_as_alone(open_nano: Callable[..., Engine], sampling: Sampling) -> None:
    engine, sampling = open_nano(), replace(sampling, temperature=1.5)
    together = answers(engine, asked(engine, range(12)), sampling)
    assert len({g.text for g in together}) > 8, "the answers must differ, or equality proves nothing"
    alone = [g for sample in range(12) for g in answers(engine, asked(engine, [sample]), sampling)]
    assert sorted(alone, key=lambda g: (g.row, g.sample)) == together


@pytest.mark.parametrize("batch", [1, 8, 32])
def test_rows_decoded_are_the_distinct_beginnings(open_nano: Callable[..., Engine], batch: int) -> None:
    engine = open_nano(batch=batch)
    found = answers(engine, asked(engine, range(24)), NUCLEUS)
    work = engine.work
    assert work.tokens == sum(len(g.tokens) for g in found)
    assert work.rows == beginnings(found) < 0.8 * work.tokens
    assert work.padding < 8 * work.steps and work.rows + work.padding >= 8 * work.steps
    assert work.prompt_tokens == sum(len(r.tokens) for r in asked(engine, [0]))


def test_streams_are_copied_only_where_samples_part(open_nano: Callable[..., Engine]) -> None:
    """Every answer ends at its length, all at once: nothing has to move then."""
    engine = open_nano()
    drawn = Sampling(temperature=2.0, top_k=0, max_tokens=5)
    found = [g for g in engine.generate(asked(engine, range(32), PRODUCTS[:1]), drawn, None) if g]
    assert 0 < engine.work.copies == len({g.tokens[:-1] for g in found}) - 1


def test_greedy_samples_are_one_answer(open_nano: Callable[..., Engine]) -> None:
    engine = open_nano()
    found = answers(engine, asked(engine, range(9), PRODUCTS[:1]), replace(NUCLEUS, temperature=0.0))
    assert len({(g.tokens, g.logprob) for g in found}) == 1 and [g.sample for g in found] == list(range(9))
    assert engine.work.rows == len(found[0].tokens) - 1


@pytest.mark.slow
def test_answers_longer_than_the_first_randoms(open_nano: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_nano()
    expected = answers(engine, asked(engine, range(6)), NUCLEUS)
    monkeypatch.setattr("logos_cli.engines.tree.FIRST_RANDOMS", 5)
    assert answers(engine, asked(engine, range(6)), NUCLEUS) == expected


@pytest.mark.slow
def test_very_many_samples_are_answered_in_sheaves(open_nano: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the first records of a row with a million samples need not wait for the last; within a sheaf all is shared."""
    engine = open_nano()
    request = Request(0, engine.encode("<MoleculeS>"), range(40))
    expected = answers(engine, [request], NUCLEUS)
    monkeypatch.setattr(engine_requests, "SHEAF", 8)
    before = engine.work.rows
    assert answers(engine, [request], NUCLEUS) == expected
    assert engine.work.rows - before == sum(beginnings(expected[at : at + 8]) for at in range(0, 40, 8))


def test_the_first_request_is_not_held_up_by_others(nano_int4: Path, open_model: Any) -> None:
    """Its first sample needs as many steps as it has tokens, whatever else there is to do."""
    engine = open_model(nano_int4)
    for g in engine.generate(asked(engine, range(16), PRODUCTS * 4), NUCLEUS, ["<MoleculeE>"]):
        if g and (g.row, g.sample) == (0, 0):
            assert engine.work.steps == len(g.tokens) - 1
            return
    raise AssertionError("it never came")


def test_nothing_there_yet_is_no_reason_to_wait(nano_int4: Path, open_model: Any) -> None:
    """The source says None until the answer to what it gave before has come: it must come."""
    engine = open_model(nano_int4)
    first, second = asked(engine, range(3), PRODUCTS[:2])
    came: list[Generation] = []

    def source() -> Iterator[Request | None]:
        yield first
        for _ in range(10_000):
            if len(came) == 3:
                break
            yield None
        assert len(came) == 3
        yield second

    for g in engine.generate(source(), NUCLEUS, ["<MoleculeE>"]):
        if g:
            came.append(g)
    assert sorted(came, key=lambda g: (g.row, g.sample)) == answers(engine, [first, second], NUCLEUS)


def test_a_prompt_comes_again_when_no_stream_holds_it_any_more(nano_int4: Path, open_model: Any) -> None:
    engine = open_model(nano_int4, batch=8)
    first, other, _ = asked(engine, range(1))
    other, again = replace(other, samples=range(60)), replace(first, row=7)
    expected = answers(engine, [first, other, again], NUCLEUS)
    came: list[Generation] = []

    def source() -> Iterator[Request | None]:
        yield from (first, other)
        while sum(g.row == other.row for g in came) < 40:  # by now its forks have taken every slot
            yield None
        yield again

    for g in engine.generate(source(), NUCLEUS, ["<MoleculeE>"]):
        if g:
            came.append(g)
    assert sorted(came, key=lambda g: (g.row, g.sample)) == expected


@pytest.mark.slow
def test_a_long_row_goes_last_and_the_others_keep_their_slots(
    nano_int4: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory for 32 answers of 256 tokens, or 8 of 1,024 (KV cache of nano: 3,584 bytes a token)."""
    opened: list[tuple[int, int]] = []
    notes: list[str] = []
    engine = open_model(nano_int4, note=notes.append)
    open_context = engine.open_context

    def watched(streams: int, cells: int, outputs: int = 0) -> Any:
        opened.append((streams, cells))
        return open_context(streams, cells, outputs)

    short = asked(engine, range(2), PRODUCTS * 6)
    long = Request(99, (engine.encode(f"<MoleculeS>{PRODUCTS[0]}") * 60)[:900], range(2))
    requests = [*short[:4], long, *short[4:14], replace(long, row=100), *short[14:]]
    sampling = replace(NUCLEUS, max_tokens=40)
    expected = answers(engine, requests, sampling)
    engine.release()
    room = int(32.5 * 256 * 3584 / engine_batching.KV_SHARE)

    def available() -> int:
        now = engine._context
        return room - (now.streams * now.cells * 3584 if now else 0)

    monkeypatch.setattr(engine_batching, "available_bytes", available)
    monkeypatch.setattr(engine, "open_context", watched)
    order = [g.row for g in engine.generate(requests, sampling, ["<MoleculeE>"]) if g]
    assert opened == [(32, 256), (8, 1024)] and order[-4:].count(99) + order[-4:].count(100) == 4
    assert len(notes) == 1 and "8 answers at a time" in notes[0]
    assert answers(engine, requests, sampling) == expected
    assert opened[2:] == [(32, 256), (8, 1024)], "the next run has the shorter, wider one again"
    opened.clear()
    assert answers(engine, [long, *short], sampling) == sorted(
        answers(engine, [long], sampling) + answers(engine, short, sampling), key=lambda g: (g.row, g.sample)
    )
    assert (32, 256) in opened, "a long row at the beginning does not shrink what comes after it"
