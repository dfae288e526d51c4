"""Lines of syntheseus' files: a reaction of its data sets, and a row of its evaluation's predictions.jsonl."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from logos_cli.errors import InputError
from logos_cli.tasks.table import TASKS
from logos_cli.tasks.task import Task

_SIDES = ("reactants", "products")
_TASKS = {task.side: task for task in TASKS.values() if task.side}


def plain_reaction(found: dict[str, Any]) -> dict[str, Any]:
    """Gives a line of a data set with its molecules as SMILES, and any other object as it is."""
    sides = {name: _smiles(found.get(name)) for name in _SIDES}
    return found | sides if all(sides.values()) else found


def _smiles(side: Any) -> list[str] | None:
    """The molecules of one side as syntheseus writes them, `[{"smiles": …}, …]`; None for anything else."""
    if not isinstance(side, list) or not all(isinstance(one, dict) and isinstance(one.get("smiles"), str) for one in side):
        return None
    return [one["smiles"] for one in side]


def is_prediction(found: Mapping[str, Any]) -> bool:
    """Whether an object is a row of predictions.jsonl."""
    return "ground_truth_correct" in found and "num_predictions" in found


def record_objects(row: int, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Gives a row of predictions.jsonl as the objects that records of ours are, one a prediction with its rank; one without an
    answer if there is none. Raises InputError for a row that is not whole."""
    asked, truth, predictions = found.get("input"), found.get("ground_truth"), found.get("predictions")
    if not isinstance(asked, str) or not isinstance(truth, str) or truth.count(">>") != 1:
        raise InputError("not a prediction of syntheseus: its input or its ground_truth, a reaction SMILES, is missing")
    if not isinstance(predictions, list):
        raise InputError("no predictions, only whether they were right; evaluate again with include_predictions=true")
    task = _task(asked, truth)
    common = {"row": row, "id": str(row + 1), "task": task.name, "input": asked, "truth": truth}
    if not predictions:
        yield common | {"valid": False, "error": "no predictions"}
    for place, prediction in enumerate(predictions):
        reaction = plain_reaction(prediction) if isinstance(prediction, dict) else {}
        answer = reaction.get("reactants" if task.side == "product" else "products")
        if not answer or not isinstance(answer[0], str):
            raise InputError(f"prediction {place + 1} has no reactants and products with their smiles")
        metadata = reaction.get("metadata")
        logprob = metadata.get("log_probability") if isinstance(metadata, dict) else None
        yield common | {
            "sample": place, "rank": place + 1, "answer": ".".join(answer) if task.answers.one_molecule else answer,
            "valid": True, "logprob": logprob,
        }  # fmt: skip


def _task(asked: str, truth: str) -> Task:
    """The task that asks with this side of the reaction."""
    left, _, right = truth.partition(">>")
    side = "product" if asked == right else "reactants" if asked == left else ""
    if not side:
        raise InputError("not a prediction of syntheseus: its input is neither side of its ground_truth")
    return _TASKS[side]


@dataclass(frozen=True)
class Prediction:
    """An answer to a row: canonical SMILES joined by dots, whether it is the right one, and of the sample that is the likeliest
    of those that gave it the log-probability (natural)."""

    answer: str
    right: bool
    logprob: float | None


def prediction_line(task: Task, asked: str, truth: str, predictions: Sequence[Prediction]) -> str:
    """Writes a row of predictions.jsonl; `asked`, `truth` and answers are canonical SMILES joined by dots. It must hold times,
    which records do not tell: they are 0."""

    def reaction(answer: str) -> tuple[str, str]:
        return (answer, asked) if task.side == "product" else (asked, answer)

    def written(one: Prediction) -> dict[str, Any]:
        sides = [[{"smiles": part} for part in side.split(".")] for side in reaction(one.answer)]
        metadata = {"ground_truth_match": one.right} | ({} if one.logprob is None else {"log_probability": one.logprob})
        return dict(zip(_SIDES, sides, strict=True)) | {"identifier": None, "metadata": metadata}

    found = {
        "input": asked, "ground_truth": ">>".join(reaction(truth)), "num_predictions": len(predictions),
        "ground_truth_correct": [one.right for one in predictions],
        "timing": {"time_model_call": 0.0, "time_post_processing": 0.0}, "predictions": list(map(written, predictions)),
    }  # fmt: skip
    return json.dumps(found) + "\n"
