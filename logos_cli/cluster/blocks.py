"""Rows in, records out, over the workers of a cluster: in the order of the input, whichever block comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from logos_cli.cluster.pool import DEPTH, Pool
from logos_cli.errors import EngineError
from logos_cli.pipeline.generate_records import Done, GenerationPlan, Samples
from logos_cli.records.record import Record
from logos_cli.rows.row import Row
from logos_cli.system.read_ahead import Ahead

SAMPLES = 64  # of a block: two rounds of the slots of an engine on a CPU
WINDOW = 64  # blocks at least between the first that is not answered and the last that is asked
TRIES = 5  # workers that a block may cost
_GLANCE = 0.02  # seconds between looks at a pipe that brings no row, while workers have room


@dataclass
class Block:
    """Rows that are asked together; `known` of an earlier run, `tries` how often a worker died over it."""

    rows: Sequence[Row]
    known: Mapping[int, Sequence[Record]]
    tries: int = 0
    records: Sequence[Record] | None = None


class Blocks:
    """The work of one run: which blocks are asked, lost, answered."""

    def __init__(self, rows: Iterable[Row], plan: GenerationPlan, pool: Pool, done: Done, kept: Samples | None) -> None:
        self.plan, self.pool, self.done, self.kept = plan, pool, done, kept
        self.size = max(1, SAMPLES // plan.samples)
        self.source = Ahead((row for row in rows if done.first(row.ordinal, plan) is not None), most=2 * self.size)
        self.blocks: dict[int, Block] = {}
        self.lost: list[int] = []  # to be asked again
        self.first = self.next = 0  # the number of the first block not yet handed out, and of the next to be read
        self.ended = False
        self.failed: Exception | None = None

    def records(self) -> Iterator[Record]:
        """All records in order; what reading rows raises is raised after the records of the rows before."""
        try:
            while True:
                self._ask()
                if self.first == self.next and self.ended:
                    break
                room = self.pool.free() is not None and not self.ended and self.next - self.first < self._window
                for event in self.pool.events(_GLANCE if room else None):
                    if event.block is None:
                        continue
                    if event.answer is None:
                        self._give_back(event.block, first=event.block == event.worker.blocks[0])
                    else:
                        self.blocks[event.block].records = event.answer.records
                while self.first in self.blocks and self.blocks[self.first].records is not None:
                    yield from self.blocks.pop(self.first).records or ()
                    self.first += 1
            if self.failed:
                raise self.failed
        finally:
            self.source.close()

    @property
    def _window(self) -> int:
        return max(WINDOW, 4 * DEPTH * len(self.pool.workers))

    def _ask(self) -> None:
        """Give every worker with room a block: one that was lost, else the rows that are there."""
        while (worker := self.pool.free()) is not None:
            if self.lost:
                number = self.lost.pop(0)
            elif self.ended or self.next - self.first >= self._window or (self.first < self.next and not self.source.ready()):
                return
            else:
                rows = self._rows()
                if not rows:
                    return
                number = self.next
                known = {row.ordinal: self.kept.of_row(row.ordinal) for row in rows} if self.kept else {}
                self.blocks[number] = Block(rows, {row: records for row, records in known.items() if records})
                self.next += 1
            self.pool.ask_block(worker, number, self.blocks[number].rows, self.blocks[number].known)

    def _rows(self) -> list[Row]:
        """The next rows, as many as are there, waiting for the first only; none at the end."""
        found: list[Row] = []
        while not found or (len(found) < self.size and self.source.ready()):
            try:
                found.append(lean(next(self.source)))
            except StopIteration:
                self.ended = True
                break
            except Exception as error:  # noqa: BLE001  # raised again when its turn has come
                self.failed, self.ended = error, True
                break
        return found

    def _give_back(self, number: int, first: bool) -> None:
        """Take back a block that was lost with its worker, which was at its `first`."""
        block = self.blocks[number]
        block.tries += first
        if block.tries >= TRIES:
            rows = f"rows {block.rows[0].ordinal + 1} to {block.rows[-1].ordinal + 1}"
            raise EngineError(f"{rows}: {TRIES} workers died while they answered them; is their memory enough? See ray logs")
        self.lost = sorted([*self.lost, number])


def lean(row: Row) -> Row:
    """`row` without the structure it came from, which only this process needs."""
    return row if row.site is None else replace(row, site=replace(row.site, structure=None))


def generate_records(
    rows: Iterable[Row], plan: GenerationPlan, pool: Pool, done: Done, kept: Samples | None = None
) -> Iterator[Record]:
    """As `pipeline.generate_records`, by the workers of `pool`: the same records in the same order."""
    pool.begin(plan, done)
    yield from Blocks(rows, plan, pool, done, kept).records()
