"""What a step costs besides the model: drawing tokens and keeping books, measured with logits that are there at once.

    python -m logos_cli.benchmarks.latency.host_step [--threads N]

Prints a line for each vocabulary, number of answers written at once, and settings: milliseconds a step, the median of
several runs. On a GPU this is the time in which it waits. The logits are random, some as sharp as a trained model's, some
flat; each answer is of a prompt of its own, so nothing is shared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logos_cli.engines.batching import BatchingEngine
from logos_cli.engines.engine import EngineInfo, EngineSettings, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.tasks.task import PUBLISHED

VOCABULARIES = {"whole": 128_256, "trimmed": 5_648}
ROWS = (32, 128)
NUCLEUS = {"temperature": 1.0, "top_k": 0, "top_p": 0.9, "repetition_penalty": 1.0}
PROMPT = (1, 2, 3)


class ReadyLogits:
    """A context whose every step gives the same logits [streams, V]."""

    fixed_rows = False

    def __init__(self, streams: int, cells: int, logits: npt.NDArray[np.float32]) -> None:
        self.streams, self.cells, self.logits = streams, cells, logits

    def prefill(self, stream: int, tokens: Sequence[int]) -> list[npt.NDArray[np.float32]]:
        return [self.logits[stream : stream + 1]]

    def step(self, tokens: npt.NDArray[np.int32], positions: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        return self.logits[: len(tokens)]

    def read(self, *_: Any) -> Iterator[npt.NDArray[np.float32]]:
        raise NotImplementedError

    prefill_pieces = read

    def trim(self, stream: int, length: int) -> None: ...

    def copy(self, source: int, target: int) -> None: ...

    def close(self) -> None: ...


class ReadyEngine(BatchingEngine):
    """All of an engine but the model."""

    path = Path("ready")
    kv_bytes_per_token = 1
    end, end_tokens = 0, frozenset[int]()

    def __init__(self, logits: npt.NDArray[np.float32], threads: int) -> None:
        super().__init__()
        self.ready, self.vocabulary = logits, logits.shape[1]
        self.settings = EngineSettings(threads=threads, batch=len(logits))
        self.info = EngineInfo("ready", "", "", 1 << 20, "cpu", threads, "", "")

    def open_context(self, streams: int, cells: int, outputs: int = 0) -> ReadyLogits:
        return ReadyLogits(streams, cells, self.ready)

    def tokenize(self, text: str) -> tuple[int, ...]:
        return PROMPT

    def marker(self, name: str) -> int:
        return 0

    def decode(self, tokens: Sequence[int]) -> str:
        return ""

    def close(self) -> None: ...


def logits(rows: int, vocabulary: int, flat: int) -> npt.NDArray[np.float32]:
    """Makes logits [rows, vocabulary]: a handful of likely tokens each; of the first `flat` rows none is."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(rows, vocabulary)).astype(np.float32)
    for row in found[flat:]:
        row[rng.choice(vocabulary, 8, replace=False)] += np.linspace(18, 12, 8, dtype=np.float32)
    return found


def milliseconds(ready: npt.NDArray[np.float32], sampling: Sampling, threads: int) -> float:
    """Times a step of as many answers as `ready` has rows; the time until all have begun is taken off."""
    engine = ReadyEngine(ready, threads)
    requests = [Request(row, PROMPT, [0]) for row in range(len(ready))]

    def seconds(tokens: int) -> float:
        began = time.perf_counter()
        settings = Sampling(**{**vars(sampling), "max_tokens": tokens})
        assert sum(1 for answer in engine.generate(requests, settings, None) if answer) == len(requests)
        return time.perf_counter() - began

    seconds(3)
    first, steps = seconds(2), 0
    steps = max(4, min(100, int(1.5 / max(first, 1e-3))))
    return 1000 * statistics.median((seconds(2 + steps) - seconds(2)) / steps for _ in range(3))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    cases = {
        "published settings": (vars(PUBLISHED), 0),
        "top-p 0.9 alone": (NUCLEUS, 0),
        "top-p 0.9 alone, one flat row": (NUCLEUS, 1),
    }
    for name, vocabulary in VOCABULARIES.items():
        for rows in ROWS:
            for title, (settings, flat) in cases.items():
                took = milliseconds(logits(rows, vocabulary, flat), Sampling(**settings), options.threads)
                sys.stdout.write(f"{name} {vocabulary:,}, {rows} rows, {title}: {took:.2f} ms a step\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
