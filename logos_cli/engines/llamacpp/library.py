"""llama.cpp as a library: the one version our ctypes calls are true for, its silence, its devices, its threads."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections import deque
from contextlib import suppress
from functools import cache
from importlib import metadata
from typing import Any

from logos_cli.errors import MissingDependency

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
    _prefer_system_libstdcxx()
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


def _prefer_system_libstdcxx() -> None:
    """Put the system's C++ library before copies inside other libraries when llama.cpp's symbols are looked up.

    A libggml-cuda that was linked with a static copy exports parts of it. Loaded by Python, llama.cpp took some functions
    from that copy and some from the system's, and died of SIGSEGV in every `llama_model_load_from_file` (seen with CUDA
    13.0 on Ubuntu 24.04; the same libraries ran in llama-bench, whose executable names libstdc++ first).
    """
    if sys.platform == "linux":
        with suppress(OSError):
            _keep.append(ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL))


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


def place(params: Any, device: int | None) -> Any:
    """Load all of a model on one GPU, given by its handle, or with None on the CPU. The result must outlive the loading.

    Left to itself llama.cpp spreads the layers over all GPUs; and a CUDA build told to keep every layer on the CPU would
    still open the card, take memory there and run large prefill batches on it.
    """
    devices = (ctypes.c_void_p * 2)(device, None)
    params.devices = ctypes.addressof(devices)
    params.n_gpu_layers = 0
    if device is not None:
        params.n_gpu_layers, params.split_mode = -1, load().LLAMA_SPLIT_MODE_NONE
    return devices
