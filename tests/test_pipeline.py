"""Rows to records with the real engine on nano: nothing dropped, in order, ranked as promised."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logos_cli.engine import Generation
from logos_cli.engine_llamacpp import LlamaCppEngine
from logos_cli.errors import TokenizerError
from logos_cli.pipeline import Done, Plan, admit, answer_record, generate_records, ranked
from logos_cli.records import Record
from logos_cli.row import Row
from logos_cli.sampling import Sampling
from logos_cli.tasks import TASKS

SAMPLING = Sampling(temperature=1.0, top_k=0, max_tokens=80)
ROWS = [
    Row(0, "a", "CC(=O)Oc1ccccc1C(=O)O"),
    Row(1, "bad", "xx"),
    Row(2, "b", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", truth="kept"),
    Row(3, "long", "C(F)(Cl)" * 480 + "C"),
    Row(4, "broken", error="line 5 is not JSON"),
]


@pytest.fixture
def engine(nano_int4: Path, open_model: Any) -> Any:
    return open_model(nano_int4)


def records(rows: Iterable[Row], engine: LlamaCppEngine, samples: int, top: int | None = None, **more: Any) -> list[Record]:
    return list(generate_records(rows, Plan(TASKS["retro"], SAMPLING, samples, top), engine, **more))


def test_each_row_gives_its_records_in_order(engine: Any) -> None:
    found = records(ROWS, engine, 5)
    assert [(r.row, r.sample) for r in found] == [
        *((0, i) for i in range(5)), (1, None), *((2, i) for i in range(5)), (3, None), (4, None)
    ]  # fmt: skip
    assert next(r.error for r in found if r.failed) == "not a valid SMILES: xx"
    assert "context" in (found[-2].error or "") and found[-1].error == "line 5 is not JSON"
    assert {r.truth for r in found if r.row == 2} == {"kept"}
    assert all(r.reaction and r.reaction.endswith(">>" + r.input) for r in found if r.valid)
    assert all(r.error for r in found if not r.valid), "an invalid answer says why"


def test_a_row_does_not_depend_on_the_other_rows(engine: Any) -> None:
    together = records(ROWS, engine, 5)
    alone = records([ROWS[2]], engine, 5)
    assert alone == [r for r in together if r.row == 2]


@pytest.mark.parametrize("done, first", [(Done(0, 3), (0, 3)), (Done(1, 0), (1, None)), (Done(2, 4), (2, 4))])
def test_a_resume_gives_the_rest(engine: Any, done: Done, first: tuple[int, int | None]) -> None:
    whole = records(ROWS, engine, 5)
    start = [(r.row, r.sample) for r in whole].index(first)
    assert records(ROWS, engine, 5, done=done) == whole[start:]


def test_top_merges_the_samples(engine: Any) -> None:
    single = [r for r in records(ROWS[:1], engine, 24) if r.valid]
    merged = records(ROWS[:1], engine, 24, top=100)
    assert [r.rank for r in merged] == list(range(1, len(merged) + 1))
    assert sum(r.count or 0 for r in merged) == len(single)
    assert {r.smiles for r in merged} == {r.smiles for r in single}
    assert records(ROWS[:1], engine, 24, top=2) == merged[:2]


def test_ranking_by_count_then_logprob_then_sample() -> None:
    base = Record(0, "a", "retro", "C", "m")

    def one(sample: int, smiles: str, logprob: float, valid: bool = True) -> Record:
        return replace(base, sample=sample, answer=[smiles], valid=valid, smiles=smiles, logprob=logprob)

    given = [one(0, "N", -1.0), one(1, "C", -5.0), one(2, "C", -2.0), one(3, "O", -1.0), one(4, "", -0.1, valid=False)]
    found = list(ranked(base, given, 3))
    assert [(r.smiles, r.rank, r.count, r.sample) for r in found] == [("C", 1, 2, 2), ("N", 2, 1, 0), ("O", 3, 1, 3)]
    assert list(ranked(base, list(reversed(given)), 3)) == found
    (none,) = ranked(base, given[-1:], 3)
    assert none.failed and none.error == "no valid answer in 1 samples"


@pytest.mark.parametrize("task, value, text, why", [
    ("retro", "CC1=CC=CC=C1", "<MoleculeS>Cc1ccccc1<MoleculeE>", "the reactants contain the product"),
    ("retro", "CC>>OCC.Cl", "<MoleculeS>CCO.Cl<MoleculeE><MoleculeS>N<MoleculeE>", "the reactants contain the product"),
    ("react", ("C1=CC=CC=C1", "CCBr"), "<MoleculeS>c1ccccc1<MoleculeE>", "the product is among the reactants"),
])  # fmt: skip
@pytest.mark.parametrize("keep", [False, True])
def test_an_answer_that_is_the_question(engine: Any, task: str, value: Any, text: str, why: str, keep: bool) -> None:
    plan = Plan(TASKS[task], SAMPLING, 2, 1, keep_identity=keep)
    pending, _ = admit(Row(0, "1", value), plan, engine, 0)
    found = answer_record(pending, Generation(0, 1, text, (1, 2), -1.0, "stop"), plan)
    assert (found.valid, found.error, found.reaction is not None) == ((True, None, True) if keep else (False, why, False))
    assert found.answer, "what was written is told either way"
    (top,) = ranked(pending.base, [found, replace(found, sample=0, valid=False, smiles="")], 1)
    told = "no valid answer in 2 samples; 1 only repeats the question (--keep-identity keeps it)"
    assert (top.count == 1 and top.error is None) if keep else (top.failed and top.error == told)


def test_rows_are_read_as_slots_fall_free(engine: Any) -> None:
    """Memory stays flat because the input is not read ahead of the work."""
    pulled: deque[int] = deque()

    def many() -> Iterable[Row]:
        for i in range(5000):
            pulled.append(i)
            yield Row(i, str(i), "CCO")

    stream = generate_records(many(), Plan(TASKS["retro"], SAMPLING, 1), engine)
    assert next(stream).row == 0
    assert len(pulled) < 500


def test_a_marker_the_model_lacks_is_named(engine: Any) -> None:
    task = replace(TASKS["retro"], needs=("<NoSuch>",))
    with pytest.raises(TokenizerError, match="<NoSuch>"):
        next(generate_records(ROWS, Plan(task, SAMPLING, 1), engine))
