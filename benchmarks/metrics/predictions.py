"""Judged answers as the predictions.jsonl of syntheseus' evaluation, whose top-k is then the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from logos_cli.benchmarks.metrics.judged_answers import JudgedAnswers
from logos_cli.benchmarks.metrics.row_answers import answer_key
from logos_cli.chemistry.smiles import canonical_set
from logos_cli.errors import UsageError
from logos_cli.records.syntheseus_lines import Prediction, prediction_line


def prediction_lines(judged: Mapping[str, JudgedAnswers]) -> Iterator[str]:
    """Writes a line for each row that has a right answer, of records of one task, which answers one side of a reaction.
    Raises UsageError for others, and where no right answer is known."""
    if len(judged) != 1 or not next(iter(judged.values())).task.side:
        named = ", ".join(judged) or "no task"
        raise UsageError(f"--syntheseus: it evaluates one side of reactions, retro or react; these records are of {named}")
    (answers,) = judged.values()
    if not answers.truths:
        raise UsageError("--syntheseus: its predictions hold the right answers, and none is known here; give --truth")
    for row, truth in sorted(answers.truths.items()):
        asked = canonical_set([answers.all_of(row)[0].question]) or ()  # a row that is no molecule counts as wrong there, too
        likeliest: dict[str, float] = {}
        for record in answers.answers_of(row):
            if record.answer is not None and record.logprob is not None:
                key = answer_key(record)
                likeliest[key] = max(record.logprob, likeliest.get(key, record.logprob))
        predictions = [Prediction(key, canonical_set([key]) == truth, likeliest.get(key)) for key in answers.rows[row].places()]
        yield prediction_line(answers.task, ".".join(asked), ".".join(truth), predictions)
