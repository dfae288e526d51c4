"""Stored numbers: as float32, and whether they are numbers, since damage shows as NaN or infinity among values or scales."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Of each block: its bytes, and where its float16 scales lie (ggml-common.h). A type that is not here is not looked into.
_SCALES = {
    "Q8_0": (34, 0, 1),
    "Q4_0": (18, 0, 1),
    "Q5_0": (22, 0, 1),
    "IQ4_NL": (18, 0, 1),
    "Q2_K": (84, 80, 2),
    "Q3_K": (110, 108, 1),
    "Q4_K": (144, 0, 2),
    "Q5_K": (176, 0, 2),
    "Q6_K": (210, 208, 1),
    "IQ4_XS": (136, 0, 1),
}
_EXPONENT = {"F32": (np.uint32, 0x7F800000), "F16": (np.uint16, 0x7C00), "BF16": (np.uint16, 0x7F80)}


def all_finite(raw: bytes, kind: str) -> bool:
    """False if `raw`, whole little-endian values or blocks of the GGML type `kind`, holds a NaN or an infinity."""
    if kind in _SCALES:
        block, start, count = _SCALES[kind]
        scales = np.frombuffer(raw, np.uint8).reshape(-1, block)[:, start : start + 2 * count]
        raw, kind = np.ascontiguousarray(scales).tobytes(), "F16"
    if kind not in _EXPONENT:
        return True
    code, exponent = _EXPONENT[kind]
    # All bits of the exponent set is what the format calls infinity or NaN.
    return not bool(((np.frombuffer(raw, code) & code(exponent)) == exponent).any())


def as_float32(raw: bytes, dtype: str) -> npt.NDArray[np.float32]:
    """Values stored as F32, F16 or BF16; each of these is exact in float32."""
    if dtype == "BF16":
        return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, np.float16 if dtype == "F16" else np.float32).astype(np.float32)
