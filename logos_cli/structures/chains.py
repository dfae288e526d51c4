"""A protein chain of a PDB or mmCIF file as a sequence with its own numbering, and the residues around a ligand.

The sequence is of the residues that have coordinates. Where the file states the whole sequence (SEQRES, _entity_poly_seq)
gaps inside the chain are filled from it; what is missing at the ends is left out, as tags and disordered tails are.
Modified residues become their parents. Only the first model is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from logos_cli.chemistry.own_numbers import OwnNumbers
from logos_cli.chemistry.residue_names import CAPS
from logos_cli.structures import chromophores
from logos_cli.structures.gemmi_library import StructureError, gemmi
from logos_cli.structures.polymers import of_chain, runs_outside
from logos_cli.structures.residue_atoms import bonded, parent_letter

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

GAPS_SHOWN = 4  # of a pocket cut out of its protein there are dozens
SAME_RESIDUE = 2.0  # Å; backbone atoms further apart are of two residues under one number


@dataclass(frozen=True)
class Chain:
    """`numbers` are the residues' own (`A:45`, `A:45B`), None where only the stated sequence has the residue; `residues`
    are gemmi's, None at the same places. `notes` say what was done to get this sequence."""

    name: str
    sequence: str
    numbers: tuple[str | None, ...]
    residues: tuple[Any, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """Where a row's sequence stands in its structure."""

    chain: str
    numbers: tuple[str | None, ...]
    notes: tuple[str, ...]
    structure: Any
    letters: Mapping[str, str] = field(default_factory=dict)  # of chains that have another name in the file
    plddt: tuple[float | None, ...] = ()  # of a predicted structure's residues, none where it is not told

    @cached_property
    def own_numbers(self) -> OwnNumbers:
        return OwnNumbers(self.numbers)

    def own(self, places: Iterable[int]) -> list[str | None]:
        """The structure's own numbers of residues counted from 1."""
        return [self.numbers[place - 1] for place in places]

    def confidence(self, places: Iterable[int]) -> dict[str, Any]:
        """What a record's site says of them besides: their pLDDT, if it is told."""
        return {"plddt": [self.plddt[place - 1] for place in places]} if self.plddt else {}


def protein_chains(structure: Any) -> list[Any]:
    """Chains of the first model with a polymer of amino acids. Raises StructureError if there is none."""
    kinds = {chain.name: chain.get_polymer().check_polymer_type() for chain in structure[0] if len(chain.get_polymer())}
    peptides = (gemmi().PolymerType.PeptideL, gemmi().PolymerType.PeptideD)
    found = [chain for chain in structure[0] if kinds.get(chain.name) in peptides]
    if not found:
        told = "; ".join(f"chain {chain.name} {content_of(chain)}" for chain in structure[0])
        raise StructureError(f"no protein chain in this structure; {told[:300]}")
    return found


def content_of(chain: Any) -> str:
    """What a chain that is no protein is, for a message."""
    polymer = chain.get_polymer()
    if len(polymer):
        kind = polymer.check_polymer_type().name
        return "is a nucleic acid" if kind in ("Dna", "Rna", "DnaRnaHybrid") else f"is a polymer of the kind {kind}"
    names = sorted({residue.name for residue in chain if not residue.is_water()})
    return f"has no polymer, but {', '.join(names[:8])}" if names else "is water only"


def chain_named(structure: Any, name: str) -> Any:
    """Raises StructureError for a chain that is not there or no protein."""
    chains = protein_chains(structure)
    found = next((chain for chain in chains if chain.name == name), None)
    if found is None:
        there = next((chain for chain in structure[0] if chain.name == name), None)
        kind = " is not in this structure" if there is None else f" {content_of(there)}, no protein"
        names = ", ".join(chain.name for chain in chains)
        labelled = next((chain.name for chain in chains if any(one.subchain == name for one in chain.get_polymer())), None)
        hint = f"; the file's label_asym_id {name} is its chain {labelled}" if there is None and labelled else ""
        raise StructureError(f"chain {name}{kind}; protein chains: {names}{hint}")
    return found


@dataclass
class _Growing:
    """A chain's sequence while it is read."""

    letters: list[str] = field(default_factory=list)
    numbers: list[str | None] = field(default_factory=list)
    placed: list[Any] = field(default_factory=list)

    def add(self, letters: str, number: str | None, residue: Any) -> None:
        """One residue, or one that is several: its number and its atoms stand at one of them."""
        numbers = chromophores.numbered(letters, number) if number else [None] * len(letters)
        self.letters += letters
        self.numbers += numbers
        self.placed += [residue if one else None for one in numbers]


def read_chain(structure: Any, chain: Any) -> Chain:
    """Raises StructureError for a residue without a standard parent, and for two chains under one letter."""
    parents = {(one.chain_name, str(one.res_id.seqid)): one.parent_comp_id for one in structure.mod_residues}
    polymer = chain.get_polymer()
    residues, said = most_frequent(chain.name, polymer)
    apart = beside(chain, residues)
    caps = [end for end in (0, -1) if residues and residues[end].name in CAPS]
    left_out = [f"{chain.name}:{residues[end].seqid} ({residues[end].name}), a cap, left out" for end in caps]
    residues = residues[1 if 0 in caps else 0 : -1 if -1 in caps else None]
    entity = structure.get_entity_of(polymer)
    stated = [gemmi().Entity.first_mon(one) for one in entity.full_sequence] if entity else []
    grown = _Growing()
    changed: dict[str, int] = {}
    filled: list[str] = []
    open_gaps: list[str] = []
    doubled: list[str] = []
    before: Any = None
    for residue in residues:
        number = f"{chain.name}:{residue.seqid}"
        letter = parent_letter(residue.name, parents.get((chain.name, str(residue.seqid)), ""))
        if not letter:
            raise StructureError(f"residue {number} ({residue.name}) has no standard parent; remove it or give the sequence")
        apart_by = apart_copies(residue)
        if apart_by > SAME_RESIDUE:
            raise StructureError(f"residue {number} is there twice; give each chain a letter, each residue a number of its own")
        doubled += [number] if apart_by >= 0 else []
        if gemmi().find_tabulated_residue(residue.name).one_letter_code != letter:
            changed[f"{residue.name} as {letter}"] = changed.get(f"{residue.name} as {letter}", 0) + 1
        if before is not None and not bonded(before, residue):
            between = missing(before, residue, stated)
            span = f"{chain.name}:{before.seqid} to {number}"
            if between is None:
                open_gaps.append(span)
            elif between:
                filled.append(f"{span}, {sum(map(len, between))} residues")
                grown.add("".join(between), None, None)
        grown.add(letter, number, residue)
        before = residue
    notes = apart + left_out + [f"{count} × {change}" for change, count in changed.items()] + said
    notes += [f"atoms twice without letters for their places, read as one residue: {' '.join(doubled)}"] if doubled else []
    notes += [f"gap filled from the stated sequence: {one}" for one in filled]
    if len(open_gaps) > GAPS_SHOWN:
        notes.append(f"{len(open_gaps)} gaps, their ends joined: {', '.join(open_gaps[:GAPS_SHOWN])}, …")
    else:
        notes += [f"gap, its ends joined: {one}" for one in open_gaps]
    notes += missing_ends(chain.name, residues, stated)
    inserted = sum(residue.seqid.icode.strip() != "" for residue in residues)
    notes += [f"{inserted} residues with insertion codes"] if inserted else []
    return Chain(chain.name, "".join(grown.letters), tuple(grown.numbers), tuple(grown.placed), tuple(notes))


def most_frequent(name: str, polymer: Any) -> tuple[list[Any], list[str]]:
    """(residues, notes): of several kinds of residue at one place (microheterogeneity) the one with the highest occupancy."""
    chosen, notes = [], []
    for _, alike in groupby(polymer, key=lambda one: str(one.seqid)):
        kinds = list(alike)
        best = max(kinds, key=lambda one: max((atom.occ for atom in one), default=0.0))
        chosen.append(best)
        if len({one.name for one in kinds}) > 1:
            shares = ", ".join(f"{one.name} {max((atom.occ for atom in one), default=0.0):.2f}" for one in kinds)
            notes.append(f"{name}:{best.seqid} is {shares}: {best.name} taken")
    return chosen, notes


def apart_copies(residue: Any) -> float:
    """How far, in Å, atoms of one name and one letter of alternative place lie apart at most; -1 where there are none."""
    most = -1.0
    first: dict[tuple[str, str], Any] = {}
    for atom in residue:
        if not atom.is_hydrogen():
            other = first.setdefault((atom.name, atom.altloc), atom)
            if other is not atom and atom.name in ("N", "CA", "C"):
                most = max(most, other.pos.dist(atom.pos))
    return most


def joined(chains: Sequence[Chain]) -> Chain:
    """Several chains as one, one after the other, each residue with its own number."""
    if len(chains) == 1:
        return chains[0]
    notes = [f"chain {one.name}: {note}" for one in chains for note in one.notes]
    sizes = ", ".join(f"{one.name} {len(one.sequence)}" for one in chains)
    return Chain(
        ",".join(one.name for one in chains), "".join(one.sequence for one in chains),
        tuple(number for one in chains for number in one.numbers), tuple(r for one in chains for r in one.residues),
        (f"one after the other: {sizes} residues", *notes),
    )  # fmt: skip


def beside(chain: Any, residues: Sequence[Any]) -> list[str]:
    """Notes on amino acids of a chain that are not of its polymer. A free one after its end is a ligand like any other.
    Raises StructureError for what is no ligand."""
    notes = []
    for run in runs_outside(chain):
        first, last = (f"{chain.name}:{run[end].seqid}" for end in (0, -1))
        if of_chain(run) and run[0].entity_type != gemmi().EntityType.Polymer:
            raise StructureError(
                f"chain {chain.name} is split: {chain.name}:{residues[-1].seqid} is not followed by {first}, where "
                f"{len(run)} residues of it begin; give each chain a letter of its own"
            )
        among = residues and run[0].seqid.num < residues[-1].seqid.num
        if len(run) > 1 or run[0].het_flag == "A" or among:
            what = f"{first} to {last}" if len(run) > 1 else f"{first} ({run[0].name})"
            notes.append(f"{what}, not bonded to the chain, not in its sequence")
    return notes


def missing(one: Any, other: Any, stated: Sequence[str]) -> list[str] | None:
    """Letters of the residues between two that are not bonded, by the stated sequence; None if it does not tell."""
    if not stated or one.label_seq is None or other.label_seq is None or other.label_seq <= one.label_seq:
        return None
    letters = [parent_letter(name, "") for name in stated[one.label_seq : other.label_seq - 1]]
    return letters if all(letters) else None


def missing_ends(name: str, residues: Sequence[Any], stated: Sequence[str]) -> list[str]:
    """A note on the residues of the stated sequence before and after those with coordinates, if there are any."""
    if not stated or not residues:
        return []
    first, last = residues[0].label_seq, residues[-1].label_seq
    if first is None or last is None:
        whole = len(stated) == len(residues)
        return [] if whole else [f"the stated sequence, of {len(stated)} residues, cannot be aligned with this one"]
    ends = ((stated[: first - 1], "before", residues[0]), (stated[last:], "after", residues[-1]))
    counts = [(sum(one not in CAPS for one in names), f"{where} {name}:{residue.seqid}") for names, where, residue in ends]
    told = [f"{count} residues {where}" for count, where in counts if count]
    return [f"only in the stated sequence, left out: {', '.join(told)}"] if told else []


def heavy_positions(residues: Iterable[Any]) -> npt.NDArray[np.float64]:
    """Coordinates [N, 3] in Å of all atoms but hydrogens, every alternative location."""
    import numpy as np

    found = [atom.pos.tolist() for residue in residues for atom in residue if not atom.is_hydrogen()]
    return np.array(found, np.float64).reshape(-1, 3)


def contacts(chain: Chain, centre: npt.NDArray[np.float64], cutoff: float) -> tuple[int, ...]:
    """Residues, counted from 1, with a heavy atom within `cutoff` Å of one of `centre` [N, 3]."""
    import numpy as np

    found = []
    for place, residue in enumerate(chain.residues, 1):
        if residue is not None and len(centre) and len(positions := heavy_positions([residue])):
            squares = ((positions[:, None] - centre[None]) ** 2).sum(axis=2)
            if np.sqrt(squares.min()) <= cutoff:
                found.append(place)
    return tuple(found)


def frequencies_as_bfactors(site: Site, frequency: Sequence[float]) -> tuple[str, str]:
    """(suffix, text) of a file of the first model with 100 × a residue's frequency as the B-factor of its atoms and 0
    elsewhere, chains named as in the file: PDB, or mmCIF for what PDB cannot hold."""
    structure = site.structure.clone()
    while len(structure) > 1:
        del structure[len(structure) - 1]
    values = {number: 100 * value for number, value in zip(site.numbers, frequency, strict=True) if number}
    for chain in structure[0]:
        for residue in chain:
            polymer = residue.entity_type == gemmi().EntityType.Polymer
            value = values.get(f"{chain.name}:{residue.seqid}", 0.0) if polymer else 0.0
            for atom in residue:
                atom.b_iso = value
    for chain in structure[0]:
        chain.name = site.letters.get(chain.name, chain.name)
    if all(len(chain.name) <= 1 for chain in structure[0]) and structure[0].count_atom_sites() < 100_000:
        return ".pdb", structure.make_pdb_string()
    return ".cif", structure.make_mmcif_document().as_string()
