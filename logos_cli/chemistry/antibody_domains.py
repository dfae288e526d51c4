"""The variable domains in a sequence, aligned to IMGT's 128 positions as ANARCI does, with its profiles.

ANARCI (Dunbar and Deane 2016, Bioinformatics 32, 298) runs HMMER's hmmscan as a program of its own; pyhmmer is the same
search as a library. What ANARCI makes of an alignment, ends and long CDR3 among it, is followed here: of 650 antibodies all
numbers by all three schemes were those of ANARCI 2026.2.13 with hmmscan 3.4, the same profiles left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from logos_cli.errors import MissingDependency

States = list[tuple[tuple[int, str], int | None]]  # ((IMGT position, match, insert or delete), place from 0)
THRESHOLD = 80.0  # bits of a domain, ANARCI's own
# IMGT's positions of the disulfide. The profiles of the rhesus monkey's H and K in ANARCI 2026.2 have them a place too far, and
# with them whatever is nearest to these: 42 of those 650.
CYSTEINES = (23, 104)
_J_THRESHOLD = 10.0  # … of what is left behind the second cysteine
_EXTRA = (
    "antibodies are numbered by ANARCI's profiles and pyhmmer, of which {} is not installed: pip install 'logos-cli[antibody]'"
)


@dataclass(frozen=True)
class Hit:
    """An alignment of a part of the sequence and a profile; ends are as Python counts. `reference` has a letter where
    the profile has a position, else `.`; `letters` has `-` where the sequence has no residue."""

    species: str
    chain: str
    score: float
    evalue: float
    profile: tuple[int, int]
    place: tuple[int, int]
    reference: str
    letters: str


@dataclass(frozen=True)
class Aligned:
    """A domain: `chain` is H, K, L (lambda), or of a T cell receptor A, B, G, D."""

    chain: str
    states: States


def anarci() -> Any:
    """ANARCI's module; in its package a function has the same name."""
    try:
        return import_module("anarci.anarci")
    except ImportError:
        raise MissingDependency(_EXTRA.format("ANARCI")) from None


@cache
def profiles() -> tuple[Any, Any]:
    """(alphabet, profiles) of ANARCI, for pyhmmer. Raises MissingDependency."""
    try:
        from pyhmmer.easel import Alphabet
        from pyhmmer.plan7 import HMMFile, OptimizedProfileBlock
    except ImportError:
        raise MissingDependency(_EXTRA.format("pyhmmer")) from None
    alphabet = Alphabet.amino()
    with HMMFile(Path(anarci().__file__).parent / "dat" / "HMMs" / "ALL.hmm") as file:
        sound = [one for one in file.optimized_profiles() if {str(one.consensus)[at - 1].upper() for at in CYSTEINES} == {"C"}]
        block = OptimizedProfileBlock(alphabet, sound)
    return alphabet, block


def hits(sequence: str, threshold: float) -> list[Hit]:
    """Alignments with at least `threshold` bits, the most significant first."""
    from pyhmmer.easel import TextSequence
    from pyhmmer.plan7 import Pipeline

    alphabet, block = profiles()
    query = TextSequence(name=b"query", sequence=sequence).digitize(alphabet)
    found = []
    for hit in Pipeline(alphabet).scan_seq(query, block):
        for domain in hit.domains:
            if domain.score < threshold:
                continue
            one = domain.alignment
            name = one.hmm_name.decode() if isinstance(one.hmm_name, bytes) else one.hmm_name
            species, _, chain = name.rpartition("_")
            found.append(
                Hit(species, chain, domain.score, domain.i_evalue, (one.hmm_from - 1, one.hmm_to),
                    (one.target_from - 1, one.target_to), one.hmm_sequence, one.target_sequence)
            )  # fmt: skip
    return sorted(found, key=lambda one: one.evalue)


def best_hits(sequence: str, threshold: float = THRESHOLD) -> list[Hit]:
    """The best alignment of each domain, in the sequence's order."""
    chosen: list[Hit] = []
    for one in hits(sequence, threshold):
        if all(one.place[0] >= other.place[1] or other.place[0] >= one.place[1] for other in chosen):
            chosen.append(one)
    return sorted(chosen, key=lambda one: one.place)


def aligned(sequence: str) -> list[Aligned]:
    """The domains of a sequence of residues, in its order. Raises MissingDependency."""
    found = best_hits(sequence)
    several = [Aligned(one.chain, states_of(one, at == 0, len(found) == 1, len(sequence))) for at, one in enumerate(found)]
    if len(several) == 1:
        return [Aligned(several[0].chain, with_j_region(several[0].states, sequence))]
    return several


def states_of(hit: Hit, first: bool, single: bool, length: int) -> States:
    """An alignment as states; changed residues at the two ends of a domain, up to five, are of it."""
    start, end = hit.profile
    place, last = hit.place
    whole = int(anarci().get_hmm_length(hit.species, hit.chain))
    before = after = 0
    if first and 0 < start < 5:
        before = min(place, start - place) if start > place else start
    if single and last < length and 123 < end < whole:
        after = min(whole - end, length - last)
    position, place = start - before, place - before
    states: States = []
    steps = [("m", "x")] * before + [
        ("i" if reference == "." else "m", letter) for reference, letter in zip(hit.reference, hit.letters, strict=True)
    ]
    for kind, letter in [*steps, *[("m", "x")] * after]:
        if letter == "-":
            states.append(((position + 1, "d"), None))
            position += 1
            continue
        # An insertion counts as of the position that follows it.
        states.append(((min(position + 1, 128), kind), place))
        place += 1
        position += kind == "m"
    return states


def with_j_region(states: States, sequence: str) -> States:
    """A CDR3 of about thirty residues and more costs an alignment its J region, which then is looked for alone."""
    last_position, last = states[-1][0][0], states[-1][1]
    cysteine = dict(states).get((104, "m"))
    if last_position >= 120 or last is None or last + 30 >= len(sequence) or cysteine is None:
        return states
    rest = sequence[cysteine + 1 :]
    found = best_hits(rest, _J_THRESHOLD)
    region = states_of(found[0], True, len(found) == 1, len(rest)) if found else []
    if not region or region[-1][0][0] < 126 or region[0][0][0] > 117:
        return states
    j_region: States = [(state, at + cysteine + 1) for state, at in region if state[0] >= 117 and at is not None]
    between = range(cysteine + 1, j_region[0][1] or 0)
    loop: States = [((min(105 + at, 116), "m" if at < 11 else "i"), place) for at, place in enumerate(between)]
    return [*states[: states.index(((104, "m"), cysteine)) + 1], *loop, *j_region]


def numbered(sequence: str, scheme: str, chains: Sequence[str]) -> Iterator[tuple[str, int, list[str]]]:
    """(chain, place from 0, numbers) of each domain of one of `chains` by an ANARCI `scheme`. Raises ValueError for a domain
    that the scheme has no numbers for."""
    number = anarci().number_sequence_from_alignment
    for one in aligned(sequence):
        if one.chain not in chains:
            continue
        try:
            found, start, end = number(one.states, sequence, scheme=scheme, chain_type=one.chain)
        except (AssertionError, IndexError) as error:
            raise ValueError(str(error)) from None
        numbers = [f"{at}{code.strip()}" for (at, code), letter in found if letter != "-"]
        if not numbers or len(numbers) != end - start + 1:
            raise ValueError("a loop longer than it has letters for insertions")
        yield one.chain, start, distinct(numbers)


def distinct(numbers: list[str]) -> list[str]:
    """ANARCI gives a few residues of rare lengths the number of the one before: they have the next letter."""
    codes = [code.strip() for code in anarci().alphabet]
    codes = ["", *filter(None, codes)]
    seen: set[str] = set()
    found = []
    for number in numbers:
        plain = number.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        at = codes.index(number.removeprefix(plain))
        while f"{plain}{codes[at]}" in seen and at + 1 < len(codes):
            at += 1
        seen.add(f"{plain}{codes[at]}")
        found.append(f"{plain}{codes[at]}")
    return found
