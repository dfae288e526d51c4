"""A table of decoding speeds on this card, sampling included, beside llama-batched-bench on the same files.

    python benchmarks/gpu/speeds.py MODEL.gguf… [--batch 1,8,32,128]

llama-batched-bench must be on the PATH (install.sh here puts it there). It draws nothing and writes no text.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from logos_cli.benchmarks.latency.settings import LatencySettings
from logos_cli.benchmarks.latency.worker import Run
from logos_cli.engines.engine import EngineSettings
from logos_cli.engines.open_engine import open_engine

PROMPT, NEW, ROUNDS = 32, 64, 3
HEADER = "| answers at once | logos | llama-batched-bench | ratio |\n|---|---|---|---|\n"


def theirs(path: Path, sizes: list[int]) -> dict[int, float]:
    """Tokens a second by number of sequences."""
    command = ["llama-batched-bench", "-m", str(path), "-ngl", "99", "-fa", "on", "-npp", str(PROMPT), "-ntg", str(NEW)]
    command += ["-npl", ",".join(map(str, sizes)), "-c", str(max(sizes) * (PROMPT + NEW)), "--output-format", "jsonl"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["pl"]: line["speed_tg"] for line in lines}


def ours(path: Path, sizes: list[int], device: str) -> tuple[str, dict[int, float]]:
    """Gives the device's name, and tokens a second by number of answers."""
    engine = open_engine(path, EngineSettings(device))
    run = Run(engine, LatencySettings(start=PROMPT, new=NEW, samples=tuple(sizes)))
    found = {n: statistics.median(run.decode(n).tokens_per_s for _ in range(ROUNDS)) for n in sizes}
    name = engine.info.device
    engine.close()
    return name, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--batch", default="1,8,32,128")
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    sizes = [int(part) for part in args.batch.split(",")]
    write = sys.stdout.write
    for path in args.models:
        peer = theirs(path, sizes)
        device, own = ours(path, sizes, args.device)
        write(f"{path.name} on {device}, tokens/s\n\n{HEADER}")
        for n in sizes:
            ratio = f"{own[n] / peer[n]:.2f}" if peer.get(n) else "-"
            write(f"| {n} | {own[n]:,.0f} | {peer.get(n, float('nan')):,.0f} | {ratio} |\n")
        write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
