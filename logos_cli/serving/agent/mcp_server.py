"""The tools over stdio, or over HTTP as a route of the server."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, TypeVar

import anyio
import jsonschema
from mcp import types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.routing import BaseRoute, Route

from logos_cli import __version__
from logos_cli.serving.agent.tools import AgentTool, agent_tools
from logos_cli.serving.api_error import ApiError
from logos_cli.serving.endpoint import State, json_bytes
from logos_cli.serving.session import Session

T = TypeVar("T")
PATH = "/mcp"
ABOUT = "Predictions of {model}, a language model of molecules, reactions and proteins. An answer may be wrong: check it."


class McpServer:
    """Answers as the routes of `state` do, by its limits."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.tools = {tool.name: tool for tool in agent_tools(state)}
        self.server: Server[Any] = Server(
            "logos", version=__version__, instructions=ABOUT.format(model=state.shared.info.model), on_list_tools=self.listed,
            on_call_tool=self.called,
        )  # fmt: skip

    async def listed(self, _: Any, __: Any) -> types.ListToolsResult:
        told = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
        return types.ListToolsResult(
            tools=[
                types.Tool(name=one.name, description=one.about, input_schema=one.schema, annotations=told)
                for one in self.tools.values()
            ]
        )

    async def called(self, _: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        """What the tool answers; an error is a result too, in one line that the agent reads."""
        try:
            tool, given = self.tool(asked.name), asked.arguments or {}
            try:
                jsonschema.validate(given, tool.schema)
            except jsonschema.ValidationError as error:
                raise ApiError(400, f"{error.json_path}: {in_short(error.message)}") from None
            found = await in_session(self.state, lambda session: tool.answer(given, session))
        except Exception as error:  # noqa: BLE001  # the agent hears of it
            failure = ApiError.of(error)
            if failure.status == 500:
                traceback.print_exc(file=sys.stderr)
            return types.CallToolResult(content=[types.TextContent(text=failure.message)], is_error=True)
        text = json_bytes(found).decode()
        return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=found)

    def tool(self, name: str) -> AgentTool:
        """Raises ApiError for none."""
        if name not in self.tools:
            raise ApiError(404, f"no tool {name[:80]!r}; there are: {', '.join(self.tools)}")
        return self.tools[name]

    def over_http(self) -> tuple[BaseRoute, Callable[[], AbstractAsyncContextManager[None]]]:
        """The route, and what must be open while it answers. Each request stands for itself; nothing is streamed, so that
        a server that ends need not wait for whoever listens."""
        manager = StreamableHTTPSessionManager(
            self.server, json_response=True, stateless=True, max_request_body_size=self.state.limits.body
        )
        return Route(PATH, StreamableHTTPASGIApp(manager), methods=["POST"]), manager.run

    def over_stdio(self) -> None:
        """Answer what comes on stdin until it ends."""

        async def answer() -> None:
            async with stdio_server() as (reading, writing):
                await self.server.run(reading, writing, self.server.create_initialization_options())

        anyio.run(answer)


def in_short(text: str) -> str:
    """A message that quotes what it is about, which may be long, before it says what is wrong."""
    return text if len(text) <= 400 else f"{text[:100]} … {text[-200:]}"


async def in_session(state: State, work: Callable[[Session], T]) -> T:
    """The result of `work`, done in a thread, as of one request. Whoever cancels it frees its slots. Raises ApiError 429."""
    with state.gate.passing():
        session = Session(state.shared)
        state.sessions.add(session)
        done = asyncio.get_running_loop().run_in_executor(state.threads, work, session)
        try:
            return await asyncio.shield(done)
        finally:
            if not done.done():
                session.leave()
                with anyio.CancelScope(shield=True), suppress(Exception):
                    await done  # its place is free when its thread is
            state.sessions.discard(session)
