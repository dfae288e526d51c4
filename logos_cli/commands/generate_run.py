"""A run of `logos generate`: what fits together, where records go, whether it answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.errors import LogosError, UsageError

if TYPE_CHECKING:
    from logos_cli.commands.answering import Answering
    from logos_cli.engines.engine import EngineInfo
    from logos_cli.pipeline.annotation import Annotation
    from logos_cli.pipeline.generate_records import GenerationPlan
    from logos_cli.pipeline.output import FileOutput, StandardOutput
    from logos_cli.records.record import Record, Tally
    from logos_cli.records.shard import Shard
    from logos_cli.rows.row import Row
    from logos_cli.system.lines import Blank
    from logos_cli.tasks.task import Task


class RowsFailed(LogosError):
    """No row has an answer, or --strict and one has none."""


def check_format(task: Task, form: str) -> None:
    if form == "smi" and task.answers.writes != "smiles":
        raise UsageError(f"--format smi holds molecules, which {task.name} does not answer with; use jsonl or csv")
    if form == "fasta" and task.answers.writes != "sequence":
        raise UsageError(f"--format fasta holds sequences, which {task.name} does not answer with; use jsonl or csv")


def added(annotation: Annotation, similar_to: str | None) -> dict[str, Any]:
    """What records get besides their answers, as a resume must find it."""
    from logos_cli.system.files import sha256

    known = sha256(Path(similar_to)) if annotation.references and similar_to else similar_to
    found: dict[str, Any] = {"props": list(annotation.props), "similar_to_sha256": known}
    found |= {"numbering_scheme": annotation.scheme} if annotation.scheme else {}
    return found | ({"stock_sha256": annotation.stock.sha256} if annotation.stock else {})


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
        "keep_identity": plan.keep_identity, "consensus": plan.consensus,
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


def check_answered(tally: Tally, path: str | None, asked: bool, strict: bool) -> None:
    """Raises RowsFailed where rows were `asked` and none has an answer, or `strict` and one has none."""
    from logos_cli.terminal.rows_input import none_answered

    if asked and tally.rows and not tally.answers:
        raise RowsFailed(none_answered(tally.rows, path))
    if strict and tally.failed:
        raise RowsFailed(f"{tally.failed} of {tally.rows} rows gave no answer (--strict)")
