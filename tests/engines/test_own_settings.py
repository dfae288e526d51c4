"""Requests with settings of their own share steps with others, and come out as alone; those not wanted any more end at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.engines.engine import Asker, Engine, Generation, Request
from logos_cli.engines.samplers import Samplers
from logos_cli.engines.sampling import Sampler, Sampling

PRODUCTS = ("CC(=O)Oc1ccccc1C(=O)O", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=C(Nc1ccccc1)c1ccncc1")
CALL = Sampling(temperature=1.0, top_k=0, top_p=0.9, max_tokens=60)
OWN = (
    Sampling(temperature=0.0, max_tokens=60),
    Sampling(temperature=1.8, top_k=50, top_p=0.95, repetition_penalty=1.05, max_tokens=40, seed=3),
    Sampling(temperature=1.4, top_k=7, max_tokens=9),
)


@dataclass
class Heard:
    """A follower that keeps all it hears, and ends an answer after `most` tokens."""

    likeliest: int = 0
    most: int = 10_000
    tokens: dict[int, list[int]] = field(default_factory=dict)
    logprobs: dict[int, list[float]] = field(default_factory=dict)
    others: list[Sequence[tuple[int, float]]] = field(default_factory=list)

    def drawn(self, row: int, sample: int, token: int, logprob: float, likeliest: Sequence[tuple[int, float]]) -> None:
        assert row == 0
        self.tokens.setdefault(sample, []).append(token)
        self.logprobs.setdefault(sample, []).append(logprob)
        self.others.append(likeliest)

    def ended(self, tokens: Sequence[int]) -> bool:
        return len(tokens) == self.most


@pytest.fixture(params=["gguf", "onnx"])
def engine(request: pytest.FixtureRequest, nano_int4: Path, onnx_folder: Callable[..., Path], open_model: Any) -> Any:
    return open_model(nano_int4 if request.param == "gguf" else onnx_folder(nano_checkpoint(), "int4"))


def asked(engine: Engine, row: int, samples: Sequence[int] = range(4), **own: Any) -> Request:
    return Request(row, engine.encode(f"<MoleculeS>{PRODUCTS[row % len(PRODUCTS)]}<MoleculeE><ReverseReact>"), samples, **own)


def answers(engine: Engine, requests: Iterable[Request | None], sampling: Sampling = CALL, **how: Any) -> list[Generation]:
    found = [g for g in engine.generate(requests, sampling, ["<MoleculeE>"], **how) if g]
    return sorted(found, key=lambda g: (g.row, g.sample))


@pytest.mark.slow
def test_each_as_alone(engine: Engine) -> None:
    """Draws of four settings, and two beams of different widths, all in the same steps."""
    requests = [asked(engine, row, sampling=OWN[row % 4] if row % 4 < 3 else None) for row in range(8)]
    beams = [asked(engine, 8, range(5), beam=5), asked(engine, 9, range(3), beam=3, sampling=replace(CALL, max_tokens=20))]
    together = answers(engine, [*requests[:3], beams[0], *requests[3:], beams[1]])
    alone = [g for r in requests for g in answers(engine, [replace(r, sampling=None)], r.sampling or CALL)]
    alone += answers(engine, [replace(beams[0], beam=0)], CALL, beam=5)
    alone += answers(engine, [replace(beams[1], beam=0, sampling=None)], replace(CALL, max_tokens=20), beam=3)
    assert together == alone
    assert len({g.tokens for g in together}) > 15, "the answers must differ, or equality proves nothing"
    assert max(len(g.tokens) for g in together if g.row == 2) == 9


def test_own_stops(engine: Engine) -> None:
    (whole,) = answers(engine, [asked(engine, 0, [0])])
    stop = whole.tokens[6]
    mine, other = answers(engine, [asked(engine, 0, [0], stops=frozenset([stop])), asked(engine, 3, [0])])
    assert mine.tokens == whole.tokens[: whole.tokens.index(stop) + 1] and mine.finish == "stop"
    assert other.tokens[-1] == engine.marker("<MoleculeE>")


@pytest.mark.slow
def test_a_longer_answer_than_the_call_allows(nano_int4: Path, open_model: Any) -> None:
    engine = open_model(nano_int4)
    long = asked(engine, 0, [0], sampling=replace(CALL, max_tokens=300, temperature=1.5), stops=frozenset())
    found = answers(engine, [asked(engine, 1), long])
    assert len(found) == 5 and len(found[0].tokens) == 300


@pytest.mark.slow
def test_unwanted_answers_cost_no_further_step(engine: Engine) -> None:
    """Of three requests one is left after a while, by another thread as it were: the others come out as ever."""
    asker = Asker()
    requests = [asked(engine, 0), asked(engine, 1, range(12), asker=asker, sampling=OWN[1]), asked(engine, 2)]
    expected = answers(engine, [requests[0], requests[2]])
    rows_of_others = engine.work.rows

    def source() -> Iterator[Request | None]:
        yield from requests
        for _ in range(5):
            yield None
        asker.wanted = False
        yield None
        before.append(engine.work.rows)

    before: list[int] = []
    start = engine.work.rows
    assert answers(engine, source()) == expected
    assert start + rows_of_others > engine.work.rows - 12 * 7 and before, "at most seven steps of its twelve"
    again = answers(engine, [replace(requests[1], asker=None)])
    assert len(again) == 12, "the slots it had are free"


def test_a_beam_is_left_too(engine: Engine) -> None:
    asker = Asker()

    def source() -> Iterator[Request | None]:
        yield asked(engine, 0, range(6), beam=6, asker=asker)
        yield None
        asker.wanted = False
        yield None
        yield asked(engine, 1)

    assert answers(engine, source()) == answers(engine, [asked(engine, 1)])


def test_one_that_waits_is_left(nano_int4: Path, open_model: Any) -> None:
    """A beam for which there is no room yet, and whose asker goes: it never begins."""
    engine = open_model(nano_int4, batch=8)
    asker = Asker()
    requests = [
        asked(engine, 0, range(8), sampling=replace(OWN[1], max_tokens=20)),
        asked(engine, 1, range(8), beam=8, asker=asker),
        asked(engine, 2, range(2)),
    ]
    rows = []
    for g in engine.generate(requests, CALL, ["<MoleculeE>"]):
        asker.wanted = False
        rows += [g.row] if g else []
    assert sorted(rows) == [0] * 8 + [2] * 2


def test_a_follower_hears_every_token(engine: Engine) -> None:
    heard = Heard(likeliest=3)
    asker = Asker(follower=heard)
    found = answers(engine, [asked(engine, 0, asker=asker, sampling=OWN[1]), asked(engine, 1)])
    mine = [g for g in found if g.row == 0]
    assert all(g.asker is asker for g in mine) and all(g.asker is None for g in found if g.row == 1)
    for g in mine:
        assert tuple(heard.tokens[g.sample]) == g.tokens
        assert abs(sum(heard.logprobs[g.sample]) - g.logprob) < 1e-4
    assert all(len(best) == 3 and best[0][1] >= best[1][1] >= best[2][1] for best in heard.others)
    assert mine == answers(engine, [asked(engine, 0, sampling=OWN[1])]), "being heard changes nothing"


def test_a_follower_ends_an_answer(engine: Engine) -> None:
    whole = answers(engine, [asked(engine, 0, sampling=OWN[1])])
    cut = answers(engine, [asked(engine, 0, sampling=OWN[1], asker=Asker(follower=Heard(most=5)))])
    assert [g.tokens for g in cut] == [g.tokens[:5] for g in whole]
    assert all(g.finish == "stop" for g in cut)


def test_samplers_draw_as_each_alone() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(6, 300)).astype(np.float32) * 3
    shapes = [OWN[row % 3].shape for row in range(6)]
    seen = [np.sort(rng.choice(300, 20, replace=False)) if row % 3 == 1 else None for row in range(6)]
    counts = [1, 3, 2, 1, 1, 4]
    u = rng.random(sum(counts))
    tokens, logprobs = Samplers().draw(shapes, logits.copy(), seen, u, counts)
    start = 0
    for row, count in enumerate(counts):
        known = [ids for ids in [seen[row]] if ids is not None]
        alone = Sampler(OWN[row % 3]).draw(logits[row : row + 1].copy(), known, u[start : start + count], np.zeros(count, int))
        assert tokens[start : start + count].tolist() == alone[0].tolist()
        assert logprobs[start : start + count].tolist() == alone[1].tolist()
        start += count
