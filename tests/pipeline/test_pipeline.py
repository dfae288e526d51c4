"""Rows to records with the real engine on nano: nothing dropped, in order, ranked as promised."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logos_cli.engines.engine import Generation
from logos_cli.engines.llamacpp.engine import LlamaCppEngine
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import InputError, TokenizerError
from logos_cli.models.gguf_header import read_header
from logos_cli.pipeline.generate_records import Done, GenerationPlan, admit, answer_record, generate_records, ranked
from logos_cli.records.record import Record
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS

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
    return list(generate_records(rows, GenerationPlan(TASKS["retro"], SAMPLING, samples, top), engine, **more))


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


@pytest.mark.slow
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


class Shelf:
    """Samples of a run that is cut, for the next."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def of_row(self, row: int) -> list[Record]:
        return [record for record in self.records if record.row == row]

    def keep_sample(self, record: Record) -> None:
        self.records.append(record)


@pytest.mark.parametrize("count", [3, 8])
def test_a_row_of_top_goes_on_from_its_samples(engine: Any, count: int) -> None:
    """With some, and with all of them; only the missing are drawn."""
    shelf = Shelf()
    whole = records([ROWS[0]], engine, 8, top=2, kept=shelf)
    assert sorted(record.sample or 0 for record in shelf.records) == list(range(8))
    shelf.records = shelf.records[:count]
    assert records([ROWS[0]], engine, 8, top=2, kept=shelf) == whole
    assert len(shelf.records) == 8


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "top"), [(1, None), (3, None), (4, 1)])
def test_logits_that_are_no_numbers_cost_their_row_only(
    nano_bf16: Path, tmp_path: Path, open_model: Any, samples: int, top: int | None
) -> None:
    """One token's embedding is NaN; the rows without it get the answers that they get anyway."""
    healthy = open_model(nano_bf16)
    rows = [Row(0, "a", "CCOC(=O)C"), Row(1, "b", "CC#N"), Row(2, "c", "CCOC(=O)C")]
    first, bad, _ = (set(healthy.encode(TASKS["retro"].prompt(row).text)) for row in rows)
    header = read_header(nano_bf16)
    table = next(tensor for tensor in header.tensors if tensor.name == "token_embd.weight")
    width = table.nbytes // table.shape[1]
    raw = bytearray(nano_bf16.read_bytes())
    at = header.data_start + table.offset + min(bad - first) * width
    raw[at : at + width] = b"\xff\x7f" * (width // 2)  # NaN in bf16
    (tmp_path / "nan.gguf").write_bytes(raw)
    expected, found = records(rows, healthy, samples, top), records(rows, open_model(tmp_path / "nan.gguf"), samples, top)
    (failed,) = [record for record in found if record.row == 1]
    assert failed.failed and "not numbers" in (failed.error or "")
    drawn = {(r.row, r.sample, r.text) for r in found if r.error is None}
    assert {row for row, _, _ in drawn} == {0, 2}
    # An answer may meet the token itself, and --top then has other samples to choose from.
    assert top or drawn <= {(r.row, r.sample, r.text) for r in expected}


@pytest.mark.parametrize("task, value, text, why", [
    ("retro", "CC1=CC=CC=C1", "<MoleculeS>Cc1ccccc1<MoleculeE>", "the reactants contain the product"),
    ("retro", "CC>>OCC.Cl", "<MoleculeS>CCO.Cl<MoleculeE><MoleculeS>N<MoleculeE>", "the reactants contain the product"),
    ("react", ("C1=CC=CC=C1", "CCBr"), "<MoleculeS>c1ccccc1<MoleculeE>", "the product is among the reactants"),
])  # fmt: skip
@pytest.mark.parametrize("keep", [False, True])
def test_an_answer_that_is_the_question(engine: Any, task: str, value: Any, text: str, why: str, keep: bool) -> None:
    plan = GenerationPlan(TASKS[task], SAMPLING, 2, 1, keep_identity=keep)
    pending, _ = admit(Row(0, "1", value), plan, engine, 0)
    found = answer_record(pending, Generation(0, 1, text, (1, 2), -1.0, "stop"), plan)
    assert (found.valid, found.error, found.reaction is not None) == ((True, None, True) if keep else (False, why, False))
    assert found.answer, "what was written is told either way"
    (top,) = ranked(pending.base, [found, replace(found, sample=0, valid=False, smiles="")], 1)
    told = "no valid answer in 2 samples; 1 only repeats the question (--keep-identity keeps it)"
    assert (top.count == 1 and top.error is None) if keep else (top.failed and top.error == told)


@pytest.mark.slow
def test_rows_are_read_as_slots_fall_free(engine: Any) -> None:
    """Memory stays flat because the input is not read ahead of the work."""
    pulled: deque[int] = deque()

    def many() -> Iterable[Row]:
        for i in range(5000):
            pulled.append(i)
            yield Row(i, str(i), "CCO")

    stream = generate_records(many(), GenerationPlan(TASKS["retro"], SAMPLING, 1), engine)
    assert next(stream).row == 0
    assert len(pulled) < 500


def test_a_marker_the_model_lacks_is_named(engine: Any) -> None:
    task = replace(TASKS["retro"], needs=("<NoSuch>",))
    with pytest.raises(TokenizerError, match="<NoSuch>"):
        next(generate_records(ROWS, GenerationPlan(task, SAMPLING, 1), engine))


def test_an_answer_does_not_wait_for_the_next_row(engine: Any) -> None:
    """The second row comes only when the first one's records have."""
    came = threading.Event()

    def rows() -> Iterable[Row]:
        yield ROWS[0]
        assert came.wait(60)
        yield ROWS[2]

    found = []
    for record in generate_records(rows(), GenerationPlan(TASKS["retro"], SAMPLING, 3), engine):
        found.append((record.row, record.sample))
        if found[-1] == (0, 2):
            came.set()
    assert found == [(row, sample) for row in (0, 2) for sample in range(3)]


@pytest.mark.slow
def test_bad_rows_behind_a_live_one_are_not_piled_up(engine: Any) -> None:
    pulled = 0

    def rows() -> Iterable[Row]:
        nonlocal pulled
        yield ROWS[0]
        for pulled in range(1, 50_000):
            yield Row(pulled, str(pulled), "xx")

    stream = generate_records(rows(), GenerationPlan(TASKS["retro"], SAMPLING, 1), engine)
    assert next(stream).row == 0
    assert pulled < 1000
    assert sum(1 for _ in stream) == 49_999


def test_what_was_read_before_a_damaged_place_is_answered(engine: Any) -> None:
    def rows() -> Iterable[Row]:
        yield ROWS[0]
        raise InputError("in.gz: damaged gzip data after line 1")

    found = []
    with pytest.raises(InputError, match="after line 1"):
        for record in generate_records(rows(), GenerationPlan(TASKS["retro"], SAMPLING, 4), engine):
            found.append(record.sample)
    assert found == [0, 1, 2, 3]


def test_equal_answers_are_equal_records(engine: Any) -> None:
    """Greedy samples are one answer; each record is whole."""
    plan = GenerationPlan(TASKS["retro"], replace(SAMPLING, temperature=0.0), 4)
    found = list(generate_records(ROWS[:1], plan, engine))
    assert [r.sample for r in found] == [0, 1, 2, 3] and len({replace(r, sample=0).to_line() for r in found}) == 1
