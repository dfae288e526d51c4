"""Many clients at once against `logos serve`, every answer compared with `generate`'s, and the speed of both.

    python tests/stress/load.py [--clients 64] [--seconds 60] [--rounds 1] [--threads 1] [--model nano]

A request is a block of rows with a seed of its own; what `generate` gives for such a file is known before. The server and
`generate` have as many threads each, on the same cores. CPU seconds are told beside seconds: other work on the machine does
not change them, nor does this program's own. Threads that share a core change both: llama.cpp's wait for each other at work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROWS, SAMPLES, LONGEST = 4, 4, 100  # of a request; tokens of an answer
BLOCKS = 16  # other requests
LEAST = 0.9  # of generate's answers for a second of CPU
DRUGS = Path(__file__).parents[2] / "examples" / "drugs.smi"


@dataclass(frozen=True)
class Block:
    """A request, and the records that `generate` gives for its rows."""

    body: bytes
    records: list[Any]


@dataclass
class Outcome:
    """Of all clients together; `waits` for answers in seconds."""

    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Speed:
    answers: int
    seconds: float
    cpu: float

    @property
    def by_clock(self) -> float:
        return self.answers / self.seconds

    @property
    def by_cpu(self) -> float:
        return self.answers / self.cpu

    def __str__(self) -> str:
        return f"{self.by_clock:.1f} answers/s, {self.by_cpu:.1f} for each second of CPU"


def blocks_of(model: str, count: int, threads: int) -> tuple[list[Block], Speed]:
    """The requests, and how fast `generate` answered them all."""
    import logos_cli

    smiles = [line.split()[0] for line in DRUGS.read_text().splitlines() if line]
    found = []
    with logos_cli.open_model(model, threads=threads) as opened:
        next(logos_cli.generate("retro", smiles[:1], model=opened, max_tokens=1))
        for seed in range(count):
            rows = [smiles[(seed * 7 + place) % len(smiles)] for place in range(ROWS)]
            body = json.dumps({"rows": rows, "n": SAMPLES, "seed": seed, "max_tokens": LONGEST}).encode()
            records = logos_cli.generate("retro", rows, model=opened, n=SAMPLES, seed=seed, max_tokens=LONGEST)
            found.append(Block(body, [record.to_dict() for record in records]))
        rows = [row for block in found for row in json.loads(block.body)["rows"]]
        began, cpu = time.monotonic(), time.process_time()
        answers = sum(1 for _ in logos_cli.generate("retro", rows, model=opened, n=SAMPLES, max_tokens=LONGEST))
        return found, Speed(answers, time.monotonic() - began, time.process_time() - cpu)


@contextmanager
def serving(model: str, threads: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command, listening, and its port."""
    command = [sys.executable, "-m", "logos_cli", "serve", model, "--port", "0", "--threads", str(threads)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr
            line = child.stderr.readline()
            found = re.search(r"answers at http://127\.0\.0\.1:(\d+)", line)
            assert found, line
            yield child, int(found[1])
            child.send_signal(signal.SIGTERM)
            child.wait()
        finally:
            child.kill()


async def client(port: int, number: int, blocks: list[Block], until: float, outcome: Outcome) -> None:
    """Ask for one block after the other on one connection, each client from another on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /v1/tasks/retro HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    while time.monotonic() < until:
        block = blocks[number % len(blocks)]
        began = time.monotonic()
        writer.write(f"{head}{len(block.body)}\r\n\r\n".encode() + block.body)
        fields = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = re.search(r"content-length: (\d+)", fields)
        assert size
        body = json.loads(await reader.readexactly(int(size[1])))
        outcome.waits.append(time.monotonic() - began)
        if body.get("records") != block.records:
            outcome.wrong.append(f"block {number % len(blocks)}: {str(body)[:300]}")
        outcome.answered += len(block.records)
        number += 1
    writer.close()
    await writer.wait_closed()


async def all_clients(port: int, count: int, blocks: list[Block], seconds: float) -> Outcome:
    outcome, until = Outcome(), time.monotonic() + seconds
    await asyncio.gather(*(client(port, number, blocks, until, outcome) for number in range(count)))
    return outcome


def cpu_of(process: int) -> float:
    """Seconds of CPU that a process has had; Linux only."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(model: str, clients: int, seconds: float, rounds: int, threads: int) -> Iterator[tuple[str, list[str]]]:
    """What was measured, and what is wrong; of each round with the same server."""
    blocks, alone = blocks_of(model, BLOCKS, threads)
    yield f"generate  {alone}", []
    with serving(model, threads) as (child, port):
        for _ in range(rounds):
            began, before = time.monotonic(), cpu_of(child.pid)
            outcome = asyncio.run(all_clients(port, clients, blocks, seconds))
            speed = Speed(outcome.answered, time.monotonic() - began, cpu_of(child.pid) - before)
            waits, others = sorted(outcome.waits), len(outcome.wrong)
            clock, cpu = speed.by_clock / alone.by_clock, speed.by_cpu / alone.by_cpu
            told = f"{len(waits)} requests of {clients} clients, {others} with other answers than generate's"
            longest = f"waits: median {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s"
            slow = [f"under {LEAST} of generate's answers for a second of CPU"] if cpu < LEAST else []
            yield (
                f"serve     {speed}: {clock:.2f} and {cpu:.2f} of generate\n          {told}; {longest}",
                [*slow, *outcome.wrong],
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    failed = False
    for told, wrong in load(args.model, args.clients, args.seconds, args.rounds, args.threads):
        sys.stdout.write("".join(f"{line}\n" for line in (told, *wrong[:5])))
        sys.stdout.flush()
        failed |= bool(wrong)
    return failed


if __name__ == "__main__":
    sys.exit(main())
