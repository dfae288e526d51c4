"""What is answered at which address."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from logos_cli.serving.api_error import ApiError
from logos_cli.serving.completion import Piece, Streaming, Writing
from logos_cli.serving.completion_call import CompletionCall
from logos_cli.serving.endpoint import Call, json_bytes, json_response
from logos_cli.serving.outbox import Outbox
from logos_cli.serving.request_body import parsed_json
from logos_cli.serving.task_call import TaskCall, call, call_of_file, call_of_json, task_called
from logos_cli.serving.task_options import TaskOptions
from logos_cli.tasks.defaults import EXPANDING

JSONL = "application/x-ndjson"
BEAMS = 10  # of a batch for a planner that names no number, as AiZynthFinder's strategy has it


async def tasks(asked: Call) -> Response:
    """POST /v1/tasks/{task}: rows in, records out."""
    request, state = asked.request, asked.state
    name, body = request.path_params["task"], await asked.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def parsed() -> TaskCall:
        if kind == "application/json":
            if request.query_params:
                raise ApiError(400, "options of a JSON body stand in it, not in the address")
            return call_of_json(name, body, state.shared, state.limits)
        options = TaskOptions.of_query(dict(request.query_params))
        return call_of_file(name, body, options, state.shared, state.limits)

    found = await asked.in_thread(parsed)
    if found.options.stream or JSONL in request.headers.get("accept", ""):

        def fill(outbox: Outbox[str]) -> None:
            for record in found.records(asked.session):
                outbox.put(record.to_line())
                asked.answers += 1

        return await asked.streamed(fill, lambda lines: (line.encode("utf-8", "backslashreplace") for line in lines), JSONL)
    records = await asked.in_thread(lambda: [record.to_dict() for record in found.records(asked.session)])
    asked.answers += len(records)
    info = state.shared.info
    return json_response({"task": name, "model": info.model, "rows": len(found.rows), "records": records})


async def retrosynthesis(asked: Call) -> Response:
    """POST /retrosynthesis/batch?n_beams=N: what AiZynthFinder's ChemformerBasedExpansionStrategy posts and reads."""
    query, body, state = dict(asked.request.query_params), await asked.body(), asked.state
    smiles = parsed_json(body)
    if not isinstance(smiles, list) or not all(isinstance(one, str) for one in smiles):
        raise ApiError(400, 'the body is not a list of SMILES: ["CC(=O)Nc1ccccc1"]')
    beams = query.pop("n_beams", str(BEAMS))
    if not beams.isascii() or not beams.isdigit():
        raise ApiError(400, f"n_beams is {beams[:40]!r}; it takes a whole number", "n_beams")
    if query:
        raise ApiError(400, f"no option {next(iter(query))[:80]!r}; there is: n_beams")
    options = TaskOptions(decode="beam", top=int(beams[:9]))

    def answered() -> list[dict[str, Any]]:
        from logos_cli.rows.row import Row

        # Each as it is, not as a line of a file, which may have a name behind the SMILES.
        rows = [Row(place, str(place + 1), value=one) for place, one in enumerate(smiles)]
        found: list[dict[str, Any]] = [{"output": [], "lhs": []} for _ in rows]
        for record in call(task_called(EXPANDING), rows, options, state.shared, state.limits).records(asked.session):
            if record.valid:
                found[record.row]["output"].append(record.smiles)
                found[record.row]["lhs"].append(record.logprob)
        return found

    found = await asked.in_thread(answered)
    asked.answers += sum(len(one["output"]) for one in found)
    return json_response(found)


async def completions(asked: Call) -> Response:
    """POST /v1/completions, as OpenAI's."""
    body, state = await asked.body(), asked.state
    found = await asked.in_thread(lambda: CompletionCall.of(body, state.shared, state.limits))
    info = state.shared.info
    about = {
        "id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time()), "model": info.name,
        "system_fingerprint": info.fingerprint[:12],
    }  # fmt: skip
    prompt_tokens, written = sum(map(len, found.prompts)), 0

    def usage() -> dict[str, int]:
        return {
            "prompt_tokens": prompt_tokens, "completion_tokens": written, "total_tokens": prompt_tokens + written,
        }  # fmt: skip

    if not found.stream:
        choices, written = await asked.in_thread(lambda: whole(found, asked))
        asked.answers += len(choices)
        return json_response(about | {"choices": choices, "usage": usage()})
    writings: list[Streaming] = []

    def fill(outbox: Outbox[Piece]) -> None:
        nonlocal written
        writing = Writing(found, asked.session, outbox.tell)
        writings.append(Streaming(writing))
        for one in writing.generations():
            written += len(one.tokens)
            asked.answers += 1
            outbox.put(Piece(one.row, one.sample, len(one.tokens), one))

    left = found.answers

    def shown(pieces: list[Piece]) -> Iterator[bytes]:
        nonlocal left
        for choice in writings[0].choices(pieces) if pieces else ():
            left -= choice["finish_reason"] is not None
            yield event(about | {"choices": [choice], **({"usage": None} if found.usage else {})})
        if pieces and not left:
            if found.usage:
                yield event(about | {"choices": [], "usage": usage()})
            yield b"data: [DONE]\n\n"

    return await asked.streamed(fill, shown, "text/event-stream")


def whole(found: CompletionCall, asked: Call) -> tuple[list[dict[str, Any]], int]:
    """The choices of a call, in their order, and how many tokens they have."""
    writing = Writing(found, asked.session)
    choices, written = [], 0
    for one in writing.generations():
        choices.append(writing.choice(one))
        written += len(one.tokens)
    return sorted(choices, key=lambda choice: choice["index"]), written


def event(value: Any) -> bytes:
    """One of a stream of server-sent events."""
    return b"data: " + json_bytes(value) + b"\n\n"
