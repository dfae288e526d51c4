"""What a result of `bench accuracy` says of its own size: how many rows it would take to know more."""

from __future__ import annotations

import math
from typing import Any

from logos_cli.benchmarks.accuracy.until import Until, of_figure, rows_to_narrow, widest


def rows_needed(document: dict[str, Any]) -> list[str]:
    """A sentence a task: at how many rows a loss of 1 point would show."""
    found = []
    for name, task in document["baseline"]["tasks"].items():
        comparisons = compared(document, name)
        needed = {
            figure: max(change.get("n_for_1_point", 0) for change in changes)
            for figure in ("validity", "top-1")
            if all(changes := [of_figure(one, figure) for one in comparisons])
        }
        if any(needed.values()):
            several = task["rows"] > 1
            unit, there = ("rows", task["rows"]) if several else ("answers", task["answers"])
            parts = ", ".join(f"{about(n):,} in {figure}" for figure, n in needed.items())
            found.append(f"{name}: a loss of 1 point shows, in four of five such runs, from about so many {unit}: {parts}; "
                         f"here are {there:,}")  # fmt: skip
    return found


def stopped(document: dict[str, Any], until: Until, rows: int) -> str:
    """Where --until ended, of so many `rows`."""
    ((name, task),) = document["baseline"]["tasks"].items()
    comparisons = compared(document, name)
    half, there = widest(comparisons, until.figure), task["rows"]
    known = "not known" if half is None else f"±{half:.2f} points at most"
    if until.reached(comparisons):
        return f"{name}: after {there:,} of {rows:,} rows the interval of {until.figure} is {known}"
    wanted = max(rows_to_narrow(of_figure(one, until.figure), until.points) for one in comparisons)
    return (
        f"{name}: after all {there:,} rows the interval of {until.figure} is {known}; ±{until.points:g} takes about "
        f"{about(wanted):,} rows"
    )


def compared(document: dict[str, Any], task: str) -> list[dict[str, Any]]:
    return [model["tasks"][task]["against_baseline"] for model in document["models"] if task in model["tasks"]]


def about(n: int) -> int:
    """Two digits: more of such a figure is not known."""
    power = 10 ** max(0, math.floor(math.log10(max(n, 1))) - 1)
    return round(n / power) * power
