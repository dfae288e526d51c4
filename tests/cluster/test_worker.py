"""A worker by itself, in this process: blocks asked from several threads are one stream, and each gets its own records."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logos_cli.cluster.model_source import ModelSource, model_source
from logos_cli.cluster.placing import Ask, Share, check_alike, share_of
from logos_cli.cluster.worker import Opened, Worker
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError, LogosError, ModelFileError, TokenizerError, UsageError
from logos_cli.pipeline.generate_records import Done, GenerationPlan, generate_records
from logos_cli.records.record import Record
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS

SMILES = ("CC(=O)Oc1ccccc1C(=O)O", "xx", "CC(=O)Nc1ccc(O)cc1", "CCOC(=O)c1ccc(N)cc1", "CCO", "C(C")
ROWS = [Row(number, str(number), SMILES[number % len(SMILES)]) for number in range(14)]
BLOCKS = [ROWS[9:14], ROWS[0:1], ROWS[1:5], ROWS[5:9]]
PLAN = GenerationPlan(TASKS["retro"], Sampling(temperature=1.0, max_tokens=40), 3)


@pytest.fixture
def worker(nano_int4: Path) -> Iterator[Worker]:
    made = Worker()
    opened = made.open(model_source(nano_int4, ship=False), "cpu", None, 8, 1)
    assert opened.info.threads == 1, "the one processor that Ray keeps for it"
    yield made
    made.close()


def answered(worker: Worker, known: Any = None) -> list[Record]:
    with ThreadPoolExecutor(len(BLOCKS)) as threads:
        found = list(threads.map(lambda rows: worker.answer(rows, known or {}), BLOCKS))
    for rows, block in zip(BLOCKS, found, strict=True):
        assert list(dict.fromkeys(record.row for record in block.records)) == [row.ordinal for row in rows]
    return sorted((record for block in found for record in block.records), key=lambda record: record.row)


@pytest.mark.slow
@pytest.mark.parametrize("top", [None, 2])
def test_blocks_in_any_order_are_the_records_of_one_run(
    worker: Worker, open_model: Any, nano_int4: Path, top: int | None
) -> None:
    plan = replace(PLAN, top=top)
    worker.begin(plan, Done())
    assert answered(worker) == list(generate_records(ROWS, plan, open_model(nano_int4, batch=8)))


@pytest.mark.slow
def test_a_resumed_row_and_known_samples_are_not_drawn_again(worker: Worker, open_model: Any, nano_int4: Path) -> None:
    whole = list(generate_records(ROWS, PLAN, open_model(nano_int4, batch=8)))
    # What was kept need not be drawn again: its text is nothing that the model would write.
    kept = replace(next(record for record in whole if record.row == 3 and record.sample == 1), text="kept")
    worker.begin(PLAN, Done(2, 1))
    found = worker.answer(ROWS[2:4], {3: [kept]}).records
    assert [(record.row, record.sample) for record in found] == [(2, 1), (2, 2), (3, 0), (3, 1), (3, 2)]
    assert found[3] == kept and found[2] in whole


def test_what_fails_is_raised_where_it_was_asked(worker: Worker) -> None:
    lacking = replace(TASKS["retro"], needs=("<NoSuchMarker>",))
    worker.begin(replace(PLAN, task=lacking), Done())
    for _ in range(2):
        with pytest.raises(TokenizerError, match="NoSuchMarker"):
            worker.answer(ROWS[:1], {})


@pytest.mark.slow
def test_what_a_worker_says_comes_back_with_its_answer(worker: Worker, open_model: Any, nano_int4: Path) -> None:
    engine = open_model(nano_int4)
    chain = next(
        chain for count in range(1, 999) if len(engine.encode(chain := "C(F)(Cl)" * count + "C")) > engine.info.context - 100
    )
    worker.begin(replace(PLAN, samples=1, sampling=replace(PLAN.sampling, max_tokens=400)), Done())
    (note,) = worker.answer([Row(0, "long", chain)], {}).notes
    assert note.startswith("row 1 (long): the prompt leaves ")
    assert worker.answer([Row(1, "short", "CCO")], {}).notes == ()


def test_threads_end_with_the_worker(nano_int4: Path) -> None:
    before = set(threading.enumerate())
    made = Worker()
    made.open(model_source(nano_int4, ship=False), "cpu", 1, 8, 4)
    made.begin(PLAN, Done())
    made.answer(ROWS[:1], {})
    made.close()
    assert set(threading.enumerate()) <= before


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    missing = model_source(tmp_path / "m.gguf", ship=False)
    assert missing == ModelSource(tmp_path / "m.gguf", None), "another node may have it"
    with pytest.raises(LogosError, match=r"m\.gguf"):
        Worker().open(missing, "cpu", 1, 8, 1)
    (tmp_path / "m.gguf").write_text("no model")
    with pytest.raises(ModelFileError):
        model_source(tmp_path / "m.gguf", ship=False)


CPUS = [{"CPU": 4.0}, {"CPU": 8.0}, {"memory": 1.0}]
CARDS = [{"CPU": 16.0, "GPU": 4.0}, {"CPU": 8.0}]


@pytest.mark.parametrize(
    "ask, nodes, share",
    [
        (Ask("auto"), CPUS, Share(2, 4, 0)),
        (Ask("auto", workers=4), CPUS, Share(4, 2, 0)),
        (Ask("auto", workers=99), CPUS, Share(99, 1, 0)),
        (Ask("auto", threads=2), CPUS, Share(6, 2, 0)),
        (Ask("auto", threads=8, workers=1), CPUS, Share(1, 8, 0)),
        (Ask("auto"), CARDS, Share(4, 4, 1)),
        (Ask("auto", device="cuda", workers=2, threads=1), CARDS, Share(2, 1, 1)),
        (Ask("auto", device="cpu"), CARDS, Share(2, 8, 0)),
    ],
)
def test_what_each_worker_gets(ask: Ask, nodes: list[dict[str, float]], share: Share) -> None:
    assert share_of(ask, nodes) == share


def test_what_a_cluster_has_not() -> None:
    for ask, nodes, told in (
        (Ask("auto", device="cuda"), CPUS, "no node of the cluster has a GPU"),
        (Ask("auto", device="cuda:1"), CARDS, "Ray gives each worker a card of its own"),
        (Ask("auto", threads=9), CPUS, "no node of the cluster has more than 8 CPUs"),
        (Ask("auto"), [{"memory": 1.0}], "no node of the cluster has a CPU"),
    ):
        with pytest.raises((EngineError, UsageError), match=told):
            share_of(ask, nodes)


def test_workers_must_be_alike(nano_int4: Path, open_model: Any) -> None:
    info = open_model(nano_int4).info
    from logos_cli import __version__

    first = Opened("a", info, __version__)
    check_alike(info.fingerprint, first, replace(first, node="b"))
    for other, told in (
        (replace(first, node="b", version="0.0"), "b has logos 0.0, and this is"),
        (
            replace(first, node="b", info=replace(info, fingerprint="f" * 64)),
            "the model on b is ffffffffffff, and the one here",
        ),
        (replace(first, node="b", info=replace(info, build="other")), "build is other on b and llama-cpp-python"),
        (replace(first, node="b", info=replace(info, device="CUDA0 (X)")), "device is .* on b and cpu on a"),
    ):
        with pytest.raises(EngineError, match=told):
            check_alike(info.fingerprint, first, other)
