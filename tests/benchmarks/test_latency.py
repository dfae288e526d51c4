"""`logos bench latency`: what its document says; speed itself is no test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from builders import Run
from processes import AT_ONCE, lines_in, running, wait_until
from schemas import check_schema

from logos_cli.benchmarks.latency.latency import WorkerError, run_round
from logos_cli.benchmarks.latency.settings import LatencySettings, task_rows
from logos_cli.rows.row import Reading
from logos_cli.tasks.table import TASKS

QUICK = ("-r", "2", "-b", "1,8", "--prompt", "16", "--new", "4", "-n", "2", "--max-tokens", "4")


@pytest.mark.slow
def test_the_document(logos: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tmp_path: Path) -> None:
    out = tmp_path / "latency.json"
    found = logos("bench", "latency", nano_bf16, nano_int4, *QUICK, "-o", out)
    assert found.code == 0 and found.out == "" and "tok/s ×8" in found.err, found.err
    document = json.loads(out.read_text())
    check_schema(document)
    for model, path in zip(document["models"], (nano_bf16, nano_int4), strict=True):
        assert model["bytes"] == path.stat().st_size and [one["samples"] for one in model["decode"]] == [1, 8]
        for spread in (model["load_s"], model["prefill"]["tokens_per_s"], model["ttft_ms"], model["decode"][1]["tokens_per_s"]):
            assert 0 < spread["p5"] <= spread["median"] <= spread["p95"]
        assert 50e6 < model["peak_rss_bytes"] < 1e9 and len(model["rounds"]) == 2
        assert model["task"]["samples_per_s"]["median"] > 0 and model["threads"] >= 1
        assert model["task"]["rows_per_token"]["median"] > 0
    assert not (tmp_path / "latency.json.partial").exists()
    page = tmp_path / "r.html"
    assert logos("bench", "report", out, "-o", page).code == 0 and "Decode speed" in page.read_text()


@pytest.mark.slow
def test_a_model_that_does_not_speak_the_task(
    logos: Callable[..., Run], tiny_gguf: Callable[[str], Path], tmp_path: Path
) -> None:
    other = tmp_path / "o.gguf"
    other.write_bytes(tiny_gguf("bf16").read_bytes().replace(b"<ReverseReact>", b"<ReverseSleep>"))
    found = logos("bench", "latency", other, "-r", "1", *QUICK[2:])
    assert found.code == 0 and json.loads(found.out)["models"][0]["task"] is None


@pytest.mark.slow
def test_tasks_without_rows_and_rows_of_the_user(logos: Callable[..., Run], tmp_path: Path) -> None:
    """What cannot be answered is not timed as work."""
    molecule = json.loads(logos("bench", "latency", "nano", *QUICK, "--task", "molecule").out)["models"][0]["task"]
    assert molecule["rows"] == 1 and molecule["tokens_per_s"]["median"] > molecule["samples_per_s"]["median"] > 0
    rows = tmp_path / "r.jsonl"
    rows.write_text('{"test_input": "<MoleculeS>CCO<MoleculeE><ReverseReact>"}\n{"smiles": "nonsense"}\n')
    found = json.loads(logos("bench", "latency", "nano", *QUICK, "--data", rows).out)
    assert found["models"][0]["task"]["rows"] == 1 and len(found["settings"]["rows"]) == 1


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_a_protein_and_its_pocket_reach_the_worker(logos_here: Callable[..., Run]) -> None:
    asked = (*QUICK, "-r", "1", "--task", "ligand", "--data", EXAMPLES / "4cup.cif.gz", "--pocket-from", "ZYB")
    found = logos_here("bench", "latency", "nano", *asked)
    assert found.code == 0, found.err
    (row,) = json.loads(found.out)["settings"]["rows"]
    assert row["kind"] == "sequence" and len(row["pocket"]) == 6


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("ligand", '{"sequence": "MKTAYIAKQR", "pocket": [2, 5], "ligand": "CCO"}'),
        ("material", '{"metal": "[Cu][Cu]", "linkers": ["O=C(O)c1ccc(C(=O)O)cc1"]}'),
        ("react", '{"product": "CC(=O)NC", "reactants": ["CC(=O)O", "CN"]}'),
        ("ligand", '{"schema": 1, "row": 0, "id": "p", "task": "pocket", "input": "MKTAY", "answer": [2, 5], "valid": true}'),
    ],
)  # fmt: skip
def test_a_row_survives_the_way_to_the_worker(tmp_path: Path, task: str, line: str) -> None:
    """Through JSON, with all that its prompt is made of."""
    (tmp_path / "r.jsonl").write_text(line + "\n")
    reading = Reading(TASKS[task].wants, side=TASKS[task].side)
    (row,) = task_rows(str(tmp_path / "r.jsonl"), 1, reading, TASKS[task])
    sent = json.loads(json.dumps(LatencySettings(task=task, rows=(row,)).to_dict()))
    (back,) = LatencySettings.from_dict(sent).rows
    assert back == replace(row, truth=None, columns=back.columns) and TASKS[task].prompt(back) == TASKS[task].prompt(row)


@pytest.mark.slow
def test_an_interrupted_run_goes_on(logos: Callable[..., Run], tmp_path: Path) -> None:
    """With its first round in the journal, changed so that it is known again, only the second is measured."""
    out = tmp_path / "l.json"
    partial = tmp_path / "l.json.partial"
    command = ["bench", "latency", "nano", *QUICK, "-o", str(out)]
    with running(*command, stderr=subprocess.DEVNULL, start_new_session=True) as child:
        wait_until(lambda: lines_in(partial) >= 2, child)
        os.killpg(child.pid, signal.SIGINT)
        assert child.wait(AT_ONCE) == 130
    head, first = partial.read_text().splitlines()[:2]
    round_one = json.loads(first)
    round_one["value"]["load_s"] = 123.0
    partial.write_text(f"{head}\n{json.dumps(round_one)}\n")
    assert logos(*command, "--resume").code == 0
    assert [one["load_s"] == 123.0 for one in json.loads(out.read_text())["models"][0]["rounds"]] == [True, False]
    assert "is complete" in logos(*command, "--resume").err


@pytest.mark.slow
def test_what_a_round_says_is_passed_on(logos: Callable[..., Run], nano_bf16: Path, tmp_path: Path) -> None:
    """A file that cannot be read any more when its round comes."""
    path = tmp_path / "m.gguf"
    path.write_bytes(nano_bf16.read_bytes())
    with pytest.raises(WorkerError, match=r"m\.gguf"):
        path.unlink()
        run_round(path, LatencySettings())


@pytest.mark.slow
def test_misuse(logos: Callable[..., Run], tmp_path: Path) -> None:
    for arguments, code, said in (
        (("nano", "nano"), 2, "named twice"),
        (("nano", "-b", "1,x"), 2, "no list of numbers"),
        (("nano", "-b", "0"), 2, "out of range"),
        (("nano", "-b", "300"), 2, "out of range"),
        (("nano", "--new", "4000"), 2, "lower --new"),
        (("nano", "--resume"), 2, "--resume needs -o"),
        (("nano", "--prompt", "4000"), 2, "lower --prompt"),
        (("nano", "--task", "sing"), 2, "no task"),
        (("nano", "--data", tmp_path / "no.smi"), 2, "no such file"),
        ((tmp_path / "no.gguf",), 1, "No such file"),
        ((), 2, "Missing argument"),
    ):
        found = logos("bench", "latency", *arguments)
        assert found.code == code and said in found.err and found.err.count("\n") == 1, found.err
    assert not list(tmp_path.iterdir())
