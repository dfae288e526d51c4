"""What a long measurement has found so far, beside its output file, so that an interrupted one goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from logos_cli.errors import OutputError, UsageError
from logos_cli.files import atomic, check_output, sync_folder

Key = Sequence[str | int]
_MARK = "logos settings"


class Journal:
    """Values by key. With `out` they go line by line into OUT.partial, whose first line holds the settings.

    Opening raises OutputError for an unfinished run that is not resumed, or one of other settings. `complete`: OUT is there
    and nothing is left to resume.
    """

    def __init__(self, out: Path | None, settings: dict[str, Any], resume: bool) -> None:
        self.out, self.values = out, dict[str, Any]()
        self.stream: IO[bytes] | None = None
        self.complete = False
        if out is None:
            return
        check_output(out)
        self.partial = out.with_name(out.name + ".partial")
        try:
            exists = self.partial.exists()
            if exists and not resume:
                raise OutputError(f"{self.partial} holds an unfinished run; add --resume to go on, or remove it")
            if resume and not exists and out.exists():
                self.complete = True
                return
            self.stream = self.partial.open("r+b" if exists else "x+b")
            self._lock()
            if exists:
                self._take_up(settings)
            else:
                self._write({_MARK: settings})
        except FileExistsError:
            raise OutputError(f"{self.partial} is being written by another run; wait for it, or write elsewhere") from None
        except OSError as error:
            self.close()
            raise OutputError(f"{self.partial}: {error.strerror or error}; write elsewhere with -o") from error
        except OutputError:
            self.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:
            return
        assert self.stream is not None
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(f"{self.partial} is being written by another run; wait for it, or write elsewhere") from None

    def _take_up(self, settings: dict[str, Any]) -> None:
        """Read the whole lines, cut off a last one that a kill left unfinished."""
        assert self.stream is not None
        kept, before = 0, None
        for line in self.stream:
            try:
                found: Any = json.loads(line) if line.endswith(b"\n") else None
                if before is None:
                    before = dict[str, Any](found[_MARK])
                else:
                    self.values[_name(found["key"])] = found["value"]
            except (ValueError, TypeError, KeyError):
                break
            kept += len(line)
        if before is None:
            if self.partial.stat().st_size:
                raise OutputError(f"{self.partial} is no unfinished run of this command; move it away, or write elsewhere")
            self._write({_MARK: settings})  # killed before the first line
            return
        plain = json.loads(json.dumps(settings))
        changed = [key for key in sorted({*before, *plain}) if before.get(key) != plain.get(key)]
        if changed:
            told = ", ".join(f"{key} was {str(before.get(key))[:60]}, is {str(plain.get(key))[:60]}" for key in changed)
            raise OutputError(f"{self.partial} cannot be resumed: {told}; give the old values, or remove it")
        self.stream.seek(kept)
        self.stream.truncate(kept)

    def _write(self, value: dict[str, Any]) -> None:
        if self.stream:
            try:
                self.stream.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
                self.stream.flush()
            except OSError as error:
                raise OutputError(f"{self.partial}: {error.strerror}; free space, then add --resume") from error

    def get(self, *key: str | int) -> Any:
        """The value that an earlier run left, or None."""
        return self.values.get(_name(key))

    def put(self, value: Any, *key: str | int) -> None:
        """Keep a value for a later run; this one has it already."""
        self._write({"key": list(key), "value": value})

    def finish(self, document: str) -> None:
        """Write the output file whole, then remove the partial one."""
        if self.out is None:
            return
        with atomic(self.out) as beside:
            beside.write_text(document, encoding="utf-8")
        self.discard()

    def discard(self) -> None:
        """Remove the partial file: the output is there."""
        if self.out is None:
            return
        self.close()
        with suppress(OSError):
            os.unlink(self.partial)
        sync_folder(self.out.absolute().parent)

    def close(self) -> None:
        """Leave everything as it is, for a resume."""
        if self.stream:
            with suppress(OSError):
                self.stream.close()
            self.stream = None


def check_inputs(out: Path | None, resume: bool, inputs: Iterable[str | Path | None]) -> None:
    """Raise UsageError for an output that is one of the inputs, or a resume without an output."""
    if resume and out is None:
        raise UsageError("--resume needs -o OUT: what went to stdout cannot be taken up again")
    for path in inputs:
        if out is not None and path is not None and os.path.exists(path) and out.exists() and out.samefile(path):
            raise UsageError(f"{out} is an input; give another -o")


def _name(key: Key) -> str:
    return json.dumps(list(key))
