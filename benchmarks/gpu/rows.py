"""Which changes of a decoding step change a row's logits on this card, bit for bit.

    python benchmarks/gpu/rows.py MODEL.gguf [--device cuda]

The same text is decoded as one row among others: at another slot, with other neighbours, beside a long one, among more or
fewer rows. Prints what left its logits as they were, what changed them and by how much at most, and milliseconds a step.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logos_cli.engines.engine import EngineSettings
from logos_cli.engines.llamacpp.engine import LlamaCppEngine

STREAMS, CELLS, STEPS = 128, 1280, 30
SIZES = (1, 2, 4, 8, 9, 12, 16, 24, 31, 33, 48, 64, 96, 128)


class Probe:
    """One context of `STREAMS` streams, and the texts that its streams hold."""

    def __init__(self, engine: LlamaCppEngine) -> None:
        self.cells = min(CELLS, engine.info.context)
        self.context = engine.open_context(STREAMS, self.cells)
        rng = np.random.default_rng(0)
        ordinary = np.arange(min(600, engine.vocabulary))
        self.texts, self.others = (
            [rng.choice(ordinary, int(n)).tolist() for n in rng.integers(12, 90, STREAMS)] for _ in range(2)
        )
        self.test = rng.choice(ordinary, 33).tolist()
        self.held: dict[int, list[int]] = {}

    def row(self, rows: int, slot: int = 0, others: bool = False, long: int | None = None) -> npt.NDArray[np.float32]:
        """Logits after the test text at `slot` of `rows` rows; with `long`, row 7 holds that many tokens."""
        tokens, positions = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
        for i in range(rows):
            text = self.test if i == slot else (self.others if others else self.texts)[i]
            if long is not None and i == 7:
                text = (text * 200)[:long]
            if self.held.get(i) == text:
                self.context.trim(i, len(text) - 1)
            else:
                self.context.prefill(i, text[:-1])
                self.held[i] = text
            tokens[i], positions[i] = text[-1], len(text) - 1
        logits: npt.NDArray[np.float32] = self.context.step(tokens, positions)[slot].copy()
        return logits

    def changes(self) -> dict[str, float]:
        """Measures the largest change of a logit by each change of the step."""
        usual = self.row(32)
        found = {"nothing": self.row(32)}
        found |= {f"slot {slot}": self.row(32, slot) for slot in (5, 17, 31)}
        found["other neighbours"] = self.row(32, others=True)
        found |= {f"a neighbour of {n}": self.row(32, long=n) for n in (300, 520, 800, self.cells - 1) if n < self.cells}
        found |= {f"{rows} rows": self.row(rows) for rows in SIZES}
        return {name: float(np.abs(logits - usual).max()) for name, logits in found.items()}

    def milliseconds(self, rows: int) -> float:
        """Measures the median of a step."""
        for i in range(rows):
            self.context.prefill(i, self.test)
            self.held.pop(i, None)
        tokens, positions = np.full(rows, self.test[-1], np.int32), np.full(rows, len(self.test), np.int32)
        took = []
        for i in range(STEPS):
            began = time.perf_counter()
            self.context.step(tokens, positions + i)
            took.append(1000 * (time.perf_counter() - began))
        return statistics.median(took[5:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    engine = LlamaCppEngine(args.model, EngineSettings(args.device))
    probe = Probe(engine)
    changes = probe.changes()
    times = {rows: probe.milliseconds(rows) for rows in (1, 8, 32, 64, 128)}
    write = sys.stdout.write
    write(f"{args.model.name} on {engine.info.device}, compared with 32 rows\n")
    write(f"  the same bits: {', '.join(name for name, far in changes.items() if not far)}\n")
    write(f"  other bits: {', '.join(f'{name} ({far:.2g})' for name, far in changes.items() if far) or 'none'}\n")
    write(f"  ms a step: {', '.join(f'{rows} rows {ms:.2f}' for rows, ms in times.items())}\n")
    engine.close()


if __name__ == "__main__":
    main()
