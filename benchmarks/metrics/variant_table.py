"""A table of a protein's variants with a number each: what an assay measured, or what another program says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from logos_cli.chemistry.mutation_names import COLUMNS, MUTATED, parts_of, written
from logos_cli.chemistry.smiles import shortened
from logos_cli.errors import InputError, UsageError
from logos_cli.records.score_record import ScoreRecord
from logos_cli.rows.table_records import table_records
from logos_cli.system.lines import Blank, read_lines

MEASURED, FIT = "DMS_score", "DMS_score_bin"  # ProteinGym's columns
_ABSENT = ("", "na", "n/a", "nan", "none", "null")


def variant_key(name: str) -> str:
    """Gives what is equal for equal variants, however their mutations are joined and in which order."""
    found = written(name)
    return ":".join(sorted(parts_of(found))) if found else name.strip()


@dataclass(frozen=True)
class VariantTable:
    """`names` are those of the columns, `lines` and `cells` [N, columns] of the rows."""

    path: str
    names: tuple[str, ...]
    lines: tuple[int, ...]
    cells: tuple[Sequence[str], ...]

    @classmethod
    def read(cls, path: Path) -> VariantTable:
        """Raises InputError for a file that is no such table, or has a line that cannot be read."""
        lines = ((number, text) for number, text in read_lines(str(path)) if text is None or not text.startswith("#"))
        first = next(((number, text) for number, text in lines if text is None or text.strip()), None)
        if first is None:
            raise InputError(f"{path}: no rows; give a table with a column mutant and one of scores")
        mark = max("\t;,", key=(first[1] or "").count)
        rows = [*table_records(iter([first]), mark, Blank()), *table_records(lines, mark, Blank())]
        names = tuple(name.strip() for name in rows[0][1])
        for number, cells, error in rows[1:]:
            if error or len(cells) != len(names):
                told = error or f"line {number} has {len(cells)} cells, the header {len(names)}"
                raise InputError(f"{path}: {told}; mend or remove the line")
        found = cls(str(path), names, tuple(row[0] for row in rows[1:]), tuple(row[1] for row in rows[1:]))
        if found.place(*COLUMNS, MUTATED) is None:
            raise InputError(f"{path}: no column mutant or {MUTATED}; it has: {found.listed}")
        return found

    @property
    def listed(self) -> str:
        return ", ".join(self.names)[:200]

    @cached_property
    def lowered(self) -> tuple[str, ...]:
        return tuple(name.lower() for name in self.names)

    def place(self, *names: str) -> int | None:
        """Finds the first of `names` among the columns, in any case."""
        return next((self.lowered.index(name.lower()) for name in names if name.lower() in self.lowered), None)

    @cached_property
    def keys(self) -> list[str]:
        """What each row [N] is about, by the variant's name; its sequence where there are no names."""
        at = self.place(*COLUMNS)
        return self.sequences if at is None else [variant_key(cells[at]) for cells in self.cells]

    @cached_property
    def sequences(self) -> list[str]:
        """The whole sequence of each row [N], empty where the table has none."""
        at = self.place(MUTATED)
        return [cells[at].strip().upper() if at is not None else "" for cells in self.cells]

    def numbers(self, column: str) -> list[float]:
        """Reads a column [N]; NaN where a cell is empty. Raises InputError for a cell that is no number."""
        at = self.place(column)
        if at is None:
            raise InputError(f"{self.path}: no column {column!r}; it has: {self.listed}")
        found = []
        for line, cells in zip(self.lines, self.cells, strict=True):
            value = number_of(cells[at])
            if value is None:
                raise InputError(
                    f"{self.path}: line {line}: {column} is {shortened(cells[at])!r}, no number; mend it, or leave it empty"
                )
            found.append(value)
        return found

    def column_of_scores(self, named: str | None) -> str:
        """The column that is `named`, else the only one with numbers besides those of the assay. Raises UsageError where there
        are several, or none."""
        if named is not None:
            return named
        known = {*COLUMNS, MUTATED, MEASURED.lower(), FIT.lower(), "", "sequence", "id", "index", "row", "rank"}
        others = [
            name for at, name in enumerate(self.names)
            if name.lower() not in known and all(number_of(cells[at]) is not None for cells in self.cells)
        ]  # fmt: skip
        if len(others) != 1:
            what = f"{len(others)} columns of numbers" if others else "no column of numbers besides the assay's"
            raise UsageError(f"{self.path}: {what}; name one with --against-column: {', '.join(others or self.names)[:200]}")
        return others[0]


def number_of(cell: str) -> float | None:
    """Reads a cell: NaN for an empty one, None for what is no finite number."""
    if cell.strip().lower() in _ABSENT:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def scores_by_variant(records: Sequence[ScoreRecord], path: str) -> Mapping[str, float]:
    """Gives the score of each variant: a mutant's difference from its wild type, by its name; of records that are no mutants
    the log-probability, by the sequence. Raises InputError for the mutants of several sequences."""
    mutants = [record for record in records if record.mutant is not None]
    if len(rows := {record.row for record in mutants}) > 1:
        raise InputError(f"{path}: mutants of {len(rows)} sequences, and a table is of one; give the scores of one: --limit 1")
    if not mutants:
        return {record.input.upper(): record.logprob for record in records if record.logprob is not None}
    found = {}
    for record in mutants:
        value = record.delta if record.delta is not None else record.logprob
        if value is not None and record.mutant is not None:
            found[variant_key(record.mutant)] = value
    return found


def aligned_scores(scores: Mapping[str, float], table: VariantTable, path: str) -> list[float]:
    """The score of each row [N] of a table, NaN where there is none. Raises InputError if no row has one."""
    found = [scores.get(key, scores.get(sequence, math.nan)) for key, sequence in zip(table.keys, table.sequences, strict=True)]
    if all(map(math.isnan, found)):
        there = next(iter(scores), "none with a score")
        ours = next((key for key in table.keys if key), "none")
        raise InputError(
            f"{path} and {table.path} have no variant in common: {shortened(there, 30)} in the first, {shortened(ours, 30)} "
            "in the second; score the variants of this table: logos score TARGET --mutants TABLE"
        )
    return found
