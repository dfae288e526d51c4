"""The server as an ASGI application: its routes, behind the door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from logos_cli.serving.api_error import ApiError
from logos_cli.serving.endpoint import Endpoint, Handler, State, error_response, json_response
from logos_cli.serving.gate import check_key, check_origin
from logos_cli.serving.routes import completions, retrosynthesis, tasks

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Opening = Callable[[], AbstractAsyncContextManager[None]]
OPEN = ("/health",)  # what whoever watches the server asks without a key


class Door:
    """Lets in who has the key, and no web page; `local`: whoever is on this machine has none."""

    def __init__(self, app: ASGIApp, key: str | None, local: bool) -> None:
        self.app, self.key, self.local = app, key, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                headers = Headers(scope=scope)
                check_origin(headers, self.local and self.key is None)
                if scope["path"] not in OPEN:
                    check_key(headers, self.key)
            except ApiError as error:
                await error_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def application(
    state: State, key: str | None, local: bool, more: Sequence[BaseRoute] = (), open_with: Opening | None = None
) -> ASGIApp:
    """The whole server but its sockets; `open_with` is entered while the routes of `more` are answered."""
    slow: dict[str, Handler] = {
        "/v1/completions": completions,
        "/v1/tasks/{task}": tasks,
        "/retrosynthesis/batch": retrosynthesis,
    }
    quick: dict[str, Callable[[State], Response]] = {"/v1/models": models, "/health": health, "/metrics": metrics}
    routes: list[BaseRoute] = [Route(path, Endpoint(state, path, one), methods=["POST"]) for path, one in slow.items()]
    routes += [Route(path, at_once(state, one), methods=["GET"]) for path, one in quick.items()]
    lifespan = (lambda _: open_with()) if open_with else None
    return Door(Starlette(routes=[*routes, *more], exception_handlers={HTTPException: nowhere}, lifespan=lifespan), key, local)


def at_once(state: State, answer: Callable[[State], Response]) -> Callable[[Request], Awaitable[Response]]:
    """A handler that waits for nothing."""

    async def handler(_: Request) -> Response:
        return answer(state)

    return handler


async def nowhere(request: Request, error: Exception) -> Response:
    """An address or a method that is not there."""
    assert isinstance(error, HTTPException)
    what = f"{request.method[:20]} {request.url.path[:200]}: {error.detail}"
    return error_response(ApiError(error.status_code, what, headers=error.headers))


def models(state: State) -> Response:
    """GET /v1/models."""
    info = state.shared.info
    told = asdict(info) | {"id": info.name, "object": "model", "created": int(state.metrics.started), "owned_by": "logos"}
    return json_response({"object": "list", "data": [told]})


def health(state: State) -> Response:
    """GET /health: 200 while it answers, 503 when the engine has ended."""
    good = state.shared.alive
    told = {"status": "ok" if good else "the engine has ended", "model": state.shared.info.model, "requests": state.gate.inside}
    return json_response(told, 200 if good else 503)


def metrics(state: State) -> Response:
    """GET /metrics, as Prometheus reads it."""
    info, work, gate = state.shared.info, state.shared.engine.work, state.gate
    gauges: dict[str, tuple[str, float]] = {
        "logos_requests_inside": ("Requests that are answered or wait.", gate.inside),
        "logos_requests_most": ("Requests that may be inside at once.", gate.most),
        "logos_prompts_waiting": ("Prompts that no slot has taken yet.", state.shared.waiting()),
        "logos_slots": ("Answers that are written at once.", state.shared.widest),
    }
    counters: dict[str, tuple[str, float]] = {
        "logos_tokens_total": ("Tokens drawn, one for each sample.", work.tokens),
        "logos_rows_total": ("Rows decoded for them: fewer, where samples share a beginning.", work.rows),
        "logos_padding_rows_total": ("Rows decoded that nobody reads.", work.padding),
        "logos_steps_total": ("Steps of the engine.", work.steps),
        "logos_prompt_tokens_total": ("Tokens of prompts read.", work.prompt_tokens),
    }
    about = {"model": info.name, "fingerprint": info.fingerprint[:12], "scheme": info.scheme, "device": info.device}
    return Response(state.metrics.text(gauges, counters, about), media_type="text/plain; version=0.0.4; charset=utf-8")
