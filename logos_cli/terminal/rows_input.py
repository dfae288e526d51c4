"""The rows a command works on: where they come from, how many there are, what a resume must find unchanged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.errors import LogosError
from logos_cli.system.files import sha256

if TYPE_CHECKING:
    from logos_cli.records.shard import Shard
    from logos_cli.rows.row import Reading, Row
    from logos_cli.system.lines import Blank
    from logos_cli.tasks.task import Task

TOLD = 3  # structures whose chain and pocket are told on stderr; what was done to read one is told of every one


def input_rows(
    task: Task, path: str | None, reading: Reading, limit: int | None, blank: Blank, shard: Shard | None = None
) -> Iterator[Row]:
    from logos_cli.rows.row import Row

    if path is None and not task.needs_input:
        return iter([Row(0, "1", value="")])
    return read_limited(path, reading, limit, blank, shard)


def read_limited(
    path: str | None, reading: Reading, limit: int | None, blank: Blank, shard: Shard | None = None
) -> Iterator[Row]:
    """The first `limit` rows; what was done to read a structure is told, if it is of `shard`."""
    from logos_cli.rows.read_rows import read_rows
    from logos_cli.terminal.console import note

    told = 0
    if path is not None and os.path.isdir(path):
        from logos_cli.rows.structure_folder import StructureFolder

        if names := StructureFolder(Path(path)).not_read:
            shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
            note(f"{path}: {len(names)} of its entries not read, not named as structures: {shown}")
    for row in islice(read_rows(path or "-", reading, blank), limit):
        mine = shard is None or shard.has(row.ordinal)
        if row.site and mine and (told < TOLD or row.site.notes):
            told += 1
            parts = [f"chain {row.site.chain}, {len(row.value or ())} residues", *row.site.notes]
            if row.pocket:
                parts.append(f"pocket of {len(row.pocket)}: {' '.join(str(one) for one in row.site.own(row.pocket))}")
            note(f"{row.id}: {'; '.join(parts)}")
        yield row


def skipped(blank: Blank) -> list[str]:
    """What was left out of the input, for the summary."""
    from logos_cli.system.quantities import counted

    found = [f"{counted(blank.lines, 'blank line')} skipped"] if blank.lines else []
    found += [f"{counted(blank.comments, 'comment line')} skipped"] if blank.comments else []
    if blank.left_out:
        parts = ", ".join(f"{name} ({times:,})" for name, times in blank.left_out.items())
        found.append(f"left out of CXSMILES, as a SMILES cannot say it: {parts}")
    return found


def none_answered(rows: int, path: str | None, wanted: str = "answer") -> str:
    """What is asked after a run in which no row gave what was `wanted`."""
    article = "an" if wanted == "answer" else "a"
    what = f"the row gave no {wanted}" if rows == 1 else f"none of the {rows:,} rows gave {article} {wanted}"
    return f"{what} (see error); is {'stdin' if path in (None, '-') else path} the file that was meant?"


def look_ahead(rows: Iterator[Row]) -> tuple[Iterable[Row], bool]:
    """The same rows, and whether there is only one: that must not depend on how far a run got before."""
    first = list(islice(rows, 2))
    return chain(first, rows), len(first) < 2


def total_rows(path: str | None, reading: Reading, limit: int | None) -> int | None:
    """How many rows to expect, for the progress bar of a terminal; None for a pipe."""
    from logos_cli.rows.read_rows import read_rows
    from logos_cli.rows.structure_folder import StructureFolder
    from logos_cli.terminal.console import on_terminal

    if not on_terminal() or path in (None, "-") or not os.path.exists(path or ""):
        return limit
    if os.path.isdir(path or ""):
        return len(StructureFolder(Path(path or "")).files[:limit])
    try:
        return sum(1 for _ in islice(read_rows(path or "-", reading), limit))
    except LogosError:
        return limit


def describe(path: str | None, limit: int | None, reading: Reading) -> dict[str, Any]:
    """What a resume must find unchanged about the input: a file's content, not where it lies."""
    of_task = ("wants", "side", "antibodies")
    options = {name: value for name, value in asdict(reading).items() if name not in of_task}
    found: dict[str, Any] = {"limit": limit, **options}
    if path is not None and os.path.isfile(path):
        return found | {"input_sha256": sha256(path)}
    if path is not None and os.path.isdir(path):
        from logos_cli.rows.structure_folder import StructureFolder

        folder = StructureFolder(Path(path))
        beside = [one for one in map(folder.ligand_beside, folder.files) if one] if reading.pocket_from is None else []
        read = [*folder.files, *beside]
        return found | {"input_sha256": {str(one.relative_to(folder.path)): sha256(one) for one in read}}
    return found | {"input": path or "-"}
