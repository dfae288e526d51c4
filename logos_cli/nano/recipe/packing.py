"""Whole documents into windows of a fixed width: no document is cut, little room is left over."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

OPEN = 256  # windows that may still be filled at one time
TRIED = 16  # documents looked at before a window is left with what room it has


def pack(lengths: Sequence[int], order: Iterable[int], width: int) -> list[list[int]]:
    """Windows of document numbers, taken in `order`, each document into the fullest open window that has room for it."""
    windows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (free places, window), sorted
    for document in order:
        size = lengths[document]
        if size > width:
            raise ValueError(f"a document of {size} tokens does not fit in a window of {width}")
        place = bisect_left(room, (size, -1))
        if place == len(room):
            windows.append([])
            free, window = width, len(windows) - 1
        else:
            free, window = room.pop(place)
        windows[window].append(document)
        if free > size:
            insort(room, (free - size, window))
        if len(room) > OPEN:
            room.pop(0)
    return windows


def fill(windows: list[list[int]], lengths: Sequence[int], spare: list[int], width: int) -> list[int]:
    """Put documents from the end of `spare` into what room the windows have; what is left of `spare`."""
    left = list(spare)
    for window in windows:
        free = width - sum(lengths[i] for i in window)
        tried = 0
        while tried < min(TRIED, len(left)):
            if lengths[left[-1 - tried]] > free:
                tried += 1
                continue
            window.append(left.pop(-1 - tried))
            free -= lengths[window[-1]]
    return left
