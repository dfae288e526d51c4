"""Random damage to model files, through the real commands: `make fuzz`, and a short run of it in test_fuzz.py.

    python tests/stress/fuzz.py [--count 2000] [--seed 0] [--first 0]

Each mutation goes through every command that reads such a file. A case fails if a command dies of a signal, shows a
traceback, needs more than 20 s or 1 GB, says more than two lines, or leaves a file behind after an error.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from builders import build_tokenizer, convert, write_checkpoint

PATIENCE = 160.0  # seconds, of a machine eight times slower than this was written on
MOST_MEMORY = 1 << 30  # bytes, of the command and of its children
KINDS = ("gguf", "foreign gguf", "safetensors", "tokenizer.json", "tokenizer values", "config values")
FILES = {
    "safetensors": "model.safetensors", "tokenizer.json": "tokenizer.json", "tokenizer values": "tokenizer.json",
    "config values": "config.json",
}  # fmt: skip
# Damage that is still JSON, and gets past the parser.
ODD_VALUES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 0.5, -1e300, "", "x", "<MoleculeS>", "\u0000", "é" * 300, "../../etc/passwd",
    [], {}, [[]], [None], {"": None}, ["a", 1], {"type": "Split"}, {"a": 0},
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How one command ended; `code` is negative for a signal."""

    arguments: tuple[str, ...]
    code: int
    err: str
    seconds: float
    memory: int


class Originals:
    """Whole files to damage, built once: the tiny checkpoint, its GGUF, and the same GGUF without our keys."""

    def __init__(self, folder: Path) -> None:
        self.checkpoint = write_checkpoint(folder / "checkpoint", build_tokenizer(), num_hidden_layers=1)
        ours = convert(self.checkpoint, folder / "ours.gguf", "bf16").read_bytes()
        self.contents = {
            "gguf": ours,
            "foreign gguf": ours.replace(b"logos.", b"other."),
            **{kind: (self.checkpoint / name).read_bytes() for kind, name in FILES.items()},
        }


def mutated(kind: str, data: bytes, rng: random.Random) -> bytes:
    return odd_values(data, rng) if kind.endswith("values") else wounded(data, rng)


def odd_values(data: bytes, rng: random.Random) -> bytes:
    """The same JSON document with one to three values replaced, removed or exchanged."""
    document = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = document
        while True:
            # Down to where the document has no more levels, or somewhere before that.
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.8:
                place = place[key]
                continue
            match rng.randrange(4):
                case 0:
                    del place[key]
                case 1:
                    place[key] = copy.deepcopy(place[rng.choice(keys)])
                case _:
                    place[key] = rng.choice(ODD_VALUES)
            break
    return json.dumps(document).encode()


def wounded(data: bytes, rng: random.Random) -> bytes:
    """One to four small wounds, more often than not near the beginning, where the tables are."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        size = max(1, len(found))
        place = rng.randrange(min(size, rng.choice((64, 2000, 40_000, size))))
        length = rng.choice((1, 2, 4, 8, 64, 1000))
        match rng.randrange(7):
            case 0:
                found[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                found[place : place + 8] = rng.choice((b"\xff" * 8, b"\0" * 8, b"\0" * 7 + b"\x80", b"\xff" * 7 + b"\x7f"))
            case 2:
                del found[place : place + length]
            case 3:
                found[place:place] = found[place : place + length]
            case 4:
                del found[place:]
            case 5:
                found[place : place + length] = rng.randbytes(length)
            case _:
                other = rng.randrange(size)
                found[place : place + length] = found[other : other + length]
    return bytes(found)


def commands(kind: str, data: bytes, originals: Originals, folder: Path) -> list[list[str]]:
    """Write the damaged file into `folder`, and what then reads it."""
    out = str(folder / "out.gguf")
    (folder / "in.smi").write_text("CCO\n")
    run = ["generate", "retro", str(folder / "in.smi"), "-n", "2", "--max-tokens", "8", "-m"]
    if kind.endswith("gguf"):
        path = folder / "m.gguf"
        path.write_bytes(data)
        return [["inspect", str(path)], ["quantize", str(path), "-o", out, "--type", "q8_0"], [*run, str(path)], [*run, out]]
    copied = Path(shutil.copytree(originals.checkpoint, folder / "checkpoint"))
    (copied / FILES[kind]).write_bytes(data)
    small = str(folder / "small.gguf")
    return [
        ["inspect", str(copied)], ["convert", str(copied), "-o", out], ["quantize", out, "-o", small, "--type", "q8_0"],
        [*run, out], [*run, small],
    ]  # fmt: skip


def run_forked(arguments: list[str], err: Path) -> Outcome:
    """Run one command in a fork of this process, which has loaded the modules already but started nothing."""
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        handle = os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(handle, 2)
        code = 70
        try:
            from logos_cli.commands.command_line import run

            code = run(arguments)
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001  # a traceback is a finding, not an accident of this harness
            import traceback

            traceback.print_exc()
        finally:
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            os.write(handle, f"\n{max(own, children)}".encode())
            os._exit(code)
    status = None
    while status is None and time.monotonic() - began < PATIENCE:
        done, found = os.waitpid(pid, os.WNOHANG)
        if done:
            status = found
        else:
            time.sleep(0.003)
    if status is None:
        os.killpg(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    text, _, memory = err.read_text(errors="replace").rpartition("\n")
    peak = int(memory) if memory.isdigit() else 0
    peak *= 1 if sys.platform == "darwin" else 1024
    return Outcome(tuple(arguments), os.waitstatus_to_exitcode(status), text, time.monotonic() - began, peak)


def complaint(outcome: Outcome, left: list[str]) -> str | None:
    """What is wrong with how a command ended, or None."""
    if outcome.seconds >= PATIENCE:
        return f"no end within {PATIENCE:.0f} s"
    if outcome.code < 0:
        return f"ended by {signal.Signals(-outcome.code).name}"
    if outcome.code not in (0, 1):
        return f"exit code {outcome.code}"
    if "Traceback" in outcome.err:
        return "a traceback"
    if outcome.memory > MOST_MEMORY:
        return f"{outcome.memory / 1e6:.0f} MB"
    lines = [line for line in outcome.err.splitlines() if line.strip()]
    if outcome.code == 1 and not (1 <= len(lines) <= 2 and lines[-1].startswith("logos: ")):
        return f"{len(lines)} lines on stderr"
    if outcome.code == 1 and left:
        return f"left behind: {', '.join(left)}"
    return None


def cases(numbers: range, seed: int, folder: Path) -> Iterator[tuple[int, str, Outcome, str | None]]:
    """(number, kind, outcome, complaint) of every command run."""
    originals = Originals(folder)
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        kind = KINDS[number % len(KINDS)]
        work = folder / "work"
        work.mkdir()
        for arguments in commands(kind, mutated(kind, originals.contents[kind], rng), originals, work):
            model = arguments[1] if arguments[0] == "quantize" else arguments[-1]
            if arguments[0] in ("quantize", "generate") and not Path(model).exists():
                continue  # the command before has refused to write it
            before = {file.name for file in work.iterdir()}
            outcome = run_forked(arguments, folder / "err")
            left = sorted({file.name for file in work.iterdir()} - before)
            yield number, kind, outcome, complaint(outcome, left)
        shutil.rmtree(work)


def load_modules() -> None:
    """Everything that a command imports, once, so that a fork costs nothing."""
    import gguf  # noqa: F401
    import rdkit.Chem  # noqa: F401
    import tokenizers  # noqa: F401


def fuzz(numbers: range, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """(how many ended how, complaints)."""
    load_modules()
    ends: Counter[str] = Counter()
    complaints = []
    for number, kind, outcome, wrong in cases(numbers, seed, folder):
        ends[f"{outcome.arguments[0]} of a {kind}: exit {outcome.code}"] += 1
        if wrong:
            complaints.append(
                f"seed {seed} case {number} ({kind}): {' '.join(outcome.arguments)}: {wrong}\n{outcome.err[-1500:]}"
            )
    return ends, complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation, to repeat one")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="logos-fuzz-") as name:
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        ends, complaints = fuzz(range(args.first, args.first + args.count), args.seed, Path(name))
    for end, times in sorted(ends.items()):
        sys.stdout.write(f"{times:>6}  {end}\n")
    sys.stdout.write("".join(f"\n{text}\n" for text in complaints))
    sys.stdout.write(f"{args.count} mutations, {len(complaints)} complaints, {time.monotonic() - began:.0f} s\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
