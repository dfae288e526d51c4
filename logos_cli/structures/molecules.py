"""Which residues of a PDB file are one molecule: its chain letters do not always tell.

Programs give several molecules one letter, or none, and tell them apart by segment (columns 73-76), by TER, or by numbers
that begin again. Residues of a pocket may stand in no order at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from logos_cli.chemistry.residue_names import letter_of

PEPTIDE_BOND = 2.5  # Å between C and N at most; 1.33 is usual
CA_DISTANCE = 4.5  # Å between neighbouring alpha carbons at most, where C or N is not modelled; 3.8 is usual
REACH = 4.0  # Å that one residue can add to the distance of alpha carbons
SLACK = 4.0  # Å more, for models that are not exact
ENDS = ("OXT", "OT1", "OT2", "OC1", "OC2")  # oxygens of a carboxylate, at the end of a molecule alone
LARGEST_GAP = 30  # missing residues of one chain across which TER may stand
FRAGMENT = 10  # residues; what is out of order has shorter pieces, on the average
_WATER = ("HOH", "WAT", "TIP", "TIP3", "SOL", "DOD", "H2O", "SPC")


@dataclass
class Block:
    """A residue as it stands in the file; `after_ter`: TER stands before it. `order` is its place among the residues."""

    chain: str
    number: int
    code: str
    name: str
    segment: str
    hetero: bool
    order: int
    after_ter: bool = False
    atoms: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)

    @property
    def seqid(self) -> tuple[int, str]:
        return self.number, self.code

    @property
    def protein(self) -> bool:
        """As far as the atoms' names tell; a calcium is a residue of its own."""
        if "CA" not in self.atoms or self.name.strip() == "CA":
            return False
        return bool(letter_of(self.name)) or ("N" in self.atoms and "C" in self.atoms)


@dataclass(frozen=True)
class Molecules:
    """`text` has another segment for every molecule of a chain that has several; `chains` are its segment's (name for us,
    letter of the file, segment of the file). `unordered` are chains to be sorted by number."""

    text: str
    chains: Mapping[str, tuple[str, str, str]]
    unordered: frozenset[str]
    notes: tuple[str, ...]


def blocks_of(lines: Sequence[str]) -> list[Block]:
    found: list[Block] = []
    before: tuple[str, ...] = ()
    ter: set[str] = set()
    for at, line in enumerate(lines):
        if line.startswith("TER"):
            ter |= {found[-1].chain} if found else set()
            before = ()
        if not line.startswith(("ATOM", "HETATM")):
            continue
        chain, segment = line[20:22].strip(), line[72:76].strip()
        key = (chain, line[22:27], line[17:20], segment)
        try:
            number = residue_number(line[22:26])
            place = (float(line[30:38]), float(line[38:46]), float(line[46:54]))
        except ValueError:
            return []  # slipped columns, for gemmi to refuse
        if key != before:
            code, name = line[26:27].strip(), line[17:20].strip()
            found.append(Block(chain, number, code, name, segment, line[:4] == "HETA", len(found), chain in ter))
            ter.discard(chain)
            before = key
        found[-1].atoms.setdefault(line[12:16].strip(), place)
        found[-1].lines.append(at)
    return found


def residue_number(field: str) -> int:
    """A residue's number in its four columns; beyond 9999 in hybrid-36 (`A000` is 10000). Raises ValueError."""
    if not field[:1].isalpha():
        return int(field)
    if not (field.isupper() or field.islower()):
        raise ValueError(field)
    return int(field, 36) + (10**4 - 10 * 36**3 if field.isupper() else 10**4 + 16 * 36**3)


def distance(one: Block, name: str, other: Block, other_name: str) -> float | None:
    left, right = one.atoms.get(name), other.atoms.get(other_name)
    return math.dist(left, right) if left and right else None


def linked(one: Block, other: Block) -> bool:
    """Whether two residues are bonded, by what of them has coordinates."""
    found = distance(one, "C", other, "N")
    if found is not None:
        return found <= PEPTIDE_BOND
    alphas = distance(one, "CA", other, "CA")
    return alphas is not None and alphas <= CA_DISTANCE


def far_apart(one: Block, other: Block, residues: int) -> bool:
    alphas = distance(one, "CA", other, "CA")
    return alphas is not None and alphas > REACH * residues + SLACK


def begins(one: Block, other: Block, stated: bool, repeats: bool) -> bool:
    """Whether `other`, next of the same letter, is of another molecule than `one`. `stated`: the file states the chain's
    sequence, which then has all of it; `repeats`: the chain has a number twice."""
    if linked(one, other):
        return False
    step = other.number - one.number
    again = step < 0 or (step == 0 and other.code <= one.code)
    if one.segment != other.segment:
        return True
    if stated and not repeats:
        return False
    if again and repeats:
        return True
    ended = any(name in one.atoms for name in ENDS)
    # Some programs write TER at a gap too.
    if other.after_ter and (again or ended or step == 1 or step > LARGEST_GAP):
        return True
    if ended and step == 1:
        return True
    return far_apart(one, other, 2 if again else max(1, step))


def runs_of(blocks: Sequence[Block], stated: bool) -> list[list[Block]]:
    """The residues of one letter in molecules. One alone, or of HETATM alone, is a ligand and begins none."""
    seqids = [block.seqid for block in blocks]
    repeats = len(set(seqids)) < len(seqids)
    pieces: list[list[Block]] = []
    for block in blocks:
        # Not only the last piece: a ligand may stand in the middle of a chain.
        home = next((piece for piece in pieces[::-1] if not begins(piece[-1], block, stated, repeats)), None)
        if home is not None:
            home.append(block)
        else:
            pieces.append([block])
    whole = [piece for piece in pieces if len(piece) > 1 and not all(block.hetero for block in piece)]
    return whole if len(whole) > 1 else [list(blocks)]


def out_of_order(blocks: Sequence[Block]) -> bool:
    """Whether sorting by number gives one chain: no number twice, and bonds that the file's order has not, or only short
    pieces."""
    if len({block.seqid for block in blocks}) < len(blocks):
        return False
    if all(one.seqid < other.seqid for one, other in pairwise(blocks)):
        return False
    given = sum(linked(one, other) for one, other in pairwise(blocks))
    ordered = sum(linked(one, other) for one, other in pairwise(sorted(blocks, key=lambda block: block.seqid)))
    return ordered > given or (ordered == given and len(blocks) < FRAGMENT * (len(blocks) - given))


def separated(text: str) -> Molecules:
    """A PDB's text with its molecules told apart by segment."""
    lines = text.split("\n")
    stated = {line[11:12].strip() for line in lines if line.startswith("SEQRES")}
    letters: dict[str, list[Block]] = {}
    every = blocks_of(lines)
    for block in every:
        letters.setdefault(block.chain, []).append(block)
    chains: dict[str, tuple[str, str, str]] = {}
    notes: list[str] = []
    unordered: set[str] = set()
    for letter, blocks in letters.items():
        protein = proteins_of(blocks)
        if len({block.segment for block in protein}) < 2 and not any(b.after_ter for b in protein) and out_of_order(protein):
            unordered.add(letter)
            notes.append(f"chain {letter}: residues out of order, sorted by number")
            continue
        molecules = runs_of(protein, letter in stated)
        if len(molecules) < 2:
            continue
        names = names_of(letter, molecules)
        notes.append(f"{len(molecules)} molecules under the letter {letter or '(blank)'}, read as chains {', '.join(names)}")
        for block, molecule in owners(blocks, molecules):
            # Told apart by four signs: gemmi takes residues of two segments for two residues.
            segment = f"{len(chains):04d}"
            known = next((key for key, value in chains.items() if value == (names[molecule], letter, block.segment)), segment)
            chains[known] = (names[molecule], letter, block.segment)
            for at in block.lines:
                lines[at] = f"{lines[at][:72]:72s}{known}{lines[at][76:]}"
    return Molecules("\n".join(lines) if chains else text, chains, frozenset(unordered), tuple(notes))


def proteins_of(blocks: Sequence[Block]) -> list[Block]:
    """Those of a protein; of two residues at one place, as microheterogeneity gives them, the first."""
    found: list[Block] = []
    for block in blocks:
        if block.protein and not (found and found[-1].seqid == block.seqid and found[-1].segment == block.segment):
            found.append(block)
    return found


def names_of(letter: str, molecules: Sequence[Sequence[Block]]) -> list[str]:
    """`A/P1` where segments tell them apart, else `A`, `A.2`."""
    segments = [molecule[0].segment for molecule in molecules]
    if all(segments) and len(set(segments)) == len(segments):
        return [f"{letter}/{segment}" if letter else segment for segment in segments]
    return [letter if not i else f"{letter}.{i + 1}" for i in range(len(molecules))]


def owners(blocks: Sequence[Block], molecules: Sequence[Sequence[Block]]) -> list[tuple[Block, int]]:
    """Each residue with its molecule's place. Of what is no protein: by segment, else with the first, or with the one that
    a number met again counts."""
    own = {id(block): i for i, molecule in enumerate(molecules) for block in molecule}
    by_segment = {molecule[0].segment: i for i, molecule in reversed(list(enumerate(molecules)))}
    segments = len(by_segment) == len(molecules)
    met: dict[tuple[int, str, str], int] = {}
    last = 0
    found = []
    for block in blocks:
        if id(block) in own:
            last = at = own[id(block)]
        elif block.protein or block.seqid in {one.seqid for one in molecules[last][-1:]}:
            at = last
        elif segments:
            at = by_segment.get(block.segment, 0)
        elif block.name in _WATER:
            at = 0
        else:
            key = (*block.seqid, block.name)
            at = min(met.get(key, 0), len(molecules) - 1)
            met[key] = met.get(key, 0) + 1
        found.append((block, at))
    return found
