"""What long work tells whoever asked for it: notes, and how far it is. A terminal listens, or a notebook, or nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Is told amounts of one piece of work."""

    def advance(self, amount: float) -> None:
        """Add what was done since the last call."""
        ...

    def set(self, done: float, total: float) -> None:
        """Replace what is done, and of how much."""
        ...


class Reporter(Protocol):
    """Hears what a user should know while work goes on; results are returned, never reported."""

    def note(self, text: str) -> None:
        """Take one line of text."""
        ...

    def progress(self, title: str, total: float | None, unit: str) -> AbstractContextManager[Progress]:
        """Follow work of `total` units, None if that is not known."""
        ...

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Take a table of texts."""
        ...


class _NoProgress:
    def advance(self, amount: float) -> None:
        pass

    def set(self, done: float, total: float) -> None:
        pass


class Silent:
    """Tells nobody."""

    def note(self, text: str) -> None:
        pass

    def progress(self, title: str, total: float | None, unit: str) -> AbstractContextManager[Progress]:
        return nullcontext(_NoProgress())

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        pass


SILENT = Silent()
