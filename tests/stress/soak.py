"""A long run: flat memory, steady rate, nothing lost to kills. `make soak`.

    python tests/stress/soak.py [--rows 200000] [--kills 40]

Exit 1 if memory at the end differs by more than 5 % from that after a tenth of the rows, if the rate of the last tenth
falls below 0.8 of the second's, if `head` has to wait, or if killed and resumed runs differ from an undisturbed one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOGOS = [sys.executable, "-m", "logos_cli"]
MODEL = ["-m", "nano", "--max-tokens", "200"]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_rows(path: Path, count: int) -> None:
    """Molecules that nano writes itself, as often as it takes; the names differ."""
    command = [*LOGOS, "generate", "molecule", *MODEL, "-n", "1000", "--format", "smi"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    smiles = [line.split("\t")[0] for line in done.stdout.splitlines()]
    with path.open("w") as stream:
        for i in range(count):
            stream.write(f"{smiles[i % len(smiles)]} m{i}\n")


def resident(pid: int) -> int:
    """Resident bytes of a process, of which shared pages of files count too."""
    with open(f"/proc/{pid}/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def long_run(rows: Path, count: int, out: Path) -> bool:
    command = [*LOGOS, "generate", "retro", str(rows), *MODEL, "-n", "1", "-o", str(out)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    partial = out.with_name(out.name + ".partial")
    done, place = 0, 0
    tenths: list[tuple[float, int]] = []  # seconds, resident bytes
    began = time.monotonic()
    while child.poll() is None and len(tenths) < 10:
        time.sleep(0.2)
        if partial.exists():
            with partial.open("rb") as stream:
                stream.seek(place)
                while piece := stream.read(1 << 20):
                    done += piece.count(b"\n")
                    place += len(piece)
        # The last tenth is read a little early: at the very end the records are copied and the process goes.
        if done >= (len(tenths) + 1) * count // 10 - (count // 500 if len(tenths) == 9 else 0):
            tenths.append((time.monotonic() - began, resident(child.pid)))
            seconds = tenths[-1][0] - (tenths[-2][0] if len(tenths) > 1 else 0)
            say(f"{done:>8,} rows: {tenths[-1][1] / 1e6:.1f} MB resident, {count / 10 / seconds:.0f} rows/s in this tenth")
    code = child.wait()
    if len(tenths) < 10:
        say(f"exit {code} after {done:,} rows")
        return False
    lines = sum(1 for _ in out.open("rb")) if out.exists() else 0
    growth = tenths[-1][1] / tenths[0][1] - 1
    steps = [after[0] - before[0] for before, after in itertools.pairwise(tenths)]
    rate = steps[0] / steps[-1]
    say(f"exit {code}, {lines:,} records; memory {growth:+.2%} since the first tenth; last rate {rate:.2f} of the second's")
    return code == 0 and lines == count and abs(growth) < 0.05 and rate > 0.8


def first_lines(rows: Path) -> bool:
    """`head` gets its lines long before the input ends, and the command ends with it."""
    began = time.monotonic()
    command = f"{' '.join(LOGOS)} generate retro {rows} {' '.join(MODEL)} 2>/dev/null | head -n 5; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)
    seconds, lines = time.monotonic() - began, done.stdout.splitlines()
    say(f"| head -n 5: {len(lines) - 1} records after {seconds:.1f} s, exit {lines[-1]}")
    return len(lines) == 6 and lines[-1] == "141" and seconds < 20


def kills(rows: Path, count: int, folder: Path) -> bool:
    """Kill -9 at random moments, each time resumed; in the end the same bytes as of a run left alone."""
    short = folder / "short.smi"
    short.write_text("".join(rows.open().readlines()[:1500]))
    whole, out = folder / "whole.jsonl", folder / "killed.jsonl"
    command = [*LOGOS, "generate", "retro", str(short), *MODEL, "-n", "4", "-o"]
    subprocess.run([*command, str(whole)], check=True, stderr=subprocess.DEVNULL)
    rng, done, wasted = random.Random(0), 0, 0
    while done < count and not out.exists():
        child = subprocess.Popen([*command, str(out), "--resume"], stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.05, 2.5))
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            done += 1
            partial = out.with_name(out.name + ".partial")
            wasted += not partial.exists()
        child.wait()
    code = subprocess.run([*command, str(out), "--resume"], check=False, stderr=subprocess.DEVNULL).returncode
    same = out.read_bytes() == whole.read_bytes()
    say(f"{done} kills ({wasted} before the first record); resumed: exit {code}, {'the same bytes' if same else 'DIFFERENT'}")
    return code == 0 and same and done == count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=40)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="logos-soak-") as name:
        rows = Path(name) / "rows.smi"
        write_rows(rows, args.rows)
        good = [first_lines(rows), kills(rows, args.kills, Path(name)), long_run(rows, args.rows, Path(name) / "out.jsonl")]
    say("all well" if all(good) else "NOT WELL")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
