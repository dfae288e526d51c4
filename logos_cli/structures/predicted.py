"""Whether a structure says that it was predicted, and how sure its program was of each residue: pLDDT, from 0 to 100.

B-factors are only taken for pLDDT where the file says that they are: an experiment's are something else, and as high.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from logos_cli.structures.gemmi_library import StructureError, gemmi

_NO_EXPERIMENT = re.compile(r"[?.]?|.*THEORETICAL.*|.*PREDICTED.*", re.IGNORECASE)
# Titles of PDB files: of AlphaFold's database and of ESMFold's.
_TITLE = re.compile(r"(ALPHAFOLD|ESMFOLD)\b.*\bPREDICTION FOR\b", re.IGNORECASE)
HIGHEST = 100.0


@dataclass(frozen=True)
class Predicted:
    """`program` as the file names it, empty if it does not. `plddt`: it tells how sure it is; of residues in `table`, by
    label_asym_id and label_seq_id, where there is one, else in the B-factors of their atoms. `scale` makes it one to 100."""

    program: str = ""
    plddt: bool = True
    table: Mapping[tuple[str, int], float] = field(default_factory=dict)
    scale: float = 1.0

    def of(self, residue: Any) -> float | None:
        """The pLDDT of gemmi's residue, the mean over its heavy atoms where each has its own. None where it is not told. Raises
        StructureError for what cannot be one."""
        if not self.plddt or residue is None:
            return None
        if self.table:
            value = self.table.get((residue.subchain, residue.label_seq))
        else:
            factors = [atom.b_iso for atom in residue if not atom.is_hydrogen()]
            value = sum(factors) / len(factors) if factors else None
        if value is None:
            return None
        if not 0 <= (scaled := value * self.scale) <= HIGHEST:
            raise StructureError(f"residue {residue.seqid} ({residue.name}) has {scaled:g} where pLDDT is 0 to 100: no pLDDT")
        return float(round(scaled, 2))

    @property
    def told(self) -> str:
        named = f" ({self.program})" if self.program else ""
        return f"a predicted model{named}" + ("" if self.plddt else ", which tells no pLDDT")


def predicted_mmcif(block: Any) -> Predicted | None:
    """What gemmi's block of an mmCIF file says; None for an experiment's, and for one that says nothing.

    AlphaFold's database, AlphaFold 3, Boltz and Chai write ModelCIF: `_ma_qa_metric` declares pLDDT, `_ma_qa_metric_local` has
    it for each residue, but for AlphaFold 3, whose atoms have it as B-factors. Older versions of Boltz declare none.
    """
    if not all(_NO_EXPERIMENT.fullmatch(text(one)) for one in block.find_values("_exptl.method")):
        return None
    metrics = block.find("_ma_qa_metric.", ["id", "mode", "?type", "?name"])
    own = [
        row for row in metrics
        if text(row[1]) == "local" and any(row.has(at) and "plddt" in text(row[at]).lower() for at in (2, 3))
    ]  # fmt: skip
    model = any(block.find_values(f"_ma_model_list.{name}") for name in ("model_id", "ordinal_id"))
    if not own and not model:
        return None
    named = block.find_values("_software.name") or block.find_values("_struct.title")
    program = next((text(one) for one in named if text(one)), "")
    if not own:
        return Predicted(program, plddt=False)
    number, kind = own[0][0], text(own[0][2]) if own[0].has(2) else ""
    columns = ["metric_id", "label_asym_id", "label_seq_id", "metric_value"]
    table = {}
    for row in block.find("_ma_qa_metric_local.", columns):
        if row[0] == number and row[2].isdecimal() and text(row[3]):
            try:
                table[row.str(1), int(row[2])] = float(row[3])
            except ValueError:
                raise StructureError(f"_ma_qa_metric_local: pLDDT {row[3][:20]!r} is no number") from None
    factors = (one for one in block.find_values("_atom_site.B_iso_or_equiv") if re.fullmatch(r"-?\d+(\.\d*)?", one))
    values = list(table.values()) or [float(one) for one in factors]
    # ModelCIF has a type for fractions; some programs write fractions without it.
    fractions = "[0,1]" in kind or max(values, default=HIGHEST) <= 1
    return Predicted(program, bool(values), table, HIGHEST if fractions else 1.0)


def predicted_pdb(structure: Any) -> Predicted | None:
    """What the title of gemmi's structure of a PDB file says; None for an experiment's, and for one that says nothing."""
    info = dict(structure.info)
    title = _TITLE.search(info.get("_struct.title", ""))
    if title is None or not _NO_EXPERIMENT.fullmatch(info.get("_exptl.method", "")):
        return None
    found = Predicted({"ALPHAFOLD": "AlphaFold", "ESMFOLD": "ESMFold"}[title[1].upper()])
    factors = [atom.b_iso for chain in structure[0] for residue in chain for atom in residue]
    return Predicted(found.program, scale=HIGHEST if max(factors, default=HIGHEST) <= 1 else 1.0)


def experiment_of(structure: Any) -> str:
    """The method of the experiment that gemmi's structure is of; empty if the file names none."""
    method = dict(structure.info).get("_exptl.method", "")
    return "" if _NO_EXPERIMENT.fullmatch(method) else method


def text(value: str) -> str:
    """A CIF value without its quotes, empty for `?` and `.`."""
    return str(gemmi().cif.as_string(value)).strip()
