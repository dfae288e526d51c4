"""logos serve logos-1b-int4.gguf"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from logos_cli.errors import MissingDependency, UsageError
from logos_cli.terminal import options

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

INSTALL = "run: pip install 'logos-cli[{extra}]'"


class Mcp(StrEnum):
    """Where agents ask."""

    STDIO = "stdio"
    HTTP = "http"


def serve(
    model: Annotated[
        str | None,
        typer.Argument(help="A GGUF file or an ONNX folder. Default: $LOGOS_MODEL, else nano.", metavar="MODEL"),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; beyond this machine with --api-key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes one that is free.")] = 8000,
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", envvar="LOGOS_API_KEY", help="What clients must send as Bearer key.", show_default=False),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Most answers written at once. Default: 32, on a GPU 64.", show_default=False),
    ] = None,
    device: options.DeviceOption = "auto",
    threads: options.Threads = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer that can be asked for.")] = 1000,
    max_rows: Annotated[int, typer.Option("--max-rows", min=1, help="Rows or prompts of one request.")] = 1000,
    max_body: Annotated[int, typer.Option("--max-body", min=1, help="MB of one request.")] = 8,
    queue: Annotated[int, typer.Option("--queue", min=1, max=4096, help="Requests at once; beyond them 429.")] = 256,
    drain: Annotated[int, typer.Option("--drain", min=0, help="Seconds for what was begun, after SIGTERM or Ctrl-C.")] = 30,
    mcp: Annotated[
        Mcp | None,
        typer.Option("--mcp", help="Tools for agents: on stdin and stdout only, or at /mcp as well.", show_default=False),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Answer requests over HTTP.

    OpenAI's completions, LOGOS's tasks with the options of generate, a planner's expansions, tools for agents.

    \b
    Example: logos serve logos-1b-int4.gguf --port 8000
    """
    from logos_cli.engines.engine import EngineSettings
    from logos_cli.terminal.console import note
    from logos_cli.terminal.model_word import open_model

    settings = EngineSettings(device, threads, batch, note)
    if mcp:
        need("mcp", "mcp")  # brings what the server needs
    need("starlette", "serve")
    need("uvicorn", "serve")
    from logos_cli.serving.app import application
    from logos_cli.serving.endpoint import State
    from logos_cli.serving.gate import is_loopback
    from logos_cli.serving.limits import Limits
    from logos_cli.serving.server import address, listening, warm_up
    from logos_cli.serving.server import serve as answer
    from logos_cli.serving.shared_engine import SharedEngine

    if api_key == "":
        raise UsageError("the API key is empty; give one, or leave --api-key and $LOGOS_API_KEY out")
    local = is_loopback(host)
    if not local and api_key is None:
        raise UsageError(f"--host {host} lets other machines in; give --api-key or $LOGOS_API_KEY, or listen on 127.0.0.1")
    limits = Limits(max_body * 1_000_000, max_rows, max_tokens, queue)

    @contextmanager
    def opened() -> Iterator[State]:
        shared = SharedEngine(open_model(model, settings), max_tokens)
        try:
            warm_up(shared)
            yield State(shared, replace(limits, tokens=shared.most_tokens))
        finally:
            shared.close()

    if mcp is Mcp.STDIO:
        from logos_cli.serving.agent.mcp_server import McpServer

        with opened() as state:
            note(f"{state.shared.info.model} answers on stdin and stdout; their end, or Ctrl-C, ends it")
            McpServer(state).over_stdio()
        return
    with listening(host, port) as found, opened() as state:
        more: list[BaseRoute] = []
        open_with = None
        if mcp:
            from logos_cli.serving.agent.mcp_server import McpServer

            route, open_with = McpServer(state).over_http()
            more.append(route)
        app = application(state, api_key, local, more, open_with)

        def ready() -> None:
            note(f"{state.shared.info.model} answers at {address(found)}; Ctrl-C ends it")

        stopped_by = answer(app, found, drain, ready, state.cut, debug)
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt


def need(package: str, extra: str) -> None:
    """Raises MissingDependency with the command that installs it."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingDependency(f"{package} is not installed; {INSTALL.format(extra=extra)}")
