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
from logos_cli.files import atomic
from logos_cli.pipeline import Done
from logos_cli.records import Formatter, Record, read_records
from logos_cli.run_output import FileOutput

GOOD = Record(
    3, "x", "retro", "CCO", "m@1", 0, ["C", "CO"], True, None, "<MoleculeS>C…", 9, -1.5, "stop", 1, 7, "C.CO>>CCO",
    smiles="C.CO", columns={"pIC50": "7,1"},
)  # fmt: skip
FAILED = Record(4, "tab\there", "retro", "xx", "m@1", error="not a valid SMILES: xx")


def test_the_schema() -> None:
    assert GOOD.to_dict() == {
        "schema": 1, "row": 3, "id": "x", "task": "retro", "input": "CCO", "sample": 0, "answer": ["C", "CO"],
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


def sample(row: int, number: int, **more: Any) -> Record:
    return Record(row, str(row), "retro", "C", "m", number, "C", True, smiles="C", **more)


def test_a_run_grows_a_partial_file_and_renames_it(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    run = output(out)
    assert run.open({"a": 1}, resume=True), "nothing to resume starts fresh"
    run.write(sample(0, 0))
    assert (tmp_path / "o.jsonl.partial").exists() and not out.exists()
    run.finish()
    run.close()
    assert [p.name for p in tmp_path.iterdir()] == ["o.jsonl"]
    assert list(read_records(out)) == [sample(0, 0)]
    assert not output(out).open({"a": 1}, resume=True), "after completion there is nothing to do"


@pytest.mark.parametrize("cut", [0, 1, 30])
@pytest.mark.parametrize("whole_rows, done", [(False, Done(1, 1)), (True, Done(1, 0))])
def test_a_killed_run_is_taken_up_at_its_last_whole_record(tmp_path: Path, cut: int, whole_rows: bool, done: Done) -> None:
    run = output(tmp_path / "o.jsonl", whole_rows)
    run.open({"a": 1}, resume=False)
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


def test_what_cannot_be_resumed_is_said(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    first = output(out)
    first.open({"seed": 0, "model": "m@1"}, resume=False)
    with pytest.raises(OutputError, match="being written by another run"):
        output(out).open({"seed": 0, "model": "m@1"}, resume=True)
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
