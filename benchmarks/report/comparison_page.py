"""A comparison of two files of records as one page: a table a task, and a sentence for each rate that is paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from logos_cli.benchmarks.accuracy.compare_records import Run, TaskComparison
from logos_cli.benchmarks.accuracy.results import Change
from logos_cli.benchmarks.metrics.intervals import Estimate
from logos_cli.benchmarks.metrics.metrics import NUMBERS
from logos_cli.benchmarks.metrics.molecules import Diversity
from logos_cli.benchmarks.metrics.task_figures import TaskFigures, Value
from logos_cli.benchmarks.report.html import document, table
from logos_cli.benchmarks.report.tables import Table, points, verdict_on

COLUMNS = ("figure", "first", "second", "second − first [95 %]", "lost", "gained", "McNemar p")


def task_table(found: TaskComparison) -> Table:
    """Puts all figures of a task side by side, with the changes of those that are paired."""
    rows = []
    for place in places(found.first):
        first, second = found.first.at(*place), found.second.at(*place)
        change = found.change.at(*place)
        cells = ["", "", "", ""]
        if change:
            outcome = change.flips
            difference = points(change.change) if change.change else ""
            cells = [difference, f"{outcome.lost:,}", f"{outcome.gained:,}", f"{outcome.p:.2g}"]
        rows.append([" ".join(place).replace("_", " "), *(shown(one, place[0] in NUMBERS) for one in (first, second)), *cells])
    return Table(list(COLUMNS), rows)


def places(figures: TaskFigures) -> Iterator[tuple[str, ...]]:
    """Names of all figures, those under a name with it."""
    for name, value in figures.values.items():
        if isinstance(value, Mapping):
            yield from ((name, part) for part in value)
        else:
            yield (name,)


def shown(value: Value | None, number: bool) -> str:
    """Writes a count, a rate in percent with its interval, or a `number` that is no rate."""
    if isinstance(value, Estimate):
        form = "{:.3f}".format if number else "{:.1%}".format
        return form(value.value) + (f" [{', '.join(map(form, value.ends))}]" if value.ends else "")
    if isinstance(value, Diversity):
        return f"{value.value:.3f}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if isinstance(value, float) else ""


def sentences(first: Run, second: Run, tasks: Sequence[TaskComparison]) -> Iterator[str]:
    """Says for each paired rate whether a difference is shown, and what a row takes where that is known."""
    for one in tasks:
        changes: list[tuple[str, Change]] = [("validity", one.change.validity)]
        if one.change.top:
            changes += [(f"top-{k}", change) for k, change in one.change.top.items()]
        for label, change in changes:
            if change.change:
                flips = f"{change.flips.lost:,} lost, {change.flips.gained:,} gained, McNemar p {change.flips.p:.2g}"
                yield f"{one.task} {label}: {points(change.change)}, {flips}: {verdict_on(change)}."
        if one.only_one:
            yield f"{one.task}: {one.only_one:,} rows are in one of the files only, and are left out."
    for run, which in ((first, "first"), (second, "second")):
        told = run.to_dict()
        spent = [f"{told[f'{name}_per_row']:.3g} {unit}" for name, unit in (("seconds", "s"), ("cost", "of cost"))
                 if f"{name}_per_row" in told]  # fmt: skip
        if spent:
            yield f"the {which} takes {' and '.join(spent)} a row."


def about(first: Run, second: Run) -> list[str]:
    """Says what the two are."""
    return [f"{which}: {run.path}, {run.models}" for which, run in (("first", first), ("second", second))]


def html(first: Run, second: Run, tasks: Sequence[TaskComparison]) -> str:
    """Writes the page as HTML that needs no network."""
    body = "<h1>Two models on the same rows</h1>"
    body += f'<ul class="soft">{"".join(f"<li>{escape(one)}</li>" for one in about(first, second))}</ul>'
    body += f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences(first, second, tasks))}</ul>"
    for one in tasks:
        body += f"<h2>{escape(one.task)}, {one.rows:,} rows</h2>{table(task_table(one))}"
    return document("logos bench compare", body)


def markdown(first: Run, second: Run, tasks: Sequence[TaskComparison]) -> str:
    """Writes the page as Markdown."""
    parts = [*(f"- {one}" for one in about(first, second)), ""]
    for one in tasks:
        found = task_table(one)
        parts += [f"## {one.task}, {one.rows:,} rows", "", "| " + " | ".join(found.columns) + " |"]
        parts += ["|" + "---|" * len(found.columns), *("| " + " | ".join(cells) + " |" for cells in found.rows), ""]
    parts += [f"- {one}" for one in sentences(first, second, tasks)]
    return "\n".join(parts).rstrip() + "\n"
