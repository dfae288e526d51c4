"""The content of a PDB or mmCIF file as gemmi's Structure, its protein chains whole."""

from __future__ import annotations

import re
from typing import Any

from logos_cli.errors import MissingDependency
from logos_cli.residue_names import CAPS, letter_of, pdb_of_three
from logos_cli.residues import STANDARD

PEPTIDE_BOND = 2.5  # Å between C and N at most; 1.33 is usual
CA_DISTANCE = 4.5  # Å between neighbouring alpha carbons at most, where C or N is not modelled; 3.8 is usual
# Atoms whose x, y, z are not as everyone writes them, %8.3f; few files have one, so what follows may be slow.
_UNUSUAL = re.compile(r"^(?:ATOM|HETA)(?!.{26}(?:(?= *-?\d+\.\d{3}).{4}\..{3}){3}).*", re.MULTILINE | re.IGNORECASE)
_COORDINATE = re.compile(r" *[-+]?\d*\.\d+")


class StructureError(ValueError):
    """A structure that gives no row; the message says why."""


def gemmi() -> Any:
    try:
        import gemmi as found
    except ImportError:
        raise MissingDependency(
            "structures are read by gemmi, which is not installed: pip install 'logos-cli[structure]', or pip install gemmi"
        ) from None
    return found


def parse_structure(data: bytes, mmcif: bool) -> Any:
    """gemmi's Structure of a file's content, named as the file names its entry, else not at all. Raises StructureError."""
    library = gemmi()
    text = data.decode("utf-8", "replace")
    try:
        if mmcif:
            # A file may hold several blocks; the first one with atoms is the structure.
            structures = (library.make_structure_from_block(block) for block in library.cif.read_string(text))
            structure = next((one for one in structures if len(one) and len(one[0])), None)
        else:
            structure = library.read_pdb_string(pdb_of_three(text))
            structure.name = dict(structure.info).get("_entry.id", "")
    except (ValueError, RuntimeError, IndexError) as error:
        raise StructureError(
            f"not a readable {'mmCIF' if mmcif else 'PDB'} file: {' '.join(str(error).split())[:160]}"
        ) from None
    if structure is None or not len(structure) or not len(structure[0]):
        raise StructureError("no atoms in this structure")
    if not mmcif:
        check_columns(text)
    structure.merge_chain_parts()  # ligands and water stand after the chains, under the same names
    structure.add_entity_types()
    modified = {(one.chain_name, str(one.res_id.seqid)) for one in structure.mod_residues}
    for chain in structure[0]:
        make_whole(chain, mmcif, {number for name, number in modified if name == chain.name})
    structure.setup_entities()
    if not mmcif:
        structure.assign_label_seq_id()
    return structure


def check_columns(text: str) -> None:
    """gemmi reads what stands in the columns of a PDB's coordinates as well as it can: slipped by one they are other places.
    Raises StructureError."""
    for found in _UNUSUAL.finditer(text):
        fields = (found[0][start : start + 8] for start in (30, 38, 46))
        if not all(_COORDINATE.fullmatch(field) for field in fields):
            line = text.count("\n", 0, found.start()) + 1
            raise StructureError(
                f"line {line}: no x, y, z of eight columns each in columns 31-54, but {found[0][30:54].rstrip()!r}; "
                "write the file again"
            )


def make_whole(chain: Any, mmcif: bool, modified: set[str]) -> None:
    """Where a file does not say which residues are the polymer, gemmi ends it at the first one that it does not expect: a
    ligand in the middle, a selenocysteine. What goes on behind it is of the chain. `modified`: numbers of residues that
    the file itself gives a parent."""
    library = gemmi()
    polymer = chain.get_polymer()
    peptides = (library.PolymerType.PeptideL, library.PolymerType.PeptideD, library.PolymerType.Unknown)
    if len(polymer) and polymer.check_polymer_type() not in peptides:
        return
    changed = False
    if not mmcif:
        for residue in polymer:
            # A ligand that stands before the chain, or before its TER.
            if not (amino(residue) or alpha(residue) or residue.name in CAPS or str(residue.seqid) in modified):
                residue.entity_type, changed = library.EntityType.NonPolymer, True
    inside = [residue for residue in chain if residue.entity_type == library.EntityType.Polymer]
    last = inside[-1] if inside else None
    subchain = last.subchain if last else ""
    for run in runs_outside(chain):
        stated = mmcif and last and run[0].subchain != subchain  # the file says that it is another one
        # Numbers that begin again are those of another chain: `read_chain` says so.
        beyond = last and not follows(last, run[0]) and not (of_chain(run) and run[0].seqid.num > last.seqid.num)
        if stated or beyond:
            continue
        if last or len(run) > 1:
            for residue in run:
                residue.entity_type, residue.subchain, changed = library.EntityType.Polymer, subchain, True
            last = run[-1]
    if changed:
        # gemmi takes a polymer as residues that follow each other.
        copies = [residue.clone() for residue in chain]
        del chain[:]
        for residue in sorted(copies, key=lambda one: one.entity_type != library.EntityType.Polymer):
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


def follows(one: Any, other: Any) -> bool:
    """Whether a residue goes on a chain: bonded, the other of two at one place, or next in number, as in rough models."""
    return bonded(one, other) or one.seqid == other.seqid or (other.het_flag == "A" and other.seqid.num == one.seqid.num + 1)


def backbone(residue: Any) -> bool:
    """Whether a residue can stand in a protein: by its atoms, or by its name where only alpha carbons are given."""
    return alpha(residue) and (amino(residue) or all(atom_named(residue, name) for name in ("N", "C")))


def amino(residue: Any) -> bool:
    return bool(letter_of(residue.name) or gemmi().find_tabulated_residue(residue.name).is_amino_acid())


def alpha(residue: Any) -> bool:
    """Whether there is an alpha carbon; a calcium ion has the same name."""
    found = atom_named(residue, "CA")
    return found is not None and found.element.name != "Ca"


def parent_letter(name: str, parent: str) -> str:
    """The standard letter of a residue or of its parent, from the tables or the file's MODRES; empty if there is none."""
    for one in (name, parent):
        info = gemmi().find_tabulated_residue(one)
        letter = letter_of(one) or (info.one_letter_code.upper() if info.is_amino_acid() else "")
        if letter and letter in STANDARD:
            return str(letter)
    return ""


def bonded(one: Any, other: Any) -> bool:
    """Whether two residues that follow each other in a file also do in the chain."""
    for names, most in ((("C", "N"), PEPTIDE_BOND), (("CA", "CA"), CA_DISTANCE)):
        left, right = (atom_named(residue, name) for residue, name in zip((one, other), names, strict=True))
        if left and right:
            return bool(left.pos.dist(right.pos) <= most)
    return bool(other.seqid.num - one.seqid.num <= 1)


def atom_named(residue: Any, name: str) -> Any:
    return next((atom for atom in residue if atom.name == name), None)
