"""What an agent can ask for: tools with a schema for their arguments, and short answers that are JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from logos_cli.serving.agent.scoring import ABOUT, NAME, score_schema, scored
from logos_cli.serving.api_error import ApiError
from logos_cli.serving.endpoint import State
from logos_cli.serving.limits import CHARACTERS
from logos_cli.serving.session import Session
from logos_cli.serving.task_call import call_of_rows
from logos_cli.serving.task_options import TaskOptions
from logos_cli.tasks.table import TASKS
from logos_cli.tasks.task import Task, Tool

COUNT, MOST = 5, 32  # answers, unless asked for; and at most, for they are to be read
SHOWN = ("answer", "count", "logprob", "faithful", "samples")  # of a record


@dataclass(frozen=True)
class AgentTool:
    """`schema` is that of its arguments. `answer` gives an object of JSON, and raises what `ApiError.of` tells."""

    name: str
    about: str
    schema: dict[str, Any]
    answer: Callable[[Mapping[str, Any], Session], dict[str, Any]]


def agent_tools(state: State) -> list[AgentTool]:
    """One for each task that has one, and that for scores."""
    longest = CHARACTERS * state.shared.info.context
    found = [
        AgentTool(tool.name, tool.about, task_schema(task, tool, longest), partial(answered, state, task, tool))
        for task in TASKS.values()
        if (tool := task.tool)
    ]
    return [*found, AgentTool(NAME, ABOUT, score_schema(longest), partial(scored, state))]


def task_schema(task: Task, tool: Tool, longest: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {tool.asks: {"type": "string", "description": tool.takes, "maxLength": longest}}
    if not task.merges:
        about = "how many answers at most"
        arguments["count"] = {"type": "integer", "description": about, "minimum": 1, "maximum": MOST, "default": COUNT}
    arguments["seed"] = {"type": "integer", "description": "the same seed gives the same answers", "minimum": 0, "default": 0}
    needed = [tool.asks] if task.needs_input else []
    return {"type": "object", "properties": arguments, "required": needed, "additionalProperties": False}


def answered(state: State, task: Task, tool: Tool, given: Mapping[str, Any], session: Session) -> dict[str, Any]:
    """The valid answers to one row: as many new ones as asked for, or the first of those ranked."""
    count, seed = given.get("count", COUNT), given.get("seed")
    options = TaskOptions(n=count, seed=seed) if task.invents else TaskOptions(top=count, seed=seed)
    rows = [given[tool.asks]] if tool.asks in given else None
    records = list(call_of_rows(task, rows, options, state.shared, state.limits).records(session))
    valid = [record.to_dict() for record in records if record.valid]
    if not valid:
        raise ApiError(400, records[0].error or "no valid answer")
    found: dict[str, Any] = {"model": session.info.model}
    found["answers"] = [{name: one[name] for name in SHOWN if one.get(name) is not None} for one in valid]
    if len(valid) < len(records):
        found["not_valid"] = len(records) - len(valid)
    return found
