"""What an answer of each modality says, read from its text. Pure string work: no model, no chemistry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from logos_cli.chemistry.grammar import MATERIAL, MOLECULE, Marked, read_marked
from logos_cli.chemistry.residues import STANDARD


def read_search(text: str) -> Marked | None:
    """The answer after `…<Search><ProteinS>`; None if it is not residues, some of them wrapped, and `<ProteinE>`."""
    body = text.removesuffix("<ProteinE>")
    found = read_marked(body) if body != text else None
    return found if found and all(len(one) == 1 for one in found.inside) else None


def repeated(text: str, sequence: str) -> frozenset[int] | None:
    """The residues that an answer marks if it repeats `sequence` exactly, else None."""
    found = read_search(text)
    return frozenset(place - 1 for place in found.pocket) if found and found.sequence == sequence else None


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
    match = MATERIAL.fullmatch(text)
    return (match[1], MOLECULE.findall(match[2])) if match else None
