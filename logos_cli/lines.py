"""Bytes and lines of any input: files or stdin, plain or gzipped, whatever their line ends and encoding."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from logos_cli.errors import InputError

LONGEST_LINE = 1_000_000  # characters; longer lines give an error row without being kept
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)

# (line number, text without its end; None for a line over LONGEST_LINE)
Line = tuple[int, str | None]


@dataclass
class Blank:
    """How many blank lines were skipped, known when the rows are through."""

    lines: int = 0


@contextmanager
def open_bytes(path: str) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file or of stdin (`-`), unpacked if they are gzip whatever the name says."""
    with ExitStack() as opened:
        try:
            raw: BinaryIO = standard_input() if path == "-" else opened.enter_context(open(path, "rb"))
            assert isinstance(raw, io.BufferedReader)
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give a readable file, or - for stdin") from error
        yield gzip.GzipFile(fileobj=raw) if packed else raw


def standard_input() -> BinaryIO:
    """stdin as a stream of our own: a thread may still wait for it when Python ends and locks its own one."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError):  # not a file: another program of this process has put something in its place
        return sys.stdin.buffer


@contextmanager
def told(path: str, after: str = "") -> Iterator[None]:
    """Damage found while reading `path`, as one line."""
    try:
        yield
    except _DAMAGED as error:
        raise InputError(f"{path}: damaged gzip data{after} ({error}); unpack it again") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a readable file, or - for stdin") from error


def first_bytes(path: str, stream: io.BufferedIOBase) -> bytes:
    """What can be seen of the beginning without taking it, some kilobytes at most: a pipe gives what it has by now."""
    assert isinstance(stream, (io.BufferedReader, gzip.GzipFile))
    with told(path):
        return stream.peek(4096)[:4096]


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
        text = decode(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).rstrip("\r\n")
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
