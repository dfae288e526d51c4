"""A model file opened for many calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from logos_cli.engines.engine import Engine, EngineInfo, EngineSettings
from logos_cli.engines.open_engine import open_engine
from logos_cli.errors import UsageError


class Model:
    """An open model. It serves one iterator at a time; use it in a `with`, or call `close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Engine | None = engine
        self._busy = False

    @property
    def info(self) -> EngineInfo:
        """Name, fingerprint, scheme, context length and device."""
        return self._open().info

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Lend the engine to one piece of work. Raises UsageError while another has it, or after `close`."""
        engine = self._open()
        if self._busy:
            raise UsageError("the model is answering already; read the earlier iterator to its end, or close() it, first")
        self._busy = True
        try:
            yield engine
        finally:
            self._busy = False

    def close(self) -> None:
        """Free the model's memory; closing twice is no error."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _open(self) -> Engine:
        if self._engine is None:
            raise UsageError("the model is closed; open it again with open_model")
        return self._engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def open_model(
    path: str | Path = "nano",
    *,
    device: str = "auto",
    threads: int | None = None,
    batch: int | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Model:
    """Open a GGUF file, an ONNX folder, a server (`http://host:port/v1#name`), or `nano`, the small demonstration model inside
    this package.

    `device` is auto, cpu, cuda or cuda:N; `threads` None means all that this process may use; `batch` is the most rows
    decoded at once; `note` hears what a user should know, such as fewer rows at once for lack of memory.
    Raises ModelFileError, EngineError, MissingDependency.
    """
    from logos_cli.convert.nano_model import NANO, nano_model

    found = nano_model() if path == NANO else path
    return Model(open_engine(found, EngineSettings(device, threads, batch, note)))


@contextmanager
def opened(model: Model | str | Path) -> Iterator[Engine]:
    """The engine of a model that is open, or of a file that is opened for this one piece of work."""
    if isinstance(model, Model):
        with model.engine() as engine:
            yield engine
        return
    with open_model(model) as own, own.engine() as engine:
        yield engine
