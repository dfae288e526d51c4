"""Which file to take: size, loss and speed of each, which of them no other beats in all three, and one line of advice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli.benchmarks.accuracy.results import Change
from logos_cli.benchmarks.report.report import Line, Report
from logos_cli.benchmarks.report.tables import points, size_of

MARGIN = 0.01  # a loss that may be: one point
FASTER = 1.05


@dataclass(frozen=True)
class Loss:
    """What is lost: of `task`'s `figure` in points, or the divergence of tokens, which are then "" and `log`."""

    title: str
    task: str = ""
    figure: str = ""

    @property
    def log(self) -> bool:
        return not self.task

    def change(self, line: Line) -> Change | None:
        """Finds a model's change of the figure against the baseline."""
        task = line.tasks.get(self.task)
        return task.against_baseline.at(*self.figure.split("-")) if task and task.against_baseline else None


@dataclass(frozen=True)
class File:
    """A model as the picture has it. `loss` and `speed` are (value, low, high), without low and high where there is no
    interval; `speed` is None where it was not measured, `place` the model's in the report."""

    line: Line
    label: str
    place: int
    loss: tuple[float, ...]
    speed: tuple[float, ...] | None

    def beats(self, other: File) -> bool:
        """Whether it is no larger, loses no more and is no slower, and better in one of them."""
        own, theirs = [self.line.model.bytes, self.loss[0]], [other.line.model.bytes, other.loss[0]]
        if self.speed and other.speed:
            own.append(-self.speed[0])
            theirs.append(-other.speed[0])
        return all(a <= b for a, b in zip(own, theirs, strict=True)) and own != theirs


def losses(report: Report) -> list[Loss]:
    """The divergence, and of each task the rank of right answers if it has them, else how many are valid."""
    measured = [line for line in report.lines if line.accuracy]
    found = [Loss("mean KL divergence, nats")] if measured else []
    for name in report.baseline.tasks if report.baseline else ():
        for figure, title in (("top-1", "top-1"), ("validity", "valid")):
            loss = Loss(f"{name}: {title}, points lost", name, figure)
            if measured and all((change := loss.change(line)) and change.change for line in measured):
                found.append(loss)
                break
    return found


def files(report: Report, loss: Loss) -> list[File]:
    """The baseline, which loses nothing, and every model whose loss was measured."""
    samples = report.samples[-1] if report.samples else 0
    schemes = [line.model.scheme for line in report.lines]
    found = []
    for place, line in enumerate(report.lines):
        if (lost := (0.0,) if line.baseline else loss_of(line, loss)) is not None:
            label = line.model.scheme if schemes.count(line.model.scheme) == 1 else line.model.name
            found.append(File(line, label, place, lost, speed_of(line, samples)))
    return found


def loss_of(line: Line, loss: Loss) -> tuple[float, ...] | None:
    """Gives what a model loses, with its interval; None if that was not measured."""
    if line.accuracy is None:
        return None
    if loss.log:
        mean = line.accuracy.read.tokens.kld["mean"]
        return (mean.value, *(mean.ends or ()))
    change = loss.change(line)
    if change is None or change.change is None:
        return None
    return (-100 * change.change.value, *(-100 * end for end in reversed(change.change.ends or ())))


def speed_of(line: Line, samples: int) -> tuple[float, ...] | None:
    """Gives tokens a second with that many answers at once: median, 5th and 95th percentile of the rounds."""
    for one in line.latency.decode if line.latency else ():
        if one.samples == samples:
            return one.tokens_per_s.median, one.tokens_per_s.p5, one.tokens_per_s.p95
    return None


def front(found: Sequence[File]) -> list[File]:
    """Those that no other beats."""
    return [one for one in found if not any(other.beats(one) for other in found)]


def advice(report: Report) -> list[str]:
    """A line a task: the smallest file that is known to lose less than a point."""
    return [line for loss in losses(report) if loss.task and (line := advised(report, loss)) is not None]


def advised(report: Report, loss: Loss) -> str | None:
    """Writes the line of one task; None where nothing was compared."""
    found = files(report, loss)
    baseline = next((one for one in found if one.line.baseline), None)
    if baseline is None or len(found) == 1:
        return None
    known = [one for one in found if one is not baseline and len(one.loss) > 1 and one.loss[2] < 100 * MARGIN]
    here = "On this machine, for" if baseline.speed else "For"
    figure = "valid answers" if loss.figure == "validity" else loss.figure
    if not known:
        rows = baseline.line.tasks[loss.task].figures.at("rows")
        changes = [change for one in found if (change := loss.change(one.line))]
        needed = max((change.n_for_1_point or 0 for change in changes), default=0)
        more = f"; about {needed:,} would tell" if isinstance(rows, int) and needed > rows > 1 else ""
        return (
            f"{here} {loss.task}: {baseline.label}; no smaller file is known to lose less than a point of {figure} "
            f"({rows:,} rows{more})."
        )
    best = min(known, key=lambda one: (one.line.model.bytes, one.loss[0]))
    change = loss.change(best.line)
    assert change and change.change
    told = f"{here} {loss.task}: {best.label}, {size_of(best.line.model.bytes)}{times(best, baseline)}, the smallest that is "
    told += f"known to lose less than a point of {figure} ({points(change.change)})"
    fastest = max(known, key=lambda one: one.speed[0] if one.speed else -math.inf)
    if best.speed and fastest.speed and fastest.speed[0] > FASTER * best.speed[0]:
        told += f"; {fastest.label} writes {fastest.speed[0] / best.speed[0]:.2g}× as fast, {size_of(fastest.line.model.bytes)}"
    return f"{told}."


def times(one: File, baseline: File) -> str:
    """Its speed in the baseline's."""
    if not one.speed or not baseline.speed:
        return ""
    return f", {one.speed[0] / baseline.speed[0]:.2g}× the speed of {baseline.label}"
