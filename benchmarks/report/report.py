"""Results of `logos bench` brought together by model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logos_cli.errors import InputError

SCHEMA = 1


@dataclass
class Line:
    """One model: what was measured of its speed, of its loss, or of both."""

    name: str
    scheme: str
    bytes: int
    fingerprint: str
    latency: dict[str, Any] | None = None
    accuracy: dict[str, Any] | None = None
    baseline: bool = False
    own: dict[str, Any] | None = None  # of a baseline: its figures by itself

    @property
    def tasks(self) -> dict[str, Any]:
        """Task -> figures, those of a baseline its own."""
        found = self.accuracy or self.own
        return dict(found["tasks"]) if found else {}

    def decode(self, samples: int) -> float | None:
        """Median tokens a second with that many answers at once."""
        for one in self.latency["decode"] if self.latency else ():
            if one["samples"] == samples:
                return float(one["tokens_per_s"]["median"])
        return None


@dataclass(frozen=True)
class Report:
    documents: tuple[dict[str, Any], ...]
    lines: tuple[Line, ...]

    @property
    def baseline(self) -> Line | None:
        return next((line for line in self.lines if line.baseline), None)

    @property
    def samples(self) -> list[int]:
        """Every number of answers at once that was measured."""
        return sorted({one["samples"] for line in self.lines if line.latency for one in line.latency["decode"]})


def read_results(paths: Sequence[Path]) -> Report:
    """Raises InputError for a file that is no result, and for results that do not compare: another machine or other settings
    of speed, another test of accuracy, the same model twice."""
    documents = [read_result(path) for path in paths]
    lines: dict[tuple[str, str], Line] = {}
    first: dict[str, int] = {}
    for number, (path, document) in enumerate(zip(paths, documents, strict=True)):
        kind = document["kind"]
        earlier = first.setdefault(kind, number)
        try:
            if (difference := differing(documents[earlier], document)) is not None:
                raise InputError(f"{path}: {difference} is another than in {paths[earlier]}; write a report for each")
            entries = [(model, False) for model in document["models"]]
            if kind == "accuracy":
                entries.insert(0, (document["baseline"], True))
            for entry, baseline in entries:
                key = (entry["fingerprint"], entry["name"])
                line = lines.setdefault(key, Line(entry["name"], entry["scheme"], entry["bytes"], entry["fingerprint"]))
                if baseline:
                    line.baseline, line.own = True, entry
                    continue
                if getattr(line, kind) is not None:
                    raise InputError(f"{path}: {entry['name']} is there twice; give one result of it")
                setattr(line, kind, entry)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: a damaged result, {type(error).__name__} {error}; measure again") from None
    ordered = sorted(lines.values(), key=lambda line: (not line.baseline, -line.bytes))
    return Report(tuple(documents), tuple(ordered))


def differing(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """What of two results of one kind makes their figures incomparable."""
    if one["kind"] == "latency":
        parts = [(f"machine {key}", one["machine"].get(key), other["machine"].get(key)) for key in ("cpu", "cores", "gpus")]
        parts += [(key, one["models"][0][key], other["models"][0][key]) for key in ("device", "threads")]
        ignored: tuple[str, ...] = ()
    else:
        parts = [("baseline", one["baseline"]["fingerprint"], other["baseline"]["fingerprint"])]
        ignored = ("models", "devices", "baseline", "packages")
    for key in sorted({*one["settings"], *other["settings"]} - {*ignored}):
        parts.append((f"setting {key}", one["settings"].get(key), other["settings"].get(key)))
    return next((name for name, mine, theirs in parts if mine != theirs), None)


def read_result(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the files that logos bench wrote") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); give the files that logos bench wrote") from None
    known = isinstance(found, dict) and found.get("schema") == SCHEMA and found.get("kind") in ("latency", "accuracy")
    if not known or not isinstance(found.get("models"), list):
        raise InputError(f"{path}: no result of logos bench latency or accuracy, schema {SCHEMA}")
    return dict(found)
