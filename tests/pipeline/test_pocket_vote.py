"""Many binding-site answers as one: frequencies by hand, unfaithful samples counted and not used."""

from __future__ import annotations

import pytest

from logos_cli.pipeline.pocket_vote import merged
from logos_cli.records.record import Record
from logos_cli.rows.row import Row
from logos_cli.structures.chains import Site
from logos_cli.tasks.table import TASKS

BASE = Record(0, "p", "pocket", "MKTAY", "m")
PROMPT = TASKS["pocket"].prompt(Row(0, "p", value="MKTAY", kind="sequence"))
SITE = Site("A", ("A:10", "A:11", None, "A:11B", "A:14"), (), None)


def sample(number: int, answer: list[int] | None, error: str | None = None) -> Record:
    return Record(0, "p", "pocket", "MKTAY", "m", sample=number, answer=answer, valid=error is None, error=error)


def test_frequencies_and_consensus() -> None:
    records = [
        sample(0, None, "repeats another protein: residue 3 is G, not T"),
        sample(1, [2, 4]), sample(2, [4]), sample(3, []), sample(4, [1, 4]),
        sample(5, None, "repeats another protein: 4 residues, not 5"), sample(6, None, "cut at the token limit"),
    ]  # fmt: skip
    found = merged(BASE, records, PROMPT, SITE, 0.5)
    assert found.frequency == [0.25, 0.25, 0.0, 0.75, 0.0] and found.answer == [4] and found.residues == ["A:11B"]
    assert (found.samples, found.faithful, found.count, found.rank, found.valid) == (7, 4, 4, 1, True)
    assert found.unfaithful == {"repeats another protein": 2, "cut at the token limit": 1}
    assert merged(BASE, records, PROMPT, None, 0.25).answer == [1, 2, 4], "the threshold itself counts"
    assert merged(BASE, records, PROMPT, None, 0.0).answer == [1, 2, 4], "a residue nobody marked is in no consensus"
    assert merged(BASE, records, PROMPT, None, 1.0).answer == []


@pytest.mark.parametrize("count", [3, 7, 12])
def test_a_threshold_is_not_lost_to_rounding(count: int) -> None:
    for votes in range(1, count + 1):
        records = [sample(i, [3] if i < votes else []) for i in range(count)]
        assert merged(BASE, records, PROMPT, None, votes / count).answer == [3]


def test_no_faithful_sample() -> None:
    found = merged(BASE, [sample(0, None, "no <ProteinE>"), sample(1, None, "no <ProteinE>")], PROMPT, None, 0.5)
    assert found.failed and found.error == "no sample of 2 repeated the protein (2 × no <ProteinE>)"
    assert (found.samples, found.faithful) == (2, 0)
