"""llama.cpp's block formats taken apart: where a block's scales put its levels, and which level each weight has.

Layouts as in ggml-common.h and ggml-quants.c of llama.cpp; a test holds them against ggml's own dequantizer for every
format. A weight is scale · level + offset, its level one of a format's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.float32]
    Codes = npt.NDArray[np.integer[Any]]

_TWO_BITS = np.arange(0, 8, 2, dtype=np.uint8)
_ONE_BIT = np.arange(8, dtype=np.uint8)
# The levels of iq4_nl and iq4_xs (`kvalues_iq4nl`).
_UNEVEN = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)


def halves(raw: Bytes) -> Floats:
    """float16 values [N, 1] of two bytes each."""
    return np.ascontiguousarray(raw).view(np.float16).astype(np.float32)


def nibbles(raw: Bytes, width: int) -> Codes:
    """Runs of `width` bytes [N, runs · width] as the low and then the high halves of each run [N, 2 · runs · width]."""
    runs = raw.reshape(len(raw), -1, width)
    return np.stack([runs & 15, runs >> 4], 2).reshape(len(raw), -1)


def as_nibbles(values: Codes, width: int) -> Codes:
    """The inverse."""
    runs = values.reshape(len(values), -1, 2, width)
    packed: Codes = (runs[:, :, 0] | (runs[:, :, 1] << 4)).reshape(len(values), -1)
    return packed


class Format(ABC):
    """Blocks [N, bytes] of `block` weights, each `part` of which share a scale. `codes` are from 0; `levels` [codes]."""

    block = 256
    part = 32
    levels: Floats

    @abstractmethod
    def grid(self, raw: Bytes) -> tuple[Floats, Floats]:
        """(scales, offsets), [N, block / part] each."""

    @abstractmethod
    def codes(self, raw: Bytes) -> Codes:
        """[N, block]."""

    @abstractmethod
    def put(self, raw: Bytes, codes: Codes) -> None:
        """Replace the codes in `raw`."""

    def values(self, raw: Bytes) -> Floats:
        """What the blocks stand for, [N, block]."""
        scales, offsets = (np.repeat(part, self.part, axis=1) for part in self.grid(raw))
        found: Floats = scales * self.levels[self.codes(raw)] + offsets
        return found


def _even(low: int, high: int) -> Floats:
    return np.arange(low, high + 1, dtype=np.float32)


def _six_bits(raw: Bytes) -> tuple[Codes, Codes]:
    """Scales and minima [N, 8] of q4_k and q5_k from their 12 bytes."""
    low, middle, high = raw[:, 0:4], raw[:, 4:8], raw[:, 8:12]
    scales = np.concatenate([low & 63, (high & 15) | ((low >> 6) << 4)], 1)
    return scales, np.concatenate([middle & 63, (high >> 4) | ((middle >> 6) << 4)], 1)


class Q2K(Format):
    part, levels = 16, _even(0, 3)

    def grid(self, raw: Bytes) -> tuple[Floats, Floats]:
        return halves(raw[:, 80:82]) * (raw[:, :16] & 15), -halves(raw[:, 82:84]) * (raw[:, :16] >> 4)

    def codes(self, raw: Bytes) -> Codes:
        return ((raw[:, 16:80].reshape(-1, 2, 1, 32) >> _TWO_BITS[:, None]) & 3).reshape(-1, 256)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 16:80] = (codes.reshape(-1, 2, 4, 32) << _TWO_BITS[:, None]).sum(2, dtype=np.uint8).reshape(-1, 64)


class Q3K(Format):
    part, levels = 16, _even(-4, 3)

    def grid(self, raw: Bytes) -> tuple[Floats, Floats]:
        packed, high = raw[:, 96:108], raw[:, 104:108]
        low = np.concatenate([packed[:, :8] & 15, packed[:, :8] >> 4], 1)
        upper = np.concatenate([(high >> shift) & 3 for shift in _TWO_BITS], 1)
        scales = halves(raw[:, 108:110]) * ((low | (upper << 4)).astype(np.float32) - 32)
        return scales, np.zeros_like(scales)

    def codes(self, raw: Bytes) -> Codes:
        low = ((raw[:, 32:96].reshape(-1, 2, 1, 32) >> _TWO_BITS[:, None]) & 3).reshape(-1, 256)
        high = ((raw[:, None, :32] >> _ONE_BIT[:, None]) & 1).reshape(-1, 256)
        return low | (high << 2)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 32:96] = ((codes & 3).reshape(-1, 2, 4, 32) << _TWO_BITS[:, None]).sum(2, dtype=np.uint8).reshape(-1, 64)
        raw[:, :32] = ((codes >> 2).reshape(-1, 8, 32) << _ONE_BIT[:, None]).sum(1, dtype=np.uint8)


class Q4K(Format):
    levels = _even(0, 15)

    def grid(self, raw: Bytes) -> tuple[Floats, Floats]:
        scales, minima = _six_bits(raw[:, 4:16])
        return halves(raw[:, 0:2]) * scales, -halves(raw[:, 2:4]) * minima

    def codes(self, raw: Bytes) -> Codes:
        return nibbles(raw[:, 16:], 32)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 16:] = as_nibbles(codes, 32)


class Q5K(Q4K):
    levels = _even(0, 31)

    def codes(self, raw: Bytes) -> Codes:
        high = ((raw[:, None, 16:48] >> _ONE_BIT[:, None]) & 1).reshape(-1, 256)
        return nibbles(raw[:, 48:], 32) | (high << 4)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 16:48] = ((codes >> 4).reshape(-1, 8, 32) << _ONE_BIT[:, None]).sum(1, dtype=np.uint8)
        raw[:, 48:] = as_nibbles(codes & 15, 32)


class Q6K(Format):
    part, levels = 16, _even(-32, 31)

    def grid(self, raw: Bytes) -> tuple[Floats, Floats]:
        scales = halves(raw[:, 208:210]) * np.ascontiguousarray(raw[:, 192:208]).view(np.int8)
        return scales, np.zeros_like(scales)

    def codes(self, raw: Bytes) -> Codes:
        low = nibbles(raw[:, :128], 64)
        high = ((raw[:, 128:192].reshape(-1, 2, 1, 32) >> _TWO_BITS[:, None]) & 3).reshape(-1, 256)
        return low | (high << 4)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, :128] = as_nibbles(codes & 15, 64)
        raw[:, 128:192] = ((codes >> 4).reshape(-1, 2, 4, 32) << _TWO_BITS[:, None]).sum(2, dtype=np.uint8).reshape(-1, 64)


class Iq4Xs(Format):
    levels = _UNEVEN

    def grid(self, raw: Bytes) -> tuple[Floats, Floats]:
        high = np.ascontiguousarray(raw[:, 2:4]).view(np.uint16)
        low = nibbles(raw[:, 4:8], 1)
        bits = low | (((high >> np.arange(0, 16, 2, dtype=np.uint16)) & 3) << 4)
        scales = halves(raw[:, 0:2]) * (bits.astype(np.float32) - 32)
        return scales, np.zeros_like(scales)

    def codes(self, raw: Bytes) -> Codes:
        return nibbles(raw[:, 8:], 16)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 8:] = as_nibbles(codes, 16)


class Q40(Format):
    block, levels = 32, _even(-8, 7)

    def grid(self, raw: Bytes) -> tuple[Floats, Floats]:
        scales = halves(raw[:, 0:2])
        return scales, np.zeros_like(scales)

    def codes(self, raw: Bytes) -> Codes:
        return nibbles(raw[:, 2:], 16)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 2:] = as_nibbles(codes, 16)


class Iq4Nl(Q40):
    levels = _UNEVEN


class Q50(Q40):
    levels = _even(-16, 15)

    def codes(self, raw: Bytes) -> Codes:
        return nibbles(raw[:, 6:], 16) | (np.unpackbits(raw[:, 2:6], axis=1, bitorder="little") << 4)

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 2:6] = np.packbits(codes >> 4, axis=1, bitorder="little")
        raw[:, 6:] = as_nibbles(codes & 15, 16)


class Q80(Q40):
    levels = _even(-128, 127)

    def codes(self, raw: Bytes) -> Codes:
        return raw[:, 2:] ^ 128

    def put(self, raw: Bytes, codes: Codes) -> None:
        raw[:, 2:] = codes ^ 128


# By ggml's names.
FORMATS: dict[str, Format] = {
    "Q2_K": Q2K(), "Q3_K": Q3K(), "Q4_K": Q4K(), "Q5_K": Q5K(), "Q6_K": Q6K(), "IQ4_XS": Iq4Xs(),
    "Q4_0": Q40(), "IQ4_NL": Iq4Nl(), "Q5_0": Q50(), "Q8_0": Q80(),
}  # fmt: skip
