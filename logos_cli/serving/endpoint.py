"""A route: who comes in, what is answered, what befalls it; and the threads in which answers are made."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from logos_cli.serving.api_error import ApiError
from logos_cli.serving.gate import Gate
from logos_cli.serving.limits import Limits
from logos_cli.serving.metrics import Metrics
from logos_cli.serving.outbox import Outbox
from logos_cli.serving.request_body import read_body
from logos_cli.serving.session import Left, Session
from logos_cli.serving.shared_engine import SharedEngine

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

T = TypeVar("T")
SLOW_BODY = 60  # seconds for a body to come in


class State:
    """What all routes of a server share."""

    def __init__(self, shared: SharedEngine, limits: Limits) -> None:
        self.shared, self.limits = shared, limits
        self.gate, self.metrics = Gate(limits.queue), Metrics()
        self.threads = ThreadPoolExecutor(limits.queue, thread_name_prefix="answers")
        self.sessions: set[Session] = set()
        self.closing = False

    def cut(self) -> int:
        """Give up what is still being answered; how many requests that were."""
        self.closing = True
        lost = list(self.sessions)
        for session in lost:
            session.leave()
        return len(lost)


class Call:
    """One request being answered."""

    def __init__(self, state: State, request: Request, route: str) -> None:
        self.state, self.request, self.route = state, request, route
        self.session = Session(state.shared)
        self.answers, self.whole = 0, True  # whether the client got all

    async def body(self) -> bytes:
        """Raises ApiError for one that is too long, or takes too long."""
        try:
            return await asyncio.wait_for(read_body(self.request, self.state.limits.body), SLOW_BODY)
        except TimeoutError:
            raise ApiError(408, f"the body took over {SLOW_BODY} s to come in") from None

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in a thread. Raises `Left` if the client goes before; the thread then hears of it."""
        done = asyncio.get_running_loop().run_in_executor(self.state.threads, work)
        try:
            return await self._unless_gone(done)
        finally:
            if not done.done():
                self.session.leave()
                with suppress(Exception):
                    await done  # its place is free when its thread is

    async def _unless_gone(self, done: asyncio.Future[T]) -> T:
        """The result of `done`. Raises `Left` if the client goes before."""

        async def gone() -> None:
            while (await self.request.receive())["type"] != "http.disconnect":
                pass

        watch = asyncio.ensure_future(gone())
        try:
            both: set[asyncio.Future[Any]] = {done, watch}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watch.cancel()
        if not done.done():
            raise Left
        return await done

    async def streamed(
        self, work: Callable[[Outbox[Any]], None], shown: Callable[[list[Any]], Iterator[bytes]], kind: str
    ) -> Response:
        """A response that is sent while `work` fills an outbox in a thread; `shown` makes bytes of what is in it. What befalls
        it before there is anything to send is raised here."""
        outbox: Outbox[Any] = Outbox()

        def fill() -> None:
            try:
                work(outbox)
                outbox.tell(End())
            except BaseException as error:  # noqa: BLE001  # raised again where it is sent
                outbox.tell(End(error))

        done = asyncio.get_running_loop().run_in_executor(self.state.threads, fill)

        def stop() -> None:
            outbox.close()
            self.session.leave()

        def opened(items: list[Any]) -> tuple[list[Any], bool]:
            """What is to be shown, and whether it is the last. Raises what befell the thread."""
            end = items[-1] if isinstance(items[-1], End) else None
            if end and end.error:
                raise end.error
            return (items[:-1], True) if end else (items, False)

        taking = asyncio.ensure_future(outbox.take())
        try:
            first = opened(await self._unless_gone(taking))
        except BaseException:
            taking.cancel()
            stop()
            raise

        async def chunks() -> AsyncIterator[bytes]:
            items, last = first
            self.whole = False
            try:
                while True:
                    if data := b"".join(shown(items)):
                        yield data
                    if last:
                        break
                    items, last = opened(await outbox.take())
                self.whole = True
            finally:
                stop()
                await done

        return StreamingResponse(chunks(), media_type=kind)


@dataclass(frozen=True)
class End:
    """The last thing in an outbox."""

    error: BaseException | None = None


Handler = Callable[[Call], Awaitable[Response]]


class Endpoint:
    """The ASGI application of a route whose answers take time. A request has its place until the last byte is sent."""

    def __init__(self, state: State, route: str, handler: Handler) -> None:
        self.state, self.route, self.handler = state, route, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state, status = self.state, 0
        began = time.monotonic()

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        call = Call(state, Request(scope, receive), self.route)
        try:
            with state.gate.passing():
                state.sessions.add(call.session)
                response = await self.handler(call)
                await response(scope, receive, counted)
        except (Left, ClientDisconnect):
            call.whole = False
            if state.closing and not status:
                await error_response(ApiError(503, "the server has ended; ask again later"))(scope, receive, counted)
        except Exception as error:
            if status:
                raise  # the rest of a stream cannot come: the connection is cut, so that nobody takes it for whole
            failure = ApiError.of(error)
            if failure.status == 500:
                traceback.print_exc(file=sys.stderr)
            await error_response(failure)(scope, receive, counted)
        finally:
            state.sessions.discard(call.session)
            state.metrics.left += not call.whole
            state.metrics.add(self.route, status or 499, time.monotonic() - began)
            state.metrics.answers[self.route] += call.answers


def json_bytes(value: Any) -> bytes:
    # What Unicode forbids is escaped, as on stdout.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json_bytes(value), status, headers, "application/json")


def error_response(error: ApiError) -> Response:
    return json_response(error.body, error.status, error.headers)
