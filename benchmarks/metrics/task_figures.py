"""Figures of one task by their names, as a document holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from logos_cli.benchmarks.metrics.intervals import Estimate
from logos_cli.benchmarks.metrics.molecules import Diversity

# A count or a median, a figure with its interval, or several under names of their own.
Value = int | float | Estimate | Diversity | Mapping[str, "Value | None"]


@dataclass(frozen=True)
class TaskFigures:
    """`values` in the order of the table of figures; None where a figure was asked for and there is none."""

    values: Mapping[str, Value | None]

    def at(self, *path: str) -> Value | None:
        """Finds a figure, or one of those under a name; None if it is not there."""
        found: Any = self.values
        for step in path:
            found = found.get(step) if isinstance(found, Mapping) else None
        value: Value | None = found
        return value

    def estimate(self, *path: str) -> Estimate | None:
        """Finds a figure with an interval."""
        found = self.at(*path)
        return found if isinstance(found, Estimate) else None

    def to_dict(self) -> dict[str, Any]:
        """Gives them as JSON."""
        return {name: _plain(value) for name, value in self.values.items()}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> TaskFigures:
        """Reads what `to_dict` gave."""
        return cls({name: _value(value) for name, value in found.items()})


def _plain(value: Value | None) -> Any:
    if isinstance(value, (Estimate, Diversity)):
        return value.to_dict()
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, Mapping) else value


def _value(found: Any) -> Value | None:
    if isinstance(found, dict):
        if "ci95" in found:
            return Estimate.from_dict(found)
        if found.keys() == {"value", "n"}:
            return Diversity(found["value"], found["n"])
        return {name: _value(one) for name, one in found.items()}
    value: int | float | None = found
    return value
