"""Bytes and lines of any input: files or stdin, plain or packed, whatever their line ends and encoding."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import select
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from logos_cli.errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Buffer

LONGEST_LINE = 1_000_000  # characters; longer lines give an error row without being kept
PATIENCE = 1.0  # seconds
FIRST_LINES = 4  # lines by which a format is known: an SDF's counts line is the fourth
_LONGEST_START = 64 * 1024  # bytes of comments that may stand before them
PACKED = (".gz", ".bz2", ".xz", ".lzma")
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)

# (line number, text without its end; None for a line over LONGEST_LINE)
Line = tuple[int, str | None]


def _silent(_: str) -> None:
    pass


@dataclass
class Blank:
    """What reading notices beside the rows: how many blank lines and `#` comments were skipped, and how often a part of a
    row was `left_out`, by its name; all known when the rows are through. `note` hears what was decided about the format,
    once, before the rows that it changes."""

    lines: int = 0
    comments: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    note: Callable[[str], None] = _silent
    noted: set[str] = field(default_factory=set)

    def note_once(self, what: str, text: str) -> None:
        """Say `text`, unless something was said of `what` before."""
        if what not in self.noted:
            self.noted.add(what)
            self.note(text)


class _Ahead(io.RawIOBase):
    """A stream whose beginning was read already, from there on."""

    def __init__(self, start: bytes, stream: io.BufferedIOBase) -> None:
        self.start, self.stream = start, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        found = self.start[: len(view)] or self.stream.read1(len(view))
        self.start = self.start[len(found) :]
        view[: len(found)] = found
        return len(found)


@contextmanager
def open_bytes(path: str) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file or of stdin (`-`), unpacked if they are gzip, bzip2, xz or lzma whatever the name says."""
    with ExitStack() as opened:
        try:
            raw: BinaryIO = standard_input() if path == "-" else opened.enter_context(open(path, "rb"))
            assert isinstance(raw, io.BufferedReader)
            stream = unpacked(raw)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give a readable file, or - for stdin") from error
        yield stream


def unpacked(raw: io.BufferedReader) -> io.BufferedIOBase:
    """The content of a stream, by its first bytes. Of a pipe that brings them one at a time, all are waited for."""
    start = raw.peek(6)[:6]
    magic = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"]\0\0")
    if 0 < len(start) < 6 and any(one.startswith(start) or start.startswith(one) for one in magic):
        start = raw.read(6)
        raw = io.BufferedReader(_Ahead(start, raw))
    if start.startswith(magic[0]):
        return gzip.GzipFile(fileobj=raw)
    # `BZh`, then a digit: the block size.
    if start.startswith(magic[1]) and start[3:4].isdigit():
        return bz2.BZ2File(raw)
    return lzma.LZMAFile(raw) if start.startswith(magic[2:]) else raw


def plain_name(path: str) -> str:
    """The file's name in lower case, without the suffix of its packing."""
    name = Path(path).name.lower()
    return next((name.removesuffix(suffix) for suffix in PACKED if name.endswith(suffix)), name)


def standard_input() -> BinaryIO:
    """stdin as a stream of our own: a thread may still wait for it when Python ends and locks its own one."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError, AttributeError):  # not a file: another program of this process has put something in its place
        return sys.stdin.buffer


@contextmanager
def told(path: str, after: str = "") -> Iterator[None]:
    """Damage found while reading `path`, as one line."""
    try:
        yield
    except _DAMAGED as error:
        raise InputError(f"{path}: damaged packed data{after} ({error}); unpack it again") from error
    except OSError as error:
        if error.errno is None:  # bzip2's reader says it so
            raise InputError(f"{path}: damaged packed data{after} ({error}); unpack it again") from error
        raise InputError(f"{path}: {error.strerror or error}; give a readable file, or - for stdin") from error


def first_lines(
    path: str, stream: io.BufferedIOBase, clear: Callable[[list[bytes]], bool] = lambda _: False
) -> tuple[bytes, io.BufferedIOBase]:
    """(the first four lines that are no `#` comments and what stands before them, the stream from its beginning).

    A pipe is waited for until they are there or it ends, so that a format does not depend on how its bytes trickle in: any
    first line may be an SDF's title. Only a line that is a JSON object decides alone, and lines that are `clear` when
    nothing follows them for a second: who wrote them waits for an answer.
    """
    lines: list[bytes] = []
    counted = size = 0
    with told(path):
        while counted < FIRST_LINES and size < _LONGEST_START:
            if counted and clear(lines) and silent(stream):
                break
            if not (line := stream.readline(LONGEST_LINE)):
                break
            lines.append(line)
            size += len(line)
            counted += 0 if line.startswith(b"#") else 1 + line.count(b"\r", 0, -2)
            if line.startswith(b"{") and line.rstrip().endswith(b"}"):
                break  # JSON lines, which nothing else begins like
    start = b"".join(lines)
    return start, io.BufferedReader(_Ahead(start, stream))


def silent(stream: io.BufferedIOBase) -> bool:
    """Whether a pipe brings nothing for a second."""
    if not isinstance(stream, io.BufferedReader) or not isinstance(stream.raw, io.FileIO):
        return False  # packed, or bytes in memory
    with suppress(OSError, ValueError):  # what select does not know is a file, and never silent
        os.set_blocking(stream.fileno(), False)
        try:
            if stream.peek(1):
                return False  # read ahead already
        finally:
            os.set_blocking(stream.fileno(), True)
        return not select.select([stream], [], [], PATIENCE)[0]
    return False


def all_bytes(path: str, stream: io.BufferedIOBase, most: int) -> bytes:
    """The whole content. Raises InputError if it is over `most` bytes."""
    with told(path):
        data = stream.read(most + 1)
    if len(data) > most:
        raise InputError(f"{path}: over {most / 1e6:,.0f} MB; give one structure a file")
    return data


def decode(line: bytes) -> str:
    """UTF-8, else Latin-1: names from old vendors' files are often the latter."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def read_lines(path: str) -> Iterator[Line]:
    """(line number, text without its end) of each line; None for one over `LONGEST_LINE`, which is not kept."""
    with open_bytes(path) as stream:
        yield from lines_of(path, stream)


def lines_of(path: str, stream: io.BufferedIOBase) -> Iterator[Line]:
    """The same of an open stream."""
    number = 0
    while line := _line(path, stream, number):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := _line(path, stream, number)) and not rest.endswith(b"\n"):
                pass
            yield number, None
            continue
        # Files that were joined bring their byte order marks along.
        text = decode(line.removeprefix(b"\xef\xbb\xbf")).rstrip("\r\n")
        # Old Mac line ends: one physical line that holds many.
        for part in text.split("\r"):
            yield number, part
            number += 1
        number -= 1


def _line(path: str, stream: io.BufferedIOBase, number: int) -> bytes:
    with told(path, f" after line {number}"):
        return stream.readline(LONGEST_LINE)


def filled(lines: Iterator[Line], blank: Blank) -> Iterator[Line]:
    """The lines that hold something; the others are counted."""
    for number, text in lines:
        if text is None or text.strip():
            yield number, text
        else:
            blank.lines += 1
