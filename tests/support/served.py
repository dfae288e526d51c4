"""A server of our own in this process, and plain requests to it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from processes import PATIENCE, wait_until

from logos_cli.engines.engine import EngineSettings
from logos_cli.engines.open_engine import open_engine
from logos_cli.serving.app import application
from logos_cli.serving.endpoint import State
from logos_cli.serving.limits import Limits
from logos_cli.serving.server import Server, address, listening
from logos_cli.serving.shared_engine import SharedEngine


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def error(self) -> str:
        return str(self.json["error"]["message"])


@dataclass(frozen=True)
class Served:
    """A server that answers at `port`."""

    port: int
    state: State

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None, method: str | None = None
    ) -> Reply:  # fmt: skip
        """POST what is given, JSON unless it is bytes; GET where nothing is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            kind = {} if isinstance(body, bytes | None) else {"Content-Type": "application/json"}
            connection.request(method or ("GET" if body is None else "POST"), path, data, kind | dict(headers or {}))
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.read())
        finally:
            connection.close()


@contextmanager
def served(
    path: Path, key: str | None = None, batch: int | None = None, agents: bool = False, **limits: int
) -> Iterator[Served]:
    """A server of a model file; `agents`: with the tools at /mcp."""
    shared = SharedEngine(open_engine(path, EngineSettings("cpu", 1, batch)), limits.get("tokens", 200))
    try:
        state = State(shared, Limits(**{"tokens": 200} | limits))
        with listening("127.0.0.1", 0) as found:
            app = application(state, key, True)
            if agents:
                from logos_cli.serving.agent.mcp_server import McpServer

                route, open_with = McpServer(state).over_http()
                app = application(state, key, True, [route], open_with)
            config = uvicorn.Config(app, log_level="critical", ws="none", server_header=False)
            started = threading.Event()
            server = Server(config, 30, started.set, state.cut)
            thread = threading.Thread(target=lambda: server.run(sockets=[found]), daemon=True)
            thread.start()
            wait_until(started.is_set)
            yield Served(int(address(found).rpartition(":")[2]), state)
            server.should_exit = True
            thread.join()
    finally:
        shared.close()
