"""A tiny real checkpoint, built here, goes through the real converter, quantizer and engine; nano is used where a trained
model is needed. Nothing of our own is mocked."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import Run, build_tokenizer, convert, write_checkpoint
from processes import ended, started
from tokenizers import Tokenizer

from logos_cli.commands.command_line import run
from logos_cli.convert.nano_model import nano_model
from logos_cli.convert.onnx_target import convert_onnx
from logos_cli.engines.engine import Engine, EngineSettings
from logos_cli.engines.open_engine import open_engine
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.quant.quantize_gguf import quantize_gguf
from logos_cli.quant.schemes import scheme_named


def pytest_configure() -> None:
    """Give each worker of pytest-xdist a core of its own, and what it starts with it: with a thread a core in each of them they
    would wait for one another at every barrier."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker.startswith("gw") and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker[2:]) % len(cores)]})


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell's background job starts with SIGINT ignored, and its children inherit that: tests of Ctrl-C would wait."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):  # nohup has the second ignored
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return build_tokenizer()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """The tiny checkpoint, bf16, untied head."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint", tokenizer)


@pytest.fixture(scope="session")
def tiny_gguf(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny model converted to an unquantized scheme, once a session each."""
    folder = tmp_path_factory.mktemp("gguf")

    def get(scheme: str) -> Path:
        path = folder / f"tiny-{scheme}.gguf"
        return path if path.exists() else convert(tiny, path, scheme)

    return get


@pytest.fixture(scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano's GGUF goes into a cache of this session, not into the user's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def nano_bf16(private_cache: Path) -> Path:
    return nano_model()


@pytest.fixture(scope="session")
def nano_int4(nano_bf16: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nano") / "nano-int4.gguf"
    quantize_gguf(nano_bf16, out, scheme_named("int4"), None, lambda *_: None)
    return out


@pytest.fixture(scope="session")
def onnx_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A checkpoint's ONNX folder in a scheme, made once a session each."""
    made: dict[tuple[Path, str, bool], Path] = {}

    def get(checkpoint: Path, scheme: str, half: bool = False) -> Path:
        key = (checkpoint, scheme, half)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("onnx") / f"{checkpoint.name}-{scheme}"
            convert_onnx(Checkpoint.open(checkpoint), scheme, half, made[key], None)
        return made[key]

    return get


@pytest.fixture
def open_model() -> Any:
    """Engines that are closed when the test ends."""
    opened: list[Engine] = []

    def get(path: Path, **settings: Any) -> Engine:
        opened.append(open_engine(path, EngineSettings(**{"device": "cpu", **settings})))
        return opened[-1]

    yield get
    for engine in opened:
        engine.close()


@pytest.fixture
def logos(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """The command in a process of its own, forked: what its start costs is paid once."""
    monkeypatch.delenv("LOGOS_MODEL", raising=False)

    def run(*arguments: str | Path, stdin: str | bytes = "") -> Run:
        return ended(*arguments, stdin=stdin.encode() if isinstance(stdin, str) else stdin)

    return run


@pytest.fixture
def logos_started(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """The command as a shell starts it, for what depends on the start: a second each."""
    monkeypatch.delenv("LOGOS_MODEL", raising=False)

    def run(*arguments: str | Path, stdin: str | bytes = "") -> Run:
        return started(*arguments, stdin=stdin.encode() if isinstance(stdin, str) else stdin)

    return run


@pytest.fixture
def logos_here(private_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """The same command in this process, for what does not depend on a process's end."""
    monkeypatch.delenv("LOGOS_MODEL", raising=False)

    def call(*arguments: str | Path, stdin: str = "") -> Run:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin.encode()))))
            capsys.readouterr()
            code = run(list(map(str, arguments)))
        return Run(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def server(nano_int4: Path) -> Iterator[Any]:
    """A `logos serve` that tests share."""
    from served import served

    with served(nano_int4) as found:
        yield found
