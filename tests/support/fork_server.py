"""Starts the command in processes of their own without what starting one costs: each is a fork of a server that has imported
the libraries and started nothing. A fork then runs and ends as `python -m logos_cli` does, interpreter and all."""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from typing import Any

import logos_cli

# What commands import inside their functions. Not onnxruntime, which starts a thread.
LIBRARIES = ("numpy.random", "gguf", "llama_cpp", "rdkit.Chem", "tokenizers", "safetensors", "rich.progress", "rich.table")
# What no command imports, or needs torch.
APART = ("logos_cli.nano.recipe", "logos_cli.benchmarks.gpu", "logos_cli.engines.torch_engine", "logos_cli.__main__")
LARGEST = 1 << 17  # bytes of a request: arguments and environment


@dataclass(frozen=True)
class Forked:
    """How a command ended: `status` as of wait, what it wrote, CPU seconds, and the most bytes that a process of it held."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    memory: int


class ForkServer:
    """Runs one command at a time for one caller; needs Linux."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen([sys.executable, "-P", __file__], stdin=theirs.fileno())

    def close(self) -> None:
        self._connection.close()
        self._process.wait()

    def run(self, arguments: list[str], stdin: bytes, timeout: float) -> Forked:
        """Run a command in this process's folder and environment, to its end.

        Raises:
            subprocess.TimeoutExpired: It did not end in `timeout` seconds and is killed.
        """
        request = json.dumps({"arguments": arguments, "folder": os.getcwd(), "environ": dict(os.environ)}).encode()
        source, sink = os.pipe()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            socket.send_fds(self._connection, [request], [source, out.fileno(), err.fileno()])
            os.close(source)
            feeder = threading.Thread(target=feed, args=(sink, stdin))
            feeder.start()
            late = threading.Event()
            pid = self._reply()
            watch = threading.Timer(timeout, kill, (pid, late))
            watch.start()
            status, seconds, memory = self._reply()
            watch.cancel()
            feeder.join()
            said = [file.read() for file in (out, err) if file.seek(0) == 0]
            if late.is_set():
                raise subprocess.TimeoutExpired(arguments, timeout, *said)
            return Forked(status, said[0], said[1], seconds, memory)

    def _reply(self) -> Any:
        answer = self._connection.recv(LARGEST)
        assert answer, "the server of forks has ended"
        return json.loads(answer)


def kill(group: int, late: threading.Event) -> None:
    late.set()
    os.killpg(group, signal.SIGKILL)


def feed(sink: int, data: bytes) -> None:
    # A command need not read its input.
    with suppress(BrokenPipeError), os.fdopen(sink, "wb") as stream:
        stream.write(data)


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Forks for every request; returns the request in a fork, None in the server when the caller is gone."""
    while True:
        content, files, _, _ = socket.recv_fds(connection, LARGEST, 3)
        if not content:
            return None
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            connection.close()
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            return dict(json.loads(content))
        for file in files:
            os.close(file)
        connection.send(json.dumps(pid).encode())
        _, status, usage = os.wait4(pid, 0)
        connection.send(json.dumps((status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)).encode())


def load_modules() -> None:
    """Import the libraries and our own modules, and parse a command line that is refused, for what Typer imports late."""
    from logos_cli.commands import command_line

    for name in LIBRARIES:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(logos_cli.__path__, "logos_cli."):
        if not module.name.startswith(APART):
            importlib.import_module(module.name)
    with redirect_stderr(io.StringIO()):
        command_line.run(["generate", "nothing"])
    gc.freeze()  # at the end of a fork its collector would copy every page of the server


def main() -> None:
    connection = socket.socket(fileno=os.dup(0))
    load_modules()
    request = serve(connection)
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["folder"])
    tempfile.tempdir = None  # remembered from the server's environment
    sys.argv = ["logos", *request["arguments"]]
    runpy.run_module("logos_cli", run_name="__main__")


if __name__ == "__main__":
    main()
