"""The report as one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

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
    """The whole document."""
    verdicts = "".join(f"<li>{escape(verdict(line, report.baseline))}</li>" for line in report.lines if not line.baseline)
    shown = "".join(table(one) for one in tables(report))
    notes = "".join(f"<li>{escape(one)}</li>" for one in about(report))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>logos bench</title><style>{_STYLE}</style></head><body>"
        "<h1>What the small models cost, and save</h1>"
        f'<p class="soft">{escape(against(report))}</p>'
        f"{picture(report)}"
        f"<h2>In words and numbers</h2><ul>{verdicts}</ul>{shown}"
        f'<h2>Charts</h2><div class="grids">{"".join(figures(report))}</div>'
        f'<h2>Measured on</h2><ul class="soft">{notes}</ul></body></html>\n'
    )


def picture(report: Report) -> str:
    """Size, loss and speed of every file, the best of them marked, and which to take."""
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
    return f"Against {report.baseline.name} ({report.baseline.scheme}). Brackets hold 95 % intervals, of changes in points."


def figure(title: str, chart: str, legend: str = "") -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{chart}{legend}</figure>"


def legend(found: Sequence[tuple[int, Line]]) -> str:
    def name(line: Line) -> str:
        return line.name if line.name == line.scheme else f"{line.name} ({line.scheme})"

    items = (f'<span><i class="b{i % 8}"></i>{escape(name(line))}</span>' for i, line in found)
    return f'<div class="legend">{"".join(items)}</div>'


def figures(report: Report) -> Iterator[str]:
    # A model has one colour on the whole page: its place in the report.
    measured = [(i, line) for i, line in enumerate(report.lines) if line.accuracy]
    timed = [(i, line) for i, line in enumerate(report.lines) if line.latency]
    if timed:
        curves = []
        for i, line in timed:
            decode = line.latency["decode"] if line.latency else []
            curves.append((i, [(one["samples"], one["tokens_per_s"]["median"]) for one in decode]))
        chart = lines(curves, "Decode speed", "answers written at once", "tokens a second")
        yield figure("Decode speed", chart, legend(timed))
    if measured:
        yield figure("Divergence by modality", modality_bars(measured), legend(measured))
        for name in measured[0][1].accuracy["tasks"] if measured[0][1].accuracy else ():
            if changes := change_bars(measured, name):
                yield figure(f"{name}: change against the baseline", changes, legend(measured))


def interval_bar(label: str, estimate: dict[str, Any], series: int, scale: float = 1) -> Bar:
    value, low, high = (scale * one for one in (estimate["value"], *(estimate["ci95"] or [estimate["value"]] * 2)))
    return Bar(label, value, low, high, series)


def modality_bars(measured: Sequence[tuple[int, Line]]) -> str:
    groups = []
    for name in dict.fromkeys(name for _, line in measured if line.accuracy for name in line.accuracy["modalities"]):
        group = []
        for i, line in measured:
            if line.accuracy and name in line.accuracy["modalities"]:
                mean = line.accuracy["modalities"][name]["kld"]["mean"]
                group.append(interval_bar(line.scheme, mean, i))
        groups.append((name, group))
    return bars(groups, "Mean KL divergence by modality", "mean KLD, nats")


def change_bars(measured: Sequence[tuple[int, Line]], task: str) -> str | None:
    """Changes of rates in points with their intervals."""
    groups = []
    for label, steps in (
        ("valid", ("validity",)),
        ("top-1", ("top", "1")),
        ("top-10", ("top", "10")),
        ("round trip", ("round_trip",)),
    ):
        group = []
        for i, line in measured:
            found = line.accuracy["tasks"].get(task, {}).get("against_baseline", {}) if line.accuracy else {}
            for step in steps:
                found = found.get(step) or {}
            if change := found.get("change"):
                group.append(interval_bar(line.scheme, change, i, 100))
        if group:
            groups.append((label, group))
    return bars(groups, f"{task}: change in points", "percentage points") if groups else None
