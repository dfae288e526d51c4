"""ggml's tensors as numpy: what a running graph multiplies, weights read and replaced, rows quantized and read back.

`struct ggml_tensor` is mirrored as it is in the one version of llama.cpp that this tool runs on (ggml.h of
llama-cpp-python 0.3.36); a test compares names, shapes and values with what the file holds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from logos_cli.engines.llamacpp import library
from logos_cli.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_DIMS, _SOURCES, _NAME, _OP_PARAMS = 4, 10, 64, 16
_HEADS = ("output.weight", "token_embd.weight")  # the second one where head and embedding are one
_ROWS = 64  # rows that one call of the quantizer takes; more calls than threads keep all of them busy


class GgmlTensor(ctypes.Structure):
    """ggml.h, `struct ggml_tensor`."""


GgmlTensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * _DIMS),
    ("nb", ctypes.c_size_t * _DIMS),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * _OP_PARAMS),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(GgmlTensor) * _SOURCES),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * _NAME),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]
Pointer = Any  # to a GgmlTensor: ctypes makes the class of it at run time


class _TypeTraits(ctypes.Structure):
    """ggml.h, `struct ggml_type_traits`."""

    _fields_ = [
        ("type_name", ctypes.c_char_p),
        ("block", ctypes.c_int64),
        ("interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.c_void_p),
        ("from_float", ctypes.c_void_p),
    ]


_ToFloat = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


@cache
def _ggml() -> Any:
    """libggml with the types of the functions called here."""
    library.load()
    from llama_cpp._ggml import libggml

    pointer, size = ctypes.POINTER(GgmlTensor), ctypes.c_size_t
    for name, result, arguments in (
        ("ggml_op_name", ctypes.c_char_p, [ctypes.c_int]),
        ("ggml_backend_tensor_get", None, [pointer, ctypes.c_void_p, size, size]),
        ("ggml_backend_tensor_set", None, [pointer, ctypes.c_void_p, size, size]),
        ("ggml_nbytes", size, [pointer]),
        ("ggml_get_type_traits", ctypes.POINTER(_TypeTraits), [ctypes.c_int]),
        (
            "ggml_quantize_chunk",
            size,
            [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p],
        ),
    ):
        function = getattr(libggml, name)
        function.restype, function.argtypes = result, arguments
    return libggml


def source(tensor: Pointer, place: int) -> Pointer:
    """What it is computed from. A pointer of its own: that in the graph's memory changes with the next graph."""
    return ctypes.pointer(tensor.contents.src[place].contents)


def operation(tensor: Pointer) -> str:
    """What computes it, such as MUL_MAT."""
    found: bytes = _ggml().ggml_op_name(tensor.contents.op)
    return found.decode()


def name_of(tensor: Pointer) -> str:
    """Its name in the model file; a copy on a device is called `CUDA0#blk.0.attn_q.weight#0`."""
    name: str = tensor.contents.name.decode("utf-8", "replace")
    return name.split("#")[1] if name.count("#") >= 2 else name


def multiplied(tensor: Pointer) -> str | None:
    """The name of the layers' or the head's matrix that a MUL_MAT multiplies; None for every other operation."""
    if operation(tensor) != "MUL_MAT":
        return None
    name = name_of(source(tensor, 0))
    return name if name.startswith("blk.") or name in _HEADS else None


def read_bytes(tensor: Pointer) -> npt.NDArray[np.uint8]:
    """A copy of all its bytes, wherever they are."""
    import numpy as np

    raw = np.empty(_ggml().ggml_nbytes(tensor), np.uint8)
    _ggml().ggml_backend_tensor_get(tensor, raw.ctypes.data, 0, raw.nbytes)
    return raw


def replace(tensor: Pointer, kind: int, raw: npt.NDArray[np.uint8]) -> None:
    """Make a matrix of the model one of ggml type number `kind` with the bytes `raw`, which may be fewer than it was loaded
    with: the next graph then runs the kernels of that type. The model must have been loaded without a memory map, which is
    read-only, and onto the CPU."""
    found, traits = tensor.contents, _ggml().ggml_get_type_traits(kind).contents
    found.type, found.nb[0], found.nb[1] = kind, traits.type_size, found.ne[0] // traits.block * traits.type_size
    for place in range(2, _DIMS):
        found.nb[place] = found.nb[place - 1] * found.ne[place - 1]
    assert raw.nbytes == _ggml().ggml_nbytes(tensor) and raw.flags.c_contiguous
    _ggml().ggml_backend_tensor_set(tensor, raw.ctypes.data, 0, raw.nbytes)


def activations(tensor: Pointer) -> Floats:
    """Rows [T, C] of float32 that a MUL_MAT multiplies a matrix with."""
    import numpy as np

    factor = source(tensor, 1)
    found = factor.contents
    columns, rows = int(found.ne[0]), int(found.ne[1] * found.ne[2] * found.ne[3])
    if found.nb[0] != 4 or found.nb[1] != 4 * columns:
        raise EngineError(f"{name_of(source(tensor, 0))}: its activations do not lie row after row in memory")
    return read_bytes(factor).view(np.float32).reshape(rows, columns)


@contextmanager
def watching(see: Callable[[Pointer, bool], bool]) -> Iterator[Any]:
    """llama.cpp's eval callback that calls `see(tensor, asking)` for each operation of a graph: first before it runs, to ask
    whether the result is wanted, then with the result. What `see` raises is raised again at the end of the block, not
    inside llama.cpp, where it would be lost."""
    failure: list[BaseException] = []

    def callback(address: int, asking: bool, _: Any) -> bool:
        if failure:
            return False  # ends the graph
        try:
            return see(ctypes.cast(address, ctypes.POINTER(GgmlTensor)), asking)
        except BaseException as error:  # noqa: BLE001  # raised again below
            failure.append(error)
            return False

    binding = library.load()
    yield binding.ggml_backend_sched_eval_callback(callback)
    if failure:
        raise failure[0]


def quantized(values: Floats, kind: int, weights: Floats | None, threads: int) -> npt.NDArray[np.uint8]:
    """`values` [R, C] as blocks [R, bytes] of ggml type number `kind`, by llama.cpp's own quantizer, the error of column c
    weighed with `weights` [C]: what `llama_model_quantize` writes."""
    import numpy as np

    ggml = _ggml()
    traits = ggml.ggml_get_type_traits(kind).contents
    rows, columns = values.shape
    assert columns % traits.block == 0 and values.dtype == np.float32 and values.flags.c_contiguous
    blocks = np.zeros((rows, columns // traits.block * traits.type_size), np.uint8)
    importance = None if weights is None else np.ascontiguousarray(weights, np.float32)

    def work(start: int) -> None:
        stop = min(start + _ROWS, rows)
        ggml.ggml_quantize_chunk(
            kind, values[start:].ctypes.data, blocks[start:].ctypes.data, 0, stop - start, columns,
            None if importance is None else importance.ctypes.data,
        )  # fmt: skip

    _spread(work, rows, threads)
    return blocks


def dequantized(blocks: npt.NDArray[np.uint8], kind: int, columns: int, threads: int) -> Floats:
    """Blocks [R, bytes] of a ggml type as float32 [R, columns]."""
    import numpy as np

    to_float = _ToFloat(_ggml().ggml_get_type_traits(kind).contents.to_float)
    values = np.empty((len(blocks), columns), np.float32)

    def work(start: int) -> None:
        stop = min(start + _ROWS, len(blocks))
        to_float(blocks[start:].ctypes.data, values[start:].ctypes.data, (stop - start) * columns)

    _spread(work, len(blocks), threads)
    return values


def _spread(work: Callable[[int], None], rows: int, threads: int) -> None:
    """Calls into C give the interpreter free, so that plain threads run them side by side."""
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, range(0, rows, _ROWS)):
            pass
