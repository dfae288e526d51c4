"""Train nano on the arrays of `prepare` and write it as a checkpoint.

    python -m logos_cli.benchmarks.nano.train WORK [--minutes 45] [--export logos_cli/nano]

The state (weights, optimizers, step) is saved to WORK/state.pt every five minutes; the same command goes on from it
and gives the same batches in the same order. Learning rates fall linearly to zero over the last third of the run,
which is measured in tokens and fixed when the run starts.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from logos_cli.benchmarks.nano.export import write_checkpoint
from logos_cli.benchmarks.nano.model import Nano, Shape

log = logging.getLogger("nano.train")
SAVE_EVERY = 300.0  # seconds


@dataclass(frozen=True)
class Corpus:
    """Documents end to end: `tokens` [N] uint16, `weights` [N] float32 for the loss of predicting each token."""

    tokens: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]

    @classmethod
    def load(cls, path: Path, prompt_weight: float) -> Corpus:
        arrays = np.load(path)
        lengths, prompts = arrays["lengths"].astype(np.int64), arrays["prompts"]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        weights = np.ones(len(arrays["tokens"]), np.float32)
        for start, prompt in zip(starts, prompts, strict=False):
            weights[start : start + prompt] = prompt_weight
        return cls(arrays["tokens"], weights, starts)

    def epoch(self, number: int, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """All documents in the order of this epoch, packed end to end."""
        order = np.random.default_rng((seed, number)).permutation(len(self.starts) - 1)
        index = np.concatenate([np.arange(self.starts[i], self.starts[i + 1]) for i in order])
        return self.tokens[index].astype(np.int64), self.weights[index]


class Batches:
    """Batch `step` is a pure function of (seed, step): that is what makes resumption exact."""

    def __init__(self, corpus: Corpus, rows: int, width: int, seed: int) -> None:
        self.corpus, self.rows, self.width, self.seed = corpus, rows, width, seed
        self.per_epoch = (len(corpus.tokens) - 1) // (rows * width)
        self.loaded: int | None = None

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        epoch, place = divmod(step, self.per_epoch)
        if self.loaded != epoch:
            self.tokens, self.weights = self.corpus.epoch(epoch, self.seed)
            self.loaded = epoch
        size = self.rows * self.width
        cut = slice(place * size, (place + 1) * size)
        after = slice(place * size + 1, (place + 1) * size + 1)
        shaped = (self.tokens[cut], self.tokens[after], self.weights[after])
        x, y, w = (torch.from_numpy(part.copy()).view(self.rows, self.width) for part in shaped)
        return x, y, w


def make_optimizers(model: Nano, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embedding, head and norms."""
    inside = [p for n, p in model.named_parameters() if p.ndim == 2 and n.startswith("layers.")]
    rest = [p for n, p in model.named_parameters() if not (p.ndim == 2 and n.startswith("layers."))]
    muon = torch.optim.Muon(inside, lr=rate, momentum=0.95, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [muon, adam]


def save_state(path: Path, state: dict[str, object]) -> None:
    beside = path.with_suffix(".partial")
    torch.save(state, beside)
    os.replace(beside, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--tokens", type=float, default=11.0, help="length of the run, in millions")
    parser.add_argument("--minutes", type=float, help="stop (to be continued) after this long")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--prompt-weight", type=float, default=0.2, help="loss weight of a prompt's tokens")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, help="write the checkpoint here when done")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vocabulary = json.loads((args.work / "tokenizer.json").read_text(encoding="utf-8"))
    shape = Shape(len(vocabulary["model"]["vocab"]) + len(vocabulary["added_tokens"]))
    model = Nano(shape).to(device)
    optimizers = make_optimizers(model, args.rate)
    batches = Batches(Corpus.load(args.work / "tokens.npz", args.prompt_weight), args.rows, args.width, args.seed)
    steps = int(args.tokens * 1e6 / (args.rows * args.width))
    size = sum(p.numel() for p in model.parameters())
    log.info("%.2f M parameters, %d steps of %d tokens on %s", size / 1e6, steps, args.rows * args.width, device)

    first, state_path = 0, args.work / "state.pt"
    if state_path.exists():
        state = torch.load(state_path, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = state["step"]
        log.info("going on from step %d", first)

    def state_now(step: int) -> dict[str, object]:
        return {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "step": step}

    begun = saved_at = told_at = time.monotonic()
    mean, told_step = None, first
    for step in range(first, steps):
        factor = min(1.0, (step + 1) / 100, (steps - step) / (steps / 3))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = args.rate * factor
        x, y, w = (part.to(device) for part in batches(step))
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(x)
        each = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), reduction="none")
        loss = (each * w.flatten()).sum() / w.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        now = time.monotonic()
        if now - told_at > 30 or step + 1 == steps:
            speed = (step + 1 - told_step) * args.rows * args.width / (now - told_at)
            log.info("step %d/%d  loss %.4f  %.0f tokens/s  %.0f s", step + 1, steps, mean, speed, now - begun)
            told_at, told_step = now, step + 1
        if now - saved_at > SAVE_EVERY:
            save_state(state_path, state_now(step + 1))
            saved_at = now
        if args.minutes and now - begun > args.minutes * 60:
            break
    save_state(state_path, state_now(step + 1))
    if args.export:
        write_checkpoint(args.export, model, args.work)


if __name__ == "__main__":
    main()
