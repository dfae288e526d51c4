"""Runs a long command with its output in a log: `python logged.py LOG TITLE COMMAND…`.

What a person sees is the title with the seconds so far, how far a compiler in it is, and the log's end if the command fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

SHOWN = 25  # lines of the log of a command that failed
SILENCE = 30  # seconds between signs of life where they are lines of a file


def compiled(log: Path) -> str:
    """What Ninja said last of its steps, which pip -v passes on."""
    steps = re.findall(rb"^ *\[(\d+)/(\d+)\] ", log.read_bytes(), re.MULTILINE)
    return ", compiling {} of {}".format(*(number.decode() for number in steps[-1])) if steps else ""


def main() -> int:
    log, title, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    began, said, live = time.monotonic(), 0.0, sys.stderr.isatty()
    with log.open("wb") as stream, subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT) as child:
        try:
            while child.poll() is None:
                seconds = time.monotonic() - began
                if live or seconds - said >= SILENCE:
                    said = seconds
                    line = f"{title}: {seconds:.0f} s{compiled(log)}"
                    sys.stderr.write(f"\r\033[K{line}" if live else f"{line}\n")
                    sys.stderr.flush()
                time.sleep(0.5)
        except KeyboardInterrupt:
            child.wait()  # it has got the same Ctrl-C
    clear = "\r\033[K" if live else ""
    if child.returncode == 0:
        sys.stderr.write(f"{clear}{title}: {time.monotonic() - began:.0f} s\n")
        return 0
    with log.open(errors="replace") as stream:
        sys.stderr.write(f"{clear}{''.join(deque(stream, SHOWN))}\n{title}: failed; all of its output is in {log}\n")
    return child.returncode if child.returncode > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
