"""Figures of a file of records, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from logos_cli.benchmarks.metrics import task_metrics
from logos_cli.benchmarks.truths import placed, read_known, read_truths, truths_of
from logos_cli.errors import InputError, UsageError
from logos_cli.records import Record

# Tasks whose answers are made up, so that new and known can be told apart.
NOVEL = ("molecule", "ligand", "material", "protein", "antibody")


def evaluate_records(
    records: Sequence[Record], truth: Path | None, novel_against: Path | None, own_numbers: bool = False
) -> dict[str, dict[str, Any]]:
    """Task -> figures. `truth` names a file of right answers, else the records' own are taken; `novel_against` one of known
    molecules, materials or sequences. `own_numbers`: bare numbers in the right answers are the structures' own, not places.

    Raises InputError for a truth file that does not fit the records.
    """
    if novel_against and not any(record.task in NOVEL for record in records):
        given = ", ".join(dict.fromkeys(record.task for record in records)) or "none"
        raise UsageError(f"--novel-against is for {', '.join(NOVEL)}; these records are of {given}")
    found = {}
    for task in dict.fromkeys(record.task for record in records):
        own = [record for record in records if record.task == task]
        truths = read_truths(truth, task) if truth else truths_of(own)
        last = max(record.row for record in own)
        if truth and last >= len(truths):
            raise InputError(
                f"{truth}: {len(truths):,} right answers, but the records reach row {last + 1:,}; give the file of these rows"
            )
        # Rows that were never asked (--limit) are not wrong.
        asked = {row: one for row, one in truths.items() if row <= last}
        if task == "pocket":
            asked = placed(asked, own, own_numbers, str(truth or "records"))
        known = read_known(novel_against, task) if novel_against and task in NOVEL else None
        found[task] = task_metrics(own, asked, known)
    return found
