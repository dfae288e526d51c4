"""`logos serve` as a process of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import running


@contextmanager
def serving(*options: str | Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command, listening, and its port."""
    with running("serve", *options, "--port", "0", "--threads", "1", stderr=subprocess.PIPE) as child:
        assert child.stderr
        line = child.stderr.readline()
        found = re.search(r"answers at http://127\.0\.0\.1:(\d+)", line)
        assert found, line + child.stderr.read()
        yield child, int(found[1])
