"""What an answer of each modality says, read from its text. Pure string work: no model, no chemistry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from logos_cli.residues import STANDARD

_POCKET = re.compile("<PocketS>([A-Z])<PocketE>|([A-Z])")
_POCKETS = re.compile(f"(?:{_POCKET.pattern})*")
_MATERIAL = re.compile("<MetalS>(.+?)<MetalE>((?:<MoleculeS>.+?<MoleculeE>)+)<MaterialE>")
_LINKER = re.compile("<MoleculeS>(.+?)<MoleculeE>")


@dataclass(frozen=True)
class Search:
    """An answer of the binding-site task: the protein as it was repeated, and the residues it marked, from 0."""

    sequence: str
    pocket: frozenset[int]


def read_search(text: str) -> Search | None:
    """The answer after `…<Search><ProteinS>`; None if it is not residues, some of them wrapped, and `<ProteinE>`."""
    body = text.removesuffix("<ProteinE>")
    if body == text or not _POCKETS.fullmatch(body):
        return None
    pairs = _POCKET.findall(body)
    marked = frozenset(place for place, (inside, _) in enumerate(pairs) if inside)
    return Search("".join(inside or outside for inside, outside in pairs), marked)


def repeated(text: str, sequence: str) -> frozenset[int] | None:
    """The residues that an answer marks if it repeats `sequence` exactly, else None."""
    found = read_search(text)
    return found.pocket if found and found.sequence == sequence else None


def voted(answers: Sequence[Collection[int]]) -> frozenset[int]:
    """Residues that at least half of the answers mark."""
    votes = Counter(place for answer in answers for place in set(answer))
    return frozenset(place for place, count in votes.items() if 2 * count >= len(answers))


def precision_recall(found: Collection[int], wanted: Collection[int]) -> tuple[float, float]:
    """Of the residues found, the part that is wanted; of those wanted, the part found. Nothing found has precision 0."""
    both = len(set(found) & set(wanted))
    return both / max(1, len(set(found))), both / max(1, len(set(wanted)))


def chain_of(text: str, name: str) -> str | None:
    """The sequence of an answer that ends as a `Protein` or `Antibody` should and has standard residues only."""
    body = text.removesuffix(f"<{name}E>")
    return body if body != text and body and not set(body) - set(STANDARD) else None


def read_material(text: str) -> tuple[str, list[str]] | None:
    """Node and linkers of a material's text after `<MaterialS>`, or None."""
    match = _MATERIAL.fullmatch(text)
    return (match[1], _LINKER.findall(match[2])) if match else None
