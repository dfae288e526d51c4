"""Which residues of a chain are its polymer, where the file does not say so."""

from __future__ import annotations

from typing import Any

from logos_cli.chemistry.residue_names import CAPS
from logos_cli.structures.gemmi_library import gemmi
from logos_cli.structures.residue_atoms import backbone, follows, polymeric


def make_whole(chain: Any, mmcif: bool, stated: bool, modified: set[str]) -> None:
    """Where a file does not say which residues are the polymer, gemmi ends it at the first one that it does not expect: a
    ligand in the middle, a selenocysteine. What goes on behind it is of the chain. `stated`: the file says which residues
    are the polymers; `modified`: numbers of residues that it gives a parent."""
    library = gemmi()
    changed = False
    if not stated:
        for residue in chain.get_polymer():
            # A ligand that stands before the chain or before its TER, or in a chain of its own, whatever its name.
            if not (polymeric(residue) or residue.name in CAPS or str(residue.seqid) in modified):
                residue.entity_type, changed = library.EntityType.NonPolymer, True
    polymer = chain.get_polymer()
    peptides = (library.PolymerType.PeptideL, library.PolymerType.PeptideD, library.PolymerType.Unknown)
    if len(polymer) and polymer.check_polymer_type() not in peptides:
        if changed:
            polymer_first(chain)
        return
    inside = [residue for residue in chain if residue.entity_type == library.EntityType.Polymer]
    last = inside[-1] if inside else None
    subchain = last.subchain if last else ""
    for run in runs_outside(chain):
        another = mmcif and last and run[0].subchain != subchain  # the file says that it is another one
        # Numbers that begin again are those of another chain: `read_chain` says so.
        beyond = last and not follows(last, run[0]) and not (of_chain(run) and run[0].seqid.num > last.seqid.num)
        if another or beyond:
            continue
        if last or len(run) > 1:
            for residue in run:
                residue.entity_type, residue.subchain, changed = library.EntityType.Polymer, subchain, True
            last = run[-1]
    single = [residue for residue in chain if residue.entity_type == library.EntityType.Polymer]
    if len(single) == 1 and not stated:  # an amino acid alone is a ligand
        single[0].entity_type, changed = library.EntityType.NonPolymer, True
    if changed:
        polymer_first(chain)


def polymer_first(chain: Any) -> None:
    """gemmi takes a polymer as residues that follow each other."""
    copies = [residue.clone() for residue in chain]
    del chain[:]
    for residue in sorted(copies, key=lambda one: one.entity_type != gemmi().EntityType.Polymer):
        chain.add_residue(residue)


def of_chain(run: list[Any]) -> bool:
    """Whether residues beyond a gap are of the chain before it: one alone, or a HETATM peptide, may be a ligand."""
    return len(run) > 1 and any(residue.het_flag == "A" for residue in run)


def runs_outside(chain: Any) -> list[list[Any]]:
    """Amino acids of a chain that are not of its polymer, in runs that follow each other."""
    runs: list[list[Any]] = []
    polymer = chain.get_polymer()
    subchain = polymer[0].subchain if len(polymer) else ""
    for residue in chain:
        inside = residue.entity_type == gemmi().EntityType.Polymer and residue.subchain == subchain
        if inside or residue.is_water() or not backbone(residue):
            continue
        if runs and follows(runs[-1][-1], residue):
            runs[-1].append(residue)
        else:
            runs.append([residue])
    return runs
