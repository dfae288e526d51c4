"""LOGOS's grammar: its markers, and molecules and proteins as it writes them. String work but where a SMILES is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from logos_cli.chemistry.residue_text import carbon_chain, nucleic, three_letter
from logos_cli.chemistry.residues import RESIDUE_SMILES, STANDARD
from logos_cli.chemistry.smiles import ChemError, canonical, canonical_strict, shortened, unmapped_strict

_PAIRED = ("Protein", "Antibody", "Molecule", "Pocket", "Material", "Metal")
MARKERS = (*(f"<{name}{edge}>" for name in _PAIRED for edge in "SE"), "<React>", "<ReverseReact>", "<Trans>", "<Search>")
_MARKER = re.compile("|".join(map(re.escape, MARKERS)) + r"|<\|[^|<>]*\|>")
# `<` and `>` also stand in SMILES, in the dative bonds `<-` and `->`.
MOLECULE = re.compile(r"<MoleculeS>((?:(?!<Molecule[SE]>).)+)<MoleculeE>")
MOLECULES = re.compile(f"(?:{MOLECULE.pattern})+")
MATERIAL = re.compile(rf"<MetalS>((?:(?!<Metal[SE]>).)+)<MetalE>({MOLECULES.pattern})<MaterialE>")
_ARROW = re.compile(r"(?<!-)>")
_RESIDUE = re.compile(r"<PocketS>((?:(?!<Pocket[SE]>).)+)<PocketE>|([A-Z])")
_RESIDUES = re.compile(f"(?:{_RESIDUE.pattern})*")
NEAREST = {"U": "C", "O": "K"}  # selenocysteine and pyrrolysine: the nearest of the twenty, as in residue_names
UNKNOWN = "X"  # a residue that is none of the twenty


class RowError(ValueError):
    """A row that its task cannot use; the message says why."""


@dataclass(frozen=True)
class Marked:
    """A protein as grammar: its residues, those in pocket markers (from 1), and what stood inside the markers."""

    sequence: str
    pocket: tuple[int, ...]
    inside: tuple[str, ...]


def wrap(smiles: str) -> str:
    return f"<MoleculeS>{smiles}<MoleculeE>"


def refuse_markers(text: str) -> str:
    """Markers typed inside a row's own text are refused, never injected into the prompt."""
    if found := _MARKER.search(text):
        raise RowError(f"marker {found.group()} inside the input; markers are written by the task")
    return text


def usable(smiles: str, as_written: bool = False) -> str:
    """A row's SMILES as it goes into the prompt: canonical, so that one molecule is one question however it is spelled; or
    `as_written`, only atom maps removed. Raises RowError."""
    try:
        return (unmapped_strict if as_written else canonical_strict)(refuse_markers(smiles.strip()))
    except ChemError as error:
        raise RowError(str(error)) from None


def residues(text: str) -> str:
    """A row's sequence as it goes into the prompt: standard residues in capitals, blanks and a final `*` removed,
    selenocysteine and pyrrolysine as structures have them too."""
    if three_letter(text):
        raise RowError(f"three-letter code, write one letter a residue: {shortened(text, 30)}")
    found = "".join(refuse_markers(text).split()).upper().removesuffix("*")
    if not found:
        raise RowError("an empty sequence")
    if nucleic(found):
        raise RowError(f"looks like a nucleic acid: {shortened(found, 30)}; translate it first")
    if carbon_chain(found):
        raise RowError(f"looks like a SMILES, not a protein: {shortened(found, 30)}")
    found = "".join(NEAREST.get(letter, letter) for letter in found)
    for place, letter in enumerate(found, 1):
        if letter not in STANDARD:
            raise RowError(f"{shortened(letter)!r} at residue {place} is not one of the twenty standard residues")
    return found


def pocket_places(pocket: Sequence[int], sequence: str) -> tuple[int, ...]:
    """The places of a pocket in order, counted from 1. Raises RowError for one outside the sequence."""
    for place in pocket:
        if not 1 <= place <= len(sequence):
            raise RowError(f"pocket residue {place} is out of range: the sequence has {len(sequence)} residues, from 1")
    return tuple(sorted(set(pocket)))


def protein(sequence: str, pocket: Collection[int] = (), smiles: bool = False) -> str:
    """`<ProteinS>…<ProteinE>`, each residue of `pocket` (from 1) in markers; with `smiles` written as its SMILES."""
    wanted = set(pocket)
    parts = []
    for place, residue in enumerate(sequence, 1):
        shown = RESIDUE_SMILES[residue] if smiles else residue
        parts.append(f"<PocketS>{shown}<PocketE>" if place in wanted else residue)
    return f"<ProteinS>{''.join(parts)}<ProteinE>"


def read_marked(body: str) -> Marked | None:
    """What stands between `<ProteinS>` and `<ProteinE>`; None if it is not residues, some of them in pocket markers. A
    residue written as SMILES, whatever its order of atoms, is read back as its letter, any other as `UNKNOWN`."""
    if not _RESIDUES.fullmatch(body):
        return None
    letters, pocket, inside = [], [], []
    for place, (marked, plain) in enumerate(_RESIDUE.findall(body), 1):
        letters.append(plain or (marked if len(marked) == 1 else _letter(marked)))
        if marked:
            pocket.append(place)
            inside.append(marked)
    return Marked("".join(letters), tuple(pocket), tuple(inside))


def _letter(smiles: str) -> str:
    found = canonical(smiles)
    return _letters().get(found, UNKNOWN) if found else UNKNOWN


@cache
def _letters() -> dict[str | None, str]:
    """By the canonical SMILES of the RDKit that runs."""
    return {canonical(smiles): letter for letter, smiles in RESIDUE_SMILES.items()}


def reaction_parts(text: str) -> list[str]:
    """Reactants, agents and product of a reaction SMILES; the arrows of dative bonds, `->`, part nothing."""
    return _ARROW.split(text)


def reaction_side(value: str, side: int) -> str:
    """Side 0 (reactants) or -1 (product) of a reaction SMILES `A.B>agents>P`; any other SMILES as it is."""
    parts = reaction_parts(refuse_markers(value))
    if len(parts) == 1:
        return value
    if len(parts) != 3:
        raise RowError(f"not a reaction SMILES: {shortened(value)}")
    return parts[side]
