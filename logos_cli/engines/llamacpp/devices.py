"""The GPU devices that the installed llama.cpp can use: their names, their memory, and the one that a run takes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from logos_cli.engines.llamacpp.library import CUDA_INSTALL, load
from logos_cli.errors import EngineError

_GPU_KINDS = (1, 2)  # GPU, integrated GPU: enum ggml_backend_dev_type


@dataclass(frozen=True)
class Device:
    """`name` is llama.cpp's own (CUDA0, Metal, Vulkan1), `handle` its ggml_backend_dev_t."""

    handle: int
    name: str
    description: str

    def __str__(self) -> str:
        return f"{self.name} ({self.description})"

    def memory(self) -> tuple[int, int]:
        """(free, total) bytes, other programs' use counted."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        _ggml().ggml_backend_dev_memory(self.handle, ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def check_room(self, size: int, path: Path) -> None:
        """Raises EngineError if a model file of `size` bytes is larger than what is free."""
        free, total = self.memory()
        if size > free:
            raise EngineError(
                f"{path}: {size / 1e9:.2f} GB do not fit on {self}, {free / 1e9:.2f} of its {total / 1e9:.2f} GB are free; "
                "take a file of a smaller --type, or give --device cpu"
            )


@cache
def _ggml() -> Any:
    """llama.cpp's ggml library with the signatures of what is called here."""
    load()
    from llama_cpp._ggml import libggml

    handle, size = ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)
    for name, result, arguments in (
        ("ggml_backend_dev_count", ctypes.c_size_t, []),
        ("ggml_backend_dev_get", handle, [ctypes.c_size_t]),
        ("ggml_backend_dev_type", ctypes.c_int, [handle]),
        ("ggml_backend_dev_name", ctypes.c_char_p, [handle]),
        ("ggml_backend_dev_description", ctypes.c_char_p, [handle]),
        ("ggml_backend_dev_memory", None, [handle, size, size]),
    ):
        function = getattr(libggml, name)
        function.restype, function.argtypes = result, arguments
    return libggml


def gpus() -> list[Device]:
    """Every GPU that the installed build sees, in its own order."""
    ggml = _ggml()
    found = []
    for i in range(ggml.ggml_backend_dev_count()):
        handle = ggml.ggml_backend_dev_get(i)
        if ggml.ggml_backend_dev_type(handle) in _GPU_KINDS:
            name, description = ggml.ggml_backend_dev_name(handle), ggml.ggml_backend_dev_description(handle)
            found.append(Device(handle, name.decode(), description.decode()))
    return found


def gpu_bytes_used() -> int:
    """Memory in use on all GPUs together, by this process and by others; 0 without one."""
    return sum(total - free for free, total in (gpu.memory() for gpu in gpus()))


def choose_device(asked: str) -> Device | None:
    """The one GPU for --device auto|cpu|cuda|cuda:N, None for the CPU. Raises EngineError for one that is not there."""
    if asked == "cpu":
        return None
    there = gpus()
    if asked == "auto":
        return there[0] if there else None
    cuda = [gpu for gpu in there if gpu.name.startswith("CUDA")]
    if not cuda:
        has = f"its GPU devices: {', '.join(map(str, there))}" if there else "it was built for the CPU only, or no GPU is there"
        raise EngineError(f"--device {asked}: the installed llama.cpp has no CUDA device ({has}); run: {CUDA_INSTALL}")
    number = int(asked.removeprefix("cuda").removeprefix(":") or 0)
    if number >= len(cuda):
        raise EngineError(f"--device {asked}: there are {len(cuda)} CUDA devices, cuda:0 to cuda:{len(cuda) - 1}")
    return cuda[number]
