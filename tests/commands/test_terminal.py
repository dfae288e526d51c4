"""The installed command on a terminal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import processes
import pytest
from processes import PATIENCE

pytestmark = pytest.mark.slow

LOGOS = " ".join(processes.LOGOS)
DRUGS = Path(__file__).parents[2] / "examples" / "drugs.smi"


def on_a_terminal(script: str) -> subprocess.CompletedProcess[str]:
    """`script` gives the command a terminal."""
    return subprocess.run(
        ["script", "-qec", script, "/dev/null"], check=False, capture_output=True, text=True, timeout=PATIENCE
    )


def test_a_terminal_without_input_is_told(private_cache: Path) -> None:
    """It must not wait there."""
    done = on_a_terminal(f"{LOGOS} generate retro")
    assert done.returncode == 2 and "give INPUT" in done.stdout


def test_a_terminal_shows_progress_and_the_file_gets_the_records(private_cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    done = on_a_terminal(f"{LOGOS} generate retro {DRUGS} -n 3 > {out}")
    assert done.returncode == 0 and "39 rows" in done.stdout and '"schema"' not in done.stdout
    assert len(out.read_text().splitlines()) == 3 * 39
