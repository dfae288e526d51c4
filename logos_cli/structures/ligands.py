"""What of a structure a pocket is measured from: ligands by name and copy, whole chains, residues by number.

Read from `--pocket-from`: `GBS`, `GBS:A:246` or `GBS A:246`, `GBS:A`, `chain:B`, `A:57`, `57`, `A_57`, `ALA25`, `A:25-30`,
several of them with commas or blanks between.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from logos_cli.structures.chains import Chain, heavy_positions
from logos_cli.structures.gemmi_library import StructureError, gemmi

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FORMS = "give a ligand (GBS, GBS:A:246), a chain (chain:B), residues (A:57, A:25-30) or a ligand's file"
SAME_PLACE = 0.05  # Å in x, y and z at most between an atom and itself in a file of fewer decimals
SPHERES = "STP"  # fpocket's alpha spheres; its residue number is the pocket's, so two numbers are two pockets
# Left out by `auto`: what crystals are grown in and frozen with, single ions, sugars of glycans.
ADDITIVES = frozenset(
    """
    GOL EDO PEG PGE PG4 PG0 1PE P6G PE4 PE8 15P 2PE 12P 7PE XPE SO4 SO3 PO4 PI ACT ACY FMT CIT FLC TLA MLI MLA TRS
    MES EPE HEZ BME DTT DTU DMS DMF MPD MRD IPA EOH MOH BU1 BU3 POL SCN NO3 NH4 AZI CO3 BCT IMD BOG LMT UNX STP NAG
    NDG BMA MAN FUC FUL
    """.split()  # noqa: SIM905
)
_PLACE = re.compile(r"(?:(?P<chain>[^:\s]*)[:_])?(?P<name>[A-Za-z]{3})?(?P<first>-?\d+[A-Za-z]?)(?:-(?P<last>-?\d+[A-Za-z]?))?")
_COPY = re.compile(r"(?P<name>[^:]+):(?P<chain>[^:]*)(?::(?P<number>-?\d+[A-Za-z]?))?")


@dataclass(frozen=True)
class Copy:
    """One ligand, or whatever is measured from. `label` is as messages show it, `asked` as it is asked for alone; `points` are
    those of a file of its own. `apart`: a pocket of its own even where it touches the residues of another."""

    name: str
    chain: str
    number: str
    residues: tuple[Any, ...] = ()
    points: Any = None
    smiles: str | None = None
    apart: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} {self.chain}:{self.number}" if self.number else f"{self.name} {self.chain}".strip()

    @property
    def asked(self) -> str:
        if self.name == "chain":
            return f"chain:{self.chain}"
        return f"{self.name}:{self.chain}:{self.number}" if self.number else self.name

    @cached_property
    def positions(self) -> npt.NDArray[np.float64]:
        """Coordinates [N, 3] in Å of its heavy atoms."""
        found: npt.NDArray[np.float64] = self.points if self.points is not None else heavy_positions(self.residues)
        return found


@dataclass(frozen=True)
class Named:
    """What was asked for. `groups` are copies of one name each, `residues` the numbers of proteins' residues, each as
    (chain or None, first, last)."""

    groups: tuple[tuple[Copy, ...], ...]
    residues: tuple[tuple[str | None, str, str], ...] = ()


@dataclass(frozen=True)
class Inventory:
    """A structure's first model parted into the chains that were read as proteins and everything else but water. `labels` are
    other names of its residues, the file's label_comp_id -> the author's."""

    structure: Any
    chains: tuple[Chain, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def proteins(self) -> dict[str, tuple[Chain, int]]:
        """Own number -> chain and place from 1."""
        return {number: (one, at) for one in self.chains for at, number in enumerate(one.numbers, 1) if number}

    @cached_property
    def ligands(self) -> tuple[Copy, ...]:
        """All residues that are of none of the proteins read, in the file's order."""
        polymer = gemmi().EntityType.Polymer
        read = {one.name for one in self.chains}
        found = []
        for chain in self.structure[0]:
            for residue in chain:
                of_protein = residue.entity_type == polymer and chain.name in read
                if not of_protein and not residue.is_water():
                    found.append(Copy(residue.name, chain.name, str(residue.seqid), (residue,), apart=residue.name == SPHERES))
        return tuple(found)

    @cached_property
    def by_place(self) -> Mapping[str, Copy]:
        return {f"{one.chain}:{one.number}": one for one in self.ligands}

    def numbers_under(self, points: npt.NDArray[np.float64]) -> list[str]:
        """Own numbers of the residues that these atoms [N, 3] are themselves; none if most of them are of no protein."""
        import numpy as np

        met = np.zeros(len(points), bool)
        found = []
        for number, (chain, at) in self.proteins.items():
            places = heavy_positions([chain.residues[at - 1]])
            if len(places) and len(points):
                same = (np.abs(places[:, None] - points[None]).max(axis=2) <= SAME_PLACE).any(axis=0)
                met |= same
                found += [number] if same.any() else []
        return found if 2 * met.sum() > len(points) else []

    def listed(self) -> str:
        """The ligands for a message, polymers that were not read as chains."""
        polymer = gemmi().EntityType.Polymer
        single = [one.label for one in self.ligands if one.residues[0].entity_type != polymer]
        polymers = dict.fromkeys(f"chain:{one.chain}" for one in self.ligands if one.residues[0].entity_type == polymer)
        every = [*single, *polymers]
        return ", ".join(every[:12]) + (f" and {len(every) - 12} more" if len(every) > 12 else "") or "none"

    def what_stands_at(self, number: str) -> str:
        """The name of what stands at a place `chain:number`, water and caps too; empty if nothing does."""
        found = (one.name for chain in self.structure[0] for one in chain if f"{chain.name}:{one.seqid}" == number)
        return str(next(found, ""))


def read_named(asked: str, inventory: Inventory) -> Named:
    """Raises StructureError for what is not there."""
    names = {one.name.upper() for one in inventory.ligands}
    tokens = [by_author(one, names, inventory.labels) for one in re.split(r"[,;\s]+", asked.strip()) if one]
    groups: list[tuple[Copy, ...]] = []
    residues: list[tuple[str | None, str, str]] = []
    at = 0
    while at < len(tokens):
        token, following = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else ""
        at += 1
        beside = inventory.by_place.get(following)
        if token.lower().startswith("chain:"):
            groups.append((whole_chain(token[6:], inventory),))
        elif token.upper() in names:
            if beside and beside.name.upper() == token.upper():  # `GBS A:246`, as lists of ligands show it
                groups.append((beside,))
                at += 1
            else:
                groups.append(tuple(one for one in inventory.ligands if one.name.upper() == token.upper()))
        elif copies := copies_at(token, inventory):
            groups.append(copies)
        elif place := _PLACE.fullmatch(token):
            found = residues_at(token, place, inventory)
            if isinstance(found, Copy):
                groups.append((found,))
            else:
                residues.append(found)
        else:
            raise StructureError(f"no ligand {token} in this structure; it has: {inventory.listed()}; {FORMS}")
    if not groups and not residues:
        raise StructureError(f"--pocket-from names nothing; the structure has: {inventory.listed()}; {FORMS}")
    return Named(tuple(groups), tuple(residues))


def by_author(token: str, names: Collection[str], labels: Mapping[str, str]) -> str:
    """A ligand asked for by its label_comp_id, under the author's name, unless that is the name of another."""
    name, colon, rest = token.partition(":")
    found = {label.upper(): author for label, author in labels.items()}.get(name.upper())
    return f"{found}{colon}{rest}" if found and name.upper() not in names else token


def copies_at(token: str, inventory: Inventory) -> tuple[Copy, ...]:
    """Those that `GBS:A` or `GBS:A:246` means, by the author's chain, else by the file's label_asym_id."""
    match = _COPY.fullmatch(token)
    if match is None:
        return ()
    named = [
        one
        for one in inventory.ligands
        if one.name.upper() == match["name"].upper() and match["number"] in (None, one.number)
    ]  # fmt: skip
    found = tuple(one for one in named if one.chain == match["chain"])
    return found or tuple(one for one in named if any(part.subchain == match["chain"] for part in one.residues))


def whole_chain(name: str, inventory: Inventory) -> Copy:
    """A chain as what is measured from: a peptide, a nucleic acid, a sugar."""
    found = [one for chain in inventory.structure[0] if chain.name == name for one in chain if not one.is_water()]
    if not found:
        there = ", ".join(chain.name for chain in inventory.structure[0])
        raise StructureError(f"chain {name} is not in this structure; its chains: {there}")
    return Copy("chain", name, "", tuple(found))


def residues_at(token: str, place: re.Match[str], inventory: Inventory) -> Copy | tuple[str | None, str, str]:
    """A residue or a range of a protein, or a ligand at that place. Raises StructureError."""
    chain, first, last = place["chain"], place["first"].upper(), (place["last"] or place["first"]).upper()
    first, last = (re.sub(r"^(-?)0+(?=\d)", r"\1", one) for one in (first, last))
    chains = [chain] if chain is not None else [one for unit in inventory.chains for one in unit.name.split(",")]
    there = [f"{one}:{first}" for one in chains]
    known = [number for number in there if number in inventory.proteins]
    if known:
        wanted = (place["name"] or "").upper()
        for number in known:
            unit, at = inventory.proteins[number]
            name = unit.residues[at - 1].name
            if wanted and name != wanted:
                raise StructureError(f"{token}: residue {number} is {name}, not {wanted}")
        missing = [one for one in chains if place["last"] and f"{one}:{last}" not in inventory.proteins]
        if missing and len(missing) == len(chains):
            raise StructureError(f"{token}: residue {missing[0]}:{last} is not in this structure's proteins")
        return chain, first, last
    ligand = next((inventory.by_place[number] for number in there if number in inventory.by_place), None)
    if ligand is not None and not place["last"]:
        return ligand
    other = inventory.what_stands_at(there[0]) if there else ""
    if other:
        raise StructureError(f"{there[0]} ({other}) is neither a residue of the sequence nor a ligand")
    spans = "; ".join(f"chain {one.name} has {ends(one.numbers)}" for one in inventory.chains)
    raise StructureError(f"residue {' or '.join(there[:3])} is not in this structure; {spans[:200]}")


def ends(numbers: Sequence[str | None]) -> str:
    there = [number for number in numbers if number]
    return f"{there[0]} to {there[-1]}" if there else "no residue"


def largest(inventory: Inventory) -> Named:
    """`auto`: the ligand with most heavy atoms that no list of additives has. Raises StructureError."""
    polymer = gemmi().EntityType.Polymer
    sizes = {
        one.name: len(one.positions)
        for one in inventory.ligands
        if one.name not in ADDITIVES and one.residues[0].entity_type != polymer and len(one.positions) > 1
    }
    if not sizes:
        raise StructureError(f"no ligand but additives in this structure; it has: {inventory.listed()}; {FORMS}")
    name = max(sizes, key=lambda one: sizes[one])
    return Named((tuple(one for one in inventory.ligands if one.name == name),))
