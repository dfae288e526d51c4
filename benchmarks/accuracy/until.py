"""`bench accuracy --until`: rows are answered until the change of a figure is known as well as was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli.benchmarks.accuracy.results import Change, Comparison
from logos_cli.benchmarks.metrics.intervals import Z95
from logos_cli.benchmarks.metrics.sample_size import POINT, Z80, rows_for_width

FIRST = 64  # rows before the first look


@dataclass(frozen=True)
class Until:
    """The 95 % interval of the change of `figure` (`validity`, `top-1` … or `round-trip`) is to be plus or minus `points` or
    narrower, for every model. When to stop depends on the width alone, not on the change, which that would bias."""

    points: float
    figure: str

    def reached(self, comparisons: Sequence[Comparison]) -> bool:
        """Whether the interval of each model is that narrow."""
        half = widest(comparisons, self.figure)
        return half is not None and half <= self.points

    def next_rows(self, comparisons: Sequence[Comparison], answered: int) -> int:
        """Tells how many rows to look at next: as many as those so far say, but at most twice as many as there are."""
        return min(max(rows_to_narrow(comparisons, self), answered * 11 // 10 + 1), 2 * answered)


def widest(comparisons: Sequence[Comparison], figure: str) -> float | None:
    """Gives half of the widest interval in points; None while one is not known."""
    halves = []
    for one in comparisons:
        change = change_of_figure(one, figure)
        if change is None or change.change is None or change.change.ends is None:
            return None
        halves.append(50 * (change.change.high - change.change.low))
    return max(halves, default=None)


def rows_to_narrow(comparisons: Sequence[Comparison], until: Until) -> int:
    """Tells at how many rows every interval is as narrow as was asked."""
    needed = max(needed_for(one, until.figure) for one in comparisons)
    return rows_for_width(POINT * float(needed) ** 0.5 / (Z95 + Z80), until.points / 100)


def needed_for(comparison: Comparison, figure: str) -> int:
    """Gives at how many rows a change of one point would show, 0 where that is not told."""
    change = change_of_figure(comparison, figure)
    return (change.n_for_1_point or 0) if change else 0


def change_of_figure(comparison: Comparison, figure: str) -> Change | None:
    """Finds the change of `validity`, `top-1` … or `round-trip`."""
    return comparison.at(*figure.split("-")) if figure.startswith("top-") else comparison.at(figure.replace("-", "_"))
