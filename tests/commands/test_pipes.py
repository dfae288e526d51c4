"""The installed command in a real shell: pipes, signals, kills, exit codes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import processes
import pytest
from builders import Run
from processes import AT_ONCE, PATIENCE, running, wait_until

pytestmark = pytest.mark.slow
LOGOS = " ".join(processes.LOGOS)
DRUGS = Path(__file__).parents[2] / "examples" / "drugs.smi"
FAST = ["--temperature", "1", "--max-tokens", "40"]


def shell(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-o", "pipefail", "-c", script.replace("logos ", f"{LOGOS} ")]
    found = {**os.environ, **env}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE, env=found, stdin=subprocess.DEVNULL
    )


def test_the_chemists_two_commands(logos: Callable[..., Run], tmp_path: Path) -> None:
    model = tmp_path / "nano-int4.gguf"
    done = logos("convert", "nano", "-o", model, "--type", "int4")
    assert done.code == 0 and done.out == "" and [p.name for p in tmp_path.iterdir()] == ["nano-int4.gguf"]
    found = logos("generate", "retro", DRUGS, "-m", model, "--top", "2", "--format", "smi", "--limit", "4")
    assert found.code == 0 and "4 rows" in found.err
    lines = [line.split("\t") for line in found.out.splitlines()]
    assert lines and all(len(line) == 4 and int(line[2]) <= 2 and int(line[3]) >= 1 for line in lines)
    assert {line[1] for line in lines} <= {"aspirin", "paracetamol", "ibuprofen", "naproxen"}


def test_records_on_stdout_and_nothing_else(logos: Callable[..., Run]) -> None:
    found = logos("generate", "retro", "-n", "2", *FAST, stdin="CCO a\nxx b\r\n\nCCN c\n")
    assert found.code == 0
    assert [(r["id"], r["sample"]) for r in found.lines] == [("a", 0), ("a", 1), ("b", None), ("c", 0), ("c", 1)]
    assert found.lines[2]["error"] == "not a valid SMILES: xx"
    assert "not LOGOS-1B" in found.err and "1 row without an answer" in found.err and "1 blank line skipped" in found.err


def test_exit_codes(logos: Callable[..., Run], tmp_path: Path) -> None:
    assert logos("generate", "retro", "--strict", *FAST, stdin="xx\n").code == 1
    for arguments in (
        ["generate", "fly"], ["generate", "retro", "--nonsense"], ["generate", "retro", "--resume"], ["frobnicate"],
        ["generate", "retro", "--top-p", "2"], ["convert", "nano", "-o", str(tmp_path / "x"), "--type", "int3"],
    ):  # fmt: skip
        found = logos(*arguments, stdin="CCO\n")
        assert (found.code, found.out, found.err.count("\n")) == (2, "", 1), arguments
        assert found.err.startswith("logos: ")
    for arguments in (
        ["generate", "retro", str(tmp_path / "none.smi")], ["generate", "retro", "-m", str(tmp_path / "none.gguf")],
        ["convert", str(tmp_path), "-o", str(tmp_path / "x.gguf")], ["convert", "nano", "-o", str(tmp_path / "no/x.gguf")],
    ):  # fmt: skip
        found = logos(*arguments, stdin="CCO\n")
        assert (found.code, found.out) == (1, ""), arguments
        assert found.err.splitlines()[-1].startswith("logos: ") and "Traceback" not in found.err
    assert list(tmp_path.iterdir()) == []
    empty = logos("generate", "retro", stdin="")
    assert (empty.code, empty.out) == (0, "") and "no rows" in empty.err


@contextmanager
def asked(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    """A command, what it reads and what it writes; killed if it keeps its answers to itself."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running(*arguments, **pipes) as child:
        watchdog = threading.Timer(PATIENCE, child.kill)
        watchdog.start()
        try:
            assert child.stdin and child.stdout
            yield child, child.stdin, child.stdout
        finally:
            watchdog.cancel()


def test_failed_rows_leave_at_once(private_cache: Path) -> None:
    """They must not wait for an answer that may come much later, but for the four lines that decide on the format."""
    with asked("generate", "retro") as (child, question, answer):
        question.write("xx\nyy\nzz\nxyz\n")
        question.flush()
        assert [json.loads(answer.readline())["row"] for _ in range(3)] == [0, 1, 2]
        question.write("CCO\n")
        question.close()
        assert json.loads(answer.readline())["row"] == 3
        assert child.wait(PATIENCE) == 0


@pytest.mark.parametrize("samples", ["1", "3"])
def test_a_coprocess_gets_its_answer_before_it_asks_again(private_cache: Path, samples: str) -> None:
    with asked("generate", "retro", "-n", samples, "--top", "1") as (child, question, answer):
        for row, smiles in enumerate(("CCO", "xx", "CCN")):
            question.write(smiles + "\n")
            question.flush()
            assert json.loads(answer.readline())["row"] == row
        question.close()
        assert child.wait(PATIENCE) == 0 and answer.read() == ""


def test_ctrl_c_while_it_waits_for_a_pipe(private_cache: Path) -> None:
    with asked("generate", "retro", "-n", "2") as (child, question, answer):
        question.write("CCO\n")
        question.flush()
        assert json.loads(answer.readline())["row"] == 0
        child.send_signal(signal.SIGINT)
        assert child.wait(AT_ONCE) == 130
        assert child.stderr and child.stderr.read().splitlines()[-1] == "logos: interrupted"


def test_odd_characters_and_outputs(
    logos: Callable[..., Run], logos_started: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    found = logos_started("generate", "retro", stdin='{"id": "\\ud800 café", "smiles": "CCO"}\n')
    assert found.code == 0 and found.lines[0]["id"] == "\ud800 café"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for out in (fifo, Path("/dev/null")):
        assert "not a regular file" in logos("generate", "molecule", "-o", out).err
    source = tmp_path / "in.smi"
    source.write_text("CCO\n")
    assert logos("generate", "retro", source, "-o", source).code == 2 and source.read_text() == "CCO\n"
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    assert logos("generate", "molecule", "-o", tmp_path / "link.jsonl").code == 0
    assert (tmp_path / "link.jsonl").is_symlink() and (tmp_path / "real.jsonl").is_file()


def test_a_killed_quantization_leaves_no_child(private_cache: Path, nano_bf16: Path, tmp_path: Path) -> None:
    slow = ("--type", "iq4_xs", "--threads", "1")
    with running("quantize", nano_bf16, "-o", tmp_path / "q.gguf", *slow, stderr=subprocess.DEVNULL) as parent:
        wait_until(lambda: list(tmp_path.iterdir()), parent)
        parent.terminate()
        assert parent.wait(AT_ONCE) == 143
    wait_until(lambda: subprocess.run(["pgrep", "-f", str(tmp_path)], check=False, capture_output=True).stdout == b"")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_ends_with_141(private_cache: Path) -> None:
    done = shell("yes CCO | logos generate retro --max-tokens 20 | head -n 3; echo ${PIPESTATUS[*]}")
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and json.loads(lines[0])["row"] == 0
    assert lines[3].split() == ["141", "141", "0"]
    assert "Traceback" not in done.stderr


def test_a_closed_stdout_is_said(private_cache: Path) -> None:
    done = shell("echo CCO | logos generate retro >&-")
    assert done.returncode == 1 and "stdout is closed" in done.stderr.splitlines()[-1]


def test_names_say_what_is_written(logos_here: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(logos_here("generate", "retro", "-o", "-", *FAST, stdin="CCO\n").lines) == 1
    for arguments in (
        ["convert", "nano", "-o", "x.onnx"], ["convert", "nano", "-o", "x.gguf", "--to", "onnx"],
        ["convert", "nano", "-o", "-"],
        ["quantize", "nano", "-o", "x.onnx"], ["generate", "molecule", "-o", "x.gguf"], ["generate", "molecule", "-o", "x.csv"],
        ["generate", "molecule", "-o", "x.jsonl.gz"], ["score", "x.smi", "-o", "x.html"],
        ["bench", "latency", "nano", "-o", "x.html"],
    ):  # fmt: skip
        found = logos_here(*arguments, stdin="CCO\n")
        assert found.code == 2 and " -o " in f" {found.err} ", (arguments, found.err)
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_pipe_must_bring_the_same_rows(logos: Callable[..., Run], tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    assert logos("generate", "retro", "-o", out, *FAST, stdin="CCO\nCCN\n").code == 0
    assert "complete" in logos("generate", "retro", "-o", out, *FAST, "--resume", stdin="CCO\nCCN\n").err
    other = logos("generate", "retro", "-o", out, *FAST, "--resume", stdin="CCO\nCCC\n")
    assert other.code == 1 and "of other input rows" in other.err


def test_retro_feeds_react(private_cache: Path) -> None:
    done = shell(f"logos generate retro {DRUGS} --limit 3 -n 4 --valid-only | logos generate react -")
    assert done.returncode == 0
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records and {r["task"] for r in records} == {"react"}
    assert all(r["input"] and "truth" not in r for r in records)


def test_full_disk_behind_stdout(private_cache: Path) -> None:
    done = shell("echo CCO | logos generate retro > /dev/full")
    assert done.returncode == 1 and "No space left" in done.stderr and "Traceback" not in done.stderr


def test_formats_and_tables(logos: Callable[..., Run], tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text("name,smiles,assay\naspirin,CC(=O)Oc1ccccc1C(=O)O,7\nbad,xx,8\n")
    found = logos("generate", "retro", table, "-n", "3", "--format", "csv", *FAST)
    lines = found.out.splitlines()
    assert lines[0].startswith("schema,row,id,") and lines[0].endswith(",assay") and len(lines) == 5
    to_file = logos("generate", "retro", table, "-n", "3", "--format", "csv", *FAST, "-o", tmp_path / "o.csv")
    assert to_file.code == 0 and (tmp_path / "o.csv").read_text() == found.out
    only = logos("generate", "retro", table, "-n", "3", "--valid-only", *FAST)
    assert all(r["valid"] for r in only.lines) and "1 row without an answer" in only.err


def test_molecules_need_no_input(logos: Callable[..., Run]) -> None:
    found = logos("generate", "molecule", "-n", "20", "--seed", "5")
    assert len(found.lines) == 20 and [r["sample"] for r in found.lines] == list(range(20))
    assert logos("generate", "molecule", "-n", "20", "--seed", "5").out == found.out
    assert logos("generate", "molecule", "-n", "20", "--seed", "6").out != found.out


def test_published_input_and_raw(logos: Callable[..., Run]) -> None:
    text = "<MoleculeS>CCO<MoleculeE><ReverseReact>"
    lines = json.dumps({"test_input": text, "groundtruth": "<MoleculeS>C<MoleculeE>"}) + "\n"
    same = ("--seed", "2", "--top-p", "1", "--temperature", "1")  # what a task draws with unasked is the model's to say
    (record,) = logos("generate", "retro", *same, stdin=lines).lines
    assert record["input"] == "CCO" and record["truth"] == "<MoleculeS>C<MoleculeE>"
    (raw,) = logos("generate", "raw", *same, stdin=json.dumps({"id": "r", "text": text})).lines
    assert raw["text"] == record["text"] and raw["id"] == "r", "the same prompt, the same answer"
    (plain,) = logos("generate", "retro", *same, stdin="CCO\n").lines
    assert plain["text"] == record["text"]


@pytest.mark.parametrize("more", [["-n", "3"], ["--top", "2", "-n", "6"]])
def test_kill_and_resume_lose_nothing(logos: Callable[..., Run], tmp_path: Path, more: list[str]) -> None:
    out = tmp_path / "o.jsonl"
    arguments = ["generate", "retro", str(DRUGS), *more, "--max-tokens", "60", "-o"]
    assert logos(*arguments, tmp_path / "whole.jsonl").code == 0
    rng = random.Random(len(more))
    kills = 0
    for _ in range(6):
        before = size(out)
        with running(*arguments, out, "--resume", stderr=subprocess.DEVNULL) as child:
            # Wait for a few records more than there were, then kill in the middle of the work.
            wait_until(lambda: size(out) >= before + 3000, child)  # noqa: B023
            time.sleep(rng.random() * 0.1)
            kills += child.poll() is None
            child.kill()
    assert kills >= 2
    assert logos(*arguments, out, "--resume").code == 0
    assert out.read_text() == (tmp_path / "whole.jsonl").read_text()
    again = logos(*arguments, out, "--resume")
    assert again.code == 0 and "complete" in again.err
    names = ["o.jsonl", "o.jsonl.run", "whole.jsonl", "whole.jsonl.run"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    other = logos("generate", "react", DRUGS, *arguments[3:], out, "--resume")
    assert other.code == 1 and "of another run: task was 'retro', is 'react'" in other.err


def size(out: Path) -> int:
    partial = out.with_name(out.name + ".partial")
    return partial.stat().st_size if partial.exists() else 0


def test_a_changed_setting_is_refused_by_name(logos: Callable[..., Run], tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    (tmp_path / "o.jsonl.partial").write_text("")
    (tmp_path / "o.jsonl.partial.json").write_text(json.dumps({"task": "retro", "seed": 7}))
    found = logos("generate", "retro", DRUGS, "-o", out, "--resume")
    assert found.code == 1 and "seed was 7, is 0" in found.err
    assert "unfinished run" in logos("generate", "retro", DRUGS, "-o", out).err


def test_a_read_only_cache_does_no_harm(logos: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert logos("generate", "molecule").code == 0
    (folder,) = temporary.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    (made,) = folder.iterdir()
    before = made.stat()
    assert logos("generate", "molecule").code == 0
    assert made.stat() == before  # one for all runs, not one more for each that a closed pipe ends


def test_a_temporary_folder_of_somebody_else_is_not_used(
    logos: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "theirs").mkdir(mode=0o777)
    (tmp_path / f"logos-cli-{os.getuid()}").symlink_to(tmp_path / "theirs")
    assert logos("generate", "molecule").code == 0
    assert list((tmp_path / "theirs").iterdir()) == [] and len(list(tmp_path.iterdir())) == 2


def test_tasks_shows_defaults_with_their_source(logos: Callable[..., Run], tiny_gguf: Callable[[str], Path]) -> None:
    plain = logos("tasks", "-m", tiny_gguf("bf16"))
    assert plain.code == 0 and "upstream README's commands" in plain.out
    assert max(map(len, plain.out.splitlines())) <= 80
    nano = json.loads(logos("tasks", "-m", "nano", "--json").out)
    assert all(task["takes"] and task["prompt"] and task["answer"] for task in nano)
    assert nano[0]["defaults"]["temperature"] == {"value": 1.0, "source": "model file"}
    assert nano[0]["defaults"]["max_tokens"]["source"] == "upstream README's commands"


def test_dry_run(logos: Callable[..., Run], tmp_path: Path) -> None:
    found = logos("convert", "nano", "-o", tmp_path / "x.gguf", "--type", "int4", "--dry-run", "--json")
    estimate = json.loads(found.out)
    assert list(tmp_path.iterdir()) == [] and "nothing was written" in found.err
    assert logos("convert", "nano", "-o", tmp_path / "x.gguf", "--type", "int4").code == 0
    assert abs(estimate["bytes"] - (tmp_path / "x.gguf").stat().st_size) < 1000
