"""What a conversion will take, before it is made: size exactly, memory and time from short trials on this machine."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from logos_cli.convert.gguf_vocab import read_vocab
from logos_cli.convert.to_gguf import data_of, plan, stream_of, write_header
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.onnx_model import UNKNOWN, OnnxModel, places_of, write_beside_data
from logos_cli.system.threads import chosen_threads


@dataclass(frozen=True)
class UnquantizedEstimate:
    """Bytes of the file, bytes of memory, seconds without the disk's own time."""

    bytes: int
    memory: int
    seconds: float


SPARSE = "sparse.gguf"
# Interpreter, vocabulary and three pieces in flight (raw, permuted, converted to f32): 478 MB were measured with Llama 3's
# vocabulary and matrices of the 8B's width.
_BASE_MEMORY = 512 << 20


def estimate_unquantized(checkpoint: Checkpoint, scheme: str, folder: Path | None = None) -> UnquantizedEstimate:
    """`folder`: leave a file `SPARSE` there, the real header before a hole of the data's size."""
    planned = plan(checkpoint, scheme)
    with TemporaryDirectory() as own:
        path = (folder or Path(own)) / SPARSE
        writer = write_header(checkpoint, read_vocab(checkpoint), path, scheme, planned)
        start = stream_of(writer).tell()
        writer.close()
        size = start + sum(-(-tensor.nbytes // 32) * 32 for tensor in planned)
        os.truncate(path, size)
    largest = max(planned, key=lambda tensor: tensor.nbytes)
    began = time.monotonic()
    piece = next(data_of(largest, checkpoint.config))
    hashlib.sha256(piece)
    # Written once and compared once.
    seconds = 2 * (time.monotonic() - began) * size / len(piece)
    return UnquantizedEstimate(size, _BASE_MEMORY, seconds)


def estimate_folder(
    model: OnnxModel, progress: Callable[[int], None], quantized: Callable[[OnnxModel], OnnxModel] | None = None
) -> UnquantizedEstimate:
    """What an ONNX folder will take, `quantized` if that is given. Every weight is read as in converting, which raises
    CheckpointError for those that cannot be written; `progress` is told the bytes."""
    began = time.monotonic()
    for one in model.stored:
        for piece in one.pieces():
            hashlib.sha256(piece)
            progress(len(piece))
    seconds = 2 * (time.monotonic() - began)  # read back once
    model = quantized(model) if quantized else model
    places, size = places_of(model)
    with TemporaryDirectory() as own:
        write_beside_data(model, Path(own), places, UNKNOWN)
        size += sum(path.stat().st_size for path in Path(own).iterdir())
    return UnquantizedEstimate(size, _BASE_MEMORY, seconds)


def seconds_to_quantize(elements: int, kind: int, threads: int | None) -> float:
    """Time for `elements` values, from a trial on 2 million of them."""
    import ctypes

    import numpy as np
    from llama_cpp._ctypes_extensions import load_shared_library
    from llama_cpp._ggml import libggml_base_path

    base = load_shared_library("ggml-base", libggml_base_path)
    base.ggml_quantize_chunk.restype = ctypes.c_size_t
    base.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    ]  # fmt: skip
    rows, width = 1024, 2048
    values = np.random.default_rng(0).standard_normal((rows, width), np.float32)
    target = np.zeros(rows * width * 4, np.uint8)
    began = time.monotonic()
    base.ggml_quantize_chunk(kind, values.ctypes.data, target.ctypes.data, 0, rows, width, None)
    return (time.monotonic() - began) * elements / values.size / chosen_threads(threads)
