"""What `logos bench latency` has found, as its document holds it (docs/bench.schema.json)."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from logos_cli.benchmarks.metrics.intervals import percentile
from logos_cli.benchmarks.model_facts import ModelFacts

SCHEMA = 1
KIND = "latency"


@dataclass(frozen=True)
class DecodeRound:
    """Tokens a second with `samples` answers at once, and the peak of memory up to and with them."""

    samples: int
    tokens_per_s: float
    peak_rss_bytes: int | None


@dataclass(frozen=True)
class TaskRound:
    """A task end to end. `rows_per_token`: rows of the model that a token took, the empty ones too."""

    rows: int
    seconds_per_row: float
    samples_per_s: float
    tokens_per_s: float
    rows_per_token: float


@dataclass(frozen=True)
class Round:
    """One round of one model as it was measured. `others_share` is the part of our processors that other programs took; None
    where the system does not say."""

    load_s: float
    prefill_tokens_per_s: float
    ttft_ms: float
    decode: tuple[DecodeRound, ...]
    gpu_bytes: int
    task: TaskRound | None
    peak_rss_bytes: int | None
    about: Mapping[str, Any]  # the engine's part of ModelFacts
    others_share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Round:
        """Reads what `to_dict` gave."""
        task = found["task"]
        parts = {
            "decode": tuple(DecodeRound(**one) for one in found["decode"]),
            "task": None if task is None else TaskRound(**task),
        }
        return cls(**{**found, **parts})


@dataclass(frozen=True)
class Spread:
    """A figure over rounds."""

    median: float
    p5: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Measures the spread of one value a round."""
        return cls(statistics.median(values), percentile(values, 5), percentile(values, 95))


@dataclass(frozen=True)
class DecodeSpeed:
    """As `DecodeRound`, over rounds."""

    samples: int
    tokens_per_s: Spread
    peak_rss_bytes: int


@dataclass(frozen=True)
class TaskSpeed:
    """As `TaskRound`, over rounds."""

    seconds_per_row: Spread
    samples_per_s: Spread
    tokens_per_s: Spread
    rows_per_token: Spread
    rows: int


@dataclass(frozen=True)
class ModelLatency:
    """A model over all rounds: the highest memory and the most that others took. `task` is None if it does not speak it."""

    model: ModelFacts
    load_s: Spread
    prefill_tokens_per_s: Spread
    ttft_ms: Spread
    decode: tuple[DecodeSpeed, ...]
    task: TaskSpeed | None
    peak_rss_bytes: int
    peak_gpu_bytes: int
    others_share: float | None
    rounds: tuple[Mapping[str, Any], ...]  # each as it was measured

    @classmethod
    def of(cls, model: ModelFacts, rounds: Sequence[Round]) -> ModelLatency:
        """Brings the rounds of a model together."""

        def spread(value: Callable[[Round], float]) -> Spread:
            return Spread.of([value(one) for one in rounds])

        decode = []
        for i, first in enumerate(rounds[0].decode):
            speeds = [one.decode[i] for one in rounds]
            peak = max(one.peak_rss_bytes or 0 for one in speeds)
            decode.append(DecodeSpeed(first.samples, Spread.of([one.tokens_per_s for one in speeds]), peak))
        tasks = [one.task for one in rounds if one.task is not None]
        names = ("seconds_per_row", "samples_per_s", "tokens_per_s", "rows_per_token")
        spreads = {name: Spread.of([getattr(one, name) for one in tasks]) for name in names if tasks}
        shares = [one.others_share for one in rounds if one.others_share is not None]
        return cls(
            model, spread(lambda one: one.load_s), spread(lambda one: one.prefill_tokens_per_s),
            spread(lambda one: one.ttft_ms),
            tuple(decode), TaskSpeed(**spreads, rows=tasks[0].rows) if tasks else None,
            max(one.peak_rss_bytes or 0 for one in rounds), max(one.gpu_bytes for one in rounds),
            max(shares) if shares else None, tuple(one.to_dict() for one in rounds),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return {
            **self.model.to_dict(), "load_s": asdict(self.load_s),
            "prefill": {"tokens_per_s": asdict(self.prefill_tokens_per_s)}, "ttft_ms": asdict(self.ttft_ms),
            "decode": [asdict(one) for one in self.decode], "task": asdict(self.task) if self.task else None,
            "peak_rss_bytes": self.peak_rss_bytes, "peak_gpu_bytes": self.peak_gpu_bytes, "others_share": self.others_share,
            "rounds": [dict(one) for one in self.rounds],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> ModelLatency:
        """Reads what `to_dict` gave."""
        decode = tuple(DecodeSpeed(**{**one, "tokens_per_s": Spread(**one["tokens_per_s"])}) for one in found["decode"])
        task = found["task"]
        if task is not None:
            parts: dict[str, Any] = {name: one if name == "rows" else Spread(**one) for name, one in task.items()}
            task = TaskSpeed(**parts)
        return cls(
            ModelFacts.from_dict(found), Spread(**found["load_s"]), Spread(**found["prefill"]["tokens_per_s"]),
            Spread(**found["ttft_ms"]), decode, task, found["peak_rss_bytes"], found["peak_gpu_bytes"],
            found["others_share"], tuple(found["rounds"]),
        )  # fmt: skip

    def speed(self, samples: int) -> float | None:
        """Gives median tokens a second with that many answers at once; None where that was not measured."""
        return next((one.tokens_per_s.median for one in self.decode if one.samples == samples), None)


@dataclass(frozen=True)
class LatencyResult:
    """The whole document. `machine` and `settings` are as they were described."""

    date: str
    machine: Mapping[str, Any]
    rounds: int
    settings: Mapping[str, Any]
    models: tuple[ModelLatency, ...]

    kind = KIND

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return {
            "schema": SCHEMA, "kind": KIND, "date": self.date, "machine": dict(self.machine), "rounds": self.rounds,
            "settings": dict(self.settings), "models": [model.to_dict() for model in self.models],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> LatencyResult:
        """Reads what `to_dict` gave."""
        models = tuple(ModelLatency.from_dict(model) for model in found["models"])
        return cls(found["date"], found["machine"], found["rounds"], found["settings"], models)
