"""The report as Markdown."""

from __future__ import annotations

from logos_cli.benchmarks.report.front import advice
from logos_cli.benchmarks.report.report import Report
from logos_cli.benchmarks.report.tables import about, tables, verdict


def markdown(report: Report) -> str:
    """Writes the whole report as Markdown."""
    parts = []
    for table in tables(report):
        parts += ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
        parts += ["| " + " | ".join(cells) + " |" for cells in table.rows] + [""]
    parts += [*(f"- {verdict(line, report.baseline)}" for line in report.lines if not line.baseline)]
    parts += [*(f"- {line}" for line in advice(report)), ""]
    parts += [f"{one}  " for one in about(report)]
    return "\n".join(parts).rstrip() + "\n"
