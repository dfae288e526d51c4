"""What threads have for the event loop, handed over many at a time: waking the loop costs more than an answer."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Generic, TypeVar

from logos_cli.serving.session import Left

T = TypeVar("T")

MOST = 1_000  # items that wait before who fills it must


class Outbox(Generic[T]):
    """To be made in the loop that takes from it."""

    def __init__(self) -> None:
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        self._change = threading.Condition()
        self._items: list[T] = []
        self._closed = False

    def put(self, item: T) -> None:
        """Wait for room, and hand over. Raises `Left` once it is closed."""
        with self._change:
            self._change.wait_for(lambda: self._closed or len(self._items) < MOST)
            if self._closed:
                raise Left
        self.tell(item)

    def tell(self, item: T) -> None:
        """Hand over without waiting; nothing happens once it is closed."""
        with self._change:
            if self._closed:
                return
            self._items.append(item)
            first = len(self._items) == 1
        if first:
            with suppress(RuntimeError):  # the loop has ended, and nobody takes any more
                self._loop.call_soon_threadsafe(self._event.set)

    async def take(self) -> list[T]:
        """All that is there, at least one."""
        await self._event.wait()
        self._event.clear()
        with self._change:
            items, self._items = self._items, []
            self._change.notify_all()
        return items

    def close(self) -> None:
        """Nobody takes any more."""
        with self._change:
            self._closed = True
            self._change.notify_all()
