"""LOGOS's grammar as training documents: each modality in its published forms. Pure string work, nothing to install."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from logos_cli.chemistry.grammar import protein, wrap


@dataclass(frozen=True)
class Document:
    """One training sequence; `prompt` is what a user would type, `answer` what the model should write."""

    kind: str
    prompt: str
    answer: str


@dataclass(frozen=True)
class Protein:
    """A sequence and its pocket, as 0-based places."""

    sequence: str
    pocket: frozenset[int] = frozenset()

    @classmethod
    def of_record(cls, sequence: str, pocket: Collection[int]) -> Protein:
        """From a data record, whose places count from 1."""
        return cls(sequence, frozenset(place - 1 for place in pocket))


def wrapped(given: Protein, smiles: bool = False) -> str:
    """Pocket form (1): every pocket residue between pocket markers; with `smiles` form (2), the residue as SMILES."""
    return protein(given.sequence, {place + 1 for place in given.pocket}, smiles)


def molecules(smiles: Sequence[str]) -> str:
    return "".join(map(wrap, smiles))


def pocket(given: Protein, form: int) -> Document:
    """Forms (1) to (4) of a protein with its pocket; (4) is the prompt and answer of the binding-site task."""
    if form == 1:
        return Document("pocket", "<ProteinS>", wrapped(given).removeprefix("<ProteinS>"))
    if form == 2:
        return Document("pocket", "<ProteinS>", wrapped(given, smiles=True).removeprefix("<ProteinS>"))
    if form == 3:
        return Document("pocket", wrapped(given) + "<Trans>", wrapped(given, smiles=True))
    prompt = protein(given.sequence) + "<Search><ProteinS>"
    return Document("search", prompt, wrapped(given).removeprefix("<ProteinS>"))


def complex_prompt(given: Protein, form: int) -> str:
    """A complex cut before its ligand: protein; protein with pocket residues wrapped; pocket residues as SMILES."""
    shown = protein(given.sequence) if form == 1 else wrapped(given, smiles=form == 3)
    return shown + "<MoleculeS>"


def complex_document(given: Protein, ligand: str, form: int) -> Document:
    return Document("complex", complex_prompt(given, form), f"{ligand}<MoleculeE>")


def material(metal: str, linkers: Sequence[str]) -> Document:
    return Document("material", "<MaterialS>", f"<MetalS>{metal}<MetalE>{molecules(linkers)}<MaterialE>")


def molecule(smiles: str) -> Document:
    return Document("molecule", "<MoleculeS>", f"{smiles}<MoleculeE>")


def chain(kind: str, sequence: str) -> Document:
    """A bare `protein` or `antibody`."""
    name = kind.capitalize()
    return Document(kind, f"<{name}S>", f"{sequence}<{name}E>")
