"""The control groups of this process, of version 1 and 2 and both mixed, and the limits that hold on it.

Formats: cgroups(7), proc_pid_mountinfo(5), and the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc/self")
_NO_LIMIT = 1 << 60  # version 1 says a number near 2**63 where there is none


def groups(controller: str, proc: Path = _PROC) -> Iterator[tuple[int, Path]]:
    """(version, folder) of this process's group and of those above it, where limits of `controller` (memory, cpu) may
    stand: one on any of them holds."""
    try:
        mounts = [line.split() for line in (proc / "mountinfo").read_text().splitlines()]
        own = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
    except OSError:
        return
    paths = {name: Path(path) for _, names, path in (one for one in own if len(one) == 3) for name in names.split(",")}
    for fields in mounts:
        if "-" not in fields or len(fields) < fields.index("-") + 4:
            continue
        kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
        if kind == "cgroup2" and "" in paths:
            version, path = 2, paths[""]
        elif kind == "cgroup" and controller in options and controller in paths:
            version, path = 1, paths[controller]
        else:
            continue
        root, point = Path(fields[3]), Path(fields[4].replace("\\040", " "))
        # In a container the path may be the host's, which is not to be seen here: then the mount is the own group.
        folder = point / path.relative_to(root) if path.is_relative_to(root) else point
        folder = folder if folder.is_dir() else point
        yield from ((version, one) for one in (folder, *folder.parents) if one.is_relative_to(point))


def free_memory(proc: Path = _PROC) -> list[int]:
    """Bytes left under each memory limit; page cache that is given back on demand counts as free."""
    found = []
    for version, group in groups("memory", proc):
        limit, used, cache = (
            ("memory.max", "memory.current", "inactive_file ")
            if version == 2
            else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        )
        try:
            most = (group / limit).read_text().strip()
            if most != "max" and int(most) < _NO_LIMIT:
                taken = int((group / used).read_text()) - _line(group / "memory.stat", cache)
                found.append(max(0, int(most) - taken))
        except (OSError, ValueError):
            continue
    return found


def cores(proc: Path = _PROC) -> float:
    """The CPU quota, in cores; infinity without one."""
    least = float("inf")
    for version, group in groups("cpu", proc):
        try:
            if version == 2:
                quota, period = (group / "cpu.max").read_text().split()
            else:
                quota, period = ((group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
            if quota not in ("max", "-1"):
                least = min(least, int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return least


def _line(path: Path, start: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(start):
            return int(line.split()[1])
    return 0
