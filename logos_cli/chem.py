"""Molecules as strings: canonical forms, validity and set equality, with RDKit kept silent.

`x_strict` raises `ChemError` with the reason, `x` returns None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

# RDKit's recursive writers run out of stack on enormous molecules; no drug, reagent or linker comes near this.
MAX_SMILES = 4000


class ChemError(ValueError):
    """A SMILES that cannot be used; the message says why."""


@cache
def rdkit() -> Any:
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]  # a function added by RDKit's C++ module
    return Chem


def _parse(smiles: str) -> Any:
    """The sanitized molecule, without atom maps."""
    if not smiles.strip():
        raise ChemError("empty SMILES")
    if len(smiles) > MAX_SMILES:
        raise ChemError(f"SMILES of {len(smiles):,} characters; at most {MAX_SMILES:,} are read")
    if "\0" in smiles:
        raise ChemError("NUL byte in SMILES")
    if len(smiles.split()) > 1 or smiles != smiles.strip():
        raise ChemError(f"blanks inside a SMILES: {shortened(smiles)}")
    chem = rdkit()
    mol = chem.MolFromSmiles(smiles)
    if mol is None:
        raise ChemError(f"not a valid SMILES: {shortened(smiles)}")
    if mol.GetNumAtoms() == 0:
        raise ChemError("a SMILES without atoms")
    return mol


def shortened(text: str, width: int = 60) -> str:
    """`text` cut to `width` characters for a message, control characters escaped."""
    plain = text.encode("unicode_escape").decode("ascii")
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def canonical_strict(smiles: str) -> str:
    """RDKit's canonical isomeric SMILES, atom maps removed, salts and stereo kept."""
    mol = _parse(smiles)
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return str(rdkit().MolToSmiles(mol))


def canonical(smiles: str) -> str | None:
    try:
        return canonical_strict(smiles)
    except ChemError:
        return None


def unmapped_strict(smiles: str) -> str:
    """`smiles` as it is written if it is valid and carries no atom maps, else its canonical form without them."""
    mol = _parse(smiles)
    return canonical_strict(smiles) if any(atom.GetAtomMapNum() for atom in mol.GetAtoms()) else smiles


def canonical_set(parts: Iterable[str]) -> tuple[str, ...] | None:
    """The molecules of `parts` (dots split) in canonical form and order, or None if one is invalid or none is left."""
    found = [canonical(part) for part in parts]
    if not found or any(one is None for one in found):
        return None
    return tuple(sorted(piece for one in found if one for piece in one.split(".")))


def same_molecules(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether two sides of a reaction are the same multiset of molecules; an invalid side equals nothing."""
    a, b = canonical_set(left), canonical_set(right)
    return a is not None and a == b


def _unsanitized(smiles: str) -> Any:
    """The molecule as strings go, with atoms in it, whatever valences they have; None if it is none."""
    if not 0 < len(smiles) <= MAX_SMILES or "\0" in smiles or len(smiles.split()) != 1:
        return None
    mol = rdkit().MolFromSmiles(smiles, sanitize=False)
    return mol if mol is not None and mol.GetNumAtoms() else None


def written(smiles: str) -> bool:
    """Whether `smiles` is one as strings go, with atoms in it, whatever valences they have: it is not sanitized."""
    return _unsanitized(smiles) is not None


def lenient(smiles: str) -> str | None:
    """`canonical`; where sanitization fails, the canonical form of atoms and bonds as written. None if it is no SMILES."""
    if (found := canonical(smiles)) is not None or (mol := _unsanitized(smiles)) is None:
        return found
    chem = rdkit()
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    mol.UpdatePropertyCache(strict=False)
    chem.FastFindRings(mol)
    chem.AssignRadicals(mol)  # else [O] would be written O, which has a hydrogen
    try:
        return str(chem.MolToSmiles(mol))
    except (RuntimeError, ValueError):
        return None
