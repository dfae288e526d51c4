"""Blocks of weights at 4 and 8 bits, laid out as ONNX Runtime's MatMulNBits and GatherBlockQuantized read them.

A weight is `scale * (q - 2 ** (bits - 1))`, which is GGUF's Q4_0 and Q8_0: their C code in ggml does the work (for 4 bits with
its search for the scale of least error, which it only makes when it is given an importance of each column), and the
blocks are taken apart here. Layout of Q4_0 and Q8_0: ggml-common.h; of MatMulNBits: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

from logos_cli.errors import MissingDependency
from logos_cli.models.onnx_model import Matrix

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BLOCK = 32  # fixed by Q4_0 and Q8_0
_TYPES = {4: (2, 18), 8: (8, 34)}  # bits -> ggml_type, bytes of a block
_PIECE = 1 << 21  # values that a thread takes at a time


@cache
def quantize_chunk() -> Callable[..., int]:
    """ggml's own. Raises MissingDependency without llama-cpp-python, which brings it."""
    try:
        from llama_cpp._ctypes_extensions import load_shared_library
        from llama_cpp._ggml import libggml_base_path
    except ImportError as error:
        raise MissingDependency(
            f"int8 and int4 are packed by llama.cpp's code ({error}); install llama-cpp-python, or convert to f32 or f16"
        ) from None

    base = load_shared_library("ggml-base", libggml_base_path)
    found = base.ggml_quantize_chunk
    found.restype = ctypes.c_size_t
    found.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    return found  # type: ignore[no-any-return]


def quantized(values: npt.NDArray[np.float32], bits: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """[R, K] as packed bytes [R, K · bits / 8] and scales [R, K / 32]; K is a multiple of 32."""
    import numpy as np

    rows, width = values.shape
    assert width % BLOCK == 0
    kind, size = _TYPES[bits]
    values = np.ascontiguousarray(values)
    raw = np.empty(values.size // BLOCK * size, np.uint8)
    importance = np.ones(width, np.float32)
    quantize_chunk()(kind, values.ctypes.data, raw.ctypes.data, 0, rows, width, importance.ctypes.data if bits == 4 else None)
    blocks = raw.reshape(-1, size)
    scales = blocks[:, :2].copy().view(np.float16).astype(np.float32).reshape(rows, -1)
    if bits == 8:
        packed = blocks[:, 2:] ^ np.uint8(0x80)
    else:
        # Byte j of a block holds weights j and j + 16; MatMulNBits wants 2 j and 2 j + 1 there.
        first, second = blocks[:, 2:] & np.uint8(15), blocks[:, 2:] >> np.uint8(4)
        packed = np.concatenate([half[:, 0::2] | (half[:, 1::2] << np.uint8(4)) for half in (first, second)], axis=1)
    return packed.reshape(rows, -1), scales


def quantized_bytes(matrix: Matrix, bits: int, threads: int, half: bool = False) -> Iterator[bytes]:
    """All packed rows, piece by piece, and then all scales (float32, or float16 if `half`)."""
    import numpy as np

    _, width = matrix.shape
    scales: list[bytes] = []
    waiting: list[Future[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]] = []

    def take() -> bytes:
        packed, scale = waiting.pop(0).result()
        scales.append(scale.astype(np.float16 if half else np.float32).tobytes())
        return packed.tobytes()

    with ThreadPoolExecutor(threads) as pool:
        try:
            for values in matrix.pieces(max(1, _PIECE // width)):
                waiting.append(pool.submit(quantized, values, bits))
                if len(waiting) > threads:
                    yield take()
            while waiting:
                yield take()
        finally:
            pool.shutdown(cancel_futures=True)
    yield from scales


def seconds_to_pack(elements: int, bits: int) -> float:
    """Time of one thread for `elements` values, from a trial on 2 million of them."""
    import numpy as np

    values = np.random.default_rng(0).standard_normal((1024, 2048), np.float32)
    began = time.monotonic()
    quantized(values, bits)
    return (time.monotonic() - began) * elements / values.size
