"""Runs the examples and puts what they print into docs/tasks.md: `make docs`.

Between `<!-- run: NAME -->` and `<!-- end -->` stand the commands of examples/NAME.sh and the beginning of their output on
the bundled model, long lines cut.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tasks.md"
_BLOCK = re.compile(r"(<!-- run: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
LINES, WIDTH = 14, 128


def commands(name: str) -> list[str]:
    """The commands of an example, without what sets it up."""
    lines = (ROOT / "examples" / f"{name}.sh").read_text().splitlines()
    return [line for line in lines if not line.startswith(("#", "set -e", "cd "))]


def output(name: str) -> list[str]:
    found = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LOGOS_MODEL": "nano"}
    done = subprocess.run(["sh", ROOT / "examples" / f"{name}.sh"], env=found, check=True, capture_output=True, text=True)
    lines = [line.replace("\t", "  ") for line in done.stdout.splitlines()]
    cut = [line if len(line) <= WIDTH else line[: WIDTH - 2] + " …" for line in lines[:LINES]]
    return [*cut, *([f"… {len(lines) - LINES} more lines"] if len(lines) > LINES else [])]


def block(name: str) -> str:
    return "".join(f"    {line}\n" for line in [*(f"$ {command}" for command in commands(name)), *output(name)])


def main() -> None:
    PAGE.write_text(_BLOCK.sub(lambda found: found[1] + "\n" + block(found[2]) + "\n" + found[3], PAGE.read_text()))


if __name__ == "__main__":
    main()
