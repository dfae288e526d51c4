"""Molecules as strings: canonical forms, validity and set equality, with RDKit kept silent.

`x_strict` raises `ChemError` with the reason, `x` returns None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
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
    if odd := foreign_character(smiles):
        raise ChemError(f"no SMILES has the character U+{ord(odd):04X}: {shortened(smiles)}")
    chem = rdkit()
    mol = chem.MolFromSmiles(smiles)
    if mol is None:
        raise ChemError(f"not a valid SMILES: {shortened(smiles)}")
    if mol.GetNumAtoms() == 0:
        raise ChemError("a SMILES without atoms")
    return mol


def foreign_character(smiles: str) -> str | None:
    """The first character that no SMILES has. RDKit takes such ones off both ends and says nothing, so that the acid's anion
    copied from a paper as `CC(=O)O−` would be read as the acid."""
    return next((one for one in smiles if not "!" <= one <= "~"), None)


def shortened(text: str, width: int = 60) -> str:
    """`text` cut to `width` characters for a message, control characters escaped."""
    plain = text.encode("unicode_escape").decode("ascii")
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def canonical_strict(smiles: str) -> str:
    """RDKit's canonical isomeric SMILES, atom maps removed, salts and stereo kept, the same when it is read and written
    again: prompts, answers, truths and duplicates are all told by it."""
    return _joined(_unmapped(_parse(smiles)), _settled)


def _unmapped(mol: Any) -> str:
    """What RDKit writes of `mol` without its atom maps, which leaves it changed."""
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return str(rdkit().MolToSmiles(mol))


def _joined(form: str, settled: Callable[[str], str]) -> str:
    """Each molecule of `form` settled by itself, so that it is the same alone and in company."""
    return ".".join(sorted(map(settled, form.split("."))))


@lru_cache(maxsize=65_536)
def _settled(form: str) -> str:
    """`form`, of one molecule, written again until nothing changes. RDKit marks a centre whose neighbours only their atom maps
    told apart, and some ring systems it writes in two ways by turns: of those the smaller is taken."""
    return _fixed_point(form, _again)


def _again(form: str) -> str:
    mol = rdkit().MolFromSmiles(form)
    if mol is None:
        raise ChemError(f"RDKit writes a SMILES that it cannot read: {shortened(form)}")
    return str(rdkit().MolToSmiles(mol))


def _fixed_point(form: str, again: Callable[[str], str]) -> str:
    forms = [form]
    while (following := again(forms[-1])) not in forms:
        forms.append(following)
    return min(forms[forms.index(following) :])


@lru_cache(maxsize=65_536)  # answers and questions come again and again
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


def _unsanitized(smiles: str) -> Any:
    """The molecule as strings go, with atoms in it, whatever valences they have; None if it is none."""
    if not 0 < len(smiles) <= MAX_SMILES or foreign_character(smiles):
        return None
    mol = rdkit().MolFromSmiles(smiles, sanitize=False)
    return mol if mol is not None and mol.GetNumAtoms() else None


def written(smiles: str) -> bool:
    """Whether `smiles` is one as strings go, with atoms in it, whatever valences they have: it is not sanitized."""
    return _unsanitized(smiles) is not None


def lenient(smiles: str) -> str | None:
    """`canonical`; where sanitization fails, the canonical form of atoms and bonds as written. None if it is no SMILES."""
    if (found := canonical(smiles)) is not None or foreign_character(smiles):
        return found
    try:
        return _joined(_leniently(smiles), lambda form: _fixed_point(form, _leniently))
    except ValueError:
        return None


def _leniently(smiles: str) -> str:
    """One writing of a SMILES whether it can be sanitized or not. Raises ChemError if it is none."""
    chem = rdkit()
    if (mol := chem.MolFromSmiles(smiles)) is None:
        if (mol := _unsanitized(smiles)) is None:
            raise ChemError(f"not a SMILES, even unsanitized: {shortened(smiles)}")
        mol.UpdatePropertyCache(strict=False)
        chem.FastFindRings(mol)
        chem.AssignRadicals(mol)  # else [O] would be written O, which has a hydrogen
    try:
        return _unmapped(mol)
    except RuntimeError as error:
        raise ChemError(f"RDKit cannot write it: {shortened(smiles)}") from error
