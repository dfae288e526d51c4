"""Limits of containers and batch systems, read from files as the kernel lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from logos_cli.system.cgroups import cores, free_memory

GB = 1 << 30


def written(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


@pytest.mark.parametrize("seen", ["/slurm/job7", "/docker/of/the/host"])
def test_version_1(tmp_path: Path, seen: str) -> None:
    """Slurm's group below the mount's root, and a container that sees the host's path but only its own folder."""
    memory, cpu, proc = tmp_path / "memory", tmp_path / "cpu,cpuacct", tmp_path / "proc"
    own = "slurm/job7" if seen.startswith("/slurm") else "."
    written(memory, {"memory.limit_in_bytes": str(2**63 - 4096), "memory.usage_in_bytes": str(9 * GB), "memory.stat": ""})
    limits = {"memory.limit_in_bytes": str(4 * GB), "memory.usage_in_bytes": str(3 * GB)}
    written(memory / own, limits | {"memory.stat": f"inactive_file 1\ntotal_inactive_file {GB}"})
    written(cpu, {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"})
    written(cpu / own, {"cpu.cfs_quota_us": "250000", "cpu.cfs_period_us": "100000"})
    mounts = [
        f"3{i} 25 0:3{i} / {tmp_path / name} rw - cgroup cgroup rw,{name}" for i, name in enumerate(("memory", "cpu,cpuacct"))
    ]
    written(proc, {"mountinfo": "\n".join(mounts), "cgroup": f"4:memory:{seen}\n3:cpu,cpuacct:{seen}\n0::/"})
    assert free_memory(proc) == [2 * GB] and cores(proc) == 2.5


def test_version_2(tmp_path: Path) -> None:
    root, proc = tmp_path / "cgroup", tmp_path / "proc"
    written(root / "user", {"memory.max": "max", "cpu.max": "max 100000"})
    limits = {"memory.max": str(2 * GB), "memory.current": str(GB), "memory.stat": f"inactive_file {GB // 2}"}
    written(root / "user" / "run", limits | {"cpu.max": "150000 100000"})
    written(proc, {"mountinfo": f"30 25 0:30 / {root} rw - cgroup2 cgroup2 rw", "cgroup": "0::/user/run"})
    assert free_memory(proc) == [3 * GB // 2] and cores(proc) == 1.5
    assert free_memory(tmp_path / "none") == [] and cores(tmp_path / "none") == float("inf")
