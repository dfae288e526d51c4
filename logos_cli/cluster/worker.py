"""Worker: one engine on some node, which answers blocks of rows as one stream, so that no slot idles between blocks."""

from __future__ import annotations

import platform
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from logos_cli import __version__
from logos_cli.cluster.model_source import ModelSource
from logos_cli.engines.engine import Engine, EngineInfo, EngineSettings
from logos_cli.engines.open_engine import open_engine
from logos_cli.pipeline.generate_records import Done, GenerationPlan, generate_records
from logos_cli.records.record import Record
from logos_cli.rows.row import Row
from logos_cli.system.threads import default_threads


@dataclass(frozen=True)
class Opened:
    """A worker that is ready: on which node, with which engine, of which version of this program."""

    node: str
    info: EngineInfo
    version: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """The records of a block in the order of its rows, and what is to be said on the driver's terminal."""

    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Waiting:
    """A block on its way: how many of its rows have not ended yet."""

    left: int
    records: list[Record] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Opened, told the plan, then asked from several threads at once; it does not return from one block before its last row."""

    def __init__(self) -> None:
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._waiting: dict[int, _Waiting] = {}  # by row
        self._known: Mapping[int, Sequence[Record]] = {}
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._change = threading.Lock()
        self._failed: BaseException | None = None
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None

    def open(self, source: ModelSource, device: str, threads: int | None, batch: int | None, share: int) -> Opened:
        """Load the model. `threads` None: as many as `share` says, the processors that Ray gives this worker, but no more than
        are good for it. Raises LogosError."""
        threads = threads or min(share, default_threads())
        self._engine = open_engine(source.local(), EngineSettings(device, threads, batch, self._notes.put))
        return Opened(platform.node(), self._engine.info, __version__, self._told())

    def begin(self, plan: GenerationPlan, done: Done) -> None:
        """Wait for rows to answer by `plan`, as a run that goes on after `done`."""
        self._thread = threading.Thread(target=self._run, args=(replace(plan, warn=self._notes.put), done), daemon=True)
        self._thread.start()

    def answer(self, rows: Sequence[Row], known: Mapping[int, Sequence[Record]]) -> Answered:
        """Every record of `rows`, of some of which an earlier run has left what is `known`. Raises what the engine raises."""
        block = _Waiting(len(rows))
        with self._change:
            self._known = {**self._known, **known}
            self._waiting |= dict.fromkeys((row.ordinal for row in rows), block)
        for row in rows:
            self._rows.put(row)
        if self._failed is None:
            block.ended.wait()
        if self._failed is not None:
            raise self._failed
        return Answered(tuple(block.records), self._told())

    def close(self) -> None:
        """End the thread that waits for rows, and free the model."""
        self._rows.put(None)
        if self._thread is not None:
            self._thread.join()
        if self._engine is not None:
            self._engine.close()

    def of_row(self, row: int) -> Sequence[Record]:
        return self._known.get(row, ())

    def keep_sample(self, record: Record) -> None:
        """Nothing: a block that is lost is asked again as a whole."""

    def _stream(self) -> Iterator[Row]:
        while (row := self._rows.get()) is not None:
            yield row

    def _run(self, plan: GenerationPlan, done: Done) -> None:
        assert self._engine is not None, "opened before it begins"
        try:
            for record in generate_records(self._stream(), plan, self._engine, done, self, self._row_ended):
                self._waiting[record.row].records.append(record)
        except BaseException as error:  # noqa: BLE001  # raised again for whoever waits for a block
            self._failed = error
            with self._change:
                for block in self._waiting.values():
                    block.ended.set()

    def _row_ended(self, row: int) -> None:
        with self._change:
            block = self._waiting.pop(row)
            self._known = {place: records for place, records in self._known.items() if place != row}
        block.left -= 1
        if not block.left:
            block.ended.set()

    def _told(self) -> tuple[str, ...]:
        found = []
        while not self._notes.empty():
            found.append(self._notes.get())
        return tuple(found)
