"""logos generate retro products.smi -m logos-1b-int4.gguf --top 5 --format smi > reactants.smi"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logos_cli.commands import options
from logos_cli.errors import LogosError, UsageError

if TYPE_CHECKING:
    from logos_cli.engine import Engine
    from logos_cli.pipeline import Plan
    from logos_cli.records import Tally
    from logos_cli.rows import Blank, Row
    from logos_cli.run_output import FileOutput, StandardOutput
    from logos_cli.tasks import Task


class RowsFailed(LogosError):
    """--strict and a row without an answer."""


def generate(
    task: Annotated[
        str, typer.Argument(help="retro, react, molecule or raw.", metavar="TASK", autocompletion=options.task_names)
    ],
    input: Annotated[
        str | None, typer.Argument(help=".smi .csv .tsv .jsonl, also .gz; - or nothing reads stdin.", metavar="INPUT")
    ] = None,
    model: options.Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here, resumable, instead of to stdout.", show_default=False)
    ] = None,
    samples: Annotated[
        int | None, typer.Option("-n", min=1, help="Samples a row. Default: 1, or 32 with --top.", show_default=False)
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Keep the K most frequent distinct valid answers.", show_default=False)
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="0 is greedy.", show_default=False)] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="0 is off.", show_default=False)] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="1 is off.", show_default=False)] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option("--repetition-penalty", help="1 is off.", show_default=False)
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="Longest answer. Default: 1000.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Default: 0.", show_default=False)] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Most answers written at once; changes no text.")] = 32,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first ROWS rows.", show_default=False)] = None,
    device: options.DeviceOption = options.Device.auto,
    threads: options.Threads = None,
    format: Annotated[options.Format, typer.Option("--format", help="smi: SMILES, id, rank, count.")] = options.Format.jsonl,
    valid_only: Annotated[bool, typer.Option("--valid-only", help="Leave out invalid answers and failed rows.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted -o run.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if any row gave no answer.")] = False,
    smiles_column: Annotated[str | None, typer.Option("--smiles-column", help="Column of a table.", show_default=False)] = None,
    id_column: Annotated[str | None, typer.Option("--id-column", help="Column of a table.", show_default=False)] = None,
    debug: options.Debug = False,
) -> None:
    """Answer every row of a file or pipe, one JSON line each.

    \b
    Example: logos generate retro products.smi --top 5 --format smi > answers.smi
    """
    from logos_cli.commands.models import open_model
    from logos_cli.console import note
    from logos_cli.engine import EngineSettings
    from logos_cli.rows import Blank
    from logos_cli.sampling import resolve
    from logos_cli.tasks import task_named

    chosen = task_named(task)
    if resume and out is None:
        raise UsageError("--resume needs -o OUT: what went to stdout cannot be taken up again")
    if input is None and chosen.needs_input and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError(f"{chosen.name} reads rows from a file or a pipe; give INPUT, or - to type them")
    if chosen.name == "raw" and format is options.Format.smi:
        raise UsageError("--format smi holds molecules, and raw answers are text; use jsonl or csv")
    if out is not None and input is not None and out.exists() and os.path.exists(input) and out.samefile(input):
        raise UsageError(f"{out} is the input; give another -o")
    blank = Blank()
    flags = {
        "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "repetition_penalty": repetition_penalty, "max_tokens": max_tokens, "seed": seed,
    }  # fmt: skip
    resolve(chosen.name, chosen.sampling, chosen.source, {}, flags)  # a flag out of range is said before the model loads
    rows, alone = look_ahead(input_rows(chosen, input, smiles_column, id_column, limit, blank))
    count = samples or (32 if top else 1)
    engine = open_model(model, EngineSettings(device.value, threads, batch, note))
    output: StandardOutput | FileOutput | None = None
    try:
        from logos_cli.pipeline import Plan

        settings = resolve(chosen.name, chosen.sampling, chosen.source, engine.info.sampling, flags).settings
        if engine.info.device != "cpu":
            note(f"device: {engine.info.device}")
        plan = Plan(chosen, settings, count, top, single=alone and count == 1)
        output = open_output(
            out, format.value, valid_only, plan, engine, describe(input, limit, smiles_column, id_column), resume
        )
        if output is None:
            note(f"{out} is complete; nothing to resume")
            return
        run(rows, plan, engine, output, total_rows(input, limit), blank)
        if strict and output.tally.failed:
            raise RowsFailed(f"{output.tally.failed} of {output.tally.rows} rows gave no answer (--strict)")
    finally:
        if output:
            output.close()
        engine.close()


def input_rows(
    task: Task, path: str | None, smiles_column: str | None, id_column: str | None, limit: int | None, blank: Blank
) -> Iterator[Row]:
    from logos_cli.rows import Row, read_rows

    if path is None and not task.needs_input:
        return iter([Row(0, "1", value="")])
    return islice(read_rows(path or "-", smiles_column, id_column, blank), limit)


def look_ahead(rows: Iterator[Row]) -> tuple[Iterable[Row], bool]:
    """The same rows, and whether there is only one: that must not depend on how far a run got before."""
    first = list(islice(rows, 2))
    return chain(first, rows), len(first) < 2


def total_rows(path: str | None, limit: int | None) -> int | None:
    """How many rows to expect, for the progress bar of a terminal; None for a pipe."""
    from logos_cli.console import on_terminal

    if not on_terminal() or path in (None, "-") or not os.path.isfile(path or ""):
        return limit
    from logos_cli.rows import read_rows

    try:
        return sum(1 for _ in islice(read_rows(path or "-", None, None), limit))
    except LogosError:
        return limit


def describe(path: str | None, limit: int | None, smiles_column: str | None, id_column: str | None) -> dict[str, Any]:
    """What a resume must find unchanged about the input: a file's content, not where it lies."""
    found: dict[str, Any] = {"limit": limit, "smiles_column": smiles_column, "id_column": id_column}
    if path is None or not os.path.isfile(path):
        return found | {"input": path or "-"}
    with open(path, "rb") as stream:
        return found | {"input_sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def open_output(
    out: Path | None, form: str, valid_only: bool, plan: Plan, engine: Engine, described: dict[str, Any], resume: bool
) -> StandardOutput | FileOutput | None:
    """The place for records; None if `out` is complete."""
    from dataclasses import asdict

    from logos_cli.records import SCHEMA, Formatter
    from logos_cli.run_output import FileOutput, StandardOutput

    formatter = Formatter(form)

    def keep(record: Any) -> bool:
        return bool(record.valid) or not valid_only

    if out is None:
        return StandardOutput(formatter, keep)
    # What changes texts or their number; not --batch and --threads, which change nothing.
    settings = {
        "schema": SCHEMA, "task": plan.task.name, "model": engine.info.model, "scheme": engine.info.scheme,
        "build": engine.info.build, "device": engine.info.device, "kv_type": engine.info.kv_type, "n": plan.samples,
        "top": plan.top, "format": form, "valid_only": valid_only, "one_row_kernels": plan.single,
        **asdict(plan.sampling), **described,
    }  # fmt: skip
    file = FileOutput(out, formatter, keep, whole_rows=plan.top is not None)
    return file if file.open(settings, resume) else None


def run(
    rows: Iterable[Row], plan: Plan, engine: Engine, output: StandardOutput | FileOutput, total: int | None, blank: Blank
) -> None:
    from logos_cli.console import note, progress
    from logos_cli.pipeline import generate_records

    before = output.tally.rows
    started = time.monotonic()
    samples = plan.samples * total if total is not None else None
    with progress(plan.task.name, samples, "answers") as bar:
        bar.advance(output.done.row * plan.samples + output.done.samples)
        for record in generate_records(rows, plan, engine, output.done):
            output.write(record)
            bar.advance(1 if plan.top is None and not record.failed else plan.samples if (record.rank or 1) == 1 else 0)
    output.finish()
    note(summary(output.tally, before, time.monotonic() - started, blank.lines))


def summary(tally: Tally, before: int, seconds: float, blank: int) -> str:
    if tally.rows == 0:
        return "no rows in the input, no records" + (f" ({blank} blank lines)" if blank else "")
    parts = [counted(tally.rows, "row")]
    if before:
        parts[0] += f" ({before:,} of them before the resume)"
    parts.append(f"{counted(tally.answers, 'answer')}, {tally.valid:,} valid")
    if tally.failed:
        parts.append(f"{counted(tally.failed, 'row')} without an answer (see error)")
    if blank:
        parts.append(f"{counted(blank, 'blank line')} skipped")
    done, unit = (tally.rows - before, "rows") if tally.rows > 1 else (tally.answers, "answers")
    speed = done / max(seconds, 0.05)
    parts.append(f"{seconds:.1f} s, {f'{speed:,.0f}' if speed >= 10 else f'{speed:.2g}'} {unit}/s")
    return "; ".join(parts)


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
