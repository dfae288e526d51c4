"""Where a run's records go: stdout, or a file that grows as OUT.partial, survives kill -9 and is resumed from there.

OUT.partial always holds JSON lines, whatever the format asked for: it must say which row and sample each line is, and of
which input. Its settings stand beside it in OUT.partial.json, and a run that resumes must have the same; at the end they
go into OUT.run. What comes before its turn is in OUT.partial.kept.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from logos_cli.errors import OutputError
from logos_cli.pipeline.generate_records import Done
from logos_cli.pipeline.row_identity import RunningDigest
from logos_cli.records.finished_run import check_own, differences, sign
from logos_cli.records.partial_lines import KeptRecords, PartialLine, lines, record_line
from logos_cli.records.record import Formatter, Record, Tally
from logos_cli.records.shard import WHOLE, LineCounts, Shard, part_of
from logos_cli.rows.row import Row
from logos_cli.system.file_lock import lock
from logos_cli.system.files import atomic, check_output, sync_folder
from logos_cli.system.lines import Blank

INPUT = "input_sha256"  # the setting that says which file was read
_DIGEST = 8  # bytes of a row's digest


class StandardOutput:
    """Records to stdout, flushed one by one so that the next program of a pipe sees them at once."""

    def __init__(self, formatter: Formatter, keep: Callable[[Record], bool]) -> None:
        self.formatter, self.keep = formatter, keep
        self.done = Done()
        self.tally = Tally()

    samples = None

    def watched(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Gives the same rows: what was written to a pipe cannot be resumed."""
        return rows

    def write(self, record: Record) -> None:
        self.tally.add(record)
        if self.keep(record) and (text := self.formatter.lines(record)):
            sys.stdout.write(text)
            sys.stdout.flush()

    def finish(self) -> None:
        sys.stdout.flush()

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class PartialPaths:
    partial: Path
    settings: Path
    kept: Path

    @classmethod
    def of(cls, out: Path) -> PartialPaths:
        return cls(*(out.with_name(out.name + end) for end in (".partial", ".partial.json", ".partial.kept")))


class FileOutput:
    """Records to OUT by way of OUT.partial. Opening raises OutputError for an unfinished or changed run."""

    def __init__(
        self,
        out: Path,
        formatter: Formatter,
        keep: Callable[[Record], bool],
        whole_rows: bool,
        note: Callable[[str], None] = lambda _: None,
        shard: Shard | None = None,
        blank: Blank | None = None,
    ) -> None:
        """Prepares OUT. `whole_rows`: a row's records leave together, after all its samples. `note` hears of damage. Of a
        `shard` only its rows are answered, and OUT.run says what merging needs to know: `blank`, too, what was skipped of the
        input."""
        check_output(out)
        self.shard, self.blank = shard, blank
        self.out, self.formatter, self.keep, self.whole_rows, self.note = out, formatter, keep, whole_rows, note
        self.paths = PartialPaths.of(out)
        self.done = Done()
        self.tally = Tally()
        self.stream: IO[bytes] | None = None
        self.kept: KeptRecords | None = None
        self.settings: dict[str, Any] = {}
        self.input = RunningDigest()
        self.digests = bytearray()  # of the rows that are written, _DIGEST bytes each
        self.pending: dict[int, str] = {}  # digests of rows that were read and are not written yet
        self.read: deque[int] = deque()  # those rows in order: a thread adds to it while another takes from it
        self.other_input = False

    def open(self, settings: dict[str, Any], resume: bool, rows: Iterable[Row] = ()) -> bool:
        """Starts or takes up the partial file; False if OUT is complete already and nothing is left to do: it is then what
        these settings made of `rows`."""
        self.settings = json.loads(json.dumps(settings))
        exists = self.paths.partial.exists()
        if resume and not exists and self.out.exists():
            self._check_finished(rows)
            return False
        try:
            self.stream = self.paths.partial.open("ab")
            lock(self.stream, self.paths.partial)
            if exists and not resume:
                raise OutputError(f"{self.paths.partial} holds an unfinished run; add --resume to go on, or remove it")
            # Killed between the first two files, there is one of no bytes and nothing else.
            if exists and (self.paths.settings.exists() or self.paths.partial.stat().st_size):
                self._check_settings()
                self.kept = KeptRecords(self.paths.kept, fresh=False)
                self._take_up()
            else:
                with atomic(self.paths.settings) as beside:
                    beside.write_text(json.dumps(self.settings, indent=2) + "\n", encoding="utf-8")
                self.kept = KeptRecords(self.paths.kept, fresh=True)
        except OSError as error:
            self.close()
            raise OutputError(f"{self.paths.partial}: {error.strerror or error}") from error
        except OutputError:
            self.close()
            raise
        return True

    def _check_finished(self, rows: Iterable[Row]) -> None:
        """Raises OutputError for an OUT that this run would not have written."""
        found = check_own(self.out, self.settings)
        if INPUT in self.settings:
            return
        for row in rows:
            self.input.add(row)
        if found.get("rows") != [self.input.rows, self.input.value]:
            raise OutputError(
                f"{self.out} is complete, but of other input rows; run without --resume to replace it, or write elsewhere"
            )

    def _check_settings(self) -> None:
        try:
            before = dict[str, Any](json.loads(self.paths.settings.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise OutputError(
                f"{self.paths.settings} is missing or damaged; remove {self.paths.partial} to start again"
            ) from None
        # Of an input file that differs, the first row that does is named when the rows are read.
        self.other_input = INPUT in before and INPUT in self.settings and before[INPUT] != self.settings[INPUT]
        now = self.settings | ({INPUT: before[INPUT]} if self.other_input else {})
        if changed := differences(before, now):
            raise OutputError(f"{self.paths.partial} cannot be resumed: {changed}; give the old values, or remove it")

    def _take_up(self) -> None:
        """Cuts the file back to its last whole record, or whole row, and reads off where to go on. What stands behind a
        damaged line is kept for its turn."""
        assert self.stream is not None and self.kept is not None
        at = row_start = 0
        last: dict[str, Any] | None = None
        damaged: list[int] = []
        behind: list[PartialLine | None] = []
        for line in lines(self.paths.partial):
            if line.cut:
                break
            if line.found is None:
                damaged.append(line.number)
            if damaged:
                behind.append(line if line.found else None)
                continue
            assert line.found is not None
            if last is None or line.found["row"] != last["row"]:
                row_start = at
            last = line.found
            at += len(line.raw)
        if damaged:
            saved = self._keep(behind)
            more = f" and {len(damaged) - 1} more are" if len(damaged) > 1 else " is"
            self.note(
                f"{self.paths.partial}: line {damaged[0]}{more} damaged and will be written again; "
                f"{saved} of the {len(behind) - len(damaged)} records behind it are kept"
            )
        if last is not None:
            if last["sample"] is None:
                self.done = Done(last["row"] + 1, 0)
            elif self.whole_rows:
                at, self.done = row_start, Done(last["row"], 0)
            else:
                self.done = Done(last["row"], last["sample"] + 1)
        self.stream.truncate(at)
        self.stream.seek(0, os.SEEK_END)
        for line in lines(self.paths.partial):
            assert line.found is not None
            if line.found["row"] != self.tally.last_row:
                self.digests += bytes.fromhex(line.found["rows"])
            self.tally.add(Record.from_dict(line.found))
        self.kept.drop_before(self.done.row)

    def _keep(self, behind: list[PartialLine | None]) -> int:
        """Puts aside whole lines from behind a damaged one; how many. Where a row's records leave together, rows that stand
        next to a damaged line may lack some, and so may the last."""
        assert self.kept is not None
        whole: list[PartialLine] = []
        group: list[PartialLine] = []
        sound = False
        for line in [*behind, None]:
            if line is None:  # damage, or the end
                whole += group if not self.whole_rows or group_is_failed(group) else ()
                group, sound = [], False
                continue
            assert line.found is not None
            if group and group[0].found and group[0].found["row"] == line.found["row"]:
                group.append(line)
                continue
            whole += group
            sound = not self.whole_rows or bool(group) or line.found["sample"] is None or line.found["rank"] == 1
            group = [line] if sound else []
        for line in whole:
            assert line.found is not None
            self.kept.add(line.raw, line.found["row"], line.found["rows"])
        return len(whole)

    def watched(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Gives those of the rows that are to be answered here. Raises OutputError at the first that is not the one that an
        earlier run has answered."""
        assert self.kept is not None
        shard = self.shard or WHOLE
        answered = shard.ordinal(len(self.digests) // _DIGEST - 1)  # the last row whose digest is known
        for row in rows:
            digest = self.input.add(row)
            if not shard.has(row.ordinal):
                continue
            place = shard.before(row.ordinal) * _DIGEST
            before = self.digests[place : place + _DIGEST].hex() or self.kept.digests.get(row.ordinal, digest)
            if before != digest:
                between = " (or one before it)" if shard.count > 1 else ""
                raise self._other(f"row {row.ordinal + 1} ({row.id}) of the input{between} is not the one that was answered")
            if self.other_input and row.ordinal > answered:
                raise self._other(f"the input was changed after its first {max(0, answered + 1)} rows, which are answered")
            self.pending[row.ordinal] = digest
            self.read.append(row.ordinal)
            yield row
        most = max([answered, *self.kept.digests])
        if self.input.rows <= most or self.other_input:
            raise self._other(f"the input has {self.input.rows} rows, of which it had more, or others, when it was answered")

    def _other(self, why: str) -> OutputError:
        return OutputError(f"{self.paths.partial} cannot be resumed: {why}; give the same input, or remove it")

    @property
    def samples(self) -> FileOutput:
        return self

    def keep_sample(self, record: Record) -> None:
        """Stores a sample whose row is not complete yet."""
        assert self.kept is not None
        digest = self.pending[record.row]
        self._written(lambda kept: kept.add(record_line(record, digest), record.row, digest))

    def _written(self, act: Callable[[KeptRecords], None]) -> None:
        assert self.kept is not None
        try:
            act(self.kept)
        except OSError as error:
            raise OutputError(f"{self.paths.kept}: {error.strerror}; free space, then add --resume") from error

    def of_row(self, row: int) -> list[Record]:
        """Gives what an earlier run has left of a row that is not written yet."""
        assert self.kept is not None
        # Damage that came twice may have put the same one aside twice.
        return list({(record.sample, record.rank): record for record in self.kept.of(row)}.values())

    def write(self, record: Record) -> None:
        assert self.stream is not None
        if record.row != self.tally.last_row:
            while self.read[0] < record.row:
                del self.pending[self.read.popleft()]
            # Only now is the row before known to be whole.
            self._written(lambda kept: kept.drop_before(record.row))
        self.tally.add(record)
        try:
            self.stream.write(record_line(record, self.pending[record.row]))
            self.stream.flush()
        except OSError as error:
            raise OutputError(f"{self.paths.partial}: {error.strerror}; free space, then add --resume") from error

    def finish(self) -> None:
        """Writes OUT in its format, and beside it which run it is of; then removes the partial files."""
        assert self.stream is not None and self.kept is not None
        self.stream.flush()
        counts = LineCounts()
        with atomic(self.out) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace") as target:
            for line in lines(self.paths.partial):
                if line.found is None:
                    raise OutputError(f"{self.paths.partial}: line {line.number} is damaged; add --resume to write it again")
                record = Record.from_dict(line.found)
                target.write(counts.written(self.formatter.lines, record, record.row, self.keep(record)))
        part = part_of(counts, self.tally.counts, self.blank) if self.shard else {}
        sign(self.out, self.settings, rows=[self.input.rows, self.input.value], **part)
        self.kept.close()
        for path in (self.paths.kept, self.paths.partial, self.paths.settings):
            with suppress(OSError):
                path.unlink()
        sync_folder(self.out.absolute().parent)

    def close(self) -> None:
        """Leaves everything as it is, for a resume."""
        for opened in (self.stream, self.kept):
            if opened:
                with suppress(OSError):
                    opened.close()


def group_is_failed(group: list[PartialLine]) -> bool:
    """Whether these lines of one row are the single one of a row without an answer, which nothing can follow."""
    return bool(group) and group[0].found is not None and group[0].found["sample"] is None
