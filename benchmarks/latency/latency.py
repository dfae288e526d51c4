"""How fast models are here: rounds of one model after the other (A B A B), so that a drifting machine hits all alike."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.latency.settings import LatencySettings
from logos_cli.benchmarks.machine import BUSY, Others, describe, now
from logos_cli.benchmarks.metrics.intervals import percentile
from logos_cli.engines.llamacpp.probe import probe
from logos_cli.errors import LogosError, ModelFileError, UsageError
from logos_cli.models.gguf_header import GgufHeader
from logos_cli.models.model_file import ModelFile, name_of, read_model_file
from logos_cli.records.journal import Journal

SCHEMA = 1


class WorkerError(LogosError):
    """What a worker process could not do, in its own words."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.exit_code = code


def check(models: Sequence[Path], settings: LatencySettings) -> list[ModelFile]:
    """The models' headers. Raises ModelFileError for one that cannot be loaded, UsageError for lengths it cannot take."""
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


def run_round(path: Path, settings: LatencySettings) -> dict[str, Any]:
    """One round in a process of its own. Raises WorkerError for what it says, ModelFileError if it dies."""
    command = [sys.executable, "-m", "logos_cli.benchmarks.latency.worker"]
    asked = json.dumps({"path": str(path), "settings": settings.to_dict()})
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    try:
        out, err = child.communicate(asked)
    except BaseException:
        child.kill()
        child.wait()
        raise
    try:
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        said = (err.strip().splitlines() or [f"exit status {child.returncode}"])[-1][:200]
        raise ModelFileError(f"{path}: the measuring process ended early: {said}; is there memory for it?") from None
    if "error" in found:
        raise WorkerError(found["error"], int(found["code"]))
    return found


def measure(
    headers: Sequence[ModelFile],
    settings: LatencySettings,
    rounds: int,
    journal: Journal,
    said: Callable[[str], None],
    done: Callable[[], None],
) -> dict[str, Any]:
    """The document of all rounds; those in `journal` are not run again. `said` hears of a busy machine, `done` of a round."""
    found: list[list[dict[str, Any]]] = [[] for _ in headers]
    warned = False
    for number in range(rounds):
        for place, header in enumerate(headers):
            one = journal.get(place, number)
            if one is None:
                others = Others()
                one = run_round(header.path, settings)
                one["others_share"] = others.share(one["about"]["threads"])
                journal.put(one, place, number)
            if not warned and (one["others_share"] or 0) > BUSY:
                share = f"{100 * one['others_share']:.0f} %"
                said(f"this machine is busy: other programs took {share} of our processors; speeds are too low")
                warned = True
            found[place].append(one)
            done()
    models = [summary(header, several) for header, several in zip(headers, found, strict=True)]
    return {
        "schema": SCHEMA, "kind": "latency", "date": now(), "machine": describe(), "rounds": rounds,
        "settings": settings.to_dict(), "models": models,
    }  # fmt: skip


def summary(header: ModelFile, rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def spread(*path: str | int) -> dict[str, float]:
        return spread_of([reach(one, path) for one in rounds])

    task: dict[str, Any] | None = None
    if rounds[0]["task"] is not None:
        names = ("seconds_per_row", "samples_per_s", "tokens_per_s", "rows_per_token")
        task = {name: spread("task", name) for name in names}
        task["rows"] = rounds[0]["task"]["rows"]
    shares = [one["others_share"] for one in rounds if one["others_share"] is not None]
    return {
        "path": str(header.path), "name": name_of(header.path), "bytes": header.size, "scheme": header.scheme,
        "fingerprint": header.fingerprint, **rounds[0]["about"],
        "load_s": spread("load_s"),
        "prefill": {"tokens_per_s": spread("prefill_tokens_per_s")},
        "ttft_ms": spread("ttft_ms"),
        "decode": [
            {
                "samples": one["samples"], "tokens_per_s": spread("decode", i, "tokens_per_s"),
                "peak_rss_bytes": max(r["decode"][i]["peak_rss_bytes"] or 0 for r in rounds),
            }
            for i, one in enumerate(rounds[0]["decode"])
        ],
        "task": task,
        "peak_rss_bytes": max(one["peak_rss_bytes"] or 0 for one in rounds),
        "peak_gpu_bytes": max(one["gpu_bytes"] for one in rounds),
        "others_share": max(shares) if shares else None,
        "rounds": list(rounds),
    }  # fmt: skip


def reach(found: Any, path: Sequence[str | int]) -> float:
    for step in path:
        found = found[step]
    return float(found)


def spread_of(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "p5": percentile(values, 5), "p95": percentile(values, 95)}


def table(document: dict[str, Any]) -> tuple[list[str], Iterator[list[str]]]:
    """(columns, rows of cells) for a terminal of 100 columns."""
    samples = [one["samples"] for one in document["models"][0]["decode"]]
    speeds = [f"tok/s ×{n}" for n in samples]
    columns = ["model", "scheme", "GB", "load s", "prompt tok/s", "first ms", *speeds, "answers/s", "rows/tok", "peak GB"]

    def rows() -> Iterator[list[str]]:
        for model in document["models"]:
            yield [
                model["name"], model["scheme"], f"{model['bytes'] / 1e9:.3f}", f"{model['load_s']['median']:.2f}",
                f"{model['prefill']['tokens_per_s']['median']:,.0f}", f"{model['ttft_ms']['median']:.1f}",
                *(f"{one['tokens_per_s']['median']:,.1f}" for one in model["decode"]),
                f"{model['task']['samples_per_s']['median']:,.3g}" if model["task"] else "-",
                f"{model['task']['rows_per_token']['median']:.2f}" if model["task"] else "-",
                f"{model['peak_rss_bytes'] / 1e9:.2f}",
            ]  # fmt: skip

    return columns, rows()
