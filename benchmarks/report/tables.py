"""A report's tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logos_cli.benchmarks.report.report import Line, Report

# In words


def points(estimate: dict[str, Any]) -> str:
    """A change of a rate in percentage points with its interval: `−0.3 points [−0.9, +0.3]`."""
    value, *ends = (signed(100 * v) for v in (estimate["value"], *(estimate["ci95"] or ())))
    return f"{value} points" + (f" [{', '.join(ends)}]" if ends else "")


def size_of(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count > 1e8 else f"{count / 1e6:.1f} MB"


def signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def judged(changed: dict[str, Any]) -> str:
    """Worse or better only if the interval and McNemar's test agree: each alone is too easily sure of a few flips."""
    ends, p = changed["change"]["ci95"], changed["flips"]["mcnemar_p"]
    if ends is None or p >= 0.05 or ends[0] <= 0 <= ends[1]:
        return "no difference shown"
    return "worse" if ends[1] < 0 else "better"


def verdict(line: Line, baseline: Line | None) -> str:
    """One sentence for people: size, speed, loss."""
    parts = [size_of(line.bytes)]
    speeds = [] if baseline is None or line.latency is None or baseline.latency is None else line.latency["decode"]
    for one in (speeds[0], speeds[-1]) if len(speeds) > 1 else speeds:
        mine, theirs = line.decode(one["samples"]), baseline.decode(one["samples"]) if baseline else None
        if mine and theirs:
            how = "as fast as" if 0.95 < mine / theirs < 1.05 else f"{mine / theirs:.2g}× the speed of"
            what = "one answer" if one["samples"] == 1 else f"{one['samples']} answers at once"
            parts.append(f"{how} {baseline.scheme if baseline else ''} for {what}")
    if line.accuracy:
        parts.append(f"the same top token in {100 * line.accuracy['same_top1']['value']:.1f} % of places")
        for name, task in line.accuracy["tasks"].items():
            against = task.get("against_baseline", {})
            for label, found in (("validity", against.get("validity")), ("top-1", against.get("top", {}).get("1"))):
                if found and found.get("change"):
                    parts.append(f"{name} {label} {points(found['change'])}: {judged(found)}")
    return f"{line.scheme}: {', '.join(parts)}."


# Tables


@dataclass(frozen=True)
class Table:
    columns: list[str]
    rows: list[list[str]]


def tables(report: Report) -> list[Table]:
    """What was measured: speed and memory, loss of tokens, answers of tasks."""
    found = []
    if any(line.latency for line in report.lines):
        speeds = [f"tok/s ×{n}" for n in report.samples]
        columns = ["load s", "prompt tok/s", "first token ms", *speeds, "s a row", "peak memory"]
        found.append(
            Table([*_NAMES, *columns], [[*names(line), *latency_cells(line, report.samples)] for line in report.lines])
        )
    if any(line.accuracy for line in report.lines):
        columns = ["mean KLD [95 %]", "p99 KLD", "same top-1 [95 %]", "ppl ratio [95 %]"]
        found.append(Table([*_NAMES, *columns], [[*names(line), *accuracy_cells(line)] for line in report.lines]))
    if tasks := task_columns(report):
        columns = [f"{name} {label}" for name, label, _ in tasks]
        found.append(Table([*_NAMES, *columns], [[*names(line), *task_cells(line, tasks)] for line in report.lines]))
    if details := detail_rows(report):
        shown = [line for line in report.lines if line.tasks or line.accuracy]
        found.append(Table(["", "figure", *(line.name for line in shown)], details))
    return found


_NAMES = ("model", "scheme", "size")


def names(line: Line) -> list[str]:
    return [line.name, line.scheme, f"{line.bytes / 1e6:,.1f} MB" if line.bytes < 1e8 else f"{line.bytes / 1e9:.3f} GB"]


def task_columns(report: Report) -> list[tuple[str, str, tuple[str, ...]]]:
    """(task, what, where it stands in the task's figures)."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for name, task in (report.baseline.tasks if report.baseline else {}).items():
        if "validity" in task:
            found.append((name, "valid", ("validity",)))
        if "top" in task:
            found += [(name, f"top-{k}", ("top", k)) for k in ("1", "10") if k in task["top"]]
        if task.get("round_trip"):
            found.append((name, "round trip", ("round_trip",)))
    return found


def task_cells(line: Line, tasks: Sequence[tuple[str, str, tuple[str, ...]]]) -> list[str]:
    """Rates, and for a model in brackets the interval of its change against the baseline in points."""
    figures, cells = line.tasks, []
    for name, label, place in tasks:
        value: Any = figures.get(name, {})
        for step in place:
            value = value.get(step) if value else None
        change: Any = figures.get(name, {}).get("against_baseline", {})
        for step in ("validity",) if label == "valid" else place:
            change = change.get(step) if change else None
        inside = f" ({points(change['change'])})" if change and change.get("change") else ""
        cells.append(f"{100 * value['value']:.1f} %{inside}" if value else "")
    return cells


def detail_rows(report: Report) -> list[list[str]]:
    """Every other figure, a line each: what the documents hold beyond the tables above."""
    shown = [line for line in report.lines if line.tasks or line.accuracy]
    rows = []
    for name, place in (("Δp rms", ("delta_p", "rms")), ("max KLD", ("kld", "max")), ("mass outside", ("mass_outside",))):
        rows.append(["tokens", name, *(number_at(line.accuracy, place) for line in shown)])
    for task in dict.fromkeys(name for line in shown for name in line.tasks):
        for label, where in _DETAILS:
            rows.append([task, label, *(number_at(line.tasks.get(task), where) for line in shown)])
        for label, where in (("validity", ("validity",)), ("top-1", ("top", "1")), ("round trip", ("round_trip",))):
            there = ("against_baseline", *where, "flips")
            rows.append([task, f"{label} lost / gained, p", *(flips_at(line.tasks.get(task), there) for line in shown)])
    return [row for row in rows if any(row[2:])]


_DETAILS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("top-3", ("top", "3")), ("top-5", ("top", "5")), ("MRR", ("mrr",)), ("unique", ("uniqueness",)), ("novel", ("novelty",)),
    ("internal diversity", ("internal_diversity",)), ("cut at the limit", ("cut_at_limit",)),
    ("same text as the baseline", ("against_baseline", "same_text")),
    *((f"Wasserstein {name} to the baseline", ("wasserstein", name)) for name in ("mw", "logp", "qed")),
    *((f"Wasserstein {name} between halves", ("wasserstein_halves", name)) for name in ("mw", "logp", "qed")),
)  # fmt: skip


def reach(found: Any, place: Sequence[str]) -> Any:
    for step in place:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def number_at(found: Any, place: Sequence[str]) -> str:
    value = reach(found, place)
    if isinstance(value, dict):
        ends = value.get("ci95")
        return f"{value['value']:.3g}" + (f" [{ends[0]:.3g}, {ends[1]:.3g}]" if ends else "")
    return "" if value is None else f"{value:.3g}"


def flips_at(found: Any, place: Sequence[str]) -> str:
    value = reach(found, place)
    return f"{value['lost']} / {value['gained']}, {value['mcnemar_p']:.2g}" if value else ""


def latency_cells(line: Line, samples: Sequence[int]) -> list[str]:
    if line.latency is None:
        return [""] * (5 + len(samples))
    found = line.latency
    speeds = {one["samples"]: one["tokens_per_s"] for one in found["decode"]}
    load, prefill, first = found["load_s"]["median"], found["prefill"]["tokens_per_s"]["median"], found["ttft_ms"]["median"]
    return [
        f"{load:.2f}", f"{prefill:,.0f}", f"{first:.1f}", *(spread(speeds[n]) if n in speeds else "" for n in samples),
        f"{found['task']['seconds_per_row']['median']:.3g}" if found["task"] else "", memory(found),
    ]  # fmt: skip


def memory(found: dict[str, Any]) -> str:
    gpu = f" + {found['peak_gpu_bytes'] / 1e9:.2f} GB GPU" if found["peak_gpu_bytes"] else ""
    return f"{found['peak_rss_bytes'] / 1e9:.2f} GB{gpu}"


def spread(found: dict[str, float]) -> str:
    """Median, and p5 to p95 over rounds."""
    return f"{found['median']:,.1f} ({found['p5']:,.1f}–{found['p95']:,.1f})"


def accuracy_cells(line: Line) -> list[str]:
    if line.accuracy is None:
        return ["baseline" if line.baseline else "", "", "", ""]
    found = line.accuracy
    mean, same, ratio = found["kld"]["mean"], found["same_top1"], found["ppl_ratio"]
    percent = {"value": 100 * same["value"], "ci95": same["ci95"] and [100 * end for end in same["ci95"]]}
    p99 = f"{found['kld']['p99']['value']:.2g}"
    return [bracketed(mean, ".2g"), p99, bracketed(percent, ".1f", " %"), bracketed(ratio, ".4f")]


def bracketed(estimate: dict[str, Any], form: str, unit: str = "") -> str:
    ends = estimate["ci95"]
    return f"{estimate['value']:{form}}{unit}" + (f" [{ends[0]:{form}}, {ends[1]:{form}}]" if ends else "")


def about(report: Report) -> list[str]:
    """Where and how it was measured, a line each."""
    found = []
    for document in report.documents:
        machine, first = document["machine"], document["models"][0]
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        what = f"{document['rounds']} rounds in turn, median" if document["kind"] == "latency" else read_of(document)
        memory = f"{machine['memory_bytes'] / 1e9:.0f} GB" if machine["memory_bytes"] else "memory unknown"
        found.append(
            f"{document['kind']}, {document['date']}: {what}; {machine['cpu']}, {machine['cores']} cores, {memory}, "
            f"device {first['device']}, {first['threads']} threads; Python {machine['python']}, {packages}"
        )
        if document["kind"] == "latency":
            shares = [m["others_share"] for m in document["models"] if m["others_share"] is not None]
            if shares and max(shares) > 0.1:
                found.append(
                    f"The machine was busy: other programs took up to {100 * max(shares):.0f} % of the processors measured on."
                )
    return found


def read_of(document: dict[str, Any]) -> str:
    """What the models read and answered in an accuracy result."""
    first, settings = document["models"][0], document["settings"]
    source = "the baseline's own samples" if settings.get("data_sha256") is None else f"the user's rows for {settings['task']}"
    left = f", {len(document['left_out'])} left out" if document["left_out"] else ""
    sampling = settings.get("sampling", {})
    asked = "".join(
        f"; {name}: {one['n']} answers a row, temperature {one['temperature']:g}, top-p {one['top_p']:g}"
        for name, one in sampling.items()
    )
    return f"{first['n_tokens']:,} tokens in {first['n_texts']} texts, {source}{left}, seed {settings['seed']}{asked}"
