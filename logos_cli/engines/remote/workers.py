"""Work that waits for a server, in threads that a Ctrl-C need not wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Workers(Generic[T]):
    """At most `most` pieces of work at once; results come in the order in which they are done."""

    def __init__(self, most: int) -> None:
        self.most, self.busy = most, 0
        self._work: SimpleQueue[Callable[[], T] | None] = SimpleQueue()
        self._done: SimpleQueue[T | BaseException] = SimpleQueue()
        self._threads = 0

    @property
    def full(self) -> bool:
        return self.busy >= self.most

    def give(self, work: Callable[[], T]) -> None:
        self.busy += 1
        if self._threads < min(self.busy, self.most):
            # A daemon: the process ends without it, whatever the server still owes.
            Thread(target=self._run, daemon=True).start()
            self._threads += 1
        self._work.put(work)

    def results(self, patience: float) -> Iterator[T]:
        """What is done, after waiting at most `patience` seconds for the first. Raises what the work raised."""
        while self.busy:
            try:
                found = self._done.get(timeout=patience)
            except Empty:
                return
            self.busy -= 1
            patience = 0.0
            if isinstance(found, BaseException):
                raise found
            yield found

    def close(self) -> None:
        """Let the threads end once their work is done; nobody waits for it."""
        for _ in range(self._threads):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                self._done.put(work())
            except BaseException as error:  # noqa: BLE001  # raised again where results are taken
                self._done.put(error)
