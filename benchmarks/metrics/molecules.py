"""Sets of molecules as distributions: properties, their distance between two sets, diversity."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from logos_cli.chemistry.properties import fingerprint, functions, parsed

PROPERTIES = ("mw", "logp", "qed")
MOST_PAIRED = 1000  # molecules whose pairs are compared: half a million similarities


def properties(smiles: Iterable[str]) -> dict[str, list[float]]:
    """Gives each property's values over the molecules: molecular weight, Crippen logP, QED (all from RDKit)."""
    columns: dict[str, list[float]] = {name: [] for name in PROPERTIES}
    for values in map(_properties_of, smiles):
        if values is not None:
            for name, value in zip(PROPERTIES, values, strict=True):
                columns[name].append(value)
    return columns


# Models that differ only in their numbers mostly give each other's answers, and QED takes milliseconds.
@lru_cache(maxsize=1 << 17)
def _properties_of(smiles: str) -> tuple[float, ...] | None:
    mol = parsed(smiles)
    return None if mol is None else tuple(float(functions()[name](mol)) for name in PROPERTIES)


def similarity(left: str, right: str) -> float:
    """Measures Tanimoto similarity of two molecules by Morgan fingerprints; 0 if one cannot be read."""
    from rdkit.DataStructs import TanimotoSimilarity

    a, b = parsed(left), parsed(right)
    return float(TanimotoSimilarity(fingerprint(a), fingerprint(b))) if a is not None and b is not None else 0.0


def wasserstein(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Measures the first Wasserstein distance of two samples: the area between their cumulative distributions."""
    import numpy as np

    if not left or not right:
        return None
    a, b = np.sort(left), np.sort(right)
    both = np.sort(np.concatenate([a, b]))
    gaps = np.diff(both)
    cdf_a = np.searchsorted(a, both[:-1], side="right") / len(a)
    cdf_b = np.searchsorted(b, both[:-1], side="right") / len(b)
    return float((np.abs(cdf_a - cdf_b) * gaps).sum())


@dataclass(frozen=True)
class Diversity:
    """1 - mean Tanimoto similarity over all pairs of `n` distinct molecules (Morgan fingerprints, radius 2, 2,048 bits)."""

    value: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return {"value": self.value, "n": self.n}


def internal_diversity(smiles: Sequence[str], seed: int = 0) -> Diversity | None:
    """Measures diversity; None for fewer than two molecules; of many, a fixed draw of `MOST_PAIRED`. As in MOSES (Polykovskiy
    et al. 2020), but without each molecule's similarity to itself."""
    from rdkit.DataStructs import BulkTanimotoSimilarity

    distinct = sorted(set(smiles))
    if len(distinct) > MOST_PAIRED:
        distinct = sorted(random.Random(seed).sample(distinct, MOST_PAIRED))
    prints = [fingerprint(mol) for mol in map(parsed, distinct) if mol is not None]
    if len(prints) < 2:
        return None
    total = sum(sum(BulkTanimotoSimilarity(one, prints[:i])) for i, one in enumerate(prints))
    pairs = len(prints) * (len(prints) - 1) / 2
    return Diversity(1 - total / pairs, len(prints))
