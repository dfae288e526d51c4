"""One engine that many threads ask at once: requests of all of them share its steps, and nobody's answers depend on it.

One thread owns the engine. It takes requests from those who ask in turn, one from each, so that a long list delays a short
one by little; what each asked with (settings, stops, seeds) goes along. Scoring is done in that thread too, between steps.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Protocol, TypeVar, cast

from logos_cli.engines.engine import Asker, Engine, EngineInfo, Generation, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError

T = TypeVar("T")


class Shareable(Engine, Protocol):
    """An engine with slots, whose requests may have settings of their own."""

    @property
    def batch(self) -> int: ...

    def streams(self, batch: int) -> int: ...

    def stop_tokens(self, stops: Sequence[str] | None) -> frozenset[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...


class Client(Asker):
    """Who asks, its requests that no slot has taken yet, and where its answers arrive: generations, an error, or None when it
    has left."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: deque[Request] = deque()
        self.due = 0  # samples that slots are at work for
        self.inbox: SimpleQueue[Generation | Exception | None] = SimpleQueue()


class SharedEngine:
    """`most_tokens` is the longest answer that anybody may ask for; the slots are made for it."""

    def __init__(self, engine: Engine, most_tokens: int) -> None:
        self.engine = cast(Shareable, engine)  # as all are that a model file has
        self.most_tokens = min(most_tokens, engine.info.context)
        self._change = threading.Condition()
        self._turns: deque[Client] = deque()  # who has requests that no slot has taken yet, in whose turn it is
        self._at_work: set[Client] = set()
        self._jobs: deque[Callable[[], None]] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    @property
    def widest(self) -> int:
        """The widest beam there is room for."""
        return self.engine.streams(self.engine.batch)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def waiting(self) -> int:
        """How many requests no slot has taken yet."""
        with self._change:
            return sum(len(client.asked) for client in self._turns)

    def ask(self, client: Client, request: Request) -> None:
        """Put a request of `client` in line. Raises EngineError if the engine is closed."""
        with self._change:
            if self._closing or not self._thread.is_alive():
                raise EngineError("the server is closing; ask again later")
            if client.wanted:
                client.asked.append(request)
                if len(client.asked) == 1:
                    self._turns.append(client)
                self._change.notify()

    def leave(self, client: Client) -> None:
        """Forget a client: what it asked is answered no more, and its slots are free before the next step."""
        with self._change:
            client.wanted = False
            client.asked.clear()
            if client in self._turns:
                self._turns.remove(client)
            self._at_work.discard(client)
            self._change.notify()
        client.inbox.put(None)

    def do(self, work: Callable[[], T]) -> T:
        """Do `work` in the engine's thread, between steps, and wait for it."""
        done: Future[T] = Future()

        def job() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001  # raised again where the result is asked for
                done.set_exception(error)

        with self._change:
            if self._closing or not self._thread.is_alive():
                raise EngineError("the server is closing; ask again later")
            self._jobs.append(job)
            self._change.notify()
        return done.result()

    def close(self) -> None:
        """End the thread after what it is at work for, and free the model."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()
        self.engine.close()

    # In the engine's thread

    def _run(self) -> None:
        most = Sampling(max_tokens=self.most_tokens)
        while True:
            try:
                for found in self.engine.generate(self._requests(), most, None):
                    if found is not None:
                        self._arrive(found)
                    self._do_jobs()
                return
            except Exception as error:  # noqa: BLE001  # everybody hears of it, and the next may have better luck
                self._fail(error)

    def _requests(self) -> Iterator[Request | None]:
        """Each client's next request in turn; None where there is none, or something else to do, while slots are at work."""
        while True:
            with self._change:
                while not (self._turns or self._at_work or self._jobs or self._closing):
                    self._change.wait()
                if self._closing and not (self._turns or self._at_work or self._jobs):
                    return
                request = None
                if self._turns and not self._jobs:
                    client = self._turns.popleft()
                    request = client.asked.popleft()
                    client.due += len(request.samples)
                    self._at_work.add(client)
                    if client.asked:
                        self._turns.append(client)
            yield request

    def _arrive(self, found: Generation) -> None:
        client = found.asker
        assert isinstance(client, Client)
        with self._change:
            client.due -= 1
            if not client.due:
                self._at_work.discard(client)
        client.inbox.put(found)

    def _do_jobs(self) -> None:
        while self._jobs:
            self._jobs.popleft()()

    def _fail(self, error: Exception) -> None:
        with self._change:
            clients = self._at_work | set(self._turns)
            self._at_work.clear()
            self._turns.clear()
        for client in clients:
            client.wanted = False
            client.asked.clear()
            client.inbox.put(error)
        self.engine.release()
