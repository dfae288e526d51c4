"""The verb `score`, for Python programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from logos_cli.api.generate import given_rows, reading_of
from logos_cli.api.model import Model, opened
from logos_cli.chemistry.mutants import Mutations
from logos_cli.pipeline.score_records import ScorePlan, score_records
from logos_cli.records.score_record import ScoreRecord
from logos_cli.rows.from_python import Item
from logos_cli.rows.row import Reading
from logos_cli.tasks.defaults import ANY
from logos_cli.tasks.table import TASKS, task_named


def score(
    rows: str | Path | Iterable[Item],
    *,
    model: Model | str | Path = "nano",
    task: str | None = None,
    mutants: str | None = None,
    numbered_from: int | None = None,
    each_token: bool = False,
    each_residue: bool = False,
    as_written: bool = False,
    scheme: str | None = None,
    reading: Reading | None = None,
) -> Iterator[ScoreRecord]:
    """Give the log-likelihood (natural logarithm) of every row, in the order of the rows, as `logos score` does.

    `rows` are as for `generate`; `task` says what they are, by default each row's content does. `mutants` names point
    mutations of proteins (`A23V,95-102`, or a file of them), which follow their wild type; `numbered_from` is the number that
    they give the first residue, by default 1. `each_token` and `each_residue` add the log-probability of every token, and of
    every residue of a protein or an antibody; `scheme` numbers antibodies (imgt, kabat, chothia). Raises UsageError; while
    iterating InputError and EngineError.
    """
    chosen = task_named(task) if task else None
    read = reading or (reading_of(chosen) if chosen else Reading("any"))
    given = given_rows(chosen or TASKS[ANY], rows, read)
    asked = Mutations.parse(mutants, scheme or "imgt") if mutants else None
    plan = ScorePlan(chosen, asked, each_token, as_written, scheme, numbered_from, each_residue)

    def records() -> Iterator[ScoreRecord]:
        with opened(model) as engine:
            yield from score_records(given, plan, engine)

    return records()
