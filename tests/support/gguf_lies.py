"""Headers of GGUF files that claim what is not there."""

from __future__ import annotations

import struct


def header(tensors: int = 0, keys: int = 0, body: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body + b"\0" * 64


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind) + value


TENSOR = struct.pack("<Q", 1) + b"t" + struct.pack("<I", 1)
LIES = {
    "empty": b"",
    "version": header(version=1),
    "tensors": header(tensors=2**62),
    "keys": header(keys=2**62),
    "string": header(keys=1, body=struct.pack("<Q", 2**60)),
    "type": header(keys=1, body=key(b"k", 77, b"")),
    "array": header(keys=1, body=key(b"k", 9, struct.pack("<IQ", 4, 2**61))),
    "strings": header(keys=1, body=key(b"k", 9, struct.pack("<IQ", 8, 2**61))),
    "nested": header(keys=1, body=key(b"k", 9, struct.pack("<IQ", 9, 5))),
    "twice": header(keys=2, body=key(b"k", 0, b"\1") * 2),
    "utf8": header(keys=1, body=key(b"\xff", 0, b"\1")),
    "dims": header(tensors=1, body=struct.pack("<Q", 1) + b"t" + struct.pack("<I", 9)),
    "tensor type": header(tensors=1, body=TENSOR + struct.pack("<QIQ", 32, 99, 0)),
    "outside": header(tensors=1, body=TENSOR + struct.pack("<QIQ", 2**40, 0, 0)),
    "overflow": header(tensors=1, body=TENSOR + struct.pack("<QIQ", 2**63, 0, 0)),
    "alignment": header(keys=1, body=key(b"general.alignment", 4, struct.pack("<I", 7))),
}
