"""What a long measurement has found so far, beside its output file, so that an interrupted one goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from logos_cli.errors import OutputError, UsageError
from logos_cli.records.finished_run import check_own, differences, sign
from logos_cli.system.file_lock import lock
from logos_cli.system.files import atomic, check_output, sync_folder

Key = Sequence[str | int]
_MARK = "logos settings"


class Journal:
    """Values by key. With `out` they go line by line into OUT.partial, whose first line holds the settings.

    Opening raises OutputError for an unfinished run that is not resumed, or one of other settings. `complete`: OUT is there,
    of these settings, and nothing is left to resume; `told` is then what OUT.run says. `damaged`: numbers of lines that could
    not be read; their values are measured again.
    """

    def __init__(
        self, out: Path | None, settings: dict[str, Any], resume: bool, of_output: Mapping[str, Any] | None = None
    ) -> None:
        """`of_output`: settings that change the output only, and no value that is kept."""
        self.out, self.values = out, dict[str, Any]()
        self.stream: IO[bytes] | None = None
        self.complete, self.told = False, dict[str, Any]()
        self.damaged: list[int] = []
        self.finished = {**settings, **(of_output or {})}
        if out is None:
            return
        check_output(out)
        self.partial = out.with_name(out.name + ".partial")
        try:
            exists = self.partial.exists()
            if resume and not exists and out.exists():
                self.told = check_own(out, self.finished)
                self.complete = True
                return
            self.stream = self.partial.open("r+b" if exists else "x+b")
            lock(self.stream, self.partial)
            if exists and not resume:
                raise OutputError(f"{self.partial} holds an unfinished run; add --resume to go on, or remove it")
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

    def _take_up(self, settings: dict[str, Any]) -> None:
        """Read the whole lines, cut off a last one that a kill left unfinished, pass over damaged ones."""
        assert self.stream is not None
        kept, before = 0, None
        for number, line in enumerate(self.stream, 1):
            if not line.endswith(b"\n"):
                break
            try:
                found: Any = json.loads(line)
                if before is None:
                    before = dict[str, Any](found[_MARK])
                else:
                    self.values[_name(found["key"])] = found["value"]
            except (ValueError, TypeError, KeyError):
                if before is None:
                    break
                self.damaged.append(number)
            kept += len(line)
        if before is None:
            if self.partial.stat().st_size:
                raise OutputError(f"{self.partial} is no unfinished run of this command; move it away, or write elsewhere")
            self._write({_MARK: settings})  # killed before the first line
            return
        if told := differences(before, settings):
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

    def discard(self, **more: Any) -> None:
        """Remove the partial file, the output is there; beside it stays what it is of, and `more`."""
        if self.out is None:
            return
        sign(self.out, self.finished, **more)
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

    def damage(self) -> str | None:
        """What to say of lines that could not be read."""
        if not self.damaged:
            return None
        more = f" and {len(self.damaged) - 1} more are" if len(self.damaged) > 1 else " is"
        return f"{self.partial}: line {self.damaged[0]}{more} damaged and measured again; all others are kept"


def check_inputs(out: Path | None, resume: bool, inputs: Iterable[str | Path | None]) -> None:
    """Raise UsageError for an output that is one of the inputs, or a resume without an output."""
    if resume and out is None:
        raise UsageError("--resume needs -o OUT: what went to stdout cannot be taken up again")
    for path in inputs:
        if out is not None and path is not None and os.path.exists(path) and out.exists() and out.samefile(path):
            raise UsageError(f"{out} is an input; give another -o")


def _name(key: Key) -> str:
    return json.dumps(list(key))
