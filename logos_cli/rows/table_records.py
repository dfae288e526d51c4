"""The records of a table: lines cut into cells, quoted ones over several lines; what is damaged costs its own line."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator

from logos_cli.system.lines import LONGEST_LINE, Blank, Line

LONGEST_CELL = 50  # lines that a quoted cell of a table may span
# The reader's own limit of 131,072 characters is less than what a line may have.
csv.field_size_limit(LONGEST_LINE * 4)


def table_records(lines: Iterator[Line], mark: str, blank: Blank) -> Iterator[tuple[int, list[str], str | None]]:
    """(line number, cells, error) of each record; an unclosed quote costs its own line, not the rest of the file. Where tabs
    part the cells, a quote that does not close on its line is a character."""
    again: deque[Line] = deque()

    def following() -> Line | None:
        return again.popleft() if again else next(lines, None)

    while (line := following()) is not None:
        number, text = line
        if text is None:
            yield number, [], f"line {number} is longer than {LONGEST_LINE:,} characters"
            continue
        if not text.strip():
            blank.lines += 1
            continue
        if mark == "\t":
            yield number, tab_cells(text), None
            continue
        taken: list[Line] = []
        whole: str | None = text
        while whole is not None and unclosed(whole, mark, first=not taken):
            more = following() if len(taken) < LONGEST_CELL and len(whole) <= LONGEST_LINE else None
            if more is not None:
                taken.append(more)
            whole = None if more is None or more[1] is None else f"{whole}\n{more[1]}"
        if whole is None:
            again.extendleft(reversed(taken))
            yield number, [], f"line {number} opens a quote that does not close"
            continue
        try:
            cells = next(csv.reader(io.StringIO(whole, newline=""), delimiter=mark))
        except csv.Error as error:
            again.extendleft(reversed(taken))
            yield number, [], f"line {number}: {error}"
        else:
            yield number, cells, None


def tab_cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter="\t", strict=True)) if '"' in text else text.split("\t")
    except csv.Error:
        return text.split("\t")


def unclosed(text: str, mark: str, first: bool) -> bool:
    """Whether a table record ends inside a quoted cell. After its first line, a quote that is followed by anything but a
    delimiter was the next cell's: the record goes on too, and in the end will not close."""
    if '"' not in text:
        return False
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True):
            pass
    except csv.Error as error:
        return not first or "unexpected end of data" in str(error)
    return False
