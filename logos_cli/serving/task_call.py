"""A request to a task: rows and options in, the records of `logos generate` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from logos_cli.engines.engine import Engine, EngineInfo
from logos_cli.engines.sampling import Sampling, resolve
from logos_cli.pipeline.annotation import Annotation
from logos_cli.pipeline.generate_records import GenerationPlan, generate_records
from logos_cli.pipeline.pocket_vote import CONSENSUS
from logos_cli.pipeline.run_options import (
    annotation_for,
    beam_of,
    check_identity,
    check_merging,
    check_spelling,
    check_structure_options,
)
from logos_cli.rows.from_python import rows_of
from logos_cli.rows.read_rows import rows_in
from logos_cli.rows.row import CUTOFF, Reading, Row
from logos_cli.serving.api_error import ApiError
from logos_cli.serving.limits import CHARACTERS, SAMPLES, Limits
from logos_cli.serving.request_body import checked, json_object
from logos_cli.serving.task_options import TaskOptions
from logos_cli.structures.ligand_file import is_ligand_file
from logos_cli.tasks.table import TASKS, spelled, task_named
from logos_cli.tasks.task import Task

if TYPE_CHECKING:
    from logos_cli.records.record import Record
    from logos_cli.serving.shared_engine import SharedEngine

BODY = "the body"  # where a path would stand in a message


@dataclass(frozen=True)
class TaskCall:
    """Rows, and what to do with each of them."""

    rows: list[Row]
    plan: GenerationPlan
    annotation: Annotation
    options: TaskOptions

    def records(self, engine: Engine) -> Iterator[Record]:
        """As `logos generate` writes them, for the same rows, settings and seed."""
        for record in generate_records(self.rows, self.plan, engine):
            if record.valid or not self.options.valid_only:
                yield self.annotation.of(record)


def task_called(name: str) -> Task:
    """Raises ApiError for none."""
    if name not in TASKS:
        raise ApiError(404, f"no task {name[:80]!r}; one of: {', '.join(TASKS)}")
    return TASKS[name]


def call_of_json(name: str, body: bytes, shared: SharedEngine, limits: Limits) -> TaskCall:
    """A call whose body is an object with `rows` and options. Raises ApiError, UsageError and InputError for what is wrong."""
    given = json_object(body)
    rows = checked(given, "rows", "a list")
    options = TaskOptions.of({key: value for key, value in given.items() if key != "rows"})
    return call_of_rows(task_called(name), rows, options, shared, limits)


def call_of_rows(task: Task, rows: list[Any] | None, options: TaskOptions, shared: SharedEngine, limits: Limits) -> TaskCall:
    """A call whose rows are values of JSON; None for a task that needs none."""
    task, reading = asked_task(task, options, rows is not None)
    if rows is None:
        if task.needs_input:
            raise ApiError(400, f"{task.name} needs rows: a list of texts, of lists of SMILES, or of objects", "rows")
        found = iter([Row(0, "1", value="")])
    else:
        found = rows_of(rows, reading)
    return call(task, found, options, shared, limits)


def call_of_file(name: str, body: bytes, options: TaskOptions, shared: SharedEngine, limits: Limits) -> TaskCall:
    """A call whose body is a file as `logos generate` reads it."""
    task, reading = asked_task(task_called(name), options, True)
    return call(task, rows_in(body, BODY, reading), options, shared, limits)


def asked_task(task: Task, options: TaskOptions, rows: bool) -> tuple[Task, Reading]:
    """The task as it is asked for, and how its rows are to be read. Raises ApiError and UsageError."""
    if options.pocket_from is not None and is_ligand_file(options.pocket_from):
        raise ApiError(400, "pocket_from names a file, and this server reads none; name a ligand or residues", "pocket_from")
    task = task_named(task.name, options.form)
    reads = rows or task.needs_input
    check_structure_options(task, options.chain, options.pocket_from, options.cutoff, reads, options.each_copy)
    check_merging(task, options.top, None, options.consensus)
    check_spelling(task, options.as_written, "question")
    check_identity(task, options.keep_identity)
    reading = Reading(
        task.wants, options.smiles_column, options.sequence_column, options.id_column, options.chain, options.pocket_from,
        options.cutoff or CUTOFF, side=task.side, header=not options.no_header, each_copy=options.each_copy,
    )  # fmt: skip
    return spelled(task, options.as_written), reading


def call(task: Task, rows: Iterable[Row], options: TaskOptions, shared: SharedEngine, limits: Limits) -> TaskCall:
    """Raises ApiError for what is over a limit."""
    widest = shared.widest
    drawn = {
        "-n": options.n, "--temperature": options.temperature, "--top-k": options.top_k, "--top-p": options.top_p,
        "--seed": options.seed, "--repetition-penalty": options.repetition_penalty,
    }  # fmt: skip
    in_range("n", options.n, SAMPLES)
    in_range("top", options.top, SAMPLES)
    if options.decode not in (None, "sample", "beam"):
        raise ApiError(400, f"decode is {options.decode[:40]!r}; it takes sample or beam", "decode")
    width = options.beam_width
    if options.decode == "beam":
        in_range("top", options.top, widest, "answers of a beam, which is as wide as the server's --batch")
        in_range("beam_width", width, widest, "answers of a beam, which is as wide as the server's --batch")
        width = width or min(max(2 * (options.top or 1), 16), widest)
    beam = beam_of(task, options.decode or "sample", options.top, width, [key for key, one in drawn.items() if one is not None])
    settings = settings_of(task, options, shared.info, limits)
    samples = beam or options.n or (32 if options.top else 1)
    taken = list(islice(rows, min(options.limit or limits.rows + 1, limits.rows + 1)))
    if len(taken) > limits.rows:
        raise ApiError(400, f"more than {limits.rows:,} rows; send several requests", "rows")
    if len(taken) * samples > limits.answers:
        raise ApiError(400, f"{len(taken):,} rows of {samples} answers; at most {limits.answers:,} answers are given", "n")
    for row in taken:
        if characters(row) > CHARACTERS * shared.info.context:
            raise ApiError(400, f"row {row.ordinal + 1} is too long for the model's {shared.info.context:,} tokens", "rows")
    share = CONSENSUS if options.consensus is None else options.consensus
    if not 0 <= share <= 1:
        raise ApiError(400, f"consensus is {share}; it is a part, from 0 to 1", "consensus")
    plan = GenerationPlan(task, settings, samples, options.top, False, share, options.keep_identity, beam=beam)
    return TaskCall(taken, plan, annotation_for(task, options.props, None, None), options)


def settings_of(task: Task, options: TaskOptions, info: EngineInfo, limits: Limits) -> Sampling:
    """The settings of `logos generate`, but that answers are no longer than the server's where nothing is said of it."""
    flags: dict[str, Any] = {
        "temperature": options.temperature, "top_k": options.top_k, "top_p": options.top_p,
        "repetition_penalty": options.repetition_penalty, "max_tokens": options.max_tokens, "seed": options.seed,
    }  # fmt: skip
    in_range("max_tokens", options.max_tokens, limits.tokens)
    found = resolve(task.name, task.sampling, task.source, info.sampling, flags).settings
    if options.max_tokens is None and found.max_tokens > limits.tokens:
        found = resolve(task.name, task.sampling, task.source, info.sampling, flags | {"max_tokens": limits.tokens}).settings
    return found


def in_range(name: str, value: int | None, most: int, of: str = "") -> None:
    """Raises ApiError for a count that is none, or over what is given."""
    if value is not None and not 1 <= value <= most:
        raise ApiError(400, f"{name} is {value}; it takes 1 to {most:,}{' ' if of else ''}{of}", name)


def characters(row: Row) -> int:
    parts = row.value if isinstance(row.value, tuple) else (row.value or "",)
    materials = (row.material[0], *row.material[1]) if row.material else ()
    return sum(map(len, (*parts, *row.reactants, *materials, row.text or "", row.ligand or "")))
