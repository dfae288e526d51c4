"""Lines of an unfinished output: each a JSON object with its own checksum, so that damage anywhere is seen and confined to
the lines that it hit."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from logos_cli.records.record import Record

_MARK = b', "crc": "'


@dataclass(frozen=True)
class PartialLine:
    """One line: where it lies, its `number` from 1, and what it says; None if it is damaged or, `cut`, has no end."""

    at: int
    raw: bytes
    number: int
    found: dict[str, Any] | None
    cut: bool


def sealed(found: dict[str, Any]) -> bytes:
    """`found` as a line that ends in its checksum."""
    body = json.dumps(found, ensure_ascii=False).encode("utf-8", "backslashreplace")[:-1]
    return body + _MARK + b'%08x"}\n' % zlib.crc32(body)


def unsealed(line: bytes) -> dict[str, Any] | None:
    """What `sealed` made a line of; None for any other line."""
    body, mark, end = line.rpartition(_MARK)
    if not mark or end != b'%08x"}\n' % zlib.crc32(body):
        return None
    found = json.loads(body + b"}")
    return found if isinstance(found, dict) else None


def record_line(record: Record, digest: str) -> bytes:
    """A record as a line, with what the schema has not: `digest`, that of the input's rows up to the record's."""
    return sealed(record.to_dict() | {"smiles": record.smiles, "columns": record.columns, "rows": digest})


def lines(path: Path) -> Iterator[PartialLine]:
    at = 0
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            yield PartialLine(at, raw, number, unsealed(raw), not raw.endswith(b"\n"))
            at += len(raw)


class KeptRecords:
    """OUT.partial.kept: records that the run is not at yet, by row.

    Samples of --top before their row is merged, so that a resume draws only the missing ones; and whole lines that stood
    behind a damaged one. Lines of rows that are done are dropped when they have become many.
    """

    SLACK = 1 << 20  # bytes of lines nobody needs, before the file is written anew

    def __init__(self, path: Path, fresh: bool) -> None:
        """Open `path` to add to it, emptied if `fresh`. Raises OSError."""
        self.path = path
        self.places: dict[int, list[tuple[int, int]]] = {}
        self.digests: dict[int, str] = {}
        self.first = self.dead = 0  # rows before `first` are dropped, `dead` bytes of lines with them
        known = () if fresh or not path.exists() else [line for line in lines(path) if line.found]
        self.stream: IO[bytes] = path.open("w+b" if fresh or not path.exists() else "r+b")
        for line in known:
            assert line.found is not None
            self._note(line.found["row"], line.found["rows"], line.at, len(line.raw))
        self.end = self.stream.seek(0, 2)
        if self.end:  # a line that a kill cut short must not swallow the next
            self._append(b"\n")

    def _note(self, row: int, digest: str, at: int, size: int) -> None:
        self.places.setdefault(row, []).append((at, size))
        self.digests[row] = digest

    def _append(self, raw: bytes) -> None:
        self.stream.seek(self.end)
        self.stream.write(raw)
        self.stream.flush()
        self.end += len(raw)

    def add(self, raw: bytes, row: int, digest: str) -> None:
        """Keep a sealed line. Raises OSError."""
        self._note(row, digest, self.end, len(raw))
        self._append(raw)

    def of(self, row: int) -> list[Record]:
        """The records of a row, in the order in which they were kept."""
        found = []
        for at, size in self.places.get(row, ()):
            self.stream.seek(at)
            one = unsealed(self.stream.read(size))
            assert one is not None, "it was whole when it was noted, and nobody else writes here"
            found.append(Record.from_dict(one))
        return found

    def drop_before(self, row: int) -> None:
        """Forget the rows before `row`: their records are written."""
        for done in range(self.first, row):
            self.dead += sum(size for _, size in self.places.pop(done, ()))
            self.digests.pop(done, None)
        self.first = max(self.first, row)
        if self.dead > max(self.SLACK, self.end // 2):
            self._rewrite()

    def _rewrite(self) -> None:
        live = []
        for row, places in self.places.items():
            for at, size in places:
                self.stream.seek(at)
                live.append((row, self.stream.read(size)))
        digests, self.places, self.digests, self.dead, self.end = self.digests, {}, {}, 0, 0
        self.stream.truncate(0)  # a kill just now loses samples, which are then drawn again as they were
        for row, raw in live:
            self.add(raw, row, digests[row])

    def close(self) -> None:
        self.stream.close()
