"""Which right answer belongs to which row: by what both are about, by their names, or by their order; else refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from logos_cli.benchmarks.metrics.truth_file import Question, TruthFile, TruthLine, sequence_key
from logos_cli.chemistry.smiles import canonical_set, shortened
from logos_cli.errors import InputError
from logos_cli.records.record import Record
from logos_cli.tasks.table import task_of_record


@dataclass(frozen=True)
class RecordedRow:
    """A row as its first record has it, at `line` of its file; `question` is None where nothing can be compared."""

    row: int
    name: str
    line: int
    shown: str
    question: Question | None

    def label(self, source: str) -> str:
        """Names the row for a message."""
        return f"row {self.row + 1} ({self.name}, line {self.line} of {source}: {shortened(self.shown, 40)})"


def recorded_rows(records: Iterable[Record]) -> list[RecordedRow]:
    """Gives the rows of the records of one task, in order."""
    rows: dict[int, RecordedRow] = {}
    for record in records:
        if record.row not in rows:
            task = task_of_record(record.task)
            question = sequence_key(record.question) if task.about_sequence else None
            if task.side:
                question = canonical_set([record.question])
            rows[record.row] = RecordedRow(record.row, record.id, record.line, record.input, question)
    return [rows[row] for row in sorted(rows)]


def rows_apart(records: Sequence[Record], source: str) -> tuple[list[Record], bool]:
    """Gives the records with a row number of its own for each input, and whether rows keep the input's order. Where files of
    several runs were joined, one row number stands for several inputs: rows then go by their names. Raises InputError if
    these do not tell them apart, and for a sample of a row that comes twice."""
    check_samples(records, source)
    first: dict[tuple[str, int], Record] = {}
    joined = None
    for record in records:
        before = first.setdefault((record.task, record.row), record)
        if before.input != record.input:
            joined = before, record
            break
    if joined is None:
        return list(records), True
    named = {(record.task, record.id): (record.row, record.input) for record in records}
    if any(named[record.task, record.id] != (record.row, record.input) for record in records):
        one, other = joined
        raise InputError(
            f"{source}: lines {one.line} and {other.line} are both of row {one.row + 1}, and ask {shortened(one.input, 40)} "
            f"and {shortened(other.input, 40)}: several runs were joined; evaluate each by itself, or give each row a name of "
            "its own"
        )
    places: dict[tuple[str, str], int] = {}
    return [replace(one, row=places.setdefault((one.task, one.id), len(places))) for one in records], False


def check_samples(records: Sequence[Record], source: str) -> None:
    """Raises InputError for two runs over the same rows in one file: their answers would be counted as one run's."""
    first: dict[tuple[str, int, str, str, int], Record] = {}
    for record in records:
        if record.sample is None:
            continue
        before = first.setdefault((record.task, record.row, record.id, record.input, record.sample), record)
        if before is not record:
            raise InputError(
                f"{source}: lines {before.line} and {record.line} are both sample {record.sample} of row {record.row + 1} "
                f"({record.id}): several runs were joined; evaluate each by itself"
            )


def aligned(rows: Sequence[RecordedRow], truth: TruthFile, source: str, ordered: bool = True) -> dict[int, Any]:
    """Finds the right answer by row, those that are left empty left out. `ordered`: rows are numbered as they were in the
    input.

    Raises InputError, with a line of each file, where it is not sure that they belong together.
    """
    pairs = paired(rows, truth, source, ordered)
    return {own.row: line.answer for own, line in pairs if line.answer is not None}


def paired(rows: Sequence[RecordedRow], truth: TruthFile, source: str, ordered: bool) -> list[tuple[RecordedRow, TruthLine]]:
    lines = truth.lines
    pairs = [(own, lines[own.row]) for own in rows if own.row < len(lines)]
    asking = [pair for pair in pairs if pair[0].question]
    if len(pairs) == len(rows) and asking and all(same_question(*pair) for pair in asking):
        return pairs  # whatever stands after them
    if named := by_name(rows, truth, source):
        return named
    check_questions(pairs, truth, source)
    if not ordered:
        raise InputError(
            f"{truth.path}: {source} holds several runs, so its order says nothing; give each right answer the name of its row"
        )
    check_names(pairs, truth, source)
    check_counts(rows, truth, source)
    check_blanks(pairs, truth, source)
    return pairs


def same_question(own: RecordedRow, line: TruthLine) -> bool:
    return own.question is not None and own.question == line.question


def in_common(own: RecordedRow, line: TruthLine) -> bool:
    return bool(set(own.question or ()) & set(line.question or ()))


def by_name(rows: Sequence[RecordedRow], truth: TruthFile, source: str) -> list[tuple[RecordedRow, TruthLine]]:
    """Pairs rows and lines by name, if each side's names are its own and one side has all of the other's; else none."""
    lines = {line.name: line for line in truth.lines if line.name is not None}
    names = {own.name for own in rows}
    if len(lines) < len(truth.lines) or len(names) < len(rows) or not (names <= lines.keys() or lines.keys() <= names):
        return []
    if line_numbers(rows) and names != lines.keys():
        return []  # they are no names
    pairs = [(own, lines[own.name]) for own in rows if own.name in lines]
    # A name is as good as the same question; one side may list a salt or a solvent more.
    check_questions((pair for pair in pairs if not in_common(*pair)), truth, source)
    return pairs


def line_numbers(rows: Sequence[RecordedRow]) -> bool:
    """Whether the rows' names look like what rows without a name get: the numbers of their lines."""
    numbers = [int(own.name) if own.name.isdecimal() else 0 for own in rows]
    gaps = [number - own.row for number, own in zip(numbers, rows, strict=True)]
    return min(gaps) >= 1 and gaps == sorted(gaps) and gaps[-1] <= len(rows) + 10


def check_questions(pairs: Iterable[tuple[RecordedRow, TruthLine]], truth: TruthFile, source: str) -> None:
    for own, line in pairs:
        if own.question and line.question and own.question != line.question:
            raise InputError(
                f"{truth.path}: {line.place} is about {shortened('.'.join(line.question), 40)}, but {own.label(source)} "
                "asks something else; give the right answers of these rows in their order, or the same unique names on both "
                "sides"
            )


def check_names(pairs: Sequence[tuple[RecordedRow, TruthLine]], truth: TruthFile, source: str) -> None:
    """Names that both sides have must not stand elsewhere, and numbers must count alike."""
    if not pairs:
        return
    both = {own.name for own, _ in pairs} & {line.name for _, line in pairs}
    shift = 0
    if line_numbers([own for own, _ in pairs]):
        counts = [int(line.name) if line.name and line.name.isdecimal() else 0 for _, line in pairs]
        if not all(0 < count <= len(pairs) + 10 for count in counts):
            return  # names of another kind, which say nothing of these
        shift = int(pairs[0][0].name) - counts[0]  # a header is a line too
    for own, line in pairs:
        if line.name is None or (int(own.name) - int(line.name) == shift if shift else own.name == line.name):
            continue
        if shift or own.name in both or line.name in both:
            raise InputError(
                f"{truth.path}: {line.place} is named {shortened(line.name, 40)}, but {own.label(source)} is not; give the "
                "right answers of these rows in their order, or the same unique names on both sides"
            )


def check_counts(rows: Sequence[RecordedRow], truth: TruthFile, source: str) -> None:
    last, count = rows[-1], len(truth.lines)
    if count <= last.row:
        raise InputError(
            f"{truth.path}: {count:,} right answers, but the records reach {last.label(source)}; give one a row, an empty one "
            "where none is known, or the same unique names on both sides"
        )
    if count > last.row + 1:
        raise InputError(
            f"{truth.path}: {truth.lines[last.row + 1].place} is one more than the records have rows, whose last is "
            f"{last.label(source)}; give the right answers of these rows alone, whole reactions, or the same unique names on "
            "both sides"
        )


def check_blanks(pairs: Sequence[tuple[RecordedRow, TruthLine]], truth: TruthFile, source: str) -> None:
    """Raises InputError where a blank line may stand for an empty answer or for nothing; that the input had it too shows in
    its line numbers."""
    if not truth.blanks:
        return
    numbers = {int(own.name) - line.line if own.name.isdecimal() else None for own, line in pairs}
    if len(numbers) == 1 and None not in numbers:
        return
    after = next(pair for pair in pairs if pair[1].line > truth.blanks[0])
    raise InputError(
        f"{truth.path}: line {truth.blanks[0]} is blank, so {after[1].place} may not be of {after[0].label(source)}; take "
        "blank lines out, and leave an answer that is not known empty otherwise (>>product), or name the rows on both sides"
    )
