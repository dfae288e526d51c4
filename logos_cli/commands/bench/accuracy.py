"""logos bench accuracy int4.gguf --baseline bf16.gguf"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from logos_cli.errors import UsageError
from logos_cli.terminal import options


class Figure(StrEnum):
    """Figures of a task whose change can be waited for."""

    validity = "validity"
    top_1 = "top-1"
    top_3 = "top-3"
    top_5 = "top-5"
    top_10 = "top-10"
    round_trip = "round-trip"


def accuracy(
    models: Annotated[list[str], typer.Argument(help="GGUF files, or the word nano.", metavar="MODEL", show_default=False)],
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline", help="What they are compared with: a GGUF, or a checkpoint.", metavar="MODEL", show_default=False
        ),
    ],
    out: options.ResultOut = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            help="Default: molecule, and retro if known.",
            metavar="TASK",
            show_default=False,
            autocompletion=options.task_names,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Rows of TASK. Default: the baseline's own samples.", metavar="INPUT", show_default=False),
    ] = None,
    pocket_from: options.PocketFrom = None,
    chain: options.Chain = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first ROWS rows.", metavar="ROWS", show_default=False)
    ] = None,
    samples: Annotated[
        int | None, typer.Option("-n", min=1, help="Answers a row. Default: 8; 256 where there is no row.", show_default=False)
    ] = None,
    texts: Annotated[int, typer.Option("--texts", min=2, help="Own samples of each modality, without --data.")] = 32,
    tasks: Annotated[bool, typer.Option("--tasks/--no-tasks", help="Answer the task too, not only read texts.")] = True,
    novel_against: Annotated[
        Path | None, typer.Option("--novel-against", help="Molecules that count as known.", show_default=False)
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(
            "--until",
            min=0.01,
            help="Stop at the rows of --data where the change of --figure is known to ± so many points.",
            metavar="POINTS",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Figure | None, typer.Option("--figure", help="Of --until. Default: top-1, else validity.", show_default=False)
    ] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer.")] = 256,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all samples.")] = 0,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Answers written at once. Default: 32, on a GPU 64.", show_default=False),
    ] = None,
    device: options.DeviceOption = "auto",
    threads: options.Threads = None,
    resume: options.ResumeResult = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Measure what models lose against a baseline of full precision.

    Token by token on the same texts (KL divergence, same top token, perplexity), and in the answers to the same rows with
    the same seeds. The JSON document goes to stdout unless -o names a file, a table to stderr.

    \b
    Example: logos bench accuracy int4.gguf --baseline bf16.gguf -o loss.json
    """
    from logos_cli.benchmarks.accuracy.accuracy import table
    from logos_cli.benchmarks.accuracy.measure import measure_accuracy
    from logos_cli.benchmarks.accuracy.plan import TaskOptions, check_markers, read_data
    from logos_cli.benchmarks.machine import packages
    from logos_cli.benchmarks.metrics.truths import read_molecules
    from logos_cli.commands.bench.measured import data_digest, digest, identity, opened_subject
    from logos_cli.engines.engine import EngineSettings
    from logos_cli.pipeline.run_options import check_structure_options
    from logos_cli.records.journal import Journal, check_inputs
    from logos_cli.records.output_names import check_name, file_or_stdout
    from logos_cli.rows.row import Reading
    from logos_cli.tasks.table import task_named
    from logos_cli.terminal.console import TERMINAL, note, show_table
    from logos_cli.terminal.model_word import model_path

    if data is not None and task is None:
        raise UsageError("--data needs --task: what is asked of its rows, for example retro")
    if figure is not None and until is None:
        raise UsageError("--figure names what --until waits for; give that too")
    if until is not None and (data is None or not tasks or (task is not None and not task_named(task).needs_input)):
        raise UsageError("--until goes on to further rows; give --data with many, and a --task that asks for each")
    if data == "-" and resume:
        raise UsageError("--resume cannot read stdin a second time; give --data a file")
    check_inputs(out, resume, (*models, baseline, data, novel_against))
    if (out := file_or_stdout(out)) is not None:
        check_name(out, "json", "logos bench report makes a page of it")
    chosen = task_named(task) if task else None
    check_structure_options(chosen, chain, pocket_from, None, data is not None, given="--data")
    paths = [model_path(name) for name in models]
    against = model_path(baseline)
    known = read_molecules(novel_against) if novel_against else None
    wanted = figure.value if figure else None
    asked = TaskOptions(chosen, samples, max_tokens, seed, tasks, known, texts, until, wanted)
    rows = None
    if data and chosen:
        rows = read_data(data, limit, Reading(chosen.wants, chain=chain, pocket_from=pocket_from, side=chosen.side))
    with ExitStack() as opened:
        engines = EngineSettings(device, threads, batch, note)
        base = opened_subject(against, engines, opened)
        subjects = [opened_subject(path, engines, opened) for path in paths]
        settings: dict[str, Any] = {
            "what": "accuracy", "task": task, "data_sha256": data_digest(data, rows), "limit": limit, "n": samples,
            "texts": texts, "tasks": tasks, "until": until, "figure": asked.figure,
            "max_tokens": max_tokens, "seed": seed, "novel_against_sha256": digest(novel_against),
            "baseline": identity(base), "models": [identity(subject) for subject in subjects],
            "devices": [subject.engine.info.device for subject in (base, *subjects)], "packages": packages(),
        }  # fmt: skip
        check_markers(asked, [subject.engine for subject in (base, *subjects)])
        journal = Journal(out, settings, resume)
        opened.callback(journal.close)
        if journal.complete:
            note(f"{out} is complete; nothing to resume")
            return
        if told := journal.damage():
            note(told)
        result, remarks = measure_accuracy(asked, rows, base, subjects, settings, journal, TERMINAL)
        text = json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n"
        journal.finish(text)
    show_table(*table(result))
    for line in remarks:
        note(line)
    if out is None or as_json:
        sys.stdout.write(text)
