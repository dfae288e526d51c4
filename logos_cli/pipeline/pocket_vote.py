"""The samples of one protein's binding-site answers as one: how often each residue was marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from logos_cli.records.record import Record
from logos_cli.structures.chains import Site
from logos_cli.tasks.task import Prompt

CONSENSUS = 0.5  # of the samples that repeat the protein


def merged(base: Record, records: Sequence[Record], prompt: Prompt, site: Site | None, consensus: float) -> Record:
    """Merges the samples of a protein: `frequency` of each residue among the samples that repeat the protein faithfully,
    `answer` those residues that at least `consensus` of them mark. The other samples are counted by their reason, and not
    used: a place in another sequence says nothing about this one."""
    faithful = [record for record in records if record.valid]
    others = Counter(without_detail(record.error or "") for record in records if not record.valid)
    left_out = dict(others.most_common())
    if not faithful:
        why = ", ".join(f"{count} × {reason}" for reason, count in left_out.items())
        error = f"no sample of {len(records)} repeated the protein ({why})"
        return replace(base, error=error, samples=len(records), faithful=0, unfaithful=left_out)
    votes = Counter(place for record in faithful for place in record.answer)
    frequency = [round(votes[place] / len(faithful), 4) for place in range(1, len(prompt.sequence) + 1)]
    # Compared as counts: a rounded frequency could fall below its own threshold.
    answer = [place for place in range(1, len(frequency) + 1) if votes[place] >= max(1, consensus * len(faithful))]
    return replace(
        base, sample=faithful[0].sample, answer=answer, valid=True, rank=1, count=len(faithful), frequency=frequency,
        samples=len(records), faithful=len(faithful), unfaithful=left_out or None,
        residues=site.own(answer) if site else None,
        site={**(base.site or {}), **site.confidence(answer)} if site else base.site,
    )  # fmt: skip


def without_detail(reason: str) -> str:
    """Gives the kind of a reason: what follows the colon differs from sample to sample."""
    return reason.partition(":")[0]
