"""Memory that this process may still take, and the most it took."""

from __future__ import annotations

import sys
from pathlib import Path


def available_bytes() -> int | None:
    """Free memory of the machine or of this container, whichever is less; None where neither can be read."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError, IndexError):
        pass
    for group in own_groups():
        try:
            limit = (group / "memory.max").read_text().strip()
            if limit != "max":
                used = int((group / "memory.current").read_text()) - reclaimable(group)
                found.append(max(0, int(limit) - used))
        except (OSError, ValueError):
            continue
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


def own_groups() -> list[Path]:
    """The cgroup (v2) of this process and those above it: a limit on any of them holds."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return [root]
    own = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")
    path = root / own
    return [path, *(parent for parent in path.parents if parent.is_relative_to(root))]


def reclaimable(group: Path) -> int:
    """Page cache that counts as used and is given back on demand: after a conversion it is gigabytes."""
    for line in (group / "memory.stat").read_text().splitlines():
        if line.startswith("inactive_file "):
            return int(line.split()[1])
    return 0
