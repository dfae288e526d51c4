"""Reaction SMILES whose two sides are written in the same atom order.

A small model learns a reaction best as "copy, but change a few characters", so the answer is written from the root
atom that makes its string most like the prompt's (the idea of root-aligned SMILES, Zhong et al., Chem. Sci. 2022;
there from atom maps, here from the strings themselves, since the data has no maps).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from rapidfuzz.distance import LCSseq
from rdkit import Chem


def rooted(mol: Chem.Mol, root: int) -> str:
    """SMILES of `mol` written from atom `root`; branch order stays canonical."""
    return Chem.MolToSmiles(mol, rootedAtAtom=root)


def random_root(smiles: str, rng: random.Random) -> str:
    """The same molecule written from a random atom; the string itself if RDKit cannot read it."""
    mol = Chem.MolFromSmiles(smiles)
    return smiles if mol is None or mol.GetNumAtoms() == 0 else rooted(mol, rng.randrange(mol.GetNumAtoms()))


def aligned(smiles: str, reference: str) -> tuple[str, int]:
    """`smiles` rewritten to share the longest common subsequence with `reference`, and that length."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or "." in smiles:
        return smiles, LCSseq.similarity(smiles, reference)
    candidates = dict.fromkeys([smiles, *(rooted(mol, i) for i in range(mol.GetNumAtoms()))])
    # Of equal matches the shortest adds least that the model has to invent.
    scored = [(LCSseq.similarity(text, reference), -len(text), -i, text) for i, text in enumerate(candidates)]
    similarity, _, _, text = max(scored)
    return text, similarity


def aligned_side(parts: Sequence[str], reference: str) -> list[str]:
    """All molecules of one side, each aligned with `reference`, the one that shares most with it first."""
    found = [aligned(part, reference) for part in parts]
    return [text for text, _ in sorted(found, key=lambda item: -item[1])]
