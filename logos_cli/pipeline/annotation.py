"""What `--props`, `--similar-to`, `--scheme` and `--stock` add to a record: its molecule's properties, the nearest of known
molecules, its antibody's numbers, which reactants can be had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from logos_cli.chemistry.antibody import numbering
from logos_cli.chemistry.grammar import MOLECULE, RowError
from logos_cli.chemistry.properties import fingerprint, parsed, properties_of
from logos_cli.chemistry.smiles import canonical
from logos_cli.errors import InputError
from logos_cli.pipeline.stock import Stock
from logos_cli.records.record import IN_STOCK, Record
from logos_cli.rows.read_rows import read_rows


@dataclass(frozen=True)
class References:
    """Molecules to compare with: `names` of their fingerprints."""

    names: tuple[str, ...]
    prints: tuple[Any, ...]

    @classmethod
    def read(cls, path: Path) -> References:
        """Reads those of any file that holds SMILES. Raises InputError for one without a valid molecule."""
        rows = [(row.id, canonical(row.value)) for row in read_rows(str(path)) if isinstance(row.value, str)]
        found = [(name, parsed(smiles)) for name, smiles in rows if smiles]
        if not found:
            raise InputError(f"{path}: no valid molecule in it; give a file of SMILES to compare with")
        return cls(tuple(name for name, _ in found), tuple(fingerprint(mol) for _, mol in found))

    def nearest(self, mol: Any) -> dict[str, Any]:
        """Finds the nearest of them: Tanimoto similarity, and its name."""
        from rdkit.DataStructs import BulkTanimotoSimilarity

        values = BulkTanimotoSimilarity(fingerprint(mol), list(self.prints))
        best = max(range(len(values)), key=lambda i: values[i])
        return {"tanimoto": round(float(values[best]), 4), "to": self.names[best]}


KNOWN = "known"  # --similar-to: the ligand that is known of the row itself


@dataclass(frozen=True)
class Annotation:
    """What is added to each record of a molecule, of reactants or, by `scheme`, of an antibody; an answer that is not valid has
    none of it. `known`: similarity is to the record's own right answer, as far as it has one."""

    props: tuple[str, ...] = ()
    references: References | None = None
    known: bool = False
    scheme: str | None = None
    stock: Stock | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        of_similarity = ("tanimoto", "to") if self.references or self.known else ()
        return (*self.props, *of_similarity, *((IN_STOCK,) if self.stock else ()))

    def of(self, record: Record) -> Record:
        if self.scheme and record.valid:
            return replace(record, numbering=numbered(record.smiles, self.scheme))
        if self.stock and record.valid:
            return replace(record, in_stock=[self.stock.has(one) for one in record.answer])
        mol = parsed(record.smiles) if self.columns and record.valid else None
        if mol is None:
            return record
        props = properties_of(mol, self.props) if self.props else None
        references = own_reference(record.truth) if self.known else self.references
        return replace(record, props=props, similarity=references.nearest(mol) if references else None)


def numbered(sequence: str, scheme: str) -> dict[str, Any]:
    """The numbering of a sequence; without domains where it is no antibody's."""
    try:
        return numbering(sequence, scheme)
    except RowError:
        return {"scheme": scheme, "domains": []}


def own_reference(truth: Any) -> References | None:
    """The molecule that a record has as its right answer, perhaps in markers."""
    if not isinstance(truth, str):
        return None
    found = MOLECULE.fullmatch(truth) or MOLECULE.fullmatch(f"<MoleculeS>{truth}")
    smiles = canonical(found[1] if found else truth)
    mol = parsed(smiles) if smiles else None
    return References((KNOWN,), (fingerprint(mol),)) if mol is not None else None
