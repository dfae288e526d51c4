"""Train nano on the arrays of `prepare` and write it as a checkpoint.

    python -m logos_cli.nano.recipe.train WORK [--tokens 26 | --minutes 8] [--export logos_cli/nano]

The state (weights, optimizers, place in the data) is saved to WORK/state.pt every five minutes and at the end; the same
command goes on from it with the same batches in the same order. The length of the run is measured in tokens or, with
--minutes, in time: learning rates fall linearly to zero over its last part either way.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from logos_cli.nano.recipe.batches import KINDS, MIX, Sizes, chapters
from logos_cli.nano.recipe.export import write_checkpoint
from logos_cli.nano.recipe.model import Nano, Shape
from logos_cli.nano.recipe.muon import Muon
from logos_cli.nano.recipe.vocabulary import PAD

log = logging.getLogger("nano.train")
SAVE_EVERY, TELL_EVERY = 300.0, 30.0  # seconds
WARM_UP = 100  # steps


def make_optimizers(model: Nano, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embedding, head and norms."""
    inside = [p for n, p in model.named_parameters() if p.ndim == 2 and n.startswith("layers.")]
    rest = [p for n, p in model.named_parameters() if not (p.ndim == 2 and n.startswith("layers."))]
    adam = torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    return [Muon(inside, lr=rate), adam]


def save_state(path: Path, state: dict[str, object]) -> None:
    beside = path.with_suffix(".partial")
    torch.save(state, beside)
    os.replace(beside, path)


class Tally:
    """Loss of the answers by kind since the last line of progress, summed on the device."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(len(KINDS), device=device)
        self.counts = torch.zeros(len(KINDS), device=device)

    def add(self, each: Tensor, weights: Tensor, kinds: Tensor) -> None:
        answer = (weights.flatten() == 1.0).float()
        self.sums.index_add_(0, kinds.flatten(), each.detach() * answer)
        self.counts.index_add_(0, kinds.flatten(), answer)

    def __str__(self) -> str:
        found = zip(KINDS, self.sums.tolist(), self.counts.tolist(), strict=True)
        return " ".join(f"{kind} {total / count:.3f}" for kind, total, count in found if count)


def factor(step: int, progress: float, decay: float) -> float:
    """What the learning rates are multiplied by at `progress` (0 to 1) of the run: up, level, then down to zero."""
    return max(0.0, min(1.0, (step + 1) / WARM_UP, (1 - progress) / decay))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--tokens", type=float, default=26.0, help="length of the run, in millions")
    parser.add_argument("--minutes", type=float, help="length of the run in time instead, starting up included")
    parser.add_argument("--pause-after", type=float, help="stop, to be continued, after so many minutes")
    parser.add_argument("--chapter", type=float, default=16.0, help="millions of tokens planned at a time")
    parser.add_argument("--weights", type=Path, help="begin with those of this checkpoint's model.safetensors")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=0.6, help="part of the run over which the rate falls")
    parser.add_argument("--batch", type=int, default=8192, help="tokens a step")
    parser.add_argument("--prompt-weight", type=float, default=0.2, help="loss weight of a prompt's tokens")
    parser.add_argument("--layers", type=int, default=Shape.layers)
    parser.add_argument("--dropout", type=float, default=0.1, help="of what a layer adds")
    parser.add_argument("--mix", type=json.loads, default={}, help='other shares of the tokens, as JSON: {"molecule": 0.5}')
    parser.add_argument("--compile", action="store_true", help="compile the layers: for a GPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, help="write the checkpoint here when done")
    return parser.parse_args()


def main() -> None:
    begun = time.monotonic()
    args = arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vocabulary = json.loads((args.work / "tokenizer.json").read_text(encoding="utf-8"))
    pad = next(token["id"] for token in vocabulary["added_tokens"] if token["content"] == PAD)
    shape = Shape(len(vocabulary["model"]["vocab"]) + len(vocabulary["added_tokens"]), layers=args.layers, dropout=args.dropout)
    model = Nano(shape).to(device)
    if args.weights:
        model.load_checkpoint_tensors(load_file(args.weights))
    if args.compile:
        for layer in model.layers:  # one by one: all are compiled by the first
            layer.compile(dynamic=False)
    optimizers = make_optimizers(model, args.rate)
    size = sum(p.numel() for p in model.parameters())
    length = f"{args.minutes:g} minutes" if args.minutes else f"{args.tokens:g} M tokens"
    log.info("%.2f M parameters, %s in steps of %d tokens on %s", size / 1e6, length, args.batch, device)

    state_path = args.work / "state.pt"
    place, spent = {"chapter": 0, "batch": 0, "step": 0}, 0.0
    if state_path.exists():
        state = torch.load(state_path, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        place, spent = state["place"], state["seconds"]
        log.info("going on from step %d", place["step"])

    def seconds() -> float:
        return spent + time.monotonic() - begun

    def progress() -> float:
        return seconds() / (60 * args.minutes) if args.minutes else place["step"] * args.batch / (args.tokens * 1e6)

    def save() -> None:
        kept = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
        save_state(state_path, kept | {"place": place, "seconds": seconds()})

    saved_at = told_at = time.monotonic()
    told, tally = place["step"], Tally(device)
    mix, tokens = {**MIX, **args.mix}, min(args.chapter, args.tokens if not args.minutes else args.chapter) * 1e6
    planned = chapters(args.work / "tokens.npz", Sizes(args.batch), mix, tokens, pad, args.seed, place["chapter"])
    for batches in planned:
        while place["batch"] < len(batches) and progress() < 1:
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = args.rate * factor(place["step"], progress(), args.decay)
            batch = batches(place["batch"], args.prompt_weight)
            x, y, weights = (torch.from_numpy(part.copy()).to(device) for part in (batch.x, batch.y, batch.weights))
            with torch.autocast(device.type, torch.bfloat16):
                logits = model(x)
            each = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), reduction="none")
            ((each * weights.flatten()).sum() / weights.sum()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            tally.add(each, weights, torch.from_numpy(batch.kinds.astype("int64")).to(device))
            place["batch"] += 1
            place["step"] += 1
            now = time.monotonic()
            if now - told_at > TELL_EVERY or progress() >= 1:
                text = str(tally)  # waits for the device
                speed = (place["step"] - told) * args.batch / (time.monotonic() - told_at)
                log.info("step %d, %.0f %%, %.0f tokens/s, %.0f s: %s", place["step"], 100 * progress(), speed, seconds(), text)
                told_at, told, tally = time.monotonic(), place["step"], Tally(device)
            if now - saved_at > SAVE_EVERY:
                save()
                saved_at = now
            if args.pause_after and now - begun > args.pause_after * 60:
                break
        else:
            if progress() < 1:
                place = place | {"chapter": place["chapter"] + 1, "batch": 0}
                continue
        break
    planned.close()
    save()
    if args.export:
        write_checkpoint(args.export, model, args.work)


if __name__ == "__main__":
    main()
