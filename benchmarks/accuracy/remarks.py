"""What a result of `bench accuracy` says of its own size: how many rows it would take to know more."""

from __future__ import annotations

import math

from logos_cli.benchmarks.accuracy.results import AccuracyResult, Comparison
from logos_cli.benchmarks.accuracy.until import Until, change_of_figure, needed_for, rows_to_narrow, widest


def rows_needed(result: AccuracyResult) -> list[str]:
    """Writes a sentence a task: at how many rows a loss of 1 point would show."""
    lines = []
    for name, task in result.baseline.tasks.items():
        comparisons = compared(result, name)
        needed = {
            figure: max(needed_for(one, figure) for one in comparisons)
            for figure in ("validity", "top-1")
            if comparisons and all(change_of_figure(one, figure) for one in comparisons)
        }
        if any(needed.values()):
            rows = task.figures.at("rows")
            unit, there = ("rows", rows) if rows != 1 else ("answers", task.figures.at("answers"))
            parts = ", ".join(f"{about(n):,} in {figure}" for figure, n in needed.items())
            lines.append(
                f"{name}: a loss of 1 point shows, in four of five such runs, from about so many {unit}: {parts}; here are "
                f"{there:,}"
            )
    return lines


def stopped(result: AccuracyResult, until: Until, rows: int) -> str:
    """Says where --until ended, of so many `rows`."""
    ((name, task),) = result.baseline.tasks.items()
    comparisons = compared(result, name)
    half, there = widest(comparisons, until.figure), task.figures.at("rows")
    known = "not known" if half is None else f"±{half:.2f} points at most"
    if until.reached(comparisons):
        return f"{name}: after {there:,} of {rows:,} rows the interval of {until.figure} is {known}"
    return (
        f"{name}: after all {there:,} rows the interval of {until.figure} is {known}; ±{until.points:g} takes about "
        f"{about(rows_to_narrow(comparisons, until)):,} rows"
    )


def compared(result: AccuracyResult, task: str) -> list[Comparison]:
    """Gives each model's comparison with the baseline."""
    found = [model.tasks[task].against_baseline for model in result.models if task in model.tasks]
    return [one for one in found if one is not None]


def about(n: int) -> int:
    """Rounds to two digits: more of such a figure is not known."""
    power: int = 10 ** max(0, math.floor(math.log10(max(n, 1))) - 1)
    return round(n / power) * power
