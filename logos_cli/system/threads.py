"""How many CPU threads this process should use."""

from __future__ import annotations

import os
from pathlib import Path

from logos_cli.errors import UsageError
from logos_cli.system.cgroups import cores


def physical_cores() -> int:
    """Distinct (package, core) pairs of the processors this process may run on."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    seen = set()
    for cpu in allowed:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            seen.add(tuple((topology / name).read_text() for name in ("physical_package_id", "core_id")))
        except OSError:
            seen.add((str(cpu), ""))
    return max(1, len(seen))


def default_threads() -> int:
    limits = [float(physical_cores()), cores()]
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdigit():
        limits.append(float(slurm))
    return max(1, int(min(limits)))


def chosen_threads(asked: int | None) -> int:
    """The threads to use for --threads. Raises UsageError for a number that would only make them wait for each other."""
    most = 2 * (os.cpu_count() or 1)
    if asked is not None and asked > most:
        raise UsageError(f"--threads {asked}: this machine has {os.cpu_count()} processors; give at most {most}")
    return asked or default_threads()
