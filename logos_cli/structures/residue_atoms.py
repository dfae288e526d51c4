"""What a residue is by its atoms and its name: of a protein, of a polymer, bonded to the next one."""

from __future__ import annotations

from typing import Any

from logos_cli.chemistry.residue_names import letter_of
from logos_cli.chemistry.residues import STANDARD
from logos_cli.structures import chromophores
from logos_cli.structures.gemmi_library import gemmi
from logos_cli.structures.molecules import CA_DISTANCE, PEPTIDE_BOND

SUGAR = {f"{name}{mark}" for name in ("C1", "C2", "C3", "C4", "C5", "O3", "O4", "O5") for mark in "'*"}


def polymeric(residue: Any) -> bool:
    """Whether a residue can be of a polymer, by its atoms: an alpha carbon, or of a known amino acid at least no atom that
    is not of the backbone; the sugar or the phosphate of a nucleotide."""
    if alpha(residue):
        return amino(residue) or all(atom_named(residue, name) for name in ("N", "C"))
    heavy = {atom.name for atom in residue if not atom.is_hydrogen()}
    if amino(residue):
        return heavy <= {"N", "C", "O", "OXT"}
    return (bool(heavy & {"P", "C1'", "C1*"}) and len(heavy & SUGAR) > 2) or heavy <= {"P"}


def backbone(residue: Any) -> bool:
    """Whether a residue can stand in a protein: by its atoms, or by its name where only alpha carbons are given."""
    return alpha(residue) and (amino(residue) or all(atom_named(residue, name) for name in ("N", "C")))


def amino(residue: Any) -> bool:
    return bool(
        letter_of(residue.name)
        or chromophores.letters_of(residue.name)
        or gemmi().find_tabulated_residue(residue.name).is_amino_acid()
    )


def alpha(residue: Any) -> bool:
    """Whether there is an alpha carbon; a calcium ion has the same name."""
    found = atom_named(residue, "CA")
    return found is not None and (found.element.name != "Ca" or amino(residue))


def parent_letter(name: str, parent: str) -> str:
    """The standard letter of a residue or of its parent, from the tables or the file's MODRES, the letters of one that is
    several; empty if there is none."""
    if several := chromophores.letters_of(name):
        return several
    for one in (name, parent):
        info = gemmi().find_tabulated_residue(one)
        letter = letter_of(one) or (info.one_letter_code.upper() if info.is_amino_acid() else "")
        if letter and letter in STANDARD:
            return str(letter)
    return ""


def follows(one: Any, other: Any) -> bool:
    """Whether a residue goes on a chain: bonded, the other of two at one place, or next in number, as in rough models."""
    return bonded(one, other) or one.seqid == other.seqid or (other.het_flag == "A" and other.seqid.num == one.seqid.num + 1)


def bonded(one: Any, other: Any) -> bool:
    """Whether two residues that follow each other in a file also do in the chain."""
    for names, most in ((("C", "N"), PEPTIDE_BOND), (("CA", "CA"), CA_DISTANCE)):
        left, right = (atom_named(residue, name) for residue, name in zip((one, other), names, strict=True))
        if left and right:
            return bool(left.pos.dist(right.pos) <= most)
    return bool(other.seqid.num - one.seqid.num <= 1)


def atom_named(residue: Any, name: str) -> Any:
    found = next((atom for atom in residue if atom.name == name), None)
    if found is None and chromophores.letters_of(residue.name):
        names = chromophores.NAMES.get(name, ())
        found = next((atom for other in names for atom in residue if atom.name == other), None)
    return found
