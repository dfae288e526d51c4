"""A report's tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli.benchmarks.accuracy.results import AccuracyResult, Change, ComparedTask, TokenFigures
from logos_cli.benchmarks.latency.results import LatencyResult, ModelLatency, Spread
from logos_cli.benchmarks.machine import BUSY
from logos_cli.benchmarks.metrics.intervals import Estimate
from logos_cli.benchmarks.metrics.metrics import EVERY
from logos_cli.benchmarks.metrics.molecules import Diversity
from logos_cli.benchmarks.metrics.task_figures import Value
from logos_cli.benchmarks.report.report import Line, Report

# In words


def points(estimate: Estimate) -> str:
    """Writes a change of a rate in percentage points with its interval: `−0.3 points [−0.9, +0.3]`."""
    value, *ends = (signed(100 * v) for v in (estimate.value, *(estimate.ends or ())))
    return f"{value} points" + (f" [{', '.join(ends)}]" if ends else "")


def size_of(count: int) -> str:
    """Writes the size of a file."""
    return f"{count / 1e9:.2f} GB" if count > 1e8 else f"{count / 1e6:.1f} MB"


def signed(value: float) -> str:
    """Writes a number with its sign and one decimal."""
    return f"{value:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def verdict_on(changed: Change) -> str:
    """Says worse or better only if the interval and McNemar's test agree: each alone is too easily sure of a few flips."""
    ends = changed.change.ends if changed.change else None
    if ends is None or changed.flips.p >= 0.05 or ends[0] <= 0 <= ends[1]:
        return "no difference shown"
    return "worse" if ends[1] < 0 else "better"


def verdict(line: Line, baseline: Line | None) -> str:
    """Writes one sentence for people: size, speed, loss."""
    parts = [size_of(line.model.bytes)]
    speeds = [] if baseline is None or line.latency is None or baseline.latency is None else line.latency.decode
    for speed in (speeds[0], speeds[-1]) if len(speeds) > 1 else speeds:
        mine, theirs = line.decode(speed.samples), baseline.decode(speed.samples) if baseline else None
        if mine and theirs:
            how = "as fast as" if 0.95 < mine / theirs < 1.05 else f"{mine / theirs:.2g}× the speed of"
            what = "one answer" if speed.samples == 1 else f"{speed.samples} answers at once"
            parts.append(f"{how} {baseline.model.scheme if baseline else ''} for {what}")
    if line.accuracy:
        parts.append(f"the same top token in {100 * line.accuracy.read.tokens.same_top1.value:.1f} % of places")
        for name, task in line.accuracy.tasks.items():
            for label, place in (("validity", ("validity",)), ("top-1", ("top", "1"))):
                found = task.against_baseline.at(*place) if task.against_baseline else None
                if found and found.change:
                    parts.append(f"{name} {label} {points(found.change)}: {verdict_on(found)}")
    return f"{line.model.scheme}: {', '.join(parts)}."


# Tables


@dataclass(frozen=True)
class Table:
    columns: list[str]
    rows: list[list[str]]


def tables(report: Report) -> list[Table]:
    """Puts what was measured into tables: speed and memory, loss of tokens, answers of tasks."""
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
        found.append(Table(["", "figure", *(line.model.name for line in shown)], details))
    return found


_NAMES = ("model", "scheme", "size")


def names(line: Line) -> list[str]:
    """Names a model: its file, scheme and size."""
    size = line.model.bytes
    return [line.model.name, line.model.scheme, f"{size / 1e6:,.1f} MB" if size < 1e8 else f"{size / 1e9:.3f} GB"]


def task_columns(report: Report) -> list[tuple[str, str, tuple[str, ...]]]:
    """Names (task, what, where it stands in the task's figures)."""
    columns: list[tuple[str, str, tuple[str, ...]]] = []
    for name, task in (report.baseline.tasks if report.baseline else {}).items():
        if task.figures.estimate("validity"):
            columns.append((name, "valid", ("validity",)))
        columns += [(name, f"top-{k}", ("top", k)) for k in ("1", "10") if task.figures.estimate("top", k)]
        if task.figures.estimate("round_trip"):
            columns.append((name, "round trip", ("round_trip",)))
    return columns


def task_cells(line: Line, tasks: Sequence[tuple[str, str, tuple[str, ...]]]) -> list[str]:
    """Writes rates, and for a model in brackets the interval of its change against the baseline in points."""
    cells = []
    for name, _, place in tasks:
        task = line.tasks.get(name)
        value = task.figures.estimate(*place) if task else None
        change = task.against_baseline.at(*place) if task and task.against_baseline else None
        inside = f" ({points(change.change)})" if change and change.change else ""
        cells.append(f"{100 * value.value:.1f} %{inside}" if value else "")
    return cells


def detail_rows(report: Report) -> list[list[str]]:
    """Writes every other figure, a line each: what the documents hold beyond the tables above."""
    shown = [line for line in report.lines if line.tasks or line.accuracy]
    tokens = [line.accuracy.read.tokens if line.accuracy else None for line in shown]
    rows = [["tokens", label, *(written(of_tokens(one, label)) for one in tokens)] for label in _TOKEN_DETAILS]
    for name in dict.fromkeys(name for line in shown for name in line.tasks):
        tasks = [line.tasks.get(name) for line in shown]
        for _, label, place in sorted(_DETAILS):
            rows.append([name, label, *(written(value_at(task, place)) for task in tasks)])
        for label, place in (("validity", ("validity",)), ("top-1", ("top", "1")), ("round trip", ("round_trip",))):
            rows.append([name, f"{label} lost / gained, p", *(flips_at(task, place) for task in tasks)])
    return [row for row in rows if any(row[2:])]


_TOKEN_DETAILS = ("Δp rms", "max KLD", "mass outside")
_SAME_TEXT = "same_text"
# (place among the lines, label, where the figure stands)
_DETAILS: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (80, "same text as the baseline", (_SAME_TEXT,)),
    *((line.place, line.label, (figure.name, *line.part)) for figure in EVERY for line in figure.report),
)


def of_tokens(found: TokenFigures | None, label: str) -> Estimate | None:
    """Finds a figure of tokens by its label."""
    if found is None:
        return None
    return {"Δp rms": found.delta_p.get("rms"), "max KLD": found.kld.get("max"), "mass outside": found.mass_outside}[label]


def value_at(task: ComparedTask | None, place: tuple[str, ...]) -> Value | None:
    """Finds a figure of a task, or of its comparison with the baseline."""
    if task is None:
        return None
    if place == (_SAME_TEXT,):
        return task.against_baseline.same_text if task.against_baseline else None
    return task.figures.at(*place)


def written(value: Value | None) -> str:
    """Writes a figure with three digits, and its interval if it has one."""
    if isinstance(value, Estimate):
        return bracketed(value, ".3g")
    if isinstance(value, Diversity):
        return f"{value.value:.3g}"
    return f"{value:.3g}" if isinstance(value, (int, float)) else ""


def flips_at(task: ComparedTask | None, place: tuple[str, ...]) -> str:
    """Writes how many were lost and gained against the baseline."""
    change = task.against_baseline.at(*place) if task and task.against_baseline else None
    return f"{change.flips.lost} / {change.flips.gained}, {change.flips.p:.2g}" if change else ""


def latency_cells(line: Line, samples: Sequence[int]) -> list[str]:
    """Writes the figures of speed and memory."""
    if line.latency is None:
        return [""] * (5 + len(samples))
    found = line.latency
    speeds = {one.samples: one.tokens_per_s for one in found.decode}
    return [
        f"{found.load_s.median:.2f}", f"{found.prefill_tokens_per_s.median:,.0f}", f"{found.ttft_ms.median:.1f}",
        *(spread(speeds[n]) if n in speeds else "" for n in samples),
        f"{found.task.seconds_per_row.median:.3g}" if found.task else "", memory(found),
    ]  # fmt: skip


def memory(found: ModelLatency) -> str:
    """Writes the peak of memory, the GPU's apart."""
    gpu = f" + {found.peak_gpu_bytes / 1e9:.2f} GB GPU" if found.peak_gpu_bytes else ""
    return f"{found.peak_rss_bytes / 1e9:.2f} GB{gpu}"


def spread(found: Spread) -> str:
    """Writes the median, and p5 to p95 over rounds."""
    return f"{found.median:,.1f} ({found.p5:,.1f}–{found.p95:,.1f})"


def accuracy_cells(line: Line) -> list[str]:
    """Writes the figures of tokens."""
    if line.accuracy is None:
        return ["baseline" if line.baseline else "", "", "", ""]
    tokens = line.accuracy.read.tokens
    same = tokens.same_top1
    percent = Estimate(100 * same.value, 100 * same.low, 100 * same.high, same.n)
    p99 = f"{tokens.kld['p99'].value:.2g}"
    return [bracketed(tokens.kld["mean"], ".2g"), p99, bracketed(percent, ".1f", " %"), bracketed(tokens.ppl_ratio, ".4f")]


def bracketed(estimate: Estimate, form: str, unit: str = "") -> str:
    """Writes a figure with its interval in brackets."""
    ends = estimate.ends
    return f"{estimate.value:{form}}{unit}" + (f" [{ends[0]:{form}}, {ends[1]:{form}}]" if ends else "")


def about(report: Report) -> list[str]:
    """Says where and how it was measured, a line each."""
    lines = []
    for result in report.results:
        machine, first = result.machine, result.models[0].model
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        what = f"{result.rounds} rounds in turn, median" if isinstance(result, LatencyResult) else read_of(result)
        memory = f"{machine['memory_bytes'] / 1e9:.0f} GB" if machine["memory_bytes"] else "memory unknown"
        lines.append(
            f"{result.kind}, {result.date}: {what}; {machine['cpu']}, {machine['cores']} cores, {memory}, "
            f"device {first.device}, {first.threads} threads; Python {machine['python']}, {packages}"
        )
        if isinstance(result, LatencyResult):
            shares = [one.others_share for one in result.models if one.others_share is not None]
            if shares and max(shares) > BUSY:
                lines.append(
                    f"The machine was busy: other programs took up to {100 * max(shares):.0f} % of the processors measured on."
                )
    return lines


def read_of(result: AccuracyResult) -> str:
    """Says what the models read and answered in an accuracy result."""
    tokens, settings = result.models[0].read.tokens, result.settings
    source = "the baseline's own samples" if settings.get("data_sha256") is None else f"the user's rows for {settings['task']}"
    left = f", {len(result.left_out)} left out" if result.left_out else ""
    sampling = settings.get("sampling", {})
    settings_of_tasks = "".join(
        f"; {name}: {one['n']} answers a row, temperature {one['temperature']:g}, top-p {one['top_p']:g}"
        for name, one in sampling.items()
    )
    return f"{tokens.n_tokens:,} tokens in {tokens.n_texts} texts, {source}{left}, seed {settings['seed']}{settings_of_tasks}"
