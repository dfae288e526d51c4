"""A stdout that is closed, or that failed once."""

from __future__ import annotations

import io
import os
import sys

from logos_cli.errors import OutputError


class ClosedOutput(io.TextIOBase):
    """In the place of a stdout that was closed: what is written to it must not get lost in silence."""

    def __init__(self, held: int) -> None:
        """`held` is stdout's descriptor, else the next file opened would get it, and what C libraries print."""
        self.held = held

    def fileno(self) -> int:
        return self.held

    def write(self, text: str) -> int:
        raise OutputError("stdout is closed; redirect it to a file or a pipe, or give -o OUT")


def silence_stdout() -> None:
    """What could not be flushed once must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
