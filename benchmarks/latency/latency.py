"""How fast models are here: rounds of one model after the other (A B A B), so that a drifting machine hits all alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.latency.results import LatencyResult, ModelLatency, Round
from logos_cli.benchmarks.latency.settings import LatencySettings
from logos_cli.benchmarks.machine import BUSY, Others, describe, now
from logos_cli.benchmarks.model_facts import ModelFacts
from logos_cli.engines.llamacpp.probe import probe
from logos_cli.errors import LogosError, ModelFileError, UsageError
from logos_cli.models.gguf_header import GgufHeader
from logos_cli.models.model_file import ModelFile, name_of, read_model_file
from logos_cli.records.journal import Journal


class WorkerError(LogosError):
    """What a worker process could not do, in its own words."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.exit_code = code


def check(models: Sequence[Path], settings: LatencySettings) -> list[ModelFile]:
    """Reads the models' headers. Raises ModelFileError for one that cannot be loaded, UsageError for lengths it cannot take."""
    headers = []
    for path in models:
        header = read_model_file(path)
        context, longest = header.context, max(settings.prompt, settings.start) + settings.new + 2
        if longest > context:
            which = "--prompt" if settings.prompt > settings.new else "--new"
            raise UsageError(f"{path}: its context is {context} tokens, prompt and answer would need {longest}; lower {which}")
        if isinstance(header, GgufHeader):
            probe(header)
        headers.append(header)
    return headers


def run_round(path: Path, settings: LatencySettings) -> Round:
    """Runs one round in a process of its own. Raises WorkerError for what it says, ModelFileError if it dies."""
    command = [sys.executable, "-m", "logos_cli.benchmarks.latency.worker"]
    request = json.dumps({"path": str(path), "settings": settings.to_dict()})
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    try:
        out, err = child.communicate(request)
    except BaseException:
        child.kill()
        child.wait()
        raise
    try:
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        last = (err.strip().splitlines() or [f"exit status {child.returncode}"])[-1][:200]
        raise ModelFileError(f"{path}: the measuring process ended early: {last}; is there memory for it?") from None
    if "error" in answer:
        raise WorkerError(answer["error"], int(answer["code"]))
    return Round.from_dict(answer)


def measure(
    headers: Sequence[ModelFile],
    settings: LatencySettings,
    rounds: int,
    journal: Journal,
    note: Callable[[str], None],
    done: Callable[[], None],
) -> LatencyResult:
    """Runs all rounds; those in `journal` are not run again. `note` hears of a busy machine, `done` of a round."""
    measured: list[list[Round]] = [[] for _ in headers]
    warned = False
    for number in range(rounds):
        for place, header in enumerate(headers):
            stored = journal.get(place, number)
            if stored is None:
                others = Others()
                one = run_round(header.path, settings)
                one = replace(one, others_share=others.share(one.about["threads"]))
                journal.put(one.to_dict(), place, number)
            else:
                one = Round.from_dict(stored)
            if not warned and (one.others_share or 0) > BUSY:
                share = f"{100 * (one.others_share or 0):.0f} %"
                note(f"this machine is busy: other programs took {share} of our processors; speeds are too low")
                warned = True
            measured[place].append(one)
            done()
    models = tuple(
        ModelLatency.of(facts(header, several[0]), several) for header, several in zip(headers, measured, strict=True)
    )
    return LatencyResult(now(), describe(), rounds, settings.to_dict(), models)


def facts(header: ModelFile, first: Round) -> ModelFacts:
    """Says what was measured: the file by its header, what ran it by a round."""
    return ModelFacts(
        str(header.path), name_of(header.path), header.size, header.scheme, header.fingerprint, **first.about
    )  # fmt: skip


def table(result: LatencyResult) -> tuple[list[str], Iterator[list[str]]]:
    """Gives columns and rows of cells for a terminal of 100 columns."""
    speeds = [f"tok/s ×{one.samples}" for one in result.models[0].decode]
    columns = ["model", "scheme", "GB", "load s", "prompt tok/s", "first ms", *speeds, "answers/s", "rows/tok", "peak GB"]

    def rows() -> Iterator[list[str]]:
        for one in result.models:
            yield [
                one.model.name, one.model.scheme, f"{one.model.bytes / 1e9:.3f}", f"{one.load_s.median:.2f}",
                f"{one.prefill_tokens_per_s.median:,.0f}", f"{one.ttft_ms.median:.1f}",
                *(f"{speed.tokens_per_s.median:,.1f}" for speed in one.decode),
                f"{one.task.samples_per_s.median:,.3g}" if one.task else "-",
                f"{one.task.rows_per_token.median:.2f}" if one.task else "-",
                f"{one.peak_rss_bytes / 1e9:.2f}",
            ]  # fmt: skip

    return columns, rows()
