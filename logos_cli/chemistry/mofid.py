"""MOFid, the name of a metal-organic framework as its building blocks: nodes and linkers joined by dots, then topology and
catenation (`[O-]C(=O)c1ccc(cc1)C(=O)[O-].[Zn][O]([Zn])([Zn])[Zn] MOFid-v1.pcu.cat0`).

The form is that of Bucior et al., Cryst. Growth Des. 2019, 19, 6682; the columns are those of the QMOF database's csv.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

_NAME = re.compile(r"(?:^|\s)MOFid-v\d+\.")
_BRACKET = re.compile(r"\[\d*([A-Z][a-z]?)")
_NONMETALS = frozenset((
    "H", "He", "B", "C", "N", "O", "F", "Ne", "Si", "P", "S", "Cl", "Ar", "Ge", "As", "Se", "Br", "Kr", "Te", "I", "Xe", "At",
    "Rn",
))  # fmt: skip
_CARBON = re.compile(r"\[\d*[Cc](?![a-z])")
NODES, LINKERS = "smiles_nodes", "smiles_linkers"  # how QMOF's columns end

Blocks = tuple[str, tuple[str, ...]]


def is_mofid(*texts: str | None) -> bool:
    """Whether a SMILES or the name that came with it says MOFid."""
    return any(_NAME.search(text) for text in texts if text)


def has_metal(smiles: str) -> bool:
    return any(symbol not in _NONMETALS for symbol in _BRACKET.findall(smiles))


def organic(smiles: str) -> bool:
    """Whether a part of a SMILES has carbon and no metal."""
    outside = re.sub(r"\[[^\]]*\]", "", smiles).replace("Cl", "")
    return ("c" in outside.lower() or bool(_CARBON.search(smiles))) and not has_metal(smiles)


def building_blocks(smiles: str, columns: Mapping[str, str] | None = None) -> Blocks:
    """(node, linkers) of a MOF's SMILES: what `columns` say (QMOF), else parts with a metal atom are the node, joined by
    dots, and the others linkers. Either may be empty."""
    if columns and (stated := stated_blocks(columns)):
        return stated
    # What follows a blank is the name.
    parts = [part for one in smiles.split()[:1] for part in one.split(".") if part]
    return ".".join(filter(has_metal, parts)), tuple(part for part in parts if not has_metal(part))


def stated_blocks(columns: Mapping[str, str]) -> Blocks | None:
    """What QMOF's two columns say, each a list as Python writes it; None if they do not say both."""
    found = []
    for ending in (NODES, LINKERS):
        cell = next((cell for name, cell in columns.items() if name.strip().lower().endswith(ending)), "")
        try:
            value = ast.literal_eval(cell.strip() or "None")
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
        if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
            return None
        found.append(value)
    nodes, linkers = found
    return ".".join(nodes), tuple(linkers)
