"""llama.cpp as a library: the one version our ctypes calls are true for, its silence, its devices, its threads."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from functools import cache
from importlib import metadata
from typing import Any

from logos_cli.errors import EngineError, MissingDependency

VERSION = "0.3.36"
_INSTALL = f"pip install --force-reinstall --no-cache-dir llama-cpp-python=={VERSION}"
_GET_IT = (
    f"run: pip install llama-cpp-python=={VERSION}, which takes a compiler; without one give an ONNX folder (-m), as "
    "logos convert CHECKPOINT --to onnx makes it"
)
CUDA_INSTALL = f'CMAKE_ARGS="-DGGML_CUDA=on" {_INSTALL}'
AMX = "AMX_INT8"  # in the build's own list of features
WITHOUT_AMX = f'CMAKE_ARGS="-DCMAKE_C_FLAGS=-mno-amx-int8 -DCMAKE_CXX_FLAGS=-mno-amx-int8" {_INSTALL}'

# llama.cpp's last messages: the reason of a failure is only ever said there.
LOG: deque[str] = deque(maxlen=50)
_keep: list[Any] = []  # ctypes callbacks die with their last reference, and llama.cpp would then call freed memory


_debug = threading.Event()


def show_log() -> None:
    """Let llama.cpp's log through to stderr from now on (--debug)."""
    _debug.set()


@cache
def load() -> Any:
    """The bindings module, checked, silenced and initialized once."""
    try:
        found = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        raise MissingDependency(f"llama-cpp-python is missing; {_GET_IT}") from None
    if found != VERSION:
        raise MissingDependency(
            f"llama-cpp-python {found} is installed, this tool needs {VERSION}; run: pip install llama-cpp-python=={VERSION}"
        )
    if not _debug.is_set():
        # An abort would otherwise call gdb and print pages of its backtrace; the library asks for this when it loads.
        os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    try:
        from llama_cpp import llama_cpp as binding
    except ImportError as error:
        raise MissingDependency(f"llama-cpp-python cannot be loaded ({error}); {_GET_IT}") from None

    def keep_message(level: int, text: bytes, _: Any) -> None:
        message = text.decode("utf-8", "replace")
        LOG.append(message)
        if _debug.is_set():
            os.write(2, text)

    callback = binding.llama_log_callback(keep_message)
    _keep.append(callback)
    binding.llama_log_set(callback, ctypes.c_void_p(0))
    binding.llama_backend_init()
    return binding


def last_words() -> str:
    """The most telling line of llama.cpp's log, for an error message; the log is empty afterwards."""
    lines = [line.strip() for line in "".join(LOG).splitlines() if line.strip()]
    LOG.clear()
    # The first complaint names the cause, those after it say that its callers failed too.
    told = [line for line in lines if any(word in line.lower() for word in ("error", "failed", "invalid", "missing"))]
    return (told[0] if told else lines[-1] if lines else "no message")[:200]


def is_installed() -> bool:
    try:
        load()
    except MissingDependency:
        return False
    return True


def build_features() -> list[str]:
    """The CPU features that the installed llama.cpp was built with, in its own words."""
    told = load().llama_print_system_info().decode()
    parts = (part.partition("=") for part in told.split("|"))
    return [name.split(":")[-1].strip() for name, _, on in parts if on.strip() == "1"]


def model_params() -> Any:
    """llama.cpp's defaults for loading a model, on the CPU's plain kernels if the build has those for AMX.

    GCC 12 was seen to compile away most of what they load into the tile configuration, so that the first product ends the
    process; and which answers depend on their neighbours has not been measured on them.
    """
    params = load().llama_model_default_params()
    params.use_extra_bufts = AMX not in build_features()
    return params


def gpu_names() -> list[str]:
    """The GPU devices that the installed build can use, by llama.cpp's own names."""
    found = []
    for device in _gpu_devices():
        from llama_cpp._ggml import libggml

        name, describe = libggml.ggml_backend_dev_name, libggml.ggml_backend_dev_description
        for text in (name, describe):
            text.restype, text.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        found.append(f"{name(device).decode()} ({describe(device).decode()})")
    return found


def gpu_bytes_used() -> int:
    """Memory in use on all GPU devices together, by this process and by others; 0 without one."""
    used = 0
    for device in _gpu_devices():
        from llama_cpp._ggml import libggml

        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ask = libggml.ggml_backend_dev_memory
        ask.restype, ask.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        ask(device, ctypes.byref(free), ctypes.byref(total))
        used += total.value - free.value
    return used


def _gpu_devices() -> list[int]:
    load()
    from llama_cpp._ggml import libggml

    count, get, kind = libggml.ggml_backend_dev_count, libggml.ggml_backend_dev_get, libggml.ggml_backend_dev_type
    count.restype, get.restype, get.argtypes = ctypes.c_size_t, ctypes.c_void_p, [ctypes.c_size_t]
    kind.restype, kind.argtypes = ctypes.c_int, [ctypes.c_void_p]
    devices = [get(i) for i in range(count())]
    return [device for device in devices if kind(device) in (1, 2)]  # GPU, integrated GPU (enum ggml_backend_dev_type)


def choose_device(asked: str) -> tuple[str, bool]:
    """(name for the record, offload all layers?) for --device auto|cpu|cuda."""
    if asked == "cpu":
        return "cpu", False
    gpus = gpu_names()
    if asked == "cuda":
        cuda = [name for name in gpus if name.startswith("CUDA")]
        if not cuda:
            has = f"its GPU devices: {', '.join(gpus)}" if gpus else "it was built for the CPU only, or no GPU is there"
            raise EngineError(f"--device cuda: the installed llama.cpp has no CUDA device ({has}); run: {CUDA_INSTALL}")
        return cuda[0], True
    return (gpus[0], True) if gpus else ("cpu", False)
