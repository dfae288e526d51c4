"""`bench accuracy --until`: rows are answered until the change of a figure is known as well as was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from logos_cli.benchmarks.metrics.intervals import Z95
from logos_cli.benchmarks.metrics.sample_size import POINT, Z80, rows_for_width

FIRST = 64  # rows before the first look
FIGURES = ("validity", "top-1", "top-3", "top-5", "top-10", "round-trip")


@dataclass(frozen=True)
class Until:
    """The 95 % interval of the change of `figure` (one of FIGURES) is to be plus or minus `points` or narrower, for every
    model. When to stop depends on the width alone, not on the change, which that would bias."""

    points: float
    figure: str

    def reached(self, comparisons: Sequence[Mapping[str, Any]]) -> bool:
        """Whether what stands in `against_baseline` of each model is that narrow."""
        half = widest(comparisons, self.figure)
        return half is not None and half <= self.points

    def next_rows(self, comparisons: Sequence[Mapping[str, Any]], answered: int) -> int:
        """How many rows to look at next: as many as those so far say, but at most twice as many as there are."""
        wanted = max(rows_to_narrow(of_figure(one, self.figure), self.points) for one in comparisons)
        return min(max(wanted, answered * 11 // 10 + 1), 2 * answered)


def widest(comparisons: Sequence[Mapping[str, Any]], figure: str) -> float | None:
    """Half of the widest interval in points; None while one is not known."""
    ends = [((of_figure(one, figure) or {}).get("change") or {}).get("ci95") for one in comparisons]
    return max((50 * (high - low) for low, high in ends), default=None) if all(ends) else None


def rows_to_narrow(change: Mapping[str, Any], points: float) -> int:
    """At how many rows the interval of a change is plus or minus `points`."""
    spread = POINT * float(change["n_for_1_point"]) ** 0.5 / (Z95 + Z80)
    return rows_for_width(spread, points / 100)


def of_figure(comparison: Mapping[str, Any], figure: str) -> Any:
    """One of FIGURES of what stands in `against_baseline`; None where it has none."""
    if figure.startswith("top-"):
        return comparison.get("top", {}).get(figure.removeprefix("top-"))
    return comparison.get(figure.replace("-", "_"))
