"""Results of `logos bench` brought together by model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from logos_cli.benchmarks.accuracy import results as accuracy_results
from logos_cli.benchmarks.accuracy.results import AccuracyResult, BaselineResult, ComparedTask, ModelAccuracy
from logos_cli.benchmarks.latency import results as latency_results
from logos_cli.benchmarks.latency.results import LatencyResult, ModelLatency
from logos_cli.benchmarks.model_facts import ModelFacts
from logos_cli.errors import InputError

Result = AccuracyResult | LatencyResult
SCHEMA = 1


@dataclass
class Line:
    """One model: what was measured of its speed, of its loss, or of both; of a baseline its own figures."""

    model: ModelFacts
    latency: ModelLatency | None = None
    accuracy: ModelAccuracy | None = None
    own: BaselineResult | None = None

    @property
    def baseline(self) -> bool:
        """Whether others are compared with it."""
        return self.own is not None

    @property
    def tasks(self) -> Mapping[str, ComparedTask]:
        """Figures by task, those of a baseline its own."""
        source = self.accuracy or self.own
        return source.tasks if source else {}

    def decode(self, samples: int) -> float | None:
        """Gives median tokens a second with that many answers at once."""
        return self.latency.speed(samples) if self.latency else None


@dataclass(frozen=True)
class Report:
    """All results, and a line for each model in them."""

    results: tuple[Result, ...]
    lines: tuple[Line, ...]

    @property
    def baseline(self) -> Line | None:
        """The line of the baseline, if accuracy was measured."""
        return next((line for line in self.lines if line.baseline), None)

    @property
    def samples(self) -> list[int]:
        """Every number of answers at once that was measured."""
        return sorted({one.samples for line in self.lines if line.latency for one in line.latency.decode})


def read_results(paths: Sequence[Path]) -> Report:
    """Brings files of results together. Raises InputError for a file that is no result, and for results that do not compare:
    another machine or other settings of speed, another test of accuracy, the same model twice."""
    results = [read_result(path) for path in paths]
    lines: dict[tuple[str, str], Line] = {}
    first: dict[str, int] = {}

    def line_of(model: ModelFacts) -> Line:
        return lines.setdefault((model.fingerprint, model.name), Line(model))

    for number, (path, result) in enumerate(zip(paths, results, strict=True)):
        earlier = first.setdefault(result.kind, number)
        if (difference := differing(results[earlier], result)) is not None:
            raise InputError(f"{path}: {difference} is another than in {paths[earlier]}; write a report for each")
        if isinstance(result, AccuracyResult):
            line_of(result.baseline.model).own = result.baseline
        for measured in result.models:
            line = line_of(measured.model)
            twice: ModelAccuracy | ModelLatency | None
            if isinstance(measured, ModelAccuracy):
                twice, line.accuracy = line.accuracy, measured
            else:
                twice, line.latency = line.latency, measured
            if twice is not None:
                raise InputError(f"{path}: {measured.model.name} is there twice; give one result of it")
    ordered = sorted(lines.values(), key=lambda line: (not line.baseline, -line.model.bytes))
    return Report(tuple(results), tuple(ordered))


def differing(one: Result, other: Result) -> str | None:
    """Names what of two results of one kind makes their figures incomparable."""
    if isinstance(one, LatencyResult) and isinstance(other, LatencyResult):
        parts = [(f"machine {key}", one.machine.get(key), other.machine.get(key)) for key in ("cpu", "cores", "gpus")]
        mine, theirs = one.models[0].model, other.models[0].model
        parts += [("device", mine.device, theirs.device), ("threads", mine.threads, theirs.threads)]
        ignored: tuple[str, ...] = ()
    else:
        assert isinstance(one, AccuracyResult) and isinstance(other, AccuracyResult)
        parts = [("baseline", one.baseline.model.fingerprint, other.baseline.model.fingerprint)]
        ignored = ("models", "devices", "baseline", "packages")
    for key in sorted({*one.settings, *other.settings} - {*ignored}):
        parts.append((f"setting {key}", one.settings.get(key), other.settings.get(key)))
    return next((name for name, mine, theirs in parts if mine != theirs), None)


def read_result(path: Path) -> Result:
    """Reads a file that `logos bench` wrote. Raises InputError for any other."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the files that logos bench wrote") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); give the files that logos bench wrote") from None
    kinds: dict[str, type[AccuracyResult | LatencyResult]] = {
        accuracy_results.KIND: AccuracyResult,
        latency_results.KIND: LatencyResult,
    }
    known = isinstance(found, dict) and found.get("schema") == SCHEMA and found.get("kind") in kinds
    if not known or not isinstance(found.get("models"), list) or not found["models"]:
        raise InputError(f"{path}: no result of logos bench latency or accuracy, schema {SCHEMA}")
    try:
        result: Result = kinds[found["kind"]].from_dict(found)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: a damaged result, {type(error).__name__} {error}; measure again") from None
    return result
