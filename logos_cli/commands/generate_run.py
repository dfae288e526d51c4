"""A run of `logos generate`: what fits together, where records go, what the last line says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.errors import UsageError

if TYPE_CHECKING:
    from logos_cli.commands.answering import Answering
    from logos_cli.engines.engine import EngineInfo
    from logos_cli.pipeline.generate_records import GenerationPlan
    from logos_cli.pipeline.output import FileOutput, StandardOutput
    from logos_cli.records.record import Record, Tally
    from logos_cli.records.shard import Shard
    from logos_cli.rows.row import Row
    from logos_cli.system.lines import Blank
    from logos_cli.tasks.task import Task


def check_format(task: Task, form: str) -> None:
    if form == "smi" and task.answers.writes != "smiles":
        raise UsageError(f"--format smi holds molecules, which {task.name} does not answer with; use jsonl or csv")
    if form == "fasta" and task.answers.writes != "sequence":
        raise UsageError(f"--format fasta holds sequences, which {task.name} does not answer with; use jsonl or csv")


def open_output(
    out: Path | None,
    form: str,
    valid_only: bool,
    plan: GenerationPlan,
    info: EngineInfo,
    described: dict[str, Any],
    wanted: tuple[str, ...],
    resume: bool,
    rows: Iterable[Row],
    shard: Shard | None,
    blank: Blank,
) -> StandardOutput | FileOutput | None:
    """The place for records; None if `out` is complete. `wanted`: what each record has besides. `rows` are read only to
    compare them with those of a complete `out`."""
    from dataclasses import asdict

    from logos_cli.pipeline.output import FileOutput, StandardOutput
    from logos_cli.records.record import CSV_COLUMNS, POCKET_COLUMNS, SCHEMA, SITE_COLUMNS, Formatter
    from logos_cli.records.shard import SHARD

    columns = POCKET_COLUMNS if plan.task.merges else SITE_COLUMNS if plan.task.wants == "sequence" else CSV_COLUMNS
    numbered = ("numbering",) if described.get("numbering_scheme") else ()
    formatter = Formatter(form, (*columns, *numbered), wanted)

    def keep(record: Any) -> bool:
        return bool(record.valid) or not valid_only

    if out is None:
        return StandardOutput(formatter, keep)
    # What changes texts or their number; not --threads, and --batch only where it changes the rows of a step.
    settings = {
        "schema": SCHEMA, "task": plan.task.name, "model": info.model, "scheme": info.scheme, "build": info.build,
        "device": info.device, "kv_type": info.kv_type, "n": plan.samples,
        "top": plan.top, "beam_width": plan.beam, "format": form, "valid_only": valid_only, "one_row_kernels": plan.single,
        **({"rows": info.rows} if info.rows else {}), **asdict(plan.sampling), **described,
        **({SHARD: str(shard)} if shard else {}),
    }  # fmt: skip
    file = FileOutput(out, formatter, keep, plan.top is not None, plan.warn, shard, blank)
    return file if file.open(settings, resume, rows) else None


def run(
    rows: Iterable[Row],
    plan: GenerationPlan,
    answering: Answering,
    output: StandardOutput | FileOutput,
    total: int | None,
    complete: Callable[[Record], Record],
    shard: Shard | None,
) -> float:
    """Write every record, each made complete just before; the seconds it took. `total`: how many rows the input has."""
    from logos_cli.records.shard import WHOLE
    from logos_cli.terminal.console import progress

    started = time.monotonic()
    before = (shard or WHOLE).before
    samples = plan.samples * before(total) if total is not None else None
    with progress(plan.task.name, samples, "answers") as bar:
        bar.advance(before(output.done.row) * plan.samples + output.done.samples)
        for record in answering.records(output.watched(rows), plan, output.done, output.samples):
            output.write(complete(record))
            bar.advance(1 if plan.top is None and not record.failed else plan.samples if (record.rank or 1) == 1 else 0)
    output.finish()
    return time.monotonic() - started


def summary(tally: Tally, before: int, seconds: float, blank: Blank, shard: Shard | None = None) -> str:
    """The last line of a run: what it wrote, and how fast."""
    if tally.rows == 0 and shard:
        return f"no row of the input is in shard {shard}, no records"
    parts = [*counts_told(tally, blank, before)]
    if tally.rows:
        done, unit = (tally.rows - before, "rows") if tally.rows > 1 else (tally.answers, "answers")
        speed = done / max(seconds, 0.05)
        parts.append(f"{seconds:.1f} s, {f'{speed:,.0f}' if speed >= 10 else f'{speed:.2g}'} {unit}/s")
    return "; ".join(parts)


def counts_told(tally: Tally, blank: Blank, before: int = 0) -> Iterator[str]:
    """What a run, or all its shards together, wrote and skipped."""
    from logos_cli.system.quantities import counted
    from logos_cli.terminal.rows_input import skipped

    if tally.rows == 0:
        yield "no rows in the input, no records" + (f" ({blank.lines} blank lines)" if blank.lines else "")
        return
    yield counted(tally.rows, "row") + (f" ({before:,} of them before the resume)" if before else "")
    yield f"{counted(tally.answers, 'answer')}, {tally.valid:,} valid"
    if tally.failed:
        yield f"{counted(tally.failed, 'row')} without an answer (see error)"
    yield from skipped(blank)
