"""What the server has done, in the text that Prometheus reads."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds


@dataclass
class Durations:
    """A histogram of seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass
class Metrics:
    """Counted in the event loop."""

    started: float = field(default_factory=time.time)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)  # route, status
    answers: Counter[str] = field(default_factory=Counter)  # route
    durations: dict[str, Durations] = field(default_factory=dict)  # route
    left: int = 0

    def add(self, route: str, status: int, seconds: float) -> None:
        self.requests[route, str(status)] += 1
        self.durations.setdefault(route, Durations()).add(seconds)

    def text(self, gauges: dict[str, tuple[str, float]], counters: dict[str, tuple[str, float]], about: dict[str, str]) -> str:
        """`gauges` and `counters`: name -> what it is, its value. `about`: what is said of the model."""
        return "\n".join(self._lines(gauges, counters, about)) + "\n"

    def _lines(
        self, gauges: dict[str, tuple[str, float]], counters: dict[str, tuple[str, float]], about: dict[str, str]
    ) -> Iterator[str]:
        yield from head("logos_model_info", "gauge", "The model that answers.")
        yield f"logos_model_info{labels(about)} 1"
        yield from head("logos_start_time_seconds", "gauge", "When the server began, in seconds since 1970.")
        yield f"logos_start_time_seconds {self.started:.3f}"
        for kind, values in (("gauge", gauges), ("counter", counters)):
            for name, (help_text, value) in values.items():
                yield from head(name, kind, help_text)
                yield f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        yield from head("logos_requests_total", "counter", "Requests answered, by route and status.")
        for (route, status), count in self.requests.items():
            yield f"logos_requests_total{labels({'route': route, 'status': status})} {count}"
        yield from head("logos_answers_total", "counter", "Answers and records sent, by route.")
        for route, count in self.answers.items():
            yield f"logos_answers_total{labels({'route': route})} {count}"
        yield from head("logos_disconnects_total", "counter", "Requests whose client left before the answer.")
        yield f"logos_disconnects_total {self.left}"
        yield from head("logos_request_duration_seconds", "histogram", "Time from a request's first byte to its last answer.")
        for route, durations in self.durations.items():
            sofar = 0
            for edge, count in zip((*map(str, BUCKETS), "+Inf"), durations.counts, strict=True):
                sofar += count
                yield f"logos_request_duration_seconds_bucket{labels({'route': route, 'le': edge})} {sofar}"
            yield f"logos_request_duration_seconds_sum{labels({'route': route})} {durations.total:.6f}"
            yield f"logos_request_duration_seconds_count{labels({'route': route})} {sofar}"


def head(name: str, kind: str, help_text: str) -> tuple[str, str]:
    return f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"


def labels(values: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in values.items()) + "}"


def escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
