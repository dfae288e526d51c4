"""Commands in processes of their own, measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MOST_MEMORY = 500 << 20
PATIENCE = 20


@dataclass(frozen=True)
class Ended:
    code: int
    err: str
    seconds: float
    memory: int


def ended(*arguments: str | Path, folder: Path) -> Ended:
    """Run the command; memory is that of the largest process it took."""
    out, err = folder / ".stdout", folder / ".stderr"
    began = time.monotonic()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        command = [sys.executable, "-m", "logos_cli", *map(str, arguments)]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    text = err.read_text()
    out.unlink()
    err.unlink()
    return Ended(child.returncode, text, time.monotonic() - began, usage.ru_maxrss << 10)


def check(found: Ended, path: Path, code: int = 1) -> None:
    assert found.code == code, found.err
    lines = found.err.splitlines()
    assert 1 <= len(lines) <= 2 and lines[-1].startswith("logos: "), found.err
    assert str(path) in found.err and "Traceback" not in found.err
    assert ";" in lines[-1], "what is wrong; what to do"
    assert found.seconds < PATIENCE and found.memory < MOST_MEMORY
