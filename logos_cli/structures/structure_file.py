"""The content of a PDB or mmCIF file as gemmi's Structure, its protein chains whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from logos_cli.chemistry.residue_names import CAPS, letter_of, pdb_of_three
from logos_cli.chemistry.residues import STANDARD
from logos_cli.errors import MissingDependency
from logos_cli.structures import chromophores
from logos_cli.structures.molecules import CA_DISTANCE, PEPTIDE_BOND, Molecules, separated
from logos_cli.structures.pdb_text import read_text

# Atoms whose x, y, z are not as everyone writes them, %8.3f; few files have one, so what follows may be slow.
_UNUSUAL = re.compile(r"^(?:ATOM|HETA)(?!.{26}(?:(?= *-?\d+\.\d{3}).{4}\..{3}){3}).*", re.MULTILINE | re.IGNORECASE)
_COORDINATE = re.compile(r" *[-+]?\d*\.\d+")


AMINO_ELEMENTS = ("C", "D", "H", "N", "O", "S", "Se", "P", "X")
SUGAR = {f"{name}{mark}" for name in ("C1", "C2", "C3", "C4", "C5", "O3", "O4", "O5") for mark in "'*"}


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


@dataclass(frozen=True)
class Parsed:
    """`structure` is gemmi's, of the first model. `notes` say what was done to read it and what was not read, `letters` the
    chains that had another name in the file: ours -> (letter, segment)."""

    structure: Any
    notes: tuple[str, ...] = ()
    letters: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def parse_structure(data: bytes, mmcif: bool) -> Parsed:
    """A file's content, named as the file names its entry, else not at all. Raises StructureError."""
    text = data.decode("utf-8", "replace")
    try:
        found = read_mmcif(text) if mmcif else read_pdb(text)
    except (ValueError, RuntimeError, IndexError) as error:
        if isinstance(error, StructureError):
            raise
        raise StructureError(
            f"not a readable {'mmCIF' if mmcif else 'PDB'} file: {' '.join(str(error).split())[:160]}"
        ) from None
    structure = found.structure
    structure.merge_chain_parts()  # ligands and water stand after the chains, under the same names
    structure.add_entity_types()
    stated = mmcif and any(len(entity.full_sequence) for entity in structure.entities)
    modified = {(one.chain_name, str(one.res_id.seqid)) for one in structure.mod_residues}
    for chain in structure[0]:
        make_whole(chain, mmcif, stated, {number for name, number in modified if name == chain.name})
    structure.setup_entities()
    if not mmcif:
        structure.assign_label_seq_id()
    return found


def read_pdb(text: str) -> Parsed:
    given = read_text(text)
    molecules = separated(pdb_of_three(given.text))
    library = gemmi()
    try:
        structure = library.read_pdb_string(molecules.text)
    except (ValueError, RuntimeError) as error:
        if "charge" not in str(error):
            raise
        structure = library.read_pdb_string(molecules.text, max_line_length=78)
    if not len(structure) or not len(structure[0]):
        raise StructureError("no atoms in this structure")
    check_columns(given.text)
    structure.name = dict(structure.info).get("_entry.id", "")
    regrouped(structure[0], molecules)
    for residue in (one for chain in structure[0] for one in chain if letter_of(one.name)):
        for atom in residue:
            # Without a column for the element, a name that begins a column early reads as calcium, mercury, helium.
            if atom.element.name not in AMINO_ELEMENTS and atom.name[:1] in "CHNOS":
                atom.element = library.Element(atom.name[0])
    read = structure[0].count_atom_sites()
    lost = [f"{given.atoms - read} of {given.atoms} atoms not read"] if read < given.atoms else []
    letters = {name: (letter, segment) for name, letter, segment in molecules.chains.values()}
    return Parsed(structure, (*given.notes, *lost, *molecules.notes), letters)


def regrouped(model: Any, molecules: Molecules) -> None:
    """Chains by molecule, and those that stand in no order sorted by number."""
    library = gemmi()
    groups: dict[str, list[Any]] = {}
    for chain in model:
        for residue in chain:
            copy = residue.clone()
            name = chain.name
            if residue.segment in molecules.chains:
                name, _, copy.segment = molecules.chains[residue.segment]
                # TER told them of the letter, not of the molecule.
                copy.entity_type, copy.subchain = library.EntityType.Unknown, ""
            groups.setdefault(name, []).append(copy)
    if not molecules.chains and not molecules.unordered:
        return
    for name in [chain.name for chain in model]:
        if model.find_chain(name) is not None:
            model.remove_chain(name)
    for name, residues in groups.items():
        chain = library.Chain(name)
        if name in molecules.unordered:
            residues = sorted(residues, key=lambda one: (one.het_flag == "H", one.seqid.num, one.seqid.icode))
        for residue in residues:
            chain.add_residue(residue)
        model.add_chain(chain)


def read_mmcif(text: str) -> Parsed:
    """The first block with atoms; a file may hold several."""
    library = gemmi()
    blocks = list(library.cif.read_string(text))
    sites = [(block, len(block.find(["_atom_site.id"])) or len(block.find(["_atom_site.Cartn_x"]))) for block in blocks]
    block, count = next(((one, number) for one, number in sites if number), (None, 0))
    if block is None:
        if any(block.find_values(f"_atom_site{mark}fract_x") for block in blocks for mark in ("_", ".")):
            raise StructureError(
                "a crystal's CIF, with fractional coordinates (_atom_site_fract_x); what is read is mmCIF of a protein"
            )
        raise StructureError("no atoms in this structure")
    with_elements(block)
    structure = library.make_structure_from_block(block)
    if not len(structure) or not len(structure[0]):
        raise StructureError(f"{count} atoms, but not the columns that mmCIF needs (_atom_site.label_atom_id, Cartn_x, …)")
    first, every = structure[0].count_atom_sites(), sum(model.count_atom_sites() for model in structure)
    notes = [f"model 1 of {len(structure)}", f"{every - first} atoms of the others not read"] if len(structure) > 1 else []
    notes += [f"{count - every} of {count} atoms not read"] if every < count else []
    others = sum(number for _, number in sites) - count
    notes += [f"{others} atoms of further data blocks not read"] if others else []
    while len(structure) > 1:
        del structure[len(structure) - 1]
    return Parsed(structure, tuple(notes))


def with_elements(block: Any) -> None:
    """Some programs write no _atom_site.type_symbol, without which gemmi reads no atom: the names of atoms tell it too."""
    table = block.find("_atom_site.", ["label_atom_id", "label_comp_id"])
    if block.find_values("_atom_site.type_symbol") or not table:
        return
    elements = [element_of(row.str(0), row.str(1)) for row in table]
    loop = block.find_loop("_atom_site.label_atom_id").get_loop()
    loop.add_columns(["_atom_site.type_symbol"], "?")
    for cell, element in enumerate(elements):
        loop[cell, loop.width() - 1] = element


def element_of(atom: str, residue: str) -> str:
    letters = "".join(sign for sign in atom.upper() if sign.isalpha())
    two = letters[:2]
    if letters == residue.upper() or (two in ("CL", "BR") and not letter_of(residue)):
        return two
    return letters[:1] or "X"


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
    if changed:
        polymer_first(chain)


def polymer_first(chain: Any) -> None:
    """gemmi takes a polymer as residues that follow each other."""
    copies = [residue.clone() for residue in chain]
    del chain[:]
    for residue in sorted(copies, key=lambda one: one.entity_type != gemmi().EntityType.Polymer):
        chain.add_residue(residue)


def polymeric(residue: Any) -> bool:
    """Whether a residue can be of a polymer, by its atoms: an alpha carbon, or of a known amino acid at least no atom that
    is not of the backbone; the sugar or the phosphate of a nucleotide."""
    if alpha(residue):
        return amino(residue) or all(atom_named(residue, name) for name in ("N", "C"))
    heavy = {atom.name for atom in residue if not atom.is_hydrogen()}
    if amino(residue):
        return heavy <= {"N", "C", "O", "OXT"}
    return (bool(heavy & {"P", "C1'", "C1*"}) and len(heavy & SUGAR) > 2) or heavy <= {"P"}


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
    return bool(
        letter_of(residue.name)
        or chromophores.letters_of(residue.name)
        or gemmi().find_tabulated_residue(residue.name).is_amino_acid()
    )


def alpha(residue: Any) -> bool:
    """Whether there is an alpha carbon; a calcium ion has the same name."""
    found = atom_named(residue, "CA")
    return found is not None and (found.element.name != "Ca" or amino(residue))


def parent_letter(name: str, parent: str) -> str:
    """The standard letter of a residue or of its parent, from the tables or the file's MODRES, the letters of one that is
    several; empty if there is none."""
    if several := chromophores.letters_of(name):
        return several
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
    found = next((atom for atom in residue if atom.name == name), None)
    if found is None and chromophores.letters_of(residue.name):
        names = chromophores.NAMES.get(name, ())
        found = next((atom for other in names for atom in residue if atom.name == other), None)
    return found
