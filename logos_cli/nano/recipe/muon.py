"""Muon, an optimizer for matrices: the momentum, orthogonalized, is the step (Jordan et al. 2024, kellerjordan.github.io).

`torch.optim.Muon` does the same one matrix at a time, some thousand small kernels a step. Here all matrices of a shape go
through the Newton-Schulz steps in one batch.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


def orthogonal(given: Tensor) -> Tensor:
    """The nearest orthogonal matrices, roughly (singular values 0.7 to 1.2), to those of `given` [N, rows, columns]."""
    a, b, c = COEFFICIENTS
    tall = given.shape[1] > given.shape[2]
    x = (given.mT if tall else given).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Every parameter is a matrix. A step has the size of AdamW's (0.2 × the root of the longer side)."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.05) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                by_shape.setdefault(p.shape, []).append(p)
            for shape, same in by_shape.items():
                gradient = torch.stack([p.grad for p in same if p.grad is not None])
                state = self.state[same[0]]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(gradient)
                state["momentum"].lerp_(gradient, 1 - group["momentum"])
                update = orthogonal(gradient.lerp(state["momentum"], group["momentum"])).float()
                scale = 0.2 * max(shape) ** 0.5
                torch._foreach_mul_(same, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(same, list(update.unbind()), alpha=-group["lr"] * scale)
