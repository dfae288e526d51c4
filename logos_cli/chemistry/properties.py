"""What a chemist asks of a molecule first: physical properties, and how near it is to known ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from logos_cli.chemistry.smiles import MAX_SMILES, rdkit
from logos_cli.errors import MissingDependency, UsageError

# Name -> what it is, all by RDKit; sa is its Contrib's synthetic accessibility (Ertl and Schuffenhauer 2009), 1 easy to 10.
PROPERTIES = {
    "mw": "molecular weight, Da",
    "logp": "Crippen's logP",
    "qed": "drug-likeness, 0 to 1",
    "tpsa": "polar surface, Å²",
    "sa": "synthetic accessibility, 1 (easy) to 10",
    "rotb": "rotatable bonds",
    "hbd": "hydrogen bond donors",
    "hba": "hydrogen bond acceptors",
}
_DIGITS = {"mw": 2, "logp": 3, "qed": 3, "tpsa": 2, "sa": 3}


@cache
def functions() -> dict[str, Callable[[Any], float]]:
    """Property -> its function of an RDKit molecule."""
    from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors

    return {
        "mw": Descriptors.MolWt,  # type: ignore[attr-defined]  # not in RDKit's stubs
        "logp": Crippen.MolLogP,  # type: ignore[attr-defined]
        "qed": QED.qed,
        "tpsa": rdMolDescriptors.CalcTPSA,
        "sa": synthetic_accessibility,
        "rotb": rdMolDescriptors.CalcNumRotatableBonds,
        "hbd": rdMolDescriptors.CalcNumHBD,
        "hba": rdMolDescriptors.CalcNumHBA,
    }


def synthetic_accessibility(mol: Any) -> float:
    return float(_scorer().calculateScore(mol))


@cache
def _scorer() -> Any:
    """RDKit's own scorer, which its wheels carry in a folder that is no package."""
    from rdkit import RDConfig

    file = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("sascorer", file) if file.is_file() else None
    if spec is None or spec.loader is None:
        raise MissingDependency(f"this RDKit has no {file}, which sa needs: pip install --force-reinstall rdkit")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def names_of(text: str) -> tuple[str, ...]:
    """The properties of a list such as `mw,logp`. Raises UsageError for one that is unknown."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in PROPERTIES:
            raise UsageError(f"no property {name!r}; there are: {', '.join(PROPERTIES)}")
    return names


def properties_of(mol: Any, names: Sequence[str]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in names:
        value = functions()[name](mol)
        found[name] = round(float(value), _DIGITS[name]) if name in _DIGITS else int(value)
    return found


@cache
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)


def parsed(smiles: str) -> Any:
    """The molecule of a SMILES that is known to be valid, or None."""
    return rdkit().MolFromSmiles(smiles) if 0 < len(smiles) <= MAX_SMILES else None


def fingerprint(mol: Any) -> Any:
    """Morgan, radius 2, 2,048 bits (the usual ECFP4)."""
    return _generator().GetFingerprint(mol)
