"""The server's process: a socket, the loop that answers, and an end that loses nothing that was begun."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from logos_cli.engines.engine import Request
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import LogosError
from logos_cli.serving.session import Session
from logos_cli.serving.shared_engine import SharedEngine

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SLOWEST_END = 5  # seconds for what was cut to say so
BACKLOG = 2048  # connections that the system keeps while the loop is busy


class Cut(LogosError):
    """Requests that were still being answered when the server's time to end was over."""


class CannotListen(LogosError):
    """The address is not this machine's, or another program has it."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket, before anything that takes time. Raises CannotListen."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        found = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotListen(f"cannot listen on {host}, port {port}: {why}; give another --host or --port") from None
    with found:
        yield found


def address(found: socket.socket) -> str:
    host, port = found.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def warm_up(shared: SharedEngine) -> None:
    """One token, so that memory for the slots is there before anybody asks. Raises EngineError."""
    prompt = shared.engine.encode("C")
    for _ in Session(shared).generate([Request(0, prompt, range(1))], Sampling(temperature=0, max_tokens=1), ()):
        pass


class Server(uvicorn.Server):
    """`ready` is called when it listens, `cut` when the `drain` seconds to end are over. A signal to end is obeyed when all
    that was begun is answered."""

    def __init__(self, config: uvicorn.Config, drain: int, ready: Callable[[], None], cut: Callable[[], int]) -> None:
        super().__init__(config)
        self.drain, self.ready, self.cut = drain, ready, cut
        self.lost = 0
        self.stopped_by: int | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, wait for what was begun, then cut it."""

        async def cut_late() -> None:
            await asyncio.sleep(self.drain)
            self.lost = self.cut()

        late = asyncio.ensure_future(cut_late())
        await super().shutdown(sockets)
        late.cancel()
        if self.force_exit:
            self.lost = self.cut()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn raises a signal again when all is over; here the exit code says what became of the requests."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: object) -> None:
        self.stopped_by = self.stopped_by or sig
        self.force_exit = self.should_exit and sig == signal.SIGINT  # a second Ctrl-C
        self.should_exit = True


def serve(
    app: ASGIApp, found: socket.socket, drain: int, ready: Callable[[], None], cut: Callable[[], int], log: bool = False
) -> int | None:
    """Answer until a signal comes; then nobody new is let in, and what was begun has `drain` seconds. `cut` gives up the rest
    and says how many there were. The signal. Raises Cut if there were any."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app, log_level="info" if log else "error", access_log=log, lifespan="auto", ws="none", server_header=False,
        timeout_graceful_shutdown=drain + SLOWEST_END, backlog=BACKLOG,
    )  # fmt: skip
    server = Server(config, drain, ready, cut)
    server.run(sockets=[found])
    if server.lost:
        raise Cut(f"stopped with {server.lost} requests unanswered after {drain} s; give them longer with --drain")
    return server.stopped_by
