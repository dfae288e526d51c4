"""Predicted complexes as AlphaFold's database, AlphaFold 3, Boltz and Chai write them: the categories and columns of each, over
the coordinates of a crystal structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemmi

BRD = Path(__file__).parents[2] / "examples" / "4cup.cif.gz"
LIGAND = "ZYB"
# A number for each residue that is known by its place, and low for every tenth.
LOW, HIGH = 41.5, 90.0


def plddt_of(place: int) -> float:
    return LOW if place % 10 == 0 else HIGH + place % 7


@dataclass(frozen=True)
class Style:
    """What a program writes. `ligand` is its name for a SMILES, `het`: its atoms are HETATM; `local`: pLDDT of each residue
    stands in a table, `declared`: the file says that it tells pLDDT at all; `kind` is ModelCIF's type of it, `scale` its."""

    name: str
    ligand: str
    het: bool = True
    local: bool = True
    declared: bool = True
    head: str = ""
    kind: str = "pLDDT"
    scale: float = 1.0


STYLES = (
    Style("alphafold3", "LIG_B", local=False, head="_software.name AlphaFold\n_software.version 'AlphaFold-beta-20231127'\n"
          "_citation.title 'Accurate structure prediction of biomolecular interactions with AlphaFold 3'\n"),
    Style("boltz", "LIG1", head="_struct.entry_id model\n_struct.title .\n"),
    Style("boltz-fractions", "LIG1", scale=0.01),
    Style("chai", "LIG", het=False, head="_struct.entry_id model\n_struct.title 'Chai-1 predicted structure'\n"),
    Style("in-fractions", "LIG", kind="'pLDDT in [0,1]'", scale=0.01),
)  # fmt: skip
BOLTZ_BEFORE_PLDDT = Style("boltz-1.0", "LIG", local=False, declared=False)
ATOMS = """
    group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_seq_id auth_seq_id pdbx_PDB_ins_code label_asym_id
    Cartn_x Cartn_y Cartn_z occupancy label_entity_id auth_asym_id auth_comp_id B_iso_or_equiv pdbx_PDB_model_num
    """.split()  # noqa: SIM905


def residues() -> tuple[list[Any], Any]:
    """(the residues of 4cup's protein, its ligand)."""
    structure = gemmi.read_structure(str(BRD))
    structure.setup_entities()
    protein = list(structure[0][0].get_polymer())
    ligand = next(one for chain in structure[0] for one in chain if one.name == LIGAND)
    return protein, ligand


def loop(category: str, columns: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"{category}.{column}\n" for column in columns)
    return f"loop_\n{head}" + "".join(" ".join(row) + "\n" for row in rows) + "#\n"


def atoms(style: Style) -> Iterator[list[str]]:
    protein, ligand = residues()
    number = 0
    for place, residue in enumerate([*protein, ligand], 1):
        last = residue is ligand
        for atom in (one for one in residue if not one.is_hydrogen() and one.altloc in ("\0", "A")):
            number += 1
            group = "HETATM" if last and style.het else "ATOM"
            name = style.ligand if last else residue.name
            chain, entity = ("B", "2") if last else ("A", "1")
            value = 1.0 if not style.declared else 70.0 if last else plddt_of(place)
            quoted = f'"{atom.name}"' if "'" in atom.name else atom.name
            yield [
                group, str(number), atom.element.name.upper(), quoted, ".", name, "." if last else str(place),
                "1" if last else str(place), "?", chain, *(f"{one:.3f}" for one in atom.pos.tolist()), "1.00", entity, chain,
                name, f"{value:.2f}", "1",
            ]  # fmt: skip


def model_cif(style: Style, exptl: str = "") -> str:
    """The text of a model; `exptl` is a method of an experiment, which no such program writes."""
    protein, _ = residues()
    parts = [f"data_model\n_entry.id model\n{style.head}#\n"]
    parts += [f"_exptl.entry_id model\n_exptl.method '{exptl}'\n#\n"] if exptl else []
    parts.append(loop("_entity", ["id", "type"], [["1", "polymer"], ["2", "non-polymer"]]))
    parts.append("_entity_poly.entity_id 1\n_entity_poly.type polypeptide(L)\n_entity_poly.pdbx_strand_id A\n#\n")
    sequence = [["1", str(place), residue.name, "n"] for place, residue in enumerate(protein, 1)]
    parts.append(loop("_entity_poly_seq", ["entity_id", "num", "mon_id", "hetero"], sequence))
    parts.append(loop("_struct_asym", ["id", "entity_id", "details"], [["A", "1", "."], ["B", "2", "."]]))
    parts.append(
        loop("_ma_model_list", ["ordinal_id", "model_id", "model_group_id", "model_name", "data_id", "model_type"],
             [["1", "1", "1", "Model", "1", "'Ab initio model'"]])
    )  # fmt: skip
    if style.declared:
        rows = [["1", "pLDDT", style.kind, "global"], ["2", "pLDDT", style.kind, "local"]]
        parts.append(loop("_ma_qa_metric", ["id", "name", "type", "mode"], rows))
    if style.local:
        columns = ["ordinal_id", "model_id", "label_asym_id", "label_seq_id", "label_comp_id", "metric_id", "metric_value"]
        table = [
            [str(place), "1", "A", str(place), residue.name, "2", f"{plddt_of(place) * style.scale:.4f}"]
            for place, residue in enumerate(protein, 1)
        ]
        parts.append(loop("_ma_qa_metric_local", columns, table))
    parts.append(loop("_atom_site", ATOMS, list(atoms(style))))
    return "".join(parts)


def model_pdb(title: str = "", method: str = "") -> str:
    """The same as a PDB file, pLDDT in its B-factors, under a title."""
    structure = gemmi.Structure()
    model = gemmi.Model(1)
    for name, members in zip("AB", ([*residues()[0]], [residues()[1]]), strict=True):
        chain = gemmi.Chain(name)
        for place, residue in enumerate(members, 1):
            copy = residue.clone()
            copy.seqid, copy.name = gemmi.SeqId(str(place)), "LIG" if name == "B" else residue.name
            for atom in copy:
                atom.b_iso = plddt_of(place) if name == "A" else 70.0
            chain.add_residue(copy)
        model.add_chain(chain)
    structure.add_model(model)
    structure.setup_entities()
    head = (f"TITLE     {title}\n" if title else "") + (f"EXPDTA    {method}\n" if method else "")
    lines = structure.make_pdb_string().splitlines()
    return head + "\n".join(line for line in lines if line[:6] in ("ATOM  ", "HETATM", "TER   ", "END   ")) + "\n"
