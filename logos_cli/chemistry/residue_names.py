"""Names of residues that no dictionary of the PDB has, or whose parent it leaves open: protonation states and disulfides
as force fields name them, and the two amino acids beyond the twenty.

Names are those of the residue files of AMBER (ff14SB, constant pH), CHARMM36, OPLS-AA and GROMOS.
"""

from __future__ import annotations

import re

CAPS = ("ACE", "FOR", "NH2", "NME", "NMA")  # what blocks a chain's ends, itself no residue
STANDARD = {
    "ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E", "GLY": "G", "HIS": "H", "ILE": "I",
    "LEU": "L", "LYS": "K", "MET": "M", "PHE": "F", "PRO": "P", "SER": "S", "THR": "T", "TRP": "W", "TYR": "Y", "VAL": "V",
}  # fmt: skip
OTHER = {
    # Histidine: hydrogen on ND1, on NE2, on both.
    "HID": "H", "HIE": "H", "HIP": "H", "HSD": "H", "HSE": "H", "HSP": "H",
    # Cysteine: in a disulfide, deprotonated.
    "CYX": "C", "CYM": "C",
    # Acids with their hydrogen, bases and tyrosine without.
    "ASH": "D", "AS4": "D", "GLH": "E", "GL4": "E", "LYN": "K", "LSN": "K", "ARN": "R", "TYM": "Y",
    # Not among the twenty that LOGOS knows: the nearest of them. Selenium stands for sulfur, pyrrolysine is an acylated lysine.
    "SEC": "C", "PYL": "K",
}  # fmt: skip
# Of four letters, for the same in three; AMBER's at a chain's ends (NALA, CHIE) are `N` or `C` and three.
FOUR = {
    "HISA": "HID", "HISB": "HIE", "HISD": "HID", "HISE": "HIE", "HISH": "HIP", "HIS1": "HIE", "HIS2": "HIP",
    "CYSH": "CYS", "CYS1": "CYX", "CYS2": "CYX", "ASPH": "ASH", "ASPP": "ASH", "GLUH": "GLH", "GLUP": "GLH",
    "LYSH": "LYS", "ARGN": "ARN",
}  # fmt: skip
_FOUR_IN_PDB = re.compile(r"^((?:ATOM  |HETATM).{11})(\S{4})", re.MULTILINE)


def letter_of(name: str) -> str:
    """The standard letter of a residue by its name alone; empty for one that stands in no table."""
    short = of_three(name)
    return STANDARD.get(short) or OTHER.get(short, "")


def of_three(name: str) -> str:
    """A name of four letters in three; any other as it is."""
    if len(name) == 4 and name[0] in "NC" and name[1:] in STANDARD | OTHER:
        return name[1:]
    return FOUR.get(name, name)


def pdb_of_three(text: str) -> str:
    """A PDB whose residues of four letters, in columns 18-21, have their names in three, else gemmi reads the fourth as part
    of the chain's. A file that does have chains of two letters is left as it is."""
    names = {found[2] for found in _FOUR_IN_PDB.finditer(text)}
    known = {name for name in names if of_three(name) != name}
    if not known or any(name[:3] in STANDARD for name in names - known):
        return text
    return _FOUR_IN_PDB.sub(lambda found: f"{found[1]}{of_three(found[2]):4s}", text)
