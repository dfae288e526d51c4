"""The pocket that `--pocket-from` names, in the chain that has most of it: which copies of a ligand belong together, what
other chains have of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logos_cli.rows.row import Reading
from logos_cli.structures.chains import Chain, contacts
from logos_cli.structures.gemmi_library import StructureError
from logos_cli.structures.ligands import Copy, Named, ends

SHOWN = 30  # residues of other chains that a note names


@dataclass(frozen=True)
class Found:
    """A chain, or several as one, with its pocket, counted from 1. `label` tells rows of one structure apart; `smiles` is the
    ligand's, if its file tells its bonds."""

    chain: Chain
    pocket: tuple[int, ...]
    notes: tuple[str, ...]
    label: str = ""
    smiles: str | None = None


def pockets(chains: Sequence[Chain], named: Named, reading: Reading, auto: bool = False) -> list[Found]:
    """One pocket, or with `each_copy` one of every copy that touches a protein. Raises StructureError."""
    if reading.each_copy and (named.groups or not named.residues):
        copies = [one for group in named.groups for one in group]
        near = [one for one in copies if touched(one, chains, reading.cutoff)]
        if not near:
            raise StructureError(f"no residue of {shown(chains)} within {reading.cutoff:g} Å of {listed(copies)}")
        left = [one.label for one in copies if one not in near]
        notes = [f"no residue within {reading.cutoff:g} Å of {', '.join(left)}"] if left else []
        return [pocket_of(chains, [one], named, reading, notes, one) for one in near]
    centres: list[Copy] = []
    notes = []
    for group in named.groups:
        taken, said = together(group, chains, reading.cutoff, auto)
        centres += taken
        notes += said
    return [pocket_of(chains, centres, named, reading, notes)]


def together(group: Sequence[Copy], chains: Sequence[Chain], cutoff: float, auto: bool) -> tuple[list[Copy], list[str]]:
    """(the copies of one ligand that are one pocket, notes). Raises StructureError if they are several pockets."""
    if len(group) == 1:
        return list(group), []
    sets = {i: places for i, one in enumerate(group) if (places := touched(one, chains, cutoff))}
    parts: list[set[int]] = []
    for i, places in sets.items():
        near = [part for part in parts if not group[i].apart and any(sets[j] & places for j in part)]
        parts = [part for part in parts if part not in near] + [{i}.union(*near)]
    if len(parts) < 2:
        taken = [group[i] for i in sets] or list(group)
        return taken, [f"{len(group)} copies of {group[0].name}, one pocket: {listed(taken)}"]
    told = "; ".join(f"{listed([group[i] for i in sorted(part)])}, {len(set().union(*(sets[i] for i in part)))} residues"
                     for part in sorted(parts, key=min))  # fmt: skip
    if auto:
        best = max(parts, key=lambda part: (len(set().union(*(sets[i] for i in part))), -min(part)))
        return [group[i] for i in sorted(best)], [f"the copy of {group[0].name} with most contacts, of: {told}"]
    first = group[min(sets)]
    choose = "give a file of one" if first.points is not None else f"choose one, --pocket-from {first.asked}"
    raise StructureError(f"{len(parts)} pockets of {first.name}: {told[:400]}; {choose}, or --each-copy")


def touched(copy: Copy, chains: Sequence[Chain], cutoff: float) -> frozenset[str]:
    """Own numbers of the residues within `cutoff` Å, of all chains."""
    own = {id(residue) for residue in copy.residues}
    return frozenset(
        str(chain.numbers[at - 1])
        for chain in chains
        for at in contacts(chain, copy.positions, cutoff)
        if id(chain.residues[at - 1]) not in own
    )


def pocket_of(
    chains: Sequence[Chain],
    centres: Sequence[Copy],
    named: Named,
    reading: Reading,
    notes: Sequence[str],
    copy: Copy | None = None,
) -> Found:
    """The chain with most of what is near or named; what others have is told."""
    measured = {one.chain for one in centres if one.name == "chain"}
    units = [one for one in chains if one.name not in measured]
    if not units:
        raise StructureError(f"chain {', '.join(sorted(measured))} is the only protein: nothing else has a pocket")
    near = [frozenset(at for one in centres for at in contacts(unit, one.positions, reading.cutoff)) for unit in units]
    asked = [frozenset(at for one in named.residues for at in places(unit, *one)) for unit in units]
    found = [one | other for one, other in zip(near, asked, strict=True)]
    best = max(range(len(units)), key=lambda i: len(found[i]))
    unit, said = units[best], list(notes)
    if not found[best]:
        if centres:
            raise StructureError(f"no residue of {shown(units)} within {reading.cutoff:g} Å of {listed(centres)}")
        told = ", ".join(first if chain is None else f"{chain}:{first}" for chain, first, _ in named.residues)
        raise StructureError(f"{told} is no residue of {shown(units)}, which has {ends(unit.numbers)}")
    if len(units) > 1:
        most = "contacts" if centres else "of the named residues"
        said.append(f"chain {unit.name}, the one with most {most} ({len(found[best])}) of {len(units)}")
    beside = [str(other.numbers[at - 1]) for i, other in enumerate(units) if i != best for at in sorted(near[i])]
    if beside:
        names = ",".join([unit.name, *dict.fromkeys(number.rpartition(":")[0] for number in beside)])
        some = " ".join(beside[:SHOWN]) + (" …" if len(beside) > SHOWN else "")
        near_by = f"{len(beside)} residues of other chains within {reading.cutoff:g} Å left out: {some}"
        said.append(f"{near_by}; take them in with --chains {names}")
    # A bare number is one of every chain that has it: not left out of the others.
    elsewhere = [
        str(other.numbers[at - 1])
        for i, other in enumerate(units)
        if i != best
        for one in named.residues
        if one[0] is not None
        for at in places(other, *one)
    ]
    if elsewhere:
        said.append(f"named for the pocket but not on chain {unit.name}, left out: {' '.join(elsewhere)}")
    smiles = next((one.smiles for one in centres if one.smiles), None)
    return Found(unit, tuple(sorted(found[best])), tuple(said), copy.asked if copy else "", smiles)


def places(unit: Chain, chain: str | None, first: str, last: str) -> list[int]:
    """Places from 1 of a residue, or of a range of own numbers. Raises StructureError for a number of several chains."""
    names = unit.name.split(",") if chain is None else [chain]
    own = {number: at for at, number in enumerate(unit.numbers, 1) if number}
    found = [
        (own[f"{name}:{first}"], own[f"{name}:{last}"]) for name in names if {f"{name}:{first}", f"{name}:{last}"} <= set(own)
    ]
    if len(found) > 1:
        raise StructureError(f"residue {first} is in chains {' and '.join(names)}; name the chain: {names[0]}:{first}")
    if found and found[0][1] < found[0][0]:
        raise StructureError(f"the range {first}-{last} runs backwards in chain {unit.name}")
    return list(range(found[0][0], found[0][1] + 1)) if found else []


def shown(chains: Sequence[Chain]) -> str:
    return f"chain {chains[0].name}" if len(chains) == 1 else "any protein chain"


def listed(copies: Sequence[Copy]) -> str:
    return ", ".join(one.label for one in copies[:8]) + (f" and {len(copies) - 8} more" if len(copies) > 8 else "")
