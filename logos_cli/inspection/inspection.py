"""What a model file or a checkpoint is, and whether it is whole: what `logos inspect` shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logos_cli.chemistry.grammar import MARKERS

Progress = Callable[[int], None]
_LAYER = re.compile(r"^(model\.layers|blk)\.\d+\.")
_RESERVED = re.compile(r"<\|reserved_special_token_\d+\|>|\[PAD\d+\]")

TRIMMED = "cut to the grammar (--trim-vocab)"


@dataclass(frozen=True)
class TensorGroup:
    """All tensors of one kind (the name without its layer) and one type."""

    kind: str
    type: str
    count: int
    parameters: int
    bytes: int


@dataclass(frozen=True)
class Vocabulary:
    """`size` ids; `missing`: markers of the grammar that are not one token; `other`: added tokens that are no markers."""

    size: int
    kind: str
    adds_bos: bool | None
    markers: tuple[str, ...]
    missing: tuple[str, ...]
    other: tuple[str, ...]
    reserved: int


@dataclass(frozen=True)
class Inspection:
    """`checks` says what was found in order, `problems` what was not."""

    path: Path
    format: str
    bytes: int
    architecture: dict[str, Any]
    scheme: str
    fingerprint: str
    provenance: dict[str, Any]
    vocabulary: Vocabulary
    sampling: tuple[str, ...]
    tensors: tuple[TensorGroup, ...]
    files: tuple[dict[str, Any], ...] = ()
    checks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        return sum(group.parameters for group in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        return 8 * sum(group.bytes for group in self.tensors) / max(1, self.parameters)


def grouped(tensors: Iterable[tuple[str, str, int, int]]) -> tuple[TensorGroup, ...]:
    """Groups in the order of first appearance, from (name, type, parameters, bytes)."""
    found: dict[tuple[str, str], list[int]] = {}
    for name, kind, parameters, size in tensors:
        key = (_LAYER.sub("", name).removesuffix(".weight"), kind)
        totals = found.setdefault(key, [0, 0, 0])
        for i, amount in enumerate((1, parameters, size)):
            totals[i] += amount
    return tuple(TensorGroup(*key, *totals) for key, totals in found.items())


def read_vocabulary(size: int, added: set[str], kind: str, adds_bos: bool | None) -> Vocabulary:
    """`added`: the texts that are matched whole, before any splitting; only those can be markers."""
    others = added - set(MARKERS)
    reserved = {text for text in others if _RESERVED.fullmatch(text)}
    return Vocabulary(
        size, kind, adds_bos,
        tuple(m for m in MARKERS if m in added), tuple(m for m in MARKERS if m not in added),
        tuple(sorted(others - reserved)), len(reserved),
    )  # fmt: skip


def report_values(found: Inspection, bad: list[str], total: int) -> None:
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        found.problems.append(f"values that are not numbers (NaN or infinity) in tensor {bad[0]}{more}")
    else:
        found.checks.append(f"values of {total} tensors")
