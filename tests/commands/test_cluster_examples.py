"""The scripts of examples/ for many machines: with the variables that Slurm sets, and with Slurm and Snakemake themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from processes import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
PRODUCTS = "CC(=O)Oc1ccccc1C(=O)O aspirin\nxx bad\n\nCC(=O)Nc1ccc(O)cc1 paracetamol\nCCOC(=O)c1ccc(N)cc1 benzocaine\n"


@pytest.fixture
def environment(tmp_path: Path, nano_int4: Path) -> dict[str, str]:
    """`logos` on the PATH, a library in the working folder."""
    (tmp_path / "library.smi").write_text(PRODUCTS)
    (tmp_path / "parts").mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "LOGOS_MODEL": str(nano_int4), "SLURM_CPUS_PER_TASK": "1"}


@pytest.fixture
def whole(logos_here: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> Callable[[], bytes]:
    """What one run writes."""

    def write() -> bytes:
        out = tmp_path / "whole.jsonl"
        made = logos_here(
            "generate", "retro", tmp_path / "library.smi", "-m", nano_int4, "--top", "3", "--threads", "1", "-o", out
        )
        assert made.code == 0, made.err
        return out.read_bytes()

    return write


@pytest.mark.slow
def test_the_array_and_its_merge(environment: dict[str, str], tmp_path: Path, whole: Callable[[], bytes]) -> None:
    script = (EXAMPLES / "slurm" / "generate.sbatch").read_text()
    (tasks,) = [line.split("=")[1] for line in script.splitlines() if line.startswith("#SBATCH --array=")]
    first, last = map(int, tasks.split("-"))
    for task in range(first, last + 1):
        found = {"ID": task, "MIN": first, "MAX": last, "COUNT": last - first + 1}
        told = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in found.items()}
        subprocess.run(["bash", EXAMPLES / "slurm" / "generate.sbatch"], env=environment | told, cwd=tmp_path, check=True)
    subprocess.run(["bash", EXAMPLES / "slurm" / "merge.sbatch"], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "answers.jsonl").read_bytes() == whole()


@pytest.mark.integration
def test_slurm_itself(environment: dict[str, str], tmp_path: Path, whole: Callable[[], bytes]) -> None:
    if shutil.which("sbatch") is None or subprocess.run(["scontrol", "ping"], check=False, capture_output=True).returncode:
        pytest.skip("needs a Slurm cluster that answers and that this machine is a node of")
    submit = ["sh", str(EXAMPLES / "slurm" / "submit.sh")]
    done = subprocess.run(submit, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True)
    waiting = ["squeue", "-h", "-j", done.stdout.strip()]
    wait_until(lambda: not subprocess.run(waiting, capture_output=True, check=False).stdout.strip())
    told = "".join(log.read_text() for log in sorted((tmp_path / "parts").glob("*.log")))
    assert (tmp_path / "answers.jsonl").read_bytes() == whole(), told


@pytest.mark.integration
def test_snakemake_itself(environment: dict[str, str], tmp_path: Path, whole: Callable[[], bytes]) -> None:
    if shutil.which("snakemake") is None:
        pytest.skip("needs snakemake on the PATH")
    command = ["snakemake", "-s", str(EXAMPLES / "snakemake" / "Snakefile"), "--cores", "2", "--config", "shards=2"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "answers.jsonl").read_bytes() == whole()
