"""The twenty standard residues as SMILES, for the grammar's pocket residues written as molecules.

The published files do not show which SMILES LOGOS uses; these are the free L-amino acids in RDKit's canonical form.
"""

from __future__ import annotations

STANDARD = "ACDEFGHIKLMNPQRSTVWY"
RESIDUE_SMILES = {
    "A": "C[C@H](N)C(=O)O",
    "C": "N[C@@H](CS)C(=O)O",
    "D": "N[C@@H](CC(=O)O)C(=O)O",
    "E": "N[C@@H](CCC(=O)O)C(=O)O",
    "F": "N[C@@H](Cc1ccccc1)C(=O)O",
    "G": "NCC(=O)O",
    "H": "N[C@@H](Cc1c[nH]cn1)C(=O)O",
    "I": "CC[C@H](C)[C@H](N)C(=O)O",
    "K": "NCCCC[C@H](N)C(=O)O",
    "L": "CC(C)C[C@H](N)C(=O)O",
    "M": "CSCC[C@H](N)C(=O)O",
    "N": "NC(=O)C[C@H](N)C(=O)O",
    "P": "O=C(O)[C@@H]1CCCN1",
    "Q": "NC(=O)CC[C@H](N)C(=O)O",
    "R": "N=C(N)NCCC[C@H](N)C(=O)O",
    "S": "N[C@@H](CO)C(=O)O",
    "T": "C[C@@H](O)[C@H](N)C(=O)O",
    "V": "CC(C)[C@H](N)C(=O)O",
    "W": "N[C@@H](Cc1c[nH]c2ccccc12)C(=O)O",
    "Y": "N[C@@H](Cc1ccc(O)cc1)C(=O)O",
}
