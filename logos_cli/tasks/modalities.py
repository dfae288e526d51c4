"""What a model can write by itself, modality by modality: how each begins and ends, and what it goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Modality:
    """`start` stands before what the model writes, after a text of the modality `after` if there is one. It is known if all
    of `needs` are single tokens."""

    start: str
    needs: tuple[str, ...]
    stops: tuple[str, ...] = ()
    after: str = ""


def _paired(name: str, *more: str) -> Modality:
    start, end = f"<{name}S>", f"<{name}E>"
    return Modality(start, (start, end, *more), (end,))


MODALITIES: Mapping[str, Modality] = {
    "molecule": _paired("Molecule"),
    "protein": _paired("Protein"),
    "antibody": _paired("Antibody"),
    "material": _paired("Material", "<MetalS>", "<MetalE>", "<MoleculeS>", "<MoleculeE>"),
    "reaction": Modality("<ReverseReact>", ("<ReverseReact>",), after="molecule"),
    "pocket": Modality("<Search><ProteinS>", ("<Search>", "<PocketS>", "<PocketE>"), ("<ProteinE>",), after="protein"),
    "complex": Modality("<MoleculeS>", ("<MoleculeS>", "<MoleculeE>"), ("<MoleculeE>",), after="protein"),
}
MOLECULES = "molecule"  # whose texts are molecules alone


def modality_of(text: str) -> str:
    """Names a sequence's modality by the markers it has; `text` for one without any."""
    if "<AntibodyS>" in text:
        return "antibody"
    if "<MaterialS>" in text:
        return "material"
    if "<ReverseReact>" in text or "<React>" in text:
        return "reaction"
    if "<ProteinS>" in text:
        if "<MoleculeS>" in text:
            return "complex"
        return "pocket" if "<PocketS>" in text or "<Search>" in text else "protein"
    return "molecule" if "<MoleculeS>" in text else "text"
