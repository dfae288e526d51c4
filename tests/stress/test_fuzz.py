"""A short run of the fuzzer, another part of its sequence for each kind of file; `make fuzz` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fuzz_rows
import fuzz_server
import fuzz_structures
import pytest
from processes import PATIENCE
from served import served

FUZZ = Path(__file__).parent / "fuzz.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the fuzzer forks")
def test_damage_at_random(tmp_path: Path) -> None:
    """In a process of its own, since it forks, and this one has threads."""
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--count", "24", "--first", "100000"],
        check=False, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0 and "24 mutations, 0 complaints" in done.stdout, done.stdout[-5000:] + done.stderr


@pytest.mark.slow
def test_damage_to_rows(tmp_path: Path) -> None:
    done, complaints = fuzz_rows.fuzz(range(100_000, 100_350), 0, tmp_path)
    assert sum(done.values()) == 350 and not complaints, "\n\n".join(complaints)[:5000]


@pytest.mark.slow
def test_damage_to_structures(tmp_path: Path) -> None:
    done, complaints = fuzz_structures.fuzz(range(100_000, 100_100), 0, tmp_path)
    assert sum(done.values()) == 100 and not complaints, "\n\n".join(complaints)[:5000]
    _, found = fuzz_structures.fuzz(range(864, 865), 0, tmp_path)
    assert not found, "a letter of several bytes among an atom's columns"


@pytest.mark.slow
def test_damage_to_requests(nano_int4: Path) -> None:
    with served(nano_int4, tokens=fuzz_server.MOST) as server:
        done, complaints = fuzz_server.fuzz(range(100_000, 100_100), 0, server)
    assert sum(done.values()) == 100 and not complaints, "\n\n".join(complaints)[:5000]
    assert {end.rpartition(" ")[2] for end in done} >= {"200", "400"}, "some are answered, some refused"
