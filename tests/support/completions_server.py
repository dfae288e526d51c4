"""An OpenAI-compatible server in this process: nano's real answers over HTTP, in the words of vLLM or of llama-server.

What goes wrong on the way is asked for: a status before an answer, a connection cut, a limit on n.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from logos_cli.engines.engine import Engine, Generation, Request
from logos_cli.engines.sampling import Sampling

CUT = 0  # in `statuses`: the connection ends without an answer


@dataclass
class CompletionsServer:
    """`statuses` are answered one after the other before any answer is given; `asked` are the bodies that came."""

    engine: Engine
    kind: str = "vllm"
    most: int = 64
    statuses: list[int] = field(default_factory=list)
    refuse: str = ""  # a prompt with this in it is too long
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    address: str = ""
    lock: Lock = field(default_factory=Lock)

    def models(self) -> dict[str, Any]:
        context = {"max_model_len": 1024} if self.kind == "vllm" else {"meta": {"n_ctx": 1024, "n_params": 7278336}}
        return {"object": "list", "data": [{"id": "nano", "object": "model", "owned_by": self.kind, **context}]}

    def tokens(self, body: dict[str, Any]) -> dict[str, Any]:
        found = self.engine.encode(body["prompt"])
        return {"tokens": list(found if body["add_special_tokens"] else found[1:])}

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        penalty = body["repeat_penalty" if self.kind == "llamacpp" else "repetition_penalty"]
        top_k = max(0, body["top_k"])  # vLLM's word for off is -1
        sampling = Sampling(body["temperature"], top_k, body["top_p"], penalty, body["max_tokens"], body["seed"])
        stops = body.get("stop", [])
        request = Request(0, self.engine.encode(body["prompt"]), range(body["n"]))
        found = [one for one in self.engine.generate([request], sampling, stops) if one]
        found.sort(key=lambda one: one.sample)
        return {"object": "text_completion", "choices": [self.choice(one, body, stops) for one in found]}

    def choice(self, one: Generation, body: dict[str, Any], stops: list[str]) -> dict[str, Any]:
        met = next((stop for stop in stops if one.text.endswith(stop)), None)
        values = self.engine.score(self.engine.encode(body["prompt"]), one.tokens).tolist()
        texts = [self.engine.decode([token]) for token in one.tokens]  # type: ignore[attr-defined]
        found = {"index": one.sample, "text": one.text.removesuffix(met or ""), "finish_reason": one.finish}
        if self.kind == "vllm":
            return {**found, "stop_reason": met, "logprobs": {"tokens": texts, "token_logprobs": values}}
        if self.kind == "llamacpp":
            entries = zip(one.tokens, texts, values, strict=True)
            return {**found, "logprobs": {"content": [{"id": i, "token": t, "logprob": v} for i, t, v in entries]}}
        return {**found, "logprobs": None}


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.send(200, self.server.told.models())
        else:
            self.send(404, {"error": {"message": "no such page"}})

    def do_POST(self) -> None:
        told: CompletionsServer = self.server.told
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            self.send(200, told.tokens(body))
            return
        with told.lock:  # the engine serves one at a time
            told.asked.append(body)
            told.keys.append(self.headers.get("Authorization", ""))
            if told.statuses:
                status = told.statuses.pop(0)
                if status == CUT:
                    self.close_connection = True
                    return
                self.send(status, {"error": {"message": "try later"}}, {"Retry-After": "0"})
            elif body["n"] > told.most:
                self.send(400, {"error": {"message": f"n must be at most {told.most}"}})
            elif told.refuse and told.refuse in body["prompt"]:
                self.send(400, {"error": {"message": "the prompt is too long"}})
            else:
                self.send(200, told.complete(body))

    def send(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(told: CompletionsServer) -> Iterator[CompletionsServer]:
    """`told` answers at `told.address` as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.told = told  # type: ignore[attr-defined]
    told.address = f"http://127.0.0.1:{server.server_address[1]}/v1#nano"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
