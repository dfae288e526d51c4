"""CXSMILES extensions `|…|`: what they say of a molecule, as far as a SMILES can say it too.

Radicals and coordinate bonds go into the SMILES, fragment groups say which fragments of a reaction are one reactant.
ChemAxon Extended SMILES, as RDKit's documentation lists its features.
"""

from __future__ import annotations

import re
from typing import Any

from logos_cli.chemistry.smiles import MAX_SMILES, foreign_character, rdkit

_ARROW = re.compile(r"(?<!-)>")
_CHANGES = re.compile(r"(?:^|,)(?:\^\d|C):")
_GROUPS = re.compile(r"(?:^|,)f:(\d+(?:\.\d+)+(?:,\d+(?:\.\d+)+)*)")
_KNOWN = re.compile(r"$|[($]|(?:&\d*|o\d*|a|f|\^\d|[CHmctuZ]|w[UD]?|ctu|rb|s|lp|LN|LO|LnD|Sg[DH]?|atomProp):|r(?:,|$)")
_LEFT_OUT = (
    (re.compile(r"(?:^|,)(?:&\d*|o\d*):"), "enhanced stereo"),
    (re.compile(r"(?:^|,)r(?:,|$)"), "relative stereo"),
    (re.compile(r"(?:^|,)m:"), "positions of attachment"),
    (re.compile(r"(?:^|,)H:"), "hydrogen bonds"),
    (re.compile(r"(?:^|,)(?:w[UD]?|ctu|c|t):"), "stereo of single bonds"),
    (re.compile(r"(?:^|,)(?:rb|s|u):"), "query features"),
    (re.compile(r"(?:^|,)(?:Sg|SgD|SgH|LN|LO):"), "repeating units"),
)


def left_out_of(extension: str) -> tuple[str, ...]:
    """What of an extension's inside a SMILES cannot say. Coordinates say nothing about the molecule."""
    if not _KNOWN.match(extension):
        return ("what is no CXSMILES",)
    labels = ("labels",) if any(one.strip(";") for one in re.findall(r"\$([^$]*)\$", extension)) else ()
    return (*(name for pattern, name in _LEFT_OUT if pattern.search(extension)), *labels)


def fragment_groups(smiles: str, extension: str) -> tuple[str, ...]:
    """The molecules of a SMILES, of a reaction its reactants, with the fragments that `f:` says belong together joined by
    dots. None at all if it says nothing of them. Fragments are counted through all sides of the reaction."""
    found = _GROUPS.search(extension)
    if not found:
        return ()
    fragments = _ARROW.split(smiles)[0].split(".")
    groups = [[int(one) for one in group.split(".")] for group in found[1].split(",")]
    inside = {place: min(group) for group in groups for place in group if max(group) < len(fragments)}
    if not inside:
        return ()
    joined: dict[int, list[str]] = {}
    for place, fragment in enumerate(fragments):
        joined.setdefault(inside.get(place, place), []).append(fragment)
    return tuple(".".join(group) for group in joined.values())


def unknown_groups(smiles: str, extension: str) -> bool:
    """Whether fragment groups name a fragment that is not there."""
    found = _GROUPS.search(extension)
    count = sum(len(side.split(".")) for side in _ARROW.split(smiles) if side)
    return found is not None and max(map(int, re.findall(r"\d+", found[1]))) >= count


def with_extension(smiles: str, extension: str) -> tuple[str, tuple[str, ...]]:
    """(the SMILES with the radicals and bonds of the extension, what could not be read of it)."""
    if not _CHANGES.search(extension) or len(smiles) > MAX_SMILES or foreign_character(smiles):
        return smiles, ()
    sides = _ARROW.split(smiles)
    # RDKit numbers the atoms of a reaction through all its sides.
    plain, groups = _GROUPS.subn("", extension)
    mol = _parsed(".".join(side for side in sides if side), plain.lstrip(","))
    sizes = [_atoms(side) for side in sides]
    if mol is None or sum(sizes) != mol.GetNumAtoms():
        return smiles, ("what RDKit cannot read",)
    written, first = [], 0
    for size in sizes:
        atoms = list(range(first, first + size))
        # Groups count the fragments in the order in which they are written.
        written.append(str(rdkit().MolFragmentToSmiles(mol, atomsToUse=atoms, canonical=not groups)) if atoms else "")
        first += size
    return ">".join(written), ()


def _parsed(smiles: str, extension: str) -> Any:
    from rdkit.Chem import SmilesParserParams

    how: Any = SmilesParserParams()
    how.allowCXSMILES = how.strictCXSMILES = True
    how.parseName = how.removeHs = False
    mol = rdkit().MolFromSmiles(f"{smiles} |{extension}|", how)
    if mol is None:
        return None
    for atom in mol.GetAtoms():
        atom.SetAtomMapNum(0)
    return mol


def _atoms(smiles: str) -> int:
    mol = rdkit().MolFromSmiles(smiles, sanitize=False) if smiles else None
    return mol.GetNumAtoms() if mol is not None else 0
