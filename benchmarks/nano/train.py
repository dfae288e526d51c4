"""Train nano on the arrays of `prepare` and write it as a checkpoint.

    python -m logos_cli.benchmarks.nano.train WORK [--tokens 26] [--minutes 45] [--export logos_cli/nano]

The state (weights, optimizers, step) is saved to WORK/state.pt every five minutes; the same command goes on from it
and gives the same batches in the same order. The length of the run is measured in tokens and fixed when it starts;
learning rates fall linearly to zero over its second half.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from logos_cli.benchmarks.nano.batches import KINDS, MIX, Batch, Batches, Corpus, Sizes
from logos_cli.benchmarks.nano.export import write_checkpoint
from logos_cli.benchmarks.nano.model import Nano, Shape
from logos_cli.benchmarks.nano.vocabulary import PAD

log = logging.getLogger("nano.train")
SAVE_EVERY, TELL_EVERY = 300.0, 60.0  # seconds


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


class Tally:
    """Loss of the answers by kind since the last line of progress."""

    def __init__(self) -> None:
        self.sums, self.counts = np.zeros(len(KINDS)), np.zeros(len(KINDS))

    def add(self, each: Tensor, batch: Batch) -> None:
        answer = batch.weights.ravel() == 1.0
        kinds = batch.kinds.ravel()[answer]
        self.sums += np.bincount(kinds, each.detach().cpu().numpy()[answer], len(KINDS))
        self.counts += np.bincount(kinds, minlength=len(KINDS))

    def __str__(self) -> str:
        return " ".join(f"{k} {s / n:.3f}" for k, s, n in zip(KINDS, self.sums, self.counts, strict=True) if n)


def factors(first: int, steps: int, decay: float) -> Iterator[tuple[int, float]]:
    """Each step left, with what the learning rates are multiplied by: 100 steps up, level, then down to zero."""
    for step in range(first, steps):
        yield step, min(1.0, (step + 1) / 100, (steps - step) / (steps * decay))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--tokens", type=float, default=26.0, help="length of the run, in millions")
    parser.add_argument(
        "--steps", type=int, help="end after so many steps of the run instead, the rate falling to zero by then"
    )
    parser.add_argument("--minutes", type=float, help="stop (to be continued) after this long")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=0.5, help="part of the run over which the rate falls")
    parser.add_argument("--batch", type=int, default=8192, help="tokens a step")
    parser.add_argument("--prompt-weight", type=float, default=0.2, help="loss weight of a prompt's tokens")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--mix", type=json.loads, default={}, help='other shares of the tokens, as JSON: {"molecule": 0.5}')
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, help="write the checkpoint here when done")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vocabulary = json.loads((args.work / "tokenizer.json").read_text(encoding="utf-8"))
    pad = next(token["id"] for token in vocabulary["added_tokens"] if token["content"] == PAD)
    shape = Shape(len(vocabulary["model"]["vocab"]) + len(vocabulary["added_tokens"]), layers=args.layers)
    model = Nano(shape).to(device)
    optimizers = make_optimizers(model, args.rate)
    corpus = Corpus.load(args.work / "tokens.npz")
    batches = Batches(corpus, Sizes(args.batch), {**MIX, **args.mix}, args.tokens * 1e6, pad, args.seed)
    planned = len(batches)
    steps = min(planned, args.steps or planned)
    size = sum(p.numel() for p in model.parameters())
    log.info("%.2f M parameters, %d steps of %d tokens on %s", size / 1e6, steps, args.batch, device)

    first, state_path = 0, args.work / "state.pt"
    if state_path.exists():
        state = torch.load(state_path, map_location=device, weights_only=True)
        if state["steps"] != planned:
            raise SystemExit(f"{state_path} is of a run of {state['steps']} steps, this one has {planned}: options differ")
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = state["step"]
        log.info("going on from step %d", first)

    def state_now(step: int) -> dict[str, object]:
        return {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "step": step, "steps": planned}

    begun = saved_at = told_at = time.monotonic()
    done, told, tally, mean = first, first, Tally(), None
    for step, factor in factors(first, steps, args.decay):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = args.rate * factor
        batch = batches(step, args.prompt_weight)
        x, y, w = (torch.from_numpy(part.copy()).to(device) for part in (batch.x, batch.y, batch.weights))
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(x)
        each = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), reduction="none")
        loss = (each * w.flatten()).sum() / w.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        tally.add(each, batch)
        mean, done, now = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item(), step + 1, time.monotonic()
        if now - told_at > TELL_EVERY or done == steps:
            speed = (done - told) * args.batch / (now - told_at)
            log.info("step %d/%d  loss %.4f  %.0f tokens/s  %.0f s  %s", done, steps, mean, speed, now - begun, tally)
            told_at, told, tally = now, done, Tally()
        if now - saved_at > SAVE_EVERY:
            save_state(state_path, state_now(done))
            saved_at = now
        if args.minutes and now - begun > args.minutes * 60:
            break
    save_state(state_path, state_now(done))
    if args.export:
        write_checkpoint(args.export, model, args.work)


if __name__ == "__main__":
    main()
