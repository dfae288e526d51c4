"""The report as one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from logos_cli.benchmarks.accuracy.results import ModelAccuracy
from logos_cli.benchmarks.metrics.intervals import Estimate
from logos_cli.benchmarks.report.charts import Bar, bars, lines
from logos_cli.benchmarks.report.front import advice, files, losses
from logos_cli.benchmarks.report.front_chart import front_panels
from logos_cli.benchmarks.report.report import Line, Report
from logos_cli.benchmarks.report.tables import Table, about, tables, verdict

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c2230; --soft: #5a6478; --rule: #d9dee8; --card: #f5f7fa;
  --c0: #2f6fde; --c1: #d9730d; --c2: #1a936f; --c3: #b5308a; --c4: #7a5cd0; --c5: #8a7a12; --c6: #c2413b; --c7: #4d7c8a; }
@media (prefers-color-scheme: dark) { :root { --ground: #12151c; --ink: #e8ebf2; --soft: #9aa4b8; --rule: #2c3342;
  --card: #1a1f2a;
  --c0: #6ea2ff; --c1: #ffa04d; --c2: #4fd0a5; --c3: #f07cc6; --c4: #ab93ff; --c5: #d8c44a; --c6: #ff8078; --c7: #8dbccb; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 24px 16px 48px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 8px; }
p, li { max-width: 75ch; overflow-wrap: anywhere; } .soft { color: var(--soft); font-size: 13px; }
.scroll { overflow-x: auto; margin: 12px 0; width: fit-content; max-width: 100%;
  border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
thead th { background: var(--card); color: var(--soft); font-weight: 600; } tbody tr:last-child td { border-bottom: 0; }
.grids { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; }
figure { margin: 0; padding: 12px; background: var(--card); border-radius: 6px; min-width: 0; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 6px; } svg { width: 100%; height: auto; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; margin-top: 6px; font-size: 13px; color: var(--soft); }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
.grid { stroke: var(--rule); } .tick { fill: var(--soft); font-size: 12px; } .label { fill: var(--ink); font-size: 12px; }
.advice { font-weight: 600; } .rows { display: grid; gap: 16px; }
.front { fill: none; stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 3; } .zero { stroke: var(--soft); }
.lead { fill: none; stroke-width: 0.8; }
.line { fill: none; stroke-width: 2; } .whisker { stroke: var(--ink); fill: none; stroke-width: 1.2; }
""" + "".join(
    f".s{i} {{ fill: var(--c{i}); }} .l{i} {{ stroke: var(--c{i}); }} .b{i} {{ background: var(--c{i}); }} "
    f".o{i} {{ fill: var(--card); stroke: var(--c{i}); stroke-width: 1.6; }} .t{i} {{ fill: var(--c{i}); }}\n"
    for i in range(8)
)


def page(report: Report) -> str:
    """Writes the whole document."""
    verdicts = "".join(f"<li>{escape(verdict(line, report.baseline))}</li>" for line in report.lines if not line.baseline)
    shown = "".join(table(one) for one in tables(report))
    notes = "".join(f"<li>{escape(one)}</li>" for one in about(report))
    return document(
        "logos bench",
        "<h1>What the small models cost, and save</h1>"
        f'<p class="soft">{escape(against(report))}</p>'
        f"{picture(report)}"
        f"<h2>In words and numbers</h2><ul>{verdicts}</ul>{shown}"
        f'<h2>Charts</h2><div class="grids">{"".join(figures(report))}</div>'
        f'<h2>Measured on</h2><ul class="soft">{notes}</ul>',
    )


def document(title: str, body: str) -> str:
    """Writes a page around its body, with the style of all pages of `logos bench`."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def picture(report: Report) -> str:
    """Draws size, loss and speed of every file, the best of them marked, and says which to take."""
    rows = []
    for loss in losses(report):
        panels = "".join(f"<div>{one}</div>" for one in front_panels(files(report, loss), loss, max(report.samples, default=0)))
        rows.append(figure(loss.title, f'<div class="grids">{panels}</div>'))
    if not rows:
        return ""
    told = "".join(f'<p class="advice">{escape(line)}</p>' for line in advice(report))
    how = (
        "Filled: no other file is at least as good in size, loss and speed and better in one. The line is the front of its "
        "chart. Bars: 95 % intervals of losses, 5th to 95th percentile of speeds."
    )
    return f'<h2>Which file to take</h2>{told}<p class="soft">{how}</p><div class="rows">{"".join(rows)}</div>'


def table(found: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in found.columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in found.rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def against(report: Report) -> str:
    if report.baseline is None:
        return "Speed and memory; no accuracy was measured."
    baseline = report.baseline.model
    return f"Against {baseline.name} ({baseline.scheme}). Brackets hold 95 % intervals, of changes in points."


def figure(title: str, chart: str, legend: str = "") -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{chart}{legend}</figure>"


def legend(found: Sequence[tuple[int, Line]]) -> str:
    def name(line: Line) -> str:
        model = line.model
        return model.name if model.name == model.scheme else f"{model.name} ({model.scheme})"

    items = (f'<span><i class="b{i % 8}"></i>{escape(name(line))}</span>' for i, line in found)
    return f'<div class="legend">{"".join(items)}</div>'


def figures(report: Report) -> Iterator[str]:
    """Draws every chart that there are figures for."""
    # A model has one colour on the whole page: its place in the report.
    measured = [(i, line, line.accuracy) for i, line in enumerate(report.lines) if line.accuracy]
    timed = [(i, line, line.latency) for i, line in enumerate(report.lines) if line.latency]
    named = [(i, line) for i, line, _ in measured]
    if timed:
        curves = [(i, [(one.samples, one.tokens_per_s.median) for one in found.decode]) for i, _, found in timed]
        chart = lines(curves, "Decode speed", "answers written at once", "tokens a second")
        yield figure("Decode speed", chart, legend([(i, line) for i, line, _ in timed]))
    if measured:
        yield figure("Divergence by modality", modality_bars(measured), legend(named))
        for name in measured[0][2].tasks:
            if changes := change_bars(measured, name):
                yield figure(f"{name}: change against the baseline", changes, legend(named))


Measured = Sequence[tuple[int, Line, ModelAccuracy]]  # by place in the report


def interval_bar(label: str, estimate: Estimate, series: int, scale: float = 1) -> Bar:
    """Makes a bar of a figure and its interval."""
    low, high = estimate.ends or (estimate.value, estimate.value)
    return Bar(label, scale * estimate.value, scale * low, scale * high, series)


def modality_bars(measured: Measured) -> str:
    """Draws divergence by modality."""
    groups = []
    for name in dict.fromkeys(name for _, _, found in measured for name in found.read.modalities):
        group = []
        for i, line, found in measured:
            if name in found.read.modalities:
                group.append(interval_bar(line.model.scheme, found.read.modalities[name].kld["mean"], i))
        groups.append((name, group))
    return bars(groups, "Mean KL divergence by modality", "mean KLD, nats")


def change_bars(measured: Measured, task: str) -> str | None:
    """Draws changes of rates in points with their intervals."""
    groups = []
    for label, place in (
        ("valid", ("validity",)),
        ("top-1", ("top", "1")),
        ("top-10", ("top", "10")),
        ("round trip", ("round_trip",)),
    ):
        group = []
        for i, line, found in measured:
            against = found.tasks[task].against_baseline if task in found.tasks else None
            change = against.at(*place) if against else None
            if change and change.change:
                group.append(interval_bar(line.model.scheme, change.change, i, 100))
        if group:
            groups.append((label, group))
    return bars(groups, f"{task}: change in points", "percentage points") if groups else None
