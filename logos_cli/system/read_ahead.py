"""Items of an iterator read ahead by a thread, so that whoever uses them can do other work while none is there."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

AHEAD = 32  # items: enough to keep the user busy, few enough that memory stays flat


class Ahead(Generic[T]):
    """Iterates over `items`, at most 2 × `most` of which are read before they are asked for.

    An error among the items is raised in its place, after those before it. The thread is a daemon: one that waits for a
    pipe does not keep the program from ending.
    """

    def __init__(self, items: Iterable[T], most: int = AHEAD) -> None:
        self._items, self._most = items, most
        self._there: deque[T] = deque()  # read by the thread
        self._taken: deque[T] = deque()  # handed over, many at a time: a hand-over costs more than reading a row
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._change = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for item in self._items:
                with self._change:
                    self._there.append(item)
                    self._change.notify_all()
                    self._change.wait_for(lambda: self._closed or len(self._there) < self._most)
                    if self._closed:
                        break
        except BaseException as error:  # noqa: BLE001  # raised again where the item is asked for
            self._error = error
        with self._change:
            self._ended = True
            self._change.notify_all()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        """The next item, waited for. Raises what reading it raised."""
        if not self._taken:
            with self._change:
                self._change.wait_for(self._known)
                self._taken, self._there = self._there, self._taken
                self._change.notify_all()
        if self._taken:
            return self._taken.popleft()
        if self._error is not None:
            raise self._error
        raise StopIteration

    def _known(self) -> bool:
        return bool(self._there) or self._ended

    def ready(self) -> bool:
        """Whether the next item, or that there is none, is known without waiting."""
        return bool(self._taken) or self._known()

    def wait(self) -> None:
        """Wait for the first item or the end; raises the error of an iterator that gave no item at all."""
        with self._change:
            self._change.wait_for(self._known)
        if self._error is not None and not self._there:
            raise self._error

    def only_one(self, seconds: float) -> bool:
        """Before any item was taken: whether there is at most one. If that is not known within `seconds`, there may be more."""
        with self._change:
            self._change.wait_for(lambda: self._ended or len(self._there) > 1, seconds)
            return self._ended and len(self._there) < 2 and self._error is None

    def close(self) -> None:
        """Read no more; what the thread is waiting for now, it still waits for."""
        with self._change:
            self._closed = True
            self._change.notify_all()
