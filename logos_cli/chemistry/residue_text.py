"""Texts that stand where a protein should and are something else, though all of their letters may be residues."""

from __future__ import annotations

import re

from logos_cli.chemistry.residue_names import STANDARD

_TITLE = re.compile(f"(?:{'|'.join(name.title() for name in STANDARD)}){{2,}}")
_CAPITALS = re.compile(f"(?:{'|'.join(STANDARD)}){{4,}}")
_PARTS = re.compile(r"[\s\-–,.;]+")
_CARBON_FIRST = frozenset("CNSPFI")
# The ambiguity codes of nucleic acids (NC-IUB 1984).
_BASES, _AMBIGUOUS = frozenset("ACGTUN"), frozenset("RYSWKMBDHV")
_SHORTEST = 12  # a peptide shorter than that may be of any letters
# What the headers of Chai (`>ligand|name=B`) and Boltz (`>B|smiles`) call what follows.
_KINDS = {"ligand", "smiles", "ccd", "dna", "rna", "glycan", "ion"}


def three_letter(text: str) -> bool:
    """Whether residues are written as `Met Gln Ile`, `MetGlnIle`, `MET-GLN-ILE` or `METGLNILE`."""
    parts = [part for part in _PARTS.split(text.strip().removesuffix("*")) if part]
    if len(parts) > 1 and all(part.upper() in STANDARD for part in parts):
        return True
    joined = "".join(parts)
    names = {joined[place : place + 3] for place in range(0, len(joined), 3)}
    # `ALAALAALAALA` may be a helix of three letters.
    return bool(_TITLE.fullmatch(joined) or (_CAPITALS.fullmatch(joined) and len(names) > 2))


def nucleic(sequence: str) -> bool:
    """Whether capital letters are bases, up to a third of them ambiguous."""
    letters = set(sequence)
    bases = sum(letter in _BASES for letter in sequence)
    plain = len(letters & set("ACGTU")) >= 3
    return len(sequence) >= _SHORTEST and plain and letters <= _BASES | _AMBIGUOUS and 10 * bases >= 7 * len(sequence)


def carbon_chain(sequence: str) -> bool:
    """Whether capital letters are a SMILES such as `CCCCN`: atoms, half of them carbon."""
    return len(sequence) >= 4 and _CARBON_FIRST.issuperset(sequence) and 2 * sequence.count("C") >= len(sequence)


def stated_kind(title: str) -> str:
    """What a FASTA header says that follows it, if that is no protein; empty if it does not say so."""
    fields = [field.strip().lower() for field in title.split("|")[:2]]
    return next((field for field in fields if field in _KINDS), "") if len(fields) > 1 else ""
