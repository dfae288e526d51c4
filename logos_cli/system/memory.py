"""Memory that this process may still take, and the most it took."""

from __future__ import annotations

import sys
from pathlib import Path

from logos_cli.system.cgroups import free_memory


def available_bytes() -> int | None:
    """Free memory of the machine or of this container, whichever is less; None where neither can be read."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError, IndexError):
        pass
    found += free_memory()
    return min(found) if found else None


def peak_bytes() -> int | None:
    """The most memory that was ever resident for this process, pages of mapped files included; None on Windows."""
    try:
        # getrusage(2) would also count what the parent had before it started this program.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return None
    # Kilobytes on Linux, bytes on macOS: getrusage(2) of each.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
