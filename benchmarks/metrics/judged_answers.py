"""The records of one task with what they are judged by: what every figure is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from logos_cli.benchmarks.metrics.molecules import properties
from logos_cli.benchmarks.metrics.row_answers import RowAnswers, answer_key, matches
from logos_cli.records.record import Record
from logos_cli.tasks.task import Task


@dataclass(frozen=True)
class JudgedAnswers:
    """`truths` are right answers by row, as `Task.truth` gives them; `known` what is not novel; `reference` property values of
    molecules to measure the distance from."""

    task: Task
    rows: Mapping[int, RowAnswers]
    truths: Mapping[int, Any] = field(default_factory=dict)
    known: frozenset[str] | None = None
    reference: Mapping[str, Sequence[float]] | None = None

    @cached_property
    def written(self) -> list[Record]:
        """All answers, valid or not."""
        return [record for row in self.rows.values() for record in row.written]

    @cached_property
    def valid_by_row(self) -> list[list[str]]:
        """The valid answers of each row, in a form that is equal for equal ones."""
        return [[answer_key(record) for record in row.written if record.valid] for row in self.rows.values()]

    @cached_property
    def valid(self) -> list[str]:
        """The valid answers of all rows."""
        return [answer for row in self.valid_by_row for answer in row]

    @cached_property
    def ranked(self) -> bool:
        """Whether only the best answers of each row are here: rates over samples then mean nothing."""
        return any(record.rank is not None for record in self.written)

    @cached_property
    def ranks(self) -> dict[int, int | None]:
        """The rank of the right answer by row."""
        return matches(self.rows, self.truths)

    @cached_property
    def properties(self) -> dict[str, list[float]]:
        """Properties of the valid answers, which are molecules."""
        return properties(self.valid)

    def all_of(self, row: int) -> Sequence[Record]:
        """Gives all records of a row, the one that stands for no answer too."""
        return self.rows[row].records if row in self.rows else ()

    def answers_of(self, row: int) -> Sequence[Record]:
        """Gives the answers of a row."""
        return self.rows[row].written if row in self.rows else ()

    def input_length(self, row: int) -> int:
        """Gives the length of a row's input."""
        return max((len(record.input) for record in self.all_of(row)), default=0)
