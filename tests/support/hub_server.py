"""A Hugging Face hub on this machine: the few endpoints that fetching needs, over real HTTP, with faults to switch on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import unquote, urlsplit

REPO = "LOGOS-Hub/LOGOS-pretrain-1B"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin")  # kept with Git LFS, so stated by sha256 and sent from another host


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    token: str | None
    host: str


@dataclass
class Hub:
    """One repository of `files`; the other fields are faults."""

    files: dict[str, bytes]
    commit: str = COMMIT
    gated: int = 0  # status that files are refused with
    token: str = ""  # the only one that is taken
    status: int = 0  # of every answer
    page: str = ""  # a login page of the network in place of every answer
    cut_after: int = 0  # bytes of a large file's answer, then the connection breaks
    down_after_cut: bool = False  # and the hub takes no connection any more
    ranges: bool = True
    pace: float = 0  # seconds before each 64 kB of a large file
    stall_after: int = 0  # bytes of a large file's answer, then nothing comes any more
    wrong: str = ""  # a file whose content is not what is stated
    longer: str = ""  # a file that does not end where it should
    names: tuple[str, ...] = ()  # listed as well
    stated: Callable[[dict[str, Any]], None] = lambda _: None  # changes the description of the repository
    cut_description: bool = False
    requests: list[Request] = field(default_factory=list)
    address: str = ""
    server: ThreadingHTTPServer = field(init=False)
    stopped: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def large(self) -> list[Request]:
        """The requests for the bytes of large files."""
        return [r for r in self.requests if r.path.startswith("/cdn/")]

    def start(self) -> None:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # the client went away

        server = Server(("127.0.0.1", 0), Handler)
        self.server = server
        self.address = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(to.path).path)
        token = (to.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.requests.append(Request(to.command, path, to.headers.get("Range"), token, to.headers["Host"]))
        api = f"/api/models/{REPO}"
        if self.page:
            send(to, 200, self.page.encode(), {"Content-Type": "text/html"})
        elif self.status:
            send(to, self.status, b"")
        elif self.token and token != self.token and not path.startswith("/cdn/"):
            send(to, 401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif path.startswith("/cdn/"):
            self.send_large(to, path.removeprefix("/cdn/"))
        elif path.startswith("/api/resolve-cache/"):
            send(to, 200, self.content(path.rpartition("/")[2]))
        elif path in (api, f"{api}/revision/main", f"{api}/revision/{self.commit}"):
            body = json.dumps(self.description()).encode()
            send(to, 200, body[: len(body) // 2] if self.cut_description else body, length=len(body))
        elif path.startswith(f"{api}/revision/"):
            send(to, 404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif path.startswith(f"/{REPO}/resolve/{self.commit}/"):
            self.resolve(to, path.rpartition("/")[2])
        else:
            send(to, 404, b"", {"X-Error-Code": "RepoNotFound"})

    def description(self) -> dict[str, Any]:
        files = [describe(name, data) for name, data in self.files.items()]
        found = {
            "id": REPO, "sha": self.commit, "private": False, "gated": "auto" if self.gated else False,
            "tags": ["safetensors", "license:cc-by-4.0"], "cardData": {"license": "cc-by-4.0"},
            "siblings": files + [describe(name, b"x") for name in self.names],
        }  # fmt: skip
        self.stated(found)
        return found

    def resolve(self, to: BaseHTTPRequestHandler, name: str) -> None:
        if self.gated:
            send(to, self.gated, b"", {"X-Error-Code": "GatedRepo"})
        elif name not in self.files:
            send(to, 404, b"", {"X-Error-Code": "EntryNotFound"})
        elif name.endswith(LARGE):
            linked = {
                "X-Linked-Size": str(len(self.files[name])),
                "X-Linked-Etag": f'"{describe(name, self.files[name])["lfs"]}"',
            }
            # Another name of this machine, hence another host: the token must not follow there.
            place = self.address.replace("127.0.0.1", "localhost") + f"/cdn/{name}"
            send(to, 302, b"", {"Location": place, "X-Repo-Commit": self.commit, **linked})
        else:
            send(to, 307, b"", {"Location": f"/api/resolve-cache/models/{REPO}/{self.commit}/{name}"})

    def content(self, name: str) -> bytes:
        data = self.files[name]
        if name == self.wrong:
            data = data[:-1] + bytes([data[-1] ^ 1])
        return data + b"more" if name == self.longer else data

    def send_large(self, to: BaseHTTPRequestHandler, name: str) -> None:
        data, start = self.content(name), 0
        asked = to.headers.get("Range")
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        begin(to, 206 if start else 200, len(data) - start, headers if start else {})
        end = min(len(data), start + self.cut_after) if self.cut_after else len(data)
        try:
            for at in range(start, end, 65536):
                time.sleep(self.pace)
                if self.stall_after and at >= self.stall_after:
                    self.stopped.wait()
                to.wfile.write(data[at : min(end, at + 65536)])
        except OSError:
            pass  # the client went away
        if end < len(data):
            to.close_connection = True
            if self.down_after_cut:
                self.server.socket.close()


def describe(name: str, data: bytes) -> dict[str, Any]:
    """As the real hub states a file: the sha256 of a large one, the git blob of a small one."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    found: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": blob}
    if name.endswith(LARGE):
        found["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 134}
        found["blobId"] = hashlib.sha1(b"a pointer").hexdigest()
    return found


def begin(to: BaseHTTPRequestHandler, status: int, length: int, headers: dict[str, str]) -> None:
    to.send_response(status)
    for key, value in {"Content-Length": str(length), **headers}.items():
        to.send_header(key, value)
    to.end_headers()


def send(
    to: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None
) -> None:
    begin(to, status, len(body) if length is None else length, headers or {})
    if to.command != "HEAD":
        to.wfile.write(body)
    to.close_connection = length is not None and length != len(body)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
