"""The record schema, its three formats, and a run's file that survives being killed."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logos_cli.errors import InputError, OutputError
from logos_cli.pipeline.generate_records import Done
from logos_cli.pipeline.output import FileOutput
from logos_cli.records.partial_lines import KeptRecords
from logos_cli.records.record import Formatter, Record, read_records
from logos_cli.rows.row import Row
from logos_cli.system.files import atomic

GOOD = Record(
    3, "x", "retro", "CCO", "m@1", 0, ["C", "CO"], True, None, "<MoleculeS>C…", 9, -1.5, "stop", 1, 7, "C.CO>>CCO",
    smiles="C.CO", columns={"pIC50": "7,1"},
)  # fmt: skip
FAILED = Record(4, "tab\there", "retro", "xx", "m@1", error="not a valid SMILES: xx")


def test_the_schema() -> None:
    assert GOOD.to_dict() == {
        "schema": 1, "kind": "answer", "row": 3, "id": "x", "task": "retro", "input": "CCO", "sample": 0, "answer": ["C", "CO"],
        "valid": True, "error": None, "text": "<MoleculeS>C…", "tokens": 9, "logprob": -1.5, "finish": "stop",
        "model": "m@1", "rank": 1, "count": 7, "reaction": "C.CO>>CCO",
    }  # fmt: skip
    assert {k for k, v in FAILED.to_dict().items() if v is None} == {"sample", "answer", "text", "tokens", "logprob", "finish"}
    assert Record.from_dict(json.loads(GOOD.to_line())) == GOOD


def test_formats() -> None:
    smi = Formatter("smi")
    assert smi.lines(GOOD) == "C.CO\tx\t1\t7\n"
    assert smi.lines(FAILED) == ""
    assert smi.lines(replace(GOOD, id="a\nCCC\tb")) == "C.CO\ta CCC b\t1\t7\n"
    clash = replace(GOOD, columns={"model": "theirs"})
    assert next(csv.DictReader(io.StringIO(Formatter("csv").lines(clash))))["input_model"] == "theirs"
    table = Formatter("csv")
    rows = list(csv.DictReader(io.StringIO(table.lines(GOOD) + table.lines(FAILED))))
    assert rows[0]["answer"] == "C.CO" and rows[0]["pIC50"] == "7,1" and rows[0]["count"] == "7"
    assert rows[1]["error"] == "not a valid SMILES: xx" and rows[1]["valid"] == "False"


def test_the_reader_forgives_a_cut_last_line_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(GOOD.to_line() + FAILED.to_line() + GOOD.to_line()[:40])
    assert list(read_records(path)) == [GOOD, FAILED]
    path.write_text("{}\n")
    with pytest.raises(InputError, match="line 1: not a record: it has no row, id, task, input"):
        list(read_records(path))


def output(out: Path, whole_rows: bool = False) -> FileOutput:
    return FileOutput(out, Formatter("jsonl"), lambda record: True, whole_rows)


ROWS = [Row(number, str(number), value="C") for number in range(6)]


def pulled(run: FileOutput, rows: list[Row] = ROWS) -> FileOutput:
    assert list(run.watched(rows)) == rows
    return run


def sample(row: int, number: int, **more: Any) -> Record:
    return Record(row, str(row), "retro", "C", "m", number, "C", True, smiles="C", **more)


def test_a_run_grows_a_partial_file_and_renames_it(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    run = output(out)
    assert run.open({"a": 1}, resume=True), "nothing to resume starts fresh"
    pulled(run).write(sample(0, 0))
    assert (tmp_path / "o.jsonl.partial").exists() and not out.exists()
    run.finish()
    run.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.jsonl", "o.jsonl.run"]
    assert list(read_records(out)) == [sample(0, 0)]
    assert not output(out).open({"a": 1}, resume=True, rows=ROWS), "after completion there is nothing to do"
    for settings, rows, told in (
        ({"a": 2}, ROWS, "of another run: a was 1, is 2"), ({"a": 1}, ROWS[:5], "other input rows"),
        ({"a": 1}, [*ROWS[:5], replace(ROWS[5], value="N")], "other input rows"),
    ):  # fmt: skip
        with pytest.raises(OutputError, match=told):
            output(out).open(settings, resume=True, rows=rows)


@pytest.mark.parametrize("cut", [0, 1, 30])
@pytest.mark.parametrize("whole_rows, done", [(False, Done(1, 1)), (True, Done(1, 0))])
def test_a_killed_run_is_taken_up_at_its_last_whole_record(tmp_path: Path, cut: int, whole_rows: bool, done: Done) -> None:
    run = output(tmp_path / "o.jsonl", whole_rows)
    run.open({"a": 1}, resume=False)
    pulled(run)
    for record in (sample(0, 0), sample(0, 1), sample(1, 0), sample(1, 1)):
        run.write(record)
    run.close()
    partial = tmp_path / "o.jsonl.partial"
    lines = partial.read_bytes().splitlines(keepends=True)
    partial.write_bytes(b"".join(lines[:3]) + lines[3][:cut])
    again = output(tmp_path / "o.jsonl", whole_rows)
    assert again.open({"a": 1}, resume=True)
    assert again.done == done
    assert len(partial.read_bytes().splitlines()) == (2 if whole_rows else 3)
    assert again.tally.rows == (1 if whole_rows else 2)
    again.close()


def test_other_rows_are_refused_at_the_first(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    run = output(out)
    run.open({"input_sha256": "a"}, resume=False)
    pulled(run)
    for row in range(4):
        run.write(sample(row, 0))
    run.close()
    changed = [*ROWS[:2], replace(ROWS[2], value="N"), *ROWS[3:]]
    for sha256 in ("a", "b"):
        again = output(out)
        assert again.open({"input_sha256": sha256}, resume=True)
        with pytest.raises(OutputError, match=r"row 3 \(2\) of the input is not the one that was answered"):
            list(again.watched(changed))
        again.close()
    later = output(out)
    later.open({"input_sha256": "b"}, resume=True)
    with pytest.raises(OutputError, match="changed after its first 4 rows"):
        list(later.watched([*ROWS[:5], replace(ROWS[5], value="N")]))
    later.close()
    fewer = output(out)
    fewer.open({"input_sha256": "a"}, resume=True)
    with pytest.raises(OutputError, match="the input has 2 rows"):
        list(fewer.watched(ROWS[:2]))
    fewer.close()
    assert len((tmp_path / "o.jsonl.partial").read_bytes().splitlines()) == 4


@pytest.mark.parametrize("whole_rows", [False, True])
def test_a_row_that_was_answered_by_half_is_no_other_molecules(tmp_path: Path, whole_rows: bool) -> None:
    run = output(tmp_path / "o.jsonl", whole_rows)
    run.open({}, resume=False)
    (row,) = run.watched(ROWS[:1])
    for number in range(2):
        (run.keep_sample if whole_rows else run.write)(sample(row.ordinal, number))
    run.close()
    again = output(tmp_path / "o.jsonl", whole_rows)
    assert again.open({}, resume=True) and again.done == (Done(0, 0) if whole_rows else Done(0, 2))
    with pytest.raises(OutputError, match=r"row 1 \(0\) of the input is not the one that was answered"):
        list(again.watched([replace(ROWS[0], value="N"), *ROWS[1:]]))
    again.close()
    third = output(tmp_path / "o.jsonl", whole_rows)
    assert third.open({}, resume=True) and third.done == again.done, "the refusal cost nothing"
    assert len(third.of_row(0)) == (2 if whole_rows else 0)
    assert list(third.watched(ROWS)) == ROWS
    third.close()


@pytest.mark.parametrize("damage", [b'{"row": 1', b"\0" * 30, None], ids=["text", "zeros", "one letter"])
def test_damage_in_the_middle_is_said_and_what_follows_is_kept(tmp_path: Path, damage: bytes | None) -> None:
    out, partial, told = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial", list[str]()
    run = output(out)
    run.open({}, resume=False)
    pulled(run)
    for row in range(4):
        run.write(sample(row, 0))
    run.close()
    lines = partial.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"retro", b"retrp") if damage is None else damage + b"\n"
    partial.write_bytes(b"".join(lines))
    again = FileOutput(out, Formatter("jsonl"), lambda record: True, False, told.append)
    assert again.open({}, resume=True) and again.done == Done(0, 1)
    assert len(told) == 1 and "line 2 is damaged" in told[0] and "2 of the 2 records behind it are kept" in told[0]
    assert again.of_row(1) == [] and again.of_row(2) == [sample(2, 0)] and again.of_row(3) == [sample(3, 0)]
    again.close()
    third = output(out)  # killed before anything was written again
    third.open({}, resume=True)
    pulled(third)
    assert third.of_row(3) == [sample(3, 0)]
    for row in range(1, 6):
        third.write(sample(row, 0))
    third.finish()
    third.close()
    assert list(read_records(out)) == [sample(row, 0) for row in range(6)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.jsonl", "o.jsonl.run"]


def test_kept_samples_do_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeptRecords, "SLACK", 2000)
    run = output(tmp_path / "o.jsonl", whole_rows=True)
    run.open({}, resume=False)
    rows = [Row(number, str(number), value="C") for number in range(200)]
    sizes = []
    for row in run.watched(rows):
        for number in range(4):
            run.keep_sample(sample(row.ordinal, number))
        run.write(sample(row.ordinal, 0, rank=1, count=4))
        sizes.append((tmp_path / "o.jsonl.partial.kept").stat().st_size)
    assert max(sizes) < 8000
    run.close()
    again = output(tmp_path / "o.jsonl", whole_rows=True)
    again.open({}, resume=True)
    assert again.done == Done(199, 0) and [record.sample for record in again.of_row(199)] == [0, 1, 2, 3]
    again.close()


def test_what_cannot_be_resumed_is_said(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    first = output(out)
    first.open({"seed": 0, "model": "m@1"}, resume=False)
    for resume in (True, False):
        with pytest.raises(OutputError, match="being written by another run"):
            output(out).open({"seed": 0, "model": "m@1"}, resume)
    first.close()
    with pytest.raises(OutputError, match="unfinished run; add --resume"):
        output(out).open({"seed": 0, "model": "m@1"}, resume=False)
    with pytest.raises(OutputError, match="seed was 0, is 1"):
        output(out).open({"seed": 1, "model": "m@1"}, resume=True)
    with pytest.raises(OutputError, match="not a folder"):
        output(tmp_path / "no" / "o.jsonl").open({}, resume=False)
    with pytest.raises(OutputError, match="is a folder"):
        output(tmp_path)


def test_leftovers_of_killed_processes_are_cleared(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    dead, alive = (tmp_path / f".o.jsonl.{platform.node()}-{pid}.tmp" for pid in (2**22 + 1, os.getppid()))
    elsewhere = tmp_path / ".o.jsonl.another-machine-7.tmp"
    for path in (dead, alive, elsewhere):
        path.write_text("half")
    with atomic(out) as beside:
        beside.write_text("whole")
    assert not dead.exists() and alive.exists() and elsewhere.exists()
    assert out.read_text() == "whole"
    with pytest.raises(RuntimeError), atomic(out) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert out.read_text() == "whole" and not beside.exists()
