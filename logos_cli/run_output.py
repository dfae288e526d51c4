"""Where a run's records go: stdout, or a file that grows as OUT.partial, survives kill -9 and is resumed from there.

OUT.partial always holds JSONL, whatever the format asked for: it must say which row and sample each line is. Its
settings stand beside it in OUT.partial.json, and a run that resumes must have the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from logos_cli.errors import OutputError
from logos_cli.files import atomic, check_output, sync_folder
from logos_cli.pipeline import Done
from logos_cli.records import Formatter, Record, Tally, complete_lines


class StandardOutput:
    """Records to stdout, flushed one by one so that the next program of a pipe sees them at once."""

    def __init__(self, formatter: Formatter, keep: Callable[[Record], bool]) -> None:
        self.formatter, self.keep = formatter, keep
        self.done = Done()
        self.tally = Tally()

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

    @classmethod
    def of(cls, out: Path) -> PartialPaths:
        return cls(out.with_name(out.name + ".partial"), out.with_name(out.name + ".partial.json"))


class FileOutput:
    """Records to OUT by way of OUT.partial. Opening raises OutputError for an unfinished or changed run."""

    def __init__(self, out: Path, formatter: Formatter, keep: Callable[[Record], bool], whole_rows: bool) -> None:
        check_output(out)
        self.out, self.formatter, self.keep, self.whole_rows = out, formatter, keep, whole_rows
        self.paths = PartialPaths.of(out)
        self.done = Done()
        self.tally = Tally()
        self.stream: IO[bytes] | None = None

    def open(self, settings: dict[str, Any], resume: bool) -> bool:
        """Start or take up the partial file; False if OUT is complete already and nothing is left to do."""
        exists = self.paths.partial.exists()
        if exists and not resume:
            raise OutputError(f"{self.paths.partial} holds an unfinished run; add --resume to go on, or remove it")
        if resume and not exists and self.out.exists():
            return False
        try:
            if exists:
                self._check_settings(settings)
            else:
                with atomic(self.paths.settings) as beside:
                    beside.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
            self.stream = self.paths.partial.open("ab")
            self._lock()
            if exists:
                self._take_up()
        except OSError as error:
            self.close()
            raise OutputError(f"{self.paths.partial}: {error.strerror or error}") from error
        except OutputError:
            self.close()
            raise
        return True

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:
            return  # Windows: another run is not noticed there
        assert self.stream is not None
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(
                f"{self.paths.partial} is being written by another run; wait for it, or write elsewhere"
            ) from None

    def _check_settings(self, settings: dict[str, Any]) -> None:
        try:
            before = json.loads(self.paths.settings.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise OutputError(
                f"{self.paths.settings} is missing or damaged; remove {self.paths.partial} to start again"
            ) from None
        changed = [key for key in sorted({*before, *settings}) if before.get(key) != settings.get(key)]
        if changed:
            told = ", ".join(f"{key} was {before.get(key)!r}, is {settings.get(key)!r}" for key in changed)
            raise OutputError(f"{self.paths.partial} cannot be resumed: {told}; give the old values, or remove it")

    def _take_up(self) -> None:
        """Cut the file back to its last whole record, or whole row, and read off where to go on."""
        assert self.stream is not None
        kept = at = row_start = 0
        last: dict[str, Any] | None = None
        for line in complete_lines(self.paths.partial):
            try:
                found = json.loads(line)
                position = (found["row"], found["sample"])
            except (ValueError, KeyError, TypeError):
                break
            if last is None or position[0] != last["row"]:
                row_start = at
            last = found
            at += len(line)
        kept = at
        if last is not None:
            if last["sample"] is None:
                self.done = Done(last["row"] + 1, 0)
            elif self.whole_rows:
                kept, self.done = row_start, Done(last["row"], 0)
            else:
                self.done = Done(last["row"], last["sample"] + 1)
        self.stream.truncate(kept)
        self.stream.seek(0, os.SEEK_END)
        for line in complete_lines(self.paths.partial):
            self.tally.add(private_record(line))

    def write(self, record: Record) -> None:
        assert self.stream is not None
        self.tally.add(record)
        try:
            self.stream.write(record.to_line(private=True).encode("utf-8", "backslashreplace"))
            self.stream.flush()
        except OSError as error:
            raise OutputError(f"{self.paths.partial}: {error.strerror}; free space, then add --resume") from error

    def finish(self) -> None:
        """Write OUT in its format, then remove the partial files."""
        assert self.stream is not None
        self.stream.flush()
        with atomic(self.out) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace") as target:
            for line in complete_lines(self.paths.partial):
                record = private_record(line)
                if self.keep(record):
                    target.write(self.formatter.lines(record))
        for path in (self.paths.partial, self.paths.settings):
            with suppress(OSError):
                path.unlink()
        sync_folder(self.out.absolute().parent)

    def close(self) -> None:
        """Leave everything as it is, for a resume."""
        if self.stream:
            with suppress(OSError):
                self.stream.close()


def private_record(line: bytes) -> Record:
    return Record.from_dict(json.loads(line))
