"""Commands in processes of their own: forked from one that has imported everything, or started from nothing."""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders import Run
from fork_server import ForkServer

LOGOS = [sys.executable, "-m", "logos_cli"]
MOST_MEMORY = 500 << 20
MOST_SECONDS = 20
# Seconds after which a wait has failed: more than any machine needs, so that only what never ends reaches it.
PATIENCE = 600.0
# What ends at once takes 0.1 to 0.8 s on a model of 1B; a machine of continuous integration is several times slower.
AT_ONCE = 30.0


@dataclass(frozen=True)
class Ended(Run):
    """`seconds` are of CPU, which other work on the machine does not change; `memory` is of the largest process it took."""

    seconds: float
    memory: int


@functools.cache
def server() -> ForkServer:
    found = ForkServer()
    atexit.register(found.close)
    return found


def ended(*arguments: str | Path, stdin: bytes = b"") -> Ended:
    """Run the command in a fork; where there is no such server, from nothing and unmeasured."""
    if sys.platform != "linux":
        run = started(*arguments, stdin=stdin)
        return Ended(run.code, run.out, run.err, 0.0, 0)
    done = server().run([str(argument) for argument in arguments], stdin, PATIENCE)
    code = os.waitstatus_to_exitcode(done.status)
    return Ended(code, done.out.decode(), done.err.decode(), done.seconds, done.memory)


def started(*arguments: str | Path, stdin: bytes = b"") -> Run:
    """Run the command from nothing, as a shell does."""
    command = [*LOGOS, *map(str, arguments)]
    done = subprocess.run(command, check=False, input=stdin, capture_output=True, timeout=PATIENCE)
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def running(*arguments: str | Path, command: Sequence[str] = LOGOS, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """The command at work, started from nothing; when the block ends it is killed and its pipes are closed, so that a test
    that fails leaves nothing to the next one. `streams` go to Popen, as do other settings."""
    with subprocess.Popen([*command, *map(str, arguments)], text=True, **streams) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_until(there: Callable[[], object], child: subprocess.Popen[str] | None = None) -> None:
    """Wait for what must come, or for the end of the child that should bring it: the test then says what came instead."""
    until = time.monotonic() + PATIENCE
    while not there() and (child is None or child.poll() is None):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def lines_in(path: Path) -> int:
    """How many lines a file that is being written has; 0 before it is there."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def check(found: Ended, path: Path, code: int = 1) -> None:
    assert found.code == code, found.err
    lines = found.err.splitlines()
    assert 1 <= len(lines) <= 2 and lines[-1].startswith("logos: "), found.err
    assert str(path) in found.err and "Traceback" not in found.err
    assert ";" in lines[-1], "what is wrong; what to do"
    assert found.seconds < MOST_SECONDS and found.memory < MOST_MEMORY
