"""Everything a person sees and a program must not: notes and progress, all on stderr. Rich lives here alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def note(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


class Bar:
    """A progress bar that is told amounts; silent unless stderr is a terminal that stdout does not write to as well."""

    def __init__(self, title: str, total: float | None, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.live = None
        if on_terminal() and not (unit != "bytes" and sys.stdout is not None and sys.stdout.isatty()):
            from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
            columns = (TextColumn("{task.description}"), BarColumn(), amount, TextColumn("{task.fields[speed]}"))
            # Rich would otherwise take stdout over and send the records to the terminal.
            self.live = Progress(
                *columns,
                TimeRemainingColumn(),
                console=_console(),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self.task = self.live.add_task(title, total=total, speed="")
            self.live.start()

    def advance(self, amount: float) -> None:
        if self.live:
            self.live.advance(self.task, amount)
            task = self.live.tasks[0]
            if task.speed and self.unit != "bytes":
                self.live.update(self.task, speed=f"{task.speed:.1f} {self.unit}/s")

    def set(self, done: float, total: float) -> None:
        if self.live:
            self.live.update(self.task, completed=done, total=total)

    def stop(self) -> None:
        if self.live:
            self.live.stop()


@contextmanager
def progress(title: str, total: float | None, unit: str) -> Iterator[Bar]:
    bar = Bar(title, total, unit)
    try:
        yield bar
    finally:
        bar.stop()


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """On stderr: what is on stdout is for programs."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if sys.stderr is None:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < 2 else "right", no_wrap=not on_terminal())
    for row in rows:
        table.add_row(*row)
    console = _console()
    if not on_terminal():
        console.width = 200  # a log has no edge to wrap at
    console.print(table)


class Terminal:
    """The `Reporter` of the command line."""

    def note(self, text: str) -> None:
        note(text)

    def progress(self, title: str, total: float | None, unit: str) -> AbstractContextManager[Bar]:
        return progress(title, total, unit)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        show_table(columns, rows)


TERMINAL = Terminal()
