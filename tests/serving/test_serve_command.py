"""`logos serve` as a process: where it listens, and how it ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from processes import wait_until
from served_command import serving


def ask(port: int, body: Any) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/v1/completions", json.dumps(body))
    reply = connection.getresponse()
    found = reply.status, reply.read()
    connection.close()
    return found


def at_work(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/health")
    found = json.loads(connection.getresponse().read())["requests"]
    connection.close()
    return bool(found)


LONG = {"prompt": "<MoleculeS>", "n": 8, "max_tokens": 150, "temperature": 3}


@pytest.mark.slow
def test_sigterm_drains(nano_int4: Path) -> None:
    """What was begun is answered, nobody new is let in, and the end is no failure."""
    with serving(nano_int4) as (child, port), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, port, LONG)
        wait_until(lambda: at_work(port), child)
        child.send_signal(signal.SIGTERM)
        status, body = slow.result()
        assert status == 200 and len(json.loads(body)["choices"]) == 8
        assert child.wait() == 0
        with pytest.raises(OSError):
            ask(port, LONG)


@pytest.mark.slow
def test_time_to_end_has_an_end(nano_int4: Path) -> None:
    with serving(nano_int4, "--drain", "0") as (child, port), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, port, LONG | {"n": 64})
        wait_until(lambda: at_work(port), child)
        child.send_signal(signal.SIGTERM)
        assert slow.result()[0] == 503
        assert child.wait() == 1 and child.stderr
        assert "stopped with 1 requests unanswered after 0 s" in child.stderr.read()


@pytest.mark.slow
def test_ctrl_c(nano_int4: Path) -> None:
    with serving(nano_int4) as (child, port):
        assert ask(port, {"prompt": "C"})[0] == 200
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130 and child.stderr
        assert child.stderr.read() == "logos: interrupted\n"


@pytest.mark.parametrize(
    "options, code, said",
    [
        (("--host", "0.0.0.0"), 2, "--host 0.0.0.0 lets other machines in; give --api-key"),
        (("--api-key", ""), 2, "the API key is empty"),
        (("--host", "192.0.2.1", "--api-key", "k"), 1, "cannot listen on 192.0.2.1"),
        (("--port", "70000"), 2, "less than or equal to 65535"),
    ],
)
def test_misuse(logos_here: Callable[..., Run], options: tuple[str, ...], code: int, said: str) -> None:
    found = logos_here("serve", "nano", *options)
    assert found.code == code and said in found.err and found.err.count("\n") == 1 and not found.out


def test_a_port_that_is_taken(logos_here: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = logos_here("serve", "nano", "--port", str(port))
    assert found.code == 1 and f"port {port}: Address already in use" in found.err and found.err.count("\n") == 1
