"""Workers on a Ray cluster: where they are placed, who is ready, whose work was lost. Needs the extra `ray`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from logos_cli.cluster.connection import connected, losses, one_line, told
from logos_cli.cluster.model_source import ModelSource
from logos_cli.cluster.placing import Ask, check_alike, share_of
from logos_cli.cluster.worker import Answered, Opened, Worker
from logos_cli.engines.engine import EngineInfo
from logos_cli.errors import EngineError
from logos_cli.pipeline.generate_records import Done, GenerationPlan
from logos_cli.records.record import Record
from logos_cli.rows.row import Row

DEPTH = 4  # blocks that a worker has at once: while one is answered, the next ones fill the slots that fall free
LOSSES = 3  # workers in a row that may die before one of them is ready
PATIENCE = 30.0  # seconds without a worker before it is said that none is there


@dataclass
class Handle:
    """A worker as the driver sees it: Ray's `actor`, and the numbers of the blocks that it has been given, in order."""

    actor: Any
    opened: Opened | None = None
    blocks: list[int] = field(default_factory=list)

    @property
    def node(self) -> str:
        return self.opened.node if self.opened else "a node"


@dataclass(frozen=True)
class Event:
    """What a worker has come to: it is ready, or, with a `block`, has its answer, or was lost with it (`answer` None)."""

    worker: Handle
    block: int | None = None
    answer: Answered | None = None


@dataclass(frozen=True)
class _Call:
    """What a reference stands for: a method of a worker, and the block that it was asked."""

    worker: Handle
    method: str
    block: int = -1


class Pool:
    """Workers that open the same model; opening raises EngineError, ModelFileError, or what else a worker says."""

    def __init__(self, ask: Ask, source: Callable[[], ModelSource], note: Callable[[str], None]) -> None:
        """`source` is asked for the model when the cluster is there."""
        self.ask, self.note = ask, note
        self.calls: dict[Any, _Call] = {}  # by Ray's reference
        self.workers: list[Handle] = []
        self.first: Opened | None = None  # which all others must be like
        self.begun: tuple[GenerationPlan, Done] | None = None
        self.died = 0  # in a row, without one that got ready
        self.waited = False  # for a worker, and said so
        self.ray = connected(ask.address)
        try:
            self.share = share_of(ask, [node["Resources"] for node in self.ray.nodes() if node["Alive"]])
            self.source = source()
            for _ in range(self.share.workers):
                self._start()
            while self.first is None:
                list(self.events(None))
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> EngineInfo:
        """What every worker says of its engine."""
        assert self.first is not None, "opening waits for the first"
        return self.first.info

    def begin(self, plan: GenerationPlan, done: Done) -> None:
        """Tell the workers what to do; from now on they can be asked."""
        # The terminal is here: what a worker has to say comes back with its answers.
        self.begun = replace(plan, warn=silent), done
        for worker in self.workers:
            if worker.opened:
                self._call(worker, "begin", *self.begun)

    def free(self) -> Handle | None:
        """The ready worker with the fewest blocks, if it can take one more."""
        ready = [worker for worker in self.workers if worker.opened and len(worker.blocks) < DEPTH]
        return min(ready, key=lambda worker: len(worker.blocks), default=None)

    def ask_block(self, worker: Handle, block: int, rows: Sequence[Row], known: Mapping[int, Sequence[Record]]) -> None:
        worker.blocks.append(block)
        self._call(worker, "answer", rows, known, block=block)

    def events(self, seconds: float | None) -> Iterator[Event]:
        """What has come within `seconds`, None: at last; while no worker is there, also nothing. For one that is lost another
        is started. Raises what a worker raises."""
        for reference in self._arrived(seconds):
            call = self.calls.pop(reference)
            worker = call.worker
            try:
                result = self.ray.get(reference)
            except self.ray.exceptions.RayTaskError as error:
                raise told(error, worker.node) from error
            except losses(self.ray) as error:
                yield from self._lost(worker, error)
                return
            except self.ray.exceptions.RayError as error:
                raise EngineError(f"Ray: {type(error).__name__}: {one_line(error)}; see ray logs") from error
            if call.method == "open":
                self._ready(worker, result)
                yield Event(worker)
            elif call.method == "answer":
                worker.blocks.remove(call.block)
                self._say(worker, result.notes)
                yield Event(worker, call.block, result)

    def close(self) -> None:
        """End the workers, and a cluster that was started for this run."""
        for worker in self.workers:
            with suppress(Exception):
                self.ray.kill(worker.actor)
        with suppress(Exception):
            self.ray.shutdown()

    def _start(self) -> None:
        """One more worker, ready when Ray has room for it."""
        options = {"num_cpus": self.share.cpus, "num_gpus": self.share.gpus, "max_concurrency": DEPTH + 2}
        actor = self.ray.remote(Worker).options(max_restarts=0, scheduling_strategy="SPREAD", **options).remote()
        worker, ask = Handle(actor), self.ask
        self.workers.append(worker)
        self._call(worker, "open", self.source, ask.device, ask.threads, ask.batch, self.share.cpus)

    def _call(self, worker: Handle, method: str, *arguments: Any, block: int = -1) -> None:
        self.calls[getattr(worker.actor, method).remote(*arguments)] = _Call(worker, method, block)

    def _arrived(self, seconds: float | None) -> list[Any]:
        """The reference of what came first, if anything did."""
        alone = seconds is None and not any(worker.opened for worker in self.workers)
        found, _ = self.ray.wait(list(self.calls), num_returns=1, timeout=PATIENCE if alone else seconds)
        if alone and not found and not self.waited:
            self.waited, free = True, self.ray.available_resources()
            takes = f"each takes {self.share.cpus} CPUs and {self.share.gpus} GPUs"
            besides = f"{free.get('CPU', 0):g} and {free.get('GPU', 0):g} are free besides those that start now"
            self.note(f"no worker is ready after {PATIENCE:.0f} s: {takes}, {besides}; see ray status")
        return list(found)

    def _ready(self, worker: Handle, opened: Opened) -> None:
        worker.opened = opened
        self.died, self.waited = 0, False
        self._say(worker, opened.notes)
        self.first = self.first or opened
        check_alike(self.source.fingerprint, self.first, opened)
        if self.begun:
            self._call(worker, "begin", *self.begun)

    def _say(self, worker: Handle, notes: Sequence[str]) -> None:
        for text in notes:
            self.note(f"{worker.node}: {text}" if len(self.workers) > 1 else text)

    def _lost(self, worker: Handle, error: Exception) -> Iterator[Event]:
        self.workers.remove(worker)
        self.calls = {reference: call for reference, call in self.calls.items() if call.worker is not worker}
        with suppress(Exception):  # it may be the network that is gone, and not the worker
            self.ray.kill(worker.actor)
        why = one_line(error)
        self.note(f"a worker on {worker.node} was lost, another is started ({type(error).__name__}: {why})")
        self.died += worker.opened is None
        if self.died >= LOSSES:
            raise EngineError(f"{LOSSES} workers in a row died while they opened {self.source.path}: {why}")
        self._start()
        for block in worker.blocks:
            yield Event(worker, block)


def silent(_: str) -> None:
    """What the driver's own `note` is to a worker."""
