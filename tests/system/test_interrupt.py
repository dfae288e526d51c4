"""Ctrl-C at any moment: exit 130 at once, one line, nothing half-written."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import AT_ONCE, PATIENCE, lines_in, running, wait_until

from logos_cli.engines.llamacpp.context import Context
from logos_cli.system import interrupt

SILENT: dict[str, Any] = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}

# `python -m logos_cli` that says when Python's own start is over, in which Ctrl-C is not ours.
ENTRY = """
import runpy, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the entry point does first
print("entered", flush=True)
runpy.run_module("logos_cli", run_name="__main__")
"""
ENTERED = [sys.executable, "-c", ENTRY]


def sent(number: signal.Signals, child: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit code, stderr) of a child that ends at once when it gets the signal."""
    child.send_signal(number)
    _, err = child.communicate(timeout=AT_ONCE)
    return child.returncode, err


@pytest.fixture
def long_rows(tmp_path: Path) -> Path:
    """Prompts of some 700 tokens each, so that a good part of the run is prefill."""
    path = tmp_path / "long.jsonl"
    reactants = ["CC(C)(C)OC(=O)N1CCC(CC1)C(=O)Nc1ccc(cc1)S(=O)(=O)N"] * 24
    path.write_text("".join(json.dumps({"id": i, "smiles": [*reactants, "C" * (i + 1)]}) + "\n" for i in range(400)))
    return path


@pytest.mark.slow
def test_at_any_moment_of_a_run(private_cache: Path, nano_bf16: Path, long_rows: Path, tmp_path: Path) -> None:
    """Imports, load, prefill, decode: whatever the moment hits."""
    for tenth in range(3, 18, 2):
        out = tmp_path / f"o{tenth}.jsonl"
        asked, streams = ("-m", nano_bf16, "-n", "4", "-o", out), SILENT | {"stdout": subprocess.PIPE}
        with running("generate", "react", long_rows, *asked, command=ENTERED, **streams) as child:
            assert child.stdout and child.stdout.readline() == "entered\n"
            time.sleep(tenth / 10)
            code, err = sent(signal.SIGINT, child)
        # Until `main` catches it, the signal itself ends the process.
        assert code in (130, -signal.SIGINT) and "Traceback" not in err, (tenth, code, err)
        assert not out.exists()
        if code == 130:
            assert err.splitlines()[-1] == "logos: interrupted"


@pytest.mark.slow
def test_while_decoding(private_cache: Path, nano_bf16: Path, tmp_path: Path) -> None:
    out, partial = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial"
    with running("generate", "molecule", "-m", nano_bf16, "-n", "100000", "-o", out, **SILENT) as child:
        wait_until(lambda: lines_in(partial) > 2, child)
        assert sent(signal.SIGINT, child) == (130, "logos: interrupted\n")
    assert partial.exists() and not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", [["quantize"], ["convert", "nano"]], ids=["quantize", "convert"])
def test_while_quantizing(command: list[str], private_cache: Path, nano_bf16: Path, tmp_path: Path) -> None:
    source = command[1:] or [str(nano_bf16)]
    with running(command[0], *source, "-o", tmp_path / "q.gguf", "--type", "iq4_xs", "--threads", "1", **SILENT) as child:
        wait_until(lambda: list(tmp_path.iterdir()), child)
        assert sent(signal.SIGINT, child) == (130, "logos: interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["term", "hup"])
def test_a_batch_system_ends_it_like_ctrl_c(
    number: signal.Signals, private_cache: Path, nano_bf16: Path, tmp_path: Path
) -> None:
    """In the middle of a decode and of a quantization; the run can be resumed."""
    out, partial, target = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial", tmp_path / "q"
    with running("generate", "molecule", "-m", nano_bf16, "-n", "100000", "-o", out, **SILENT) as child:
        wait_until(lambda: lines_in(partial) > 2, child)
        assert sent(number, child) == (128 + number, f"logos: stopped by {number.name}\n")
    assert partial.exists() and not out.exists()
    target.mkdir()
    with running("quantize", nano_bf16, "-o", target / "q.gguf", "--type", "iq4_xs", "--threads", "1", **SILENT) as child:
        wait_until(lambda: list(target.iterdir()), child)
        assert sent(number, child) == (128 + number, f"logos: stopped by {number.name}\n")
    assert not list(target.iterdir())


def test_a_signal_in_the_middle_of_a_call_into_c_comes_after_it() -> None:
    before = signal.signal(signal.SIGTERM, interrupt.stopped)
    try:
        with pytest.raises(interrupt.Stopped) as stop, interrupt.deferred_interrupt() as state:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            assert state.came, "and no exception yet, which llama.cpp's callbacks would lose"
        assert stop.value.exit_code == 143 and signal.getsignal(signal.SIGTERM) is interrupt.stopped
    finally:
        signal.signal(signal.SIGTERM, before)


def test_while_a_short_step_logs(nano_bf16: Path, open_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised in a callback that C calls is printed and lost, so nothing may be raised there."""
    callback = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))

    def decode_and_log(context: Context, count: int) -> None:
        callback()
        decode(context, count)

    decode = Context._decode
    context = open_model(nano_bf16).open_context(2, 64)
    context.step(np.array([1, 1], np.int32), np.array([0, 0], np.int32))  # timed: the steps after it are known to be short
    monkeypatch.setattr(Context, "_decode", decode_and_log)
    with pytest.raises(KeyboardInterrupt):
        context.step(np.array([1, 1], np.int32), np.array([1, 1], np.int32))
    context.close()


def test_while_a_call_into_c_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a context zeroes gigabytes; it is left behind, and what it uses is not freed under it."""
    monkeypatch.setattr(interrupt, "_left", threading.Event())
    assert interrupt.heard(lambda: 7) == 7 and not interrupt.left_behind()
    over = threading.Event()

    def endless() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(PATIENCE)

    with pytest.raises(KeyboardInterrupt):
        interrupt.heard(endless)
    assert interrupt.left_behind() and not over.is_set()
    over.set()
