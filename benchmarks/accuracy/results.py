"""What `logos bench accuracy` has found, as its document holds it (docs/bench.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from logos_cli.benchmarks.metrics.intervals import Estimate, Flips
from logos_cli.benchmarks.metrics.task_figures import TaskFigures
from logos_cli.benchmarks.model_facts import ModelFacts

SCHEMA = 1
KIND = "accuracy"


@dataclass(frozen=True)
class TokenFigures:
    """Figures over the predicted tokens of `n_texts` texts; `kld` by mean, percentile and maximum, `delta_p` by mean and
    root mean square. The two masses are None for equal vocabularies."""

    n_tokens: int
    n_texts: int
    kld: Mapping[str, Estimate]
    same_top1: Estimate
    delta_p: Mapping[str, Estimate]
    ppl_baseline: Estimate
    ppl: Estimate
    ppl_ratio: Estimate
    mass_outside: Estimate | None = None
    mass_outside_model: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """Gives them as JSON."""
        found: dict[str, Any] = {
            "n_tokens": self.n_tokens, "n_texts": self.n_texts,
            "kld": {name: one.to_dict() for name, one in self.kld.items()}, "same_top1": self.same_top1.to_dict(),
            "delta_p": {name: one.to_dict() for name, one in self.delta_p.items()},
            "ppl_baseline": self.ppl_baseline.to_dict(), "ppl": self.ppl.to_dict(), "ppl_ratio": self.ppl_ratio.to_dict(),
        }  # fmt: skip
        masses = {"mass_outside": self.mass_outside, "mass_outside_model": self.mass_outside_model}
        return found | {name: one.to_dict() for name, one in masses.items() if one is not None}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> TokenFigures:
        """Reads what `to_dict` gave."""
        named = {name: Estimate.from_dict(found[name]) for name in ("same_top1", "ppl_baseline", "ppl", "ppl_ratio")}
        masses = {name: Estimate.from_dict(found[name]) for name in ("mass_outside", "mass_outside_model") if name in found}
        kld, delta_p = ({name: Estimate.from_dict(one) for name, one in found[key].items()} for key in ("kld", "delta_p"))
        return cls(n_tokens=found["n_tokens"], n_texts=found["n_texts"], kld=kld, delta_p=delta_p, **named, **masses)


@dataclass(frozen=True)
class Change:
    """A rate of the model minus that of the baseline, None where there is nothing to compare, and the outcomes it is of.
    `n_for_1_point`: at so many rows a change of one point would show (`sample_size.rows_to_show`)."""

    change: Estimate | None
    flips: Flips
    n_for_1_point: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        needed = {} if self.n_for_1_point is None else {"n_for_1_point": self.n_for_1_point}
        return {"change": self.change.to_dict() if self.change else None, "flips": self.flips.to_dict(), **needed}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Change:
        """Reads what `to_dict` gave."""
        change = found["change"]
        return cls(Estimate.from_dict(change) if change else None, Flips.from_dict(found["flips"]), found.get("n_for_1_point"))


@dataclass(frozen=True)
class Comparison:
    """What a model loses and gains on the same rows and seeds; `top` by k where rows have right answers."""

    same_text: Estimate | None
    validity: Change
    top: Mapping[str, Change] | None = None
    round_trip: Change | None = None

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        found: dict[str, Any] = {
            "same_text": self.same_text.to_dict() if self.same_text else None, "validity": self.validity.to_dict(),
        }  # fmt: skip
        if self.top is not None:
            found["top"] = {k: one.to_dict() for k, one in self.top.items()}
        return found | ({"round_trip": self.round_trip.to_dict()} if self.round_trip else {})

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Comparison:
        """Reads what `to_dict` gave."""
        same, top, back = found["same_text"], found.get("top"), found.get("round_trip")
        return cls(
            Estimate.from_dict(same) if same else None, Change.from_dict(found["validity"]),
            None if top is None else {k: Change.from_dict(one) for k, one in top.items()},
            Change.from_dict(back) if back else None,
        )  # fmt: skip

    def at(self, *path: str) -> Change | None:
        """Finds the change of a rate by the name that the task's figures have for it."""
        name, *below = path
        found = getattr(self, name, None)
        if isinstance(found, Mapping) and below:
            found = found.get(below[0])
        return found if isinstance(found, Change) else None


@dataclass(frozen=True)
class ComparedTask:
    """The figures of one task, and of a model what they are against the baseline's."""

    figures: TaskFigures
    against_baseline: Comparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        against = {"against_baseline": self.against_baseline.to_dict()} if self.against_baseline else {}
        return self.figures.to_dict() | against

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> ComparedTask:
        """Reads what `to_dict` gave."""
        figures = {name: one for name, one in found.items() if name != "against_baseline"}
        against = found.get("against_baseline")
        return cls(TaskFigures.from_dict(figures), Comparison.from_dict(against) if against else None)


@dataclass(frozen=True)
class BaselineResult:
    """The baseline: what it is, and its own figures by task."""

    model: ModelFacts
    tasks: Mapping[str, ComparedTask]

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return {**self.model.to_dict(), "tasks": {name: task.to_dict() for name, task in self.tasks.items()}}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> BaselineResult:
        """Reads what `to_dict` gave."""
        tasks = {name: ComparedTask.from_dict(task) for name, task in found["tasks"].items()}
        return cls(ModelFacts.from_dict(found), tasks)


@dataclass(frozen=True)
class TokenResult:
    """A model's figures token by token, overall and by modality."""

    tokens: TokenFigures
    modalities: Mapping[str, TokenFigures]
    texts_left_out: int

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        parts = {name: one.to_dict() for name, one in self.modalities.items()}
        return {**self.tokens.to_dict(), "modalities": parts, "texts_left_out": self.texts_left_out}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> TokenResult:
        """Reads what `to_dict` gave."""
        parts = {name: TokenFigures.from_dict(one) for name, one in found["modalities"].items()}
        return cls(TokenFigures.from_dict(found), parts, found["texts_left_out"])


@dataclass(frozen=True)
class ModelAccuracy:
    """A model against the baseline."""

    model: ModelFacts
    read: TokenResult
    tasks: Mapping[str, ComparedTask]

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        tasks = {name: task.to_dict() for name, task in self.tasks.items()}
        return {**self.model.to_dict(), **self.read.to_dict(), "tasks": tasks}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> ModelAccuracy:
        """Reads what `to_dict` gave."""
        tasks = {name: ComparedTask.from_dict(task) for name, task in found["tasks"].items()}
        return cls(ModelFacts.from_dict(found), TokenResult.from_dict(found), tasks)


@dataclass(frozen=True)
class AccuracyResult:
    """The whole document. `machine` and `settings` are as they were described; `left_out` says what was, and why."""

    date: str
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    baseline: BaselineResult
    models: tuple[ModelAccuracy, ...]
    left_out: tuple[str, ...] = ()

    kind = KIND

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return {
            "schema": SCHEMA, "kind": KIND, "date": self.date, "machine": dict(self.machine), "settings": dict(self.settings),
            "baseline": self.baseline.to_dict(), "models": [model.to_dict() for model in self.models],
            "left_out": list(self.left_out),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> AccuracyResult:
        """Reads what `to_dict` gave."""
        models = tuple(ModelAccuracy.from_dict(model) for model in found["models"])
        baseline = BaselineResult.from_dict(found["baseline"])
        return cls(found["date"], found["machine"], found["settings"], baseline, models, tuple(found["left_out"]))
