"""Which atoms of an mmCIF file are one molecule, where its author's chain letter (auth_asym_id) does not tell: several
polymers, each with a label_asym_id of its own or none, under one letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logos_cli.structures.molecules import Block, names_of, owners, proteins_of, runs_of

_COLUMNS = [
    "auth_asym_id", "label_asym_id", "auth_seq_id", "?pdbx_PDB_ins_code", "label_comp_id", "label_atom_id", "group_PDB",
    "Cartn_x", "Cartn_y", "Cartn_z", "?pdbx_PDB_model_num",
]  # fmt: skip


def separate(block: Any) -> tuple[Mapping[str, tuple[str, str]], tuple[str, ...]]:
    """Give each molecule of a letter that has several a name of its own in the block. Returns (name -> letter and segment,
    notes)."""
    table = block.find("_atom_site.", _COLUMNS)
    if not table:
        return {}, ()
    blocks = blocks_of(table)
    chains: dict[str, tuple[str, str]] = {}
    notes: list[str] = []
    for letter in {block.chain: None for block in blocks}:
        own = [block for block in blocks if block.chain == letter]
        molecules = runs_of(proteins_of(own), stated=True)
        if len(molecules) < 2:
            continue
        names = names_of(letter, molecules)
        notes.append(f"{len(molecules)} molecules under the letter {letter}, read as chains {', '.join(names)}")
        for one, at in owners(own, molecules):
            chains[names[at]] = (letter, molecules[at][0].segment)
            for line in one.lines:
                table[line][0] = names[at]
    return chains, tuple(notes)


def blocks_of(table: Any) -> list[Block]:
    """The residues of the first model that stand under a letter with several molecules, as far as that shows at once: two
    segments of proteins, or an alpha carbon twice; none if a number is not one."""
    rows = [[row.str(at) if row.has(at) else "" for at in range(len(_COLUMNS))] for row in table]
    first = rows[0][-1]
    segments: dict[str, set[str]] = {}
    places: dict[str, set[tuple[str, ...]]] = {}
    wanted: set[str] = set()
    before: list[str] = []
    for row in rows:
        if row[-1] != first or row[5] != "CA" or row[6] != "ATOM":
            continue
        place = (row[2], row[3], row[4])
        segments.setdefault(row[0], set()).add(row[1])
        # The alternative place of an atom stands beside the first.
        again = place in places.setdefault(row[0], set()) and before[:5] != row[:5]
        places[row[0]].add(place)
        before = row
        if len(segments[row[0]]) > 1 or again:
            wanted.add(row[0])
    found: list[Block] = []
    last: list[str] = []
    for at, row in enumerate(rows):
        if row[0] not in wanted or row[-1] != first:
            continue
        try:
            number, place = int(row[2]), (float(row[7]), float(row[8]), float(row[9]))
        except ValueError:
            return []
        if row[:5] != last:
            found.append(Block(row[0], number, row[3], row[4], row[1], row[6] == "HETATM", len(found)))
            last = row[:5]
        found[-1].atoms.setdefault(row[5], place)
        found[-1].lines.append(at)
    return found
