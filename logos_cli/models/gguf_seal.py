"""Two checksums that a GGUF of ours carries: of its data, and of its header, which holds the first.

A header is small, so its checksum is compared each time a file is opened: where another program or damage has changed it,
our own keys are not believed. The data is gigabytes and only read through by `logos inspect` and `logos quantize`; damage
there gives wrong numbers, never a crash. Neither is a signature: whoever can write the file can write both.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

HEADER, DATA = "logos.header_sha256", "logos.data_sha256"
UNKNOWN = "0" * 64  # in the place of a checksum, or of the fingerprint, until it is known
_STRING = 8
_PIECE = 16 << 20


def place_of(header: bytes, key: str) -> int:
    """Where the 64 characters of `key`'s value begin in the header's bytes; -1 if there is no such value."""
    name = key.encode()
    entry = struct.pack("<Q", len(name)) + name + struct.pack("<IQ", _STRING, len(UNKNOWN))
    at = header.find(entry)
    return at + len(entry) if at >= 0 else -1


def header_sha256(header: bytes) -> str:
    """Checksum of everything before the data, its own value counted as zeros."""
    at = place_of(header, HEADER)
    if at < 0:
        return hashlib.sha256(header).hexdigest()
    return hashlib.sha256(header[:at] + UNKNOWN.encode() + header[at + len(UNKNOWN) :]).hexdigest()


def data_sha256(path: Path, data_start: int, progress: Callable[[int], None] = lambda _: None) -> str:
    """Checksum of everything from `data_start` on, read in pieces; `progress` is told the bytes of each."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(data_start)
        while piece := stream.read(_PIECE):
            digest.update(piece)
            progress(len(piece))
    return digest.hexdigest()


def seal(path: Path, data_start: int, values: dict[str, str]) -> None:
    """Fill in `values` (64 characters each, `DATA` among them) and then the header's own checksum.

    The header was written with `UNKNOWN` for each of them and for `HEADER`.
    """
    with path.open("rb+") as stream:
        header = bytearray(stream.read(data_start))
        for key, value in values.items():
            put(header, key, value)
        put(header, HEADER, header_sha256(bytes(header)))
        stream.seek(0)
        stream.write(header)


def put(header: bytearray, key: str, value: str) -> None:
    at = place_of(bytes(header), key)
    assert at > 0 and len(value) == len(UNKNOWN), f"the header was written with a placeholder for {key}"
    header[at : at + len(value)] = value.encode()
