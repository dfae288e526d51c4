"""logos bench latency a.gguf b.gguf"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from logos_cli.errors import UsageError
from logos_cli.tasks.defaults import TIMED
from logos_cli.terminal import options

MOST_AT_ONCE = 256  # llama.cpp's LLAMA_MAX_SEQ


def latency(
    models: Annotated[list[str], typer.Argument(help="GGUF files, or the word nano.", metavar="MODEL", show_default=False)],
    out: options.ResultOut = None,
    rounds: Annotated[int, typer.Option("--rounds", "-r", min=1, help="Rounds; each takes every model once.")] = 5,
    batch: Annotated[str, typer.Option("--batch", "-b", help="Answers written at once, a list.", metavar="LIST")] = "1,8,32",
    prompt: Annotated[
        int | None,
        typer.Option(
            "--prompt", min=2, help="Tokens read for prompt speed. Default: 512, less for a short context.", show_default=False
        ),
    ] = None,
    new: Annotated[int, typer.Option("--new", min=1, help="Tokens written for each answer.")] = 64,
    task: Annotated[
        str, typer.Option("--task", help="Task measured end to end.", metavar="TASK", autocompletion=options.task_names)
    ] = TIMED,
    data: Annotated[
        str | None, typer.Option("--data", help="Its rows. Default: four drugs.", metavar="INPUT", show_default=False)
    ] = None,
    pocket_from: options.PocketFrom = None,
    chain: options.Chain = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most ROWS rows of them.", metavar="ROWS")] = 16,
    samples: Annotated[int, typer.Option("-n", min=1, help="Answers a row of the task.")] = 8,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer of the task.")] = 64,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of tokens and samples.")] = 0,
    device: options.DeviceOption = "auto",
    threads: options.Threads = None,
    resume: options.ResumeResult = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Measure load, prompt, decode and task speed, and memory.

    Models take turns, each round in a fresh process. The JSON document goes to stdout unless -o names a file, a table to
    stderr.

    \b
    Example: logos bench latency logos-1b-int4.gguf logos-1b-int8.gguf -o lat.json
    """
    from logos_cli.benchmarks.latency.latency import check, measure, table
    from logos_cli.benchmarks.latency.settings import LatencySettings, task_rows
    from logos_cli.benchmarks.machine import describe as describe_machine
    from logos_cli.models.model_file import read_model_file
    from logos_cli.pipeline.run_options import check_structure_options
    from logos_cli.records.journal import Journal, check_inputs
    from logos_cli.records.output_names import check_name, file_or_stdout
    from logos_cli.rows.row import Reading, Row
    from logos_cli.system.threads import chosen_threads
    from logos_cli.tasks.table import task_named
    from logos_cli.terminal.console import note, progress, show_table
    from logos_cli.terminal.model_word import model_path

    check_inputs(out, resume, (*models, data))
    if (out := file_or_stdout(out)) is not None:
        check_name(out, "json", "logos bench report makes a page of it")
    chosen = task_named(task)
    check_structure_options(chosen, chain, pocket_from, None, data is not None, given="--data")
    reading = Reading(chosen.wants, chain=chain, pocket_from=pocket_from, side=chosen.side)
    paths = [model_path(name) for name in models]
    if len(set(paths)) < len(paths):
        raise UsageError("a model is named twice; each is measured --rounds times anyway")
    shortest = min(read_model_file(path).context for path in paths)
    if data:
        rows = task_rows(data, limit, reading, chosen)
    else:
        rows = LatencySettings().rows if chosen.needs_input else (Row(0, "1", value=""),)
    room = max(2, shortest - new - 2)
    settings = LatencySettings(
        prompt or min(512, room), min(32, room), new, batch_sizes(batch), task, rows, samples, max_tokens, seed, device,
        chosen_threads(threads),
    )  # fmt: skip
    headers = check(paths, settings)
    described = {
        "what": "latency", **settings.to_dict(), "rounds": rounds,
        "devices": [device_for(path, device) for path in paths],
        "machine": describe_machine(),
        "models": [[h.fingerprint, h.sha256, h.size, h.path.stat().st_mtime_ns] for h in headers],
    }  # fmt: skip
    journal = Journal(out, described, resume)
    if journal.complete:
        note(f"{out} is complete; nothing to resume")
        return
    if told := journal.damage():
        note(told)
    try:
        with progress("measuring", rounds * len(headers), "rounds") as bar:
            result = measure(headers, settings, rounds, journal, note, lambda: bar.advance(1))
        text = json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n"
        journal.finish(text)
    finally:
        journal.close()
    show_table(*table(result))
    if out is None or as_json:
        sys.stdout.write(text)


def device_for(path: Path, asked: str) -> str:
    """The device that a model's engine takes. Raises EngineError where it has not the one asked for."""
    from logos_cli.models.model_file import is_onnx

    if is_onnx(path):
        from logos_cli.engines.ort import engine as engine_onnx

        return engine_onnx.choose_device(asked)[0]
    from logos_cli.engines.llamacpp import devices as engine_llamacpp_devices

    gpu = engine_llamacpp_devices.choose_device(asked)
    return str(gpu) if gpu else "cpu"


def batch_sizes(text: str) -> tuple[int, ...]:
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise UsageError(f"--batch {text!r} is no list of numbers; give for example 1,8,32") from None
    if not found or found[0] < 1 or found[-1] > MOST_AT_ONCE:
        raise UsageError(f"--batch {text!r} is out of range; give numbers from 1 to {MOST_AT_ONCE}")
    return tuple(found)
