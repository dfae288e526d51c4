"""The verb `generate`, for Python programs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from logos_cli.api.model import Model, opened
from logos_cli.engines.sampling import BEAM_MOST, resolve
from logos_cli.errors import UsageError
from logos_cli.pipeline.generate_records import GenerationPlan, generate_records
from logos_cli.pipeline.pocket_vote import CONSENSUS
from logos_cli.records.record import Record
from logos_cli.rows.from_python import Item, rows_of
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.tasks.profile import profile_named
from logos_cli.tasks.table import spelled, task_named
from logos_cli.tasks.task import Task

SAMPLES_OF_TOP = 32  # drawn for each row where `top` of them are asked for


def generate(
    task: str,
    rows: str | Path | Iterable[Item] | None = None,
    *,
    model: Model | str | Path = "nano",
    n: int | None = None,
    top: int | None = None,
    beam: int | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float | None = None,
    max_tokens: int | None = None,
    seed: int | None = None,
    profile: str = "logos",
    form: str | None = None,
    as_written: bool = False,
    keep_identity: bool = False,
    consensus: float = CONSENSUS,
    reading: Reading | None = None,
) -> Iterator[Record]:
    """Answer every row, in the order of the rows, as `logos generate` does: the same records for the same settings.

    `task` is a key of `TASKS`. `rows` is the path of a file, or an iterable of texts, lists of SMILES, mappings with the keys
    of a JSON line, or `Row`s, which is read as answers are taken; None for tasks that need no input. Each row gives `n`
    records (1 by default); with `top` at most that many distinct valid answers of `n` (32) samples, the most frequent first;
    with `beam` and `top` the likeliest answers of a beam search of that width. A row that cannot be used gives one record
    with `error`. Settings left out are those that the model file names, else the published ones. `profile` is how the model
    is asked: `logos`, `naturelm`, or the path of a TOML file. `reading` says how a file is read (columns, chain, pocket) where
    its content does not.

    Raises UsageError for options that do not fit together before anything is read; while iterating InputError and EngineError.
    """
    named, asked_as = task_named(task, form), profile_named(profile)
    chosen = spelled(asked_as.of(named) if asked_as else named, as_written)
    flags = {
        "temperature": temperature, "top_k": top_k, "top_p": top_p, "repetition_penalty": repetition_penalty,
        "max_tokens": max_tokens, "seed": seed,
    }  # fmt: skip
    resolve(chosen.name, chosen.sampling, chosen.source, {}, flags)
    samples = checked_samples(chosen, n, top, beam)
    given = given_rows(chosen, rows, reading or reading_of(chosen))

    def answers() -> Iterator[Record]:
        with opened(model) as engine:
            own = {} if asked_as else engine.info.sampling
            settings = resolve(chosen.name, chosen.sampling, chosen.source, own, flags).settings
            plan = GenerationPlan(chosen, settings, samples, top, False, consensus, keep_identity, beam=beam or 0)
            yield from generate_records(given, plan, engine)

    return answers()


def checked_samples(task: Task, n: int | None, top: int | None, beam: int | None) -> int:
    """How many answers a row gives before they are ranked. Raises UsageError for counts that do not fit together."""
    for name, value in (("n", n), ("top", top), ("beam", beam)):
        if value is not None and value < 1:
            raise UsageError(f"{name}={value}; it counts from 1")
    if beam is None:
        return n or (SAMPLES_OF_TOP if top else 1)
    if top is None or n is not None:
        raise UsageError("beam finds the likeliest answers: say how many with top, and leave out n")
    if task.merges:
        raise UsageError(f"{task.name} merges samples, which a beam search does not draw; leave out beam")
    if not top <= beam <= BEAM_MOST:
        raise UsageError(f"a beam of {beam} answers for top={top}; it takes at least top and at most {BEAM_MOST}")
    return beam


def reading_of(task: Task) -> Reading:
    """How rows are read for a task where the user does not say."""
    return Reading(task.wants, side=task.side, antibodies=task.numbered)


def given_rows(task: Task, rows: str | Path | Iterable[Item] | None, reading: Reading) -> Iterator[Row]:
    """The rows of a file or of Python values. Raises UsageError for none where the task needs them, and for a text that is no
    path."""
    if rows is None:
        if task.needs_input:
            raise UsageError(f"{task.name} needs rows: a file's path, or a list")
        return iter([Row(0, "1", value="")])
    if isinstance(rows, str | Path):
        if isinstance(rows, str) and not os.path.exists(rows):
            raise UsageError(f"{rows[:80]!r} is no file; for a single row give a list: [{rows[:40]!r}]")
        return read_rows(str(rows), reading)
    return rows_of(rows, reading)
