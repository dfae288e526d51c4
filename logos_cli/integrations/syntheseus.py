"""LOGOS as the single-step models of syntheseus, for its planners and its evaluation. Needs the extra `syntheseus`."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import logos_cli

try:
    from syntheseus import (
        BackwardReactionModel,
        Bag,
        ForwardReactionModel,
        Molecule,
        Reaction,
        ReactionModel,
        SingleProductReaction,
    )
    from syntheseus.interface.reaction import ReactionMetaData
    from syntheseus.reaction_prediction.filters.forward import ForwardReactionFilterModel
    from syntheseus.reaction_prediction.filters.wrapper import FilteredBackwardReactionModel
except ImportError as error:
    raise logos_cli.MissingDependency(f"{error}; install syntheseus 0.9: pip install 'logos-cli[syntheseus]'") from None

logger = logging.getLogger(__name__)


class LogosModel(ReactionModel):
    """What both directions have in common: a model that stays open, and how it is asked."""

    def __init__(
        self,
        model: logos_cli.Model | str | Path = "nano",
        *,
        decode: Literal["beam", "sample"] = "beam",
        width: int = 32,
        settings: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """`model` is one that is open, and then left open by `close`, or what `logos_cli.open_model` takes.

        `decode`: with beam the likeliest answers of a beam search `width` wide, the same whatever they are asked with; with
        sample the most frequent of `width` draws, which depend on a molecule's place among those asked together. No more than
        `width` reactions are given. `settings` are other arguments of `logos_cli.generate`, `kwargs` those of ReactionModel.

        Raises UsageError, and what opening a model raises.
        """
        super().__init__(**kwargs)
        if decode not in ("beam", "sample"):
            raise logos_cli.UsageError(f"decode={decode!r}; it is beam or sample")
        self.decode, self.width, self.settings = decode, width, settings or {}
        self.own = not isinstance(model, logos_cli.Model)
        self.model = model if isinstance(model, logos_cli.Model) else logos_cli.open_model(model)

    def close(self) -> None:
        """Free the memory of a model that was opened here."""
        if self.own:
            self.model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def get_parameters(self) -> list[Any]:
        """Nothing: syntheseus counts torch's parameters only."""
        return []

    def get_model_info(self) -> dict[str, Any]:
        return {"model": self.model.info.model, "decode": self.decode, "width": self.width, **self.settings}

    def answers(self, task: str, rows: Sequence[Any], most: int) -> list[list[tuple[Bag[Molecule], ReactionMetaData]]]:
        """At most `most` answers for each row, best first, all rows in one batch; for one that cannot be answered none, which
        is logged. Raises what the engine raises."""
        settings = {"top": min(most, self.width), "beam" if self.decode == "beam" else "n": self.width, **self.settings}
        found: list[list[tuple[Bag[Molecule], ReactionMetaData]]] = [[] for _ in rows]
        for record in list(logos_cli.generate(task, rows, model=self.model, **settings)):
            if record.valid:
                molecules = Bag(Molecule(smiles) for smiles in record.smiles.split("."))
                found[record.row].append((molecules, self.told(record)))
            else:
                logger.warning("%s: %.60s: %s", task, record.input, record.error)
        return found

    def told(self, record: logos_cli.Record) -> ReactionMetaData:
        """The probability of an answer's text with a beam, its share of the draws with samples."""
        if self.decode == "beam":
            assert record.logprob is not None, "a beam search ranks by it"
            return {"probability": math.exp(record.logprob), "log_probability": record.logprob}
        share = (record.count or 1) / self.width
        return {"probability": share, "log_probability": math.log(share)}


class LogosBackward(LogosModel, BackwardReactionModel):
    """Reactants of products: the task `retro`. Dots part molecules, as everywhere in syntheseus."""

    def _get_reactions(self, inputs: list[Molecule], num_results: int) -> list[Sequence[SingleProductReaction]]:
        answers = self.answers("retro", [[product.smiles] for product in inputs], num_results)
        return [
            [SingleProductReaction(reactants=found, product=product, metadata=told) for found, told in row]
            for product, row in zip(inputs, answers, strict=True)
        ]


class LogosForward(LogosModel, ForwardReactionModel):
    """Products of reactants: the task `react`."""

    def _get_reactions(self, inputs: list[Bag[Molecule]], num_results: int) -> list[Sequence[Reaction]]:
        answers = self.answers("react", [[one.smiles for one in reactants] for reactants in inputs], num_results)
        return [
            [Reaction(reactants=reactants, products=found, metadata=told) for found, told in row]
            for reactants, row in zip(inputs, answers, strict=True)
        ]


def round_trip(
    backward: BackwardReactionModel, forward: ForwardReactionModel, top_k: int = 1, **kwargs: Any
) -> FilteredBackwardReactionModel:
    """`backward` without the reactions whose product is none of the `top_k` that `forward` predicts of their reactants.

    It keeps the settings of `backward`, where `kwargs`, those of ReactionModel, do not say otherwise; its `acceptance_rate`
    is the share of reactions that were kept.
    """
    kept = ForwardReactionFilterModel(forward_model=forward, top_k=top_k, use_cache=backward._use_cache)
    return FilteredBackwardReactionModel(backward_model=backward, filter_models={"round trip": kept}, **kwargs)
