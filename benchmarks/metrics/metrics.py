"""The table of figures, a row each: what `logos evaluate` tells of stored records, and the task half of `logos bench
accuracy`. No model, no I/O.

Invalid answers and rows without an answer count as wrong. Answers of one row are not independent of each other, so
intervals over several rows are drawn over rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from logos_cli.benchmarks.metrics import molecule_metrics, residue_metrics, sample_rates
from logos_cli.benchmarks.metrics.judged_answers import JudgedAnswers
from logos_cli.benchmarks.metrics.molecules import PROPERTIES
from logos_cli.benchmarks.metrics.row_answers import by_row, judged
from logos_cli.benchmarks.metrics.task_figures import TaskFigures, Value
from logos_cli.records.record import Record
from logos_cli.tasks import answer_kinds
from logos_cli.tasks.table import task_of_record


@dataclass(frozen=True)
class ReportLine:
    """A line of its own in a report: its place among the others, what it is called, and which part of the figure it shows."""

    place: int
    label: str
    part: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One row of the table. `measure` gives None where there is no such figure; `percent`: it is shown so."""

    name: str
    measure: Callable[[JudgedAnswers], Value | None]
    percent: bool = True
    report: tuple[ReportLine, ...] = ()


def each_property(first: int, label: str) -> tuple[ReportLine, ...]:
    """Makes a line of a report for each property of molecules."""
    return tuple(ReportLine(place, label.format(name), (name,)) for place, name in enumerate(PROPERTIES, first))


ALWAYS = (
    Figure("rows", lambda answers: len(answers.rows)),
    Figure("answers", lambda answers: len(answers.written)),
    Figure("rows_without_answer", lambda answers: sum(not row.written for row in answers.rows.values())),
    Figure("validity", sample_rates.validity),
    Figure("cut_at_limit", sample_rates.cut_at_limit, report=(ReportLine(70, "cut at the limit"),)),
    Figure("repeats_question", sample_rates.question_repeated),
)
WITH_TRUTH = Figure("rows_with_truth", lambda answers: len(answers.truths) or None)
UNIQUE = Figure("uniqueness", molecule_metrics.unique, report=(ReportLine(40, "unique"),))
NOVEL = Figure("novelty", molecule_metrics.novelty, report=(ReportLine(50, "novel"),))
AGAINST_TRUTH = (
    WITH_TRUTH,
    Figure("top", molecule_metrics.top, report=(ReportLine(10, "top-3", ("3",)), ReportLine(20, "top-5", ("5",)))),
    Figure("mrr", molecule_metrics.mrr, percent=False, report=(ReportLine(30, "MRR"),)),
)
OF_MOLECULES = (
    *AGAINST_TRUTH,
    Figure("similarity_mean", molecule_metrics.similarity_mean, percent=False),
    Figure("similarity_best", molecule_metrics.similarity_best, percent=False),
    UNIQUE,
    Figure("internal_diversity", molecule_metrics.diversity, percent=False, report=(ReportLine(60, "internal diversity"),)),
    Figure("median", molecule_metrics.medians),
    Figure(
        "wasserstein_halves", molecule_metrics.distance_of_halves, report=each_property(100, "Wasserstein {} between halves")
    ),
    NOVEL,
    Figure("wasserstein", molecule_metrics.distance, report=each_property(90, "Wasserstein {} to the baseline")),
)
OF_SEQUENCES = (
    UNIQUE,
    Figure("median", residue_metrics.median_length),
    NOVEL,
    WITH_TRUTH,
    Figure("recovery", residue_metrics.recovery),
)
OF_RESIDUES = (
    Figure("faithful", residue_metrics.faithful),
    Figure("proteins_never_repeated", residue_metrics.proteins_never_repeated),
    WITH_TRUTH,
    *(
        Figure(f"residue_{name}", partial(residue_metrics.residue_score, name=name), percent=name != "mcc")
        for name in residue_metrics.SCORES
    ),
    Figure("chance_precision", residue_metrics.chance_precision),
)
OF_MATERIALS = (
    Figure("text_valid_unique", residue_metrics.text_valid_unique),
    NOVEL,
    Figure("text_vnu", residue_metrics.text_vnu),
)
# Kind of answer -> its figures besides those of all; a kind that is not here is compared with right answers alone.
FIGURES: Mapping[str, tuple[Figure, ...]] = {
    answer_kinds.REACTANTS.name: OF_MOLECULES,
    answer_kinds.MOLECULE.name: OF_MOLECULES,
    answer_kinds.SEQUENCE.name: OF_SEQUENCES,
    answer_kinds.RESIDUES.name: OF_RESIDUES,
    answer_kinds.MATERIAL.name: OF_MATERIALS,
}
EVERY = dict.fromkeys((*ALWAYS, *AGAINST_TRUTH, *(figure for figures in FIGURES.values() for figure in figures)))
NUMBERS = frozenset(figure.name for figure in EVERY if not figure.percent)  # all others are shown in percent


def figures_of(kind: answer_kinds.AnswerKind) -> tuple[Figure, ...]:
    """Finds the figures of a kind of answers, in the order of a document."""
    return (*ALWAYS, *FIGURES.get(kind.name, AGAINST_TRUTH))


def finds_rank(kind: answer_kinds.AnswerKind) -> bool:
    """Whether an answer of this kind is the right one or not, so that the right one has a rank."""
    return any(figure in AGAINST_TRUTH[1:] for figure in figures_of(kind))


def judge(
    records: Sequence[Record],
    truths: Mapping[int, Any] | None = None,
    known: frozenset[str] | None = None,
    reference: Mapping[str, Sequence[float]] | None = None,
    keep_identity: bool = False,
) -> JudgedAnswers:
    """Puts the records of one task beside what they are judged by. `truths` are as `Task.truth` gives them, `known` answers
    are not novel; `reference`: property values of molecules to measure the distance from; `keep_identity`: an answer that is
    the question is as valid as others."""
    task = task_of_record(records[0].task if records else "")
    rows = by_row(judged(record, keep_identity) for record in records)
    return JudgedAnswers(task, rows, truths or {}, known, reference)


def figures_for(answers: JudgedAnswers) -> TaskFigures:
    """Measures judged answers."""
    task = answers.task
    measured = ((figure.name, figure.measure(answers)) for figure in figures_of(task.answers))
    return TaskFigures({name: value for name, value in measured if value is not None})
