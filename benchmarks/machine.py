"""The machine a figure was measured on, and whether something else was running on it."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from logos_cli import __version__
from logos_cli.engines.llamacpp.library import build_features, is_installed
from logos_cli.inspection.diagnosis import cpu_name, nvidia_gpus
from logos_cli.system.threads import physical_cores

BUSY = 0.1  # the part of our processors that others may take before figures are doubted
_PACKAGES = ("llama-cpp-python", "onnxruntime", "torch", "transformers", "rdkit", "numpy")


def describe() -> dict[str, Any]:
    """Describes it for the `machine` entry of a result: nothing in it names a person or a place."""
    return {
        "cpu": cpu_name(), "cores": physical_cores(), "processors": os.cpu_count(), "memory_bytes": memory_bytes(),
        "gpus": nvidia_gpus(), "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(), "packages": packages(),
        "llama_cpp_features": build_features() if is_installed() else [],
    }  # fmt: skip


def packages() -> dict[str, str]:
    found = {"logos-cli": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Others:
    """What other programs take of the processors while ours run. Time stolen by other virtual machines counts as theirs."""

    def __init__(self) -> None:
        self.began, self.busy, self.own = time.monotonic(), busy_seconds(), own_seconds()

    def share(self, threads: int) -> float | None:
        """Measures the part of `threads` processors that was not there for us since the start; None where the system does not
        say."""
        busy, wall = busy_seconds(), time.monotonic() - self.began
        if busy is None or self.busy is None or wall <= 0:
            return None
        others = max(0.0, (busy - self.busy) - (own_seconds() - self.own)) / wall
        free = (os.cpu_count() or 1) - threads
        return min(1.0, max(0.0, others - free) / threads)


def busy_seconds() -> float | None:
    """Reads the processor time spent by all programs since the machine started."""
    try:
        with Path("/proc/stat").open() as stream:
            # user, nice, system, idle, waiting for the disk, interrupts, stolen: proc(5)
            times = [int(value) for value in stream.readline().split()[1:9]]
        return (sum(times) - times[3] - times[4]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def own_seconds() -> float:
    """Reads the processor time of this process and of its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
