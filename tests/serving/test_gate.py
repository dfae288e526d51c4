"""Who is let in, and how many."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from processes import wait_until
from prometheus_client.parser import text_string_to_metric_families
from served import Served, served

SLOW = {"prompt": "<MoleculeS>", "n": 8, "max_tokens": 150, "temperature": 3, "stop": ["never"]}


def post(path: str, data: bytes) -> bytes:
    """A request as it goes over the wire."""
    head = (f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {len(data)}")
    return "\r\n".join((*head, "", "")).encode() + data


@pytest.mark.slow
def test_beyond_the_queue_is_429(nano_int4: Path) -> None:
    with served(nano_int4, queue=2) as server:
        with ThreadPoolExecutor(2) as pool:
            slow = [pool.submit(server.ask, "/v1/completions", SLOW) for _ in range(2)]
            wait_until(lambda: server.state.gate.inside == 2)
            refused = server.ask("/v1/completions", SLOW)
            assert refused.status == 429 and int(refused.headers["retry-after"]) >= 1, refused.body
            assert refused.json["error"]["type"] == "rate_limit_error"
            with pytest.raises(openai.RateLimitError):
                openai.OpenAI(base_url=f"{server.url}/v1", api_key="-", max_retries=0).completions.create(model="x", prompt="C")
            assert server.ask("/health").json["requests"] == 2, "who watches the server is let in"
            assert [one.result().status for one in slow] == [200, 200]
        assert server.ask("/v1/completions", {"prompt": "C"}).status == 200, "there is room again"


def test_a_body_over_the_limit(nano_int4: Path) -> None:
    with served(nano_int4, body=1000) as server:
        assert server.ask("/v1/tasks/retro", b"C" * 1001).status == 413
        # One that does not say how long it is.
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/v1/tasks/retro", (b"C\n" * 100 for _ in range(10)), {}, encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/tasks/molecule"])
def test_a_client_that_goes_frees_its_slots(server: Served, path: str, stream: bool) -> None:
    work, left = server.state.shared.engine.work, server.state.metrics.left
    body = SLOW | {"stream": stream} if "completions" in path else {"n": 8, "temperature": 3, "stream": stream}
    data = json.dumps(body).encode()
    steps = work.steps
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        connection.sendall(head.encode() + data)
        wait_until(lambda: work.steps > steps + 3)
    wait_until(lambda: not server.state.sessions)
    assert server.state.metrics.left == left + 1
    at = work.steps
    time.sleep(0.1)
    assert work.steps <= at + 1, "the step in which it was noticed is the last"
    assert server.ask("/v1/completions", {"prompt": "C"}).status == 200


@pytest.mark.slow
def test_the_others_get_theirs(server: Served) -> None:
    """Two ask alike; one goes before the end."""
    expected = server.ask("/v1/completions", SLOW | {"seed": 1}).json["choices"]
    data = json.dumps(SLOW | {"seed": 1}).encode()
    with ThreadPoolExecutor(1) as pool, socket.create_connection(("127.0.0.1", server.port)) as gone:
        gone.sendall(post("/v1/completions", data))
        steps = server.state.shared.engine.work.steps
        wait_until(lambda: server.state.shared.engine.work.steps > steps + 3)
        stays = pool.submit(server.ask, "/v1/completions", SLOW | {"seed": 1})
        wait_until(lambda: server.state.gate.inside == 2)
        gone.close()
        assert stays.result().json["choices"] == expected


def test_the_key(nano_int4: Path) -> None:
    with served(nano_int4, key="sésame") as server:

        def status(path: str, authorization: str | None, body: Any = None) -> int:
            return server.ask(path, body, {"Authorization": authorization} if authorization else {}).status

        basic = base64.b64encode("me:sésame".encode()).decode()
        assert status("/health", None) == 200
        for path, body in (("/v1/models", None), ("/metrics", None), ("/v1/completions", {"prompt": "C"}), ("/nowhere", {})):
            for wrong in (None, "Bearer open", "Basic !", "Basic " + base64.b64encode(b"\xff").decode(), "Digest sésame"):
                assert status(path, wrong and wrong.encode().decode("latin-1"), body) == 401
        for right in ("Bearer sésame".encode().decode("latin-1"), f"Basic {basic}"):
            assert status("/v1/models", right) == 200
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="open", max_retries=0)
        with client, pytest.raises(openai.AuthenticationError, match="missing or wrong"):
            client.models.list()


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "["}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_other_sites(server: Served, headers: dict[str, str], status: int) -> None:
    assert server.ask("/v1/models", headers=headers).status == status
    assert server.ask("/v1/completions", {"prompt": "C"}, headers).status == status


def test_metrics_are_read_by_prometheus(server: Served) -> None:
    assert server.ask("/v1/completions", {"prompt": "C", "n": 3}).status == 200
    families = {family.name: family for family in text_string_to_metric_families(server.ask("/metrics").body.decode())}
    assert families["logos_slots"].samples[0].value == 32
    assert families["logos_tokens"].samples[0].value > 0
    (info,) = families["logos_model_info"].samples
    assert info.labels["model"] == "nano-int4" and info.labels["scheme"] == "q4_k_m"
    counted = {(s.labels["route"], s.labels["status"]): s.value for s in families["logos_requests"].samples}
    assert counted["/v1/completions", "200"] >= 1
    whole = [s for s in families["logos_request_duration_seconds"].samples if s.name.endswith("_bucket")]
    assert {s.labels["le"] for s in whole} >= {"0.05", "+Inf"}


@pytest.mark.slow
def test_closing_lets_nobody_begin(nano_int4: Path) -> None:
    """What is at work when time is over gets 503, and the engine's thread ends."""
    with served(nano_int4) as server, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.ask, "/v1/completions", SLOW)
        wait_until(lambda: server.state.shared.engine.work.steps > 3)
        assert server.state.cut() == 1
        assert slow.result().status == 503 and "has ended" in slow.result().error
    assert not server.state.shared.alive
    assert threading.active_count() < 400
