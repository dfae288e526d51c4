"""Numbering of antibodies by IMGT, Kabat and Chothia, as ANARCI numbers them, and their CDRs.

Regions follow each scheme's own definition: IMGT (Lefranc et al. 2003, Dev. Comp. Immunol. 27, 55), Kabat et al. 1991, and
Chothia as in Al-Lazikani et al. 1997, J. Mol. Biol. 273, 927. The borders are those of AbNumber 0.4.4
(`abnumber.common.SCHEME_BORDERS`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from logos_cli.chemistry.antibody_domains import numbered
from logos_cli.chemistry.grammar import RowError

SCHEMES = ("imgt", "kabat", "chothia")
REGION = re.compile(r"(?P<kind>CDR|FR|FWR)-?(?P<chain>[HL])?(?P<number>[1-4])", re.IGNORECASE)
# First and last number of each CDR; what stands between them are the frameworks.
_CDRS: Mapping[tuple[str, str], tuple[tuple[int, int], ...]] = {
    ("imgt", "H"): ((27, 38), (56, 65), (105, 117)), ("imgt", "L"): ((27, 38), (56, 65), (105, 117)),
    ("kabat", "H"): ((31, 35), (50, 65), (95, 102)), ("kabat", "L"): ((24, 34), (50, 56), (89, 97)),
    ("chothia", "H"): ((26, 32), (52, 56), (95, 102)), ("chothia", "L"): ((24, 34), (50, 56), (89, 97)),
}  # fmt: skip
LONGEST = 5_000  # residues; a heavy chain has some 450, fusions of several domains some thousands


@dataclass(frozen=True)
class Domain:
    """One variable domain: `chain` is H, K (kappa) or L (lambda), `first` its first residue's place in the sequence, from 1;
    `numbers` are its residues' numbers by the scheme, insertion codes behind (`52A`)."""

    chain: str
    first: int
    numbers: tuple[str, ...]

    @property
    def heavy(self) -> bool:
        return self.chain == "H"


@lru_cache(maxsize=64)
def domains(sequence: str, scheme: str) -> tuple[Domain, ...]:
    """Number a sequence's variable domains, in its order. Raises RowError for one without any, MissingDependency."""
    if len(sequence) > LONGEST:
        raise RowError(f"a sequence of {len(sequence):,} residues; antibodies of up to {LONGEST:,} are numbered")
    try:
        found = [
            Domain(chain, start + 1, tuple(numbers)) for chain, start, numbers in numbered(sequence, scheme, ("H", "K", "L"))
        ]
    except ValueError as error:
        raise RowError(f"a variable domain that {scheme} has no numbers for: {error}") from None
    if not found:
        raise RowError("no variable domain of an antibody found in this sequence")
    return tuple(found)


def region_places(sequence: str, scheme: str, name: str) -> tuple[int, ...]:
    """The places, from 1, of a region such as `CDR3`, of all domains, or `CDRH3` and `FRL1`, of heavy or light ones. Raises
    RowError if there are none."""
    asked = REGION.fullmatch(name)
    assert asked
    places = [
        place
        for domain in domains(sequence, scheme)
        if asked["chain"] is None or (asked["chain"].upper() == "H") == domain.heavy
        for place, region in enumerate(regions(domain, scheme), domain.first)
        if region == f"{asked['kind'].upper().replace('FWR', 'FR')}{asked['number']}"
    ]
    if not places:
        raise RowError(f"no {name} in this sequence by {scheme}: {told(sequence, scheme)}")
    return tuple(places)


def regions(domain: Domain, scheme: str) -> Iterator[str]:
    """The region of each residue: FR1, CDR1, FR2, CDR2, FR3, CDR3, FR4."""
    cdrs = _CDRS[scheme, "H" if domain.heavy else "L"]
    for number in domain.numbers:
        at = int(re.sub(r"\D", "", number))
        inside = next((place for place, (first, last) in enumerate(cdrs, 1) if first <= at <= last), None)
        yield f"CDR{inside}" if inside else f"FR{1 + sum(at > last for _, last in cdrs)}"


def told(sequence: str, scheme: str) -> str:
    return ", ".join(f"{one.chain} at {one.first}-{one.first + len(one.numbers) - 1}" for one in domains(sequence, scheme))


def numbering(sequence: str, scheme: str) -> dict[str, Any]:
    """What a record says of a sequence's numbering: the scheme, and of each domain its chain, place, numbers and CDRs."""
    listed = []
    for one in domains(sequence, scheme):
        part = sequence[one.first - 1 : one.first - 1 + len(one.numbers)]
        named = list(zip(part, regions(one, scheme), strict=True))
        cdrs = {cdr: "".join(letter for letter, region in named if region == cdr) for cdr in ("CDR1", "CDR2", "CDR3")}
        listed.append({"chain": one.chain, "first": one.first, "numbers": list(one.numbers), **cdrs})
    return {"scheme": scheme, "domains": listed}
