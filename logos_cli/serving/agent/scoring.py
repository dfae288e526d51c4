"""The tool that says how likely a sequence is to the model, and which of its mutants are likelier."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from logos_cli.chemistry.mutants import Mutations
from logos_cli.pipeline.score_records import ScorePlan, score_records
from logos_cli.rows.row import Row
from logos_cli.serving.api_error import ApiError
from logos_cli.serving.endpoint import State
from logos_cli.serving.session import Session
from logos_cli.tasks.table import TASKS

NAME = "score_sequence"
ABOUT = (
    "Give the log-likelihood of a protein, and which of its point mutants the model finds likelier: their differences to it, "
    "the likeliest first. It is no measurement of stability or activity."
)
SHOWN = 20  # mutants, for they are to be read


def score_schema(longest: int) -> dict[str, Any]:
    """That of the tool's arguments."""
    kinds = [task.name for task in TASKS.values() if task.mutates]
    arguments = {
        "sequence": {"type": "string", "description": "one letter for each residue", "minLength": 1, "maxLength": longest},
        "kind": {"enum": kinds, "description": "what the sequence is", "default": kinds[0]},
        "mutants": {
            "type": "array", "items": {"type": "string"}, "maxItems": 1000,
            "description": "mutations such as A23V or A23V+K45R; a place, 23, or places, 45-50, for all that can stand there",
        },
    }  # fmt: skip
    return {"type": "object", "properties": arguments, "required": ["sequence"], "additionalProperties": False}


def scored(state: State, given: Mapping[str, Any], session: Session) -> dict[str, Any]:
    """Raises ApiError for a sequence that cannot be scored."""
    kinds = [task for task in TASKS.values() if task.mutates]
    task = next(task for task in kinds if task.name == given.get("kind", kinds[0].name))
    sequence, asked = given["sequence"].strip(), given.get("mutants")
    mutations = Mutations.parse(",".join(asked), files=False) if asked else None
    most = state.limits.rows
    if mutations and len(list(islice(mutations.of(sequence), most + 1))) > most:
        raise ApiError(400, f"over {most:,} mutants; name fewer places", "mutants")
    wild, *mutants = score_records([Row(0, "1", sequence, kind="sequence")], ScorePlan(task, mutations), session)
    if wild.error:
        raise ApiError(400, wild.error)
    found: dict[str, Any] = {"model": session.info.model, "logprob": rounded(wild.logprob), "tokens": wild.tokens}
    if asked:
        best = sorted((one for one in mutants if one.rank), key=lambda one: one.rank or 0)
        found["scored"] = len(best)
        found["mutants"] = [{"mutant": one.mutant, "delta": rounded(one.delta)} for one in best[:SHOWN]]
        if refused := [f"{one.mutant}: {one.error}" for one in mutants if one.error]:
            found["refused"] = refused[:SHOWN]
    return found


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
