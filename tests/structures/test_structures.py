"""Structures as chemists have them: PDB entries with modified residues, insertion codes, ligands, several chains and models."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import gemmi
import pytest

from logos_cli.errors import InputError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.structures.chains import frequencies_as_bfactors
from logos_cli.structures.structure_file import parse_structure

EXAMPLES = Path(__file__).parents[2] / "examples"
BRD = EXAMPLES / "4cup.cif.gz"  # the bromodomain of BAZ2B with a fragment, ZYB
TRYPSIN = EXAMPLES / "1gbt.cif.gz"  # chymotrypsin's numbering, with insertion codes
CAPSID = EXAMPLES / "1a8o.pdb.gz"  # selenomethionines


def row(path: Path | str, **options: Any) -> Row:
    (found,) = read_rows(str(path), Reading(wants="sequence", **options))
    return found


def own(found: Row) -> list[str | None]:
    assert found.site is not None
    return found.site.own(found.pocket)


def unpacked(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def pdb_of(path: Path) -> str:
    return str(gemmi.read_structure(str(path)).make_pdb_string())


def test_the_pocket_is_what_gemmis_own_search_finds() -> None:
    """Independent of our distances: gemmi's cell lists, without symmetry mates."""
    found = row(BRD, pocket_from="ZYB")
    structure = gemmi.read_structure(str(BRD))
    structure.cell = gemmi.UnitCell()  # no crystal, so no neighbours from other cells
    structure.setup_entities()
    search = gemmi.NeighborSearch(structure[0], structure.cell, 5).populate(include_h=False)
    near = set()
    for chain in structure[0]:
        for residue in chain:
            if residue.name == "ZYB":
                for atom in residue:
                    for mark in search.find_atoms(atom.pos, "\0", radius=4.5):
                        place = mark.to_cra(structure[0])
                        if place.residue.entity_type == gemmi.EntityType.Polymer:
                            near.add(f"{place.chain.name}:{place.residue.seqid}")
    assert near and set(own(found)) == near
    assert found.pocket == tuple(sorted(found.pocket)) and found.value is not None
    assert all(found.value[place - 1] for place in found.pocket)


def test_own_numbers_and_insertion_codes() -> None:
    found = row(TRYPSIN, pocket_from="A:57,A:102,A:195")  # the catalytic triad
    assert found.value is not None and [found.value[place - 1] for place in found.pocket] == ["H", "D", "S"]
    assert own(found) == ["A:57", "A:102", "A:195"]
    inserted = row(TRYPSIN, pocket_from="184A,188A")
    assert own(inserted) == ["A:184A", "A:188A"] and inserted.site is not None
    assert any("insertion codes" in note for note in inserted.site.notes)


def test_a_place_may_be_the_ligand_itself() -> None:
    by_name = row(BRD, pocket_from="ZYB")
    structure = gemmi.read_structure(str(BRD))
    place = next(f"{c.name}:{r.seqid}" for c in structure[0] for r in c if r.name == "ZYB")
    assert row(BRD, pocket_from=place).pocket == by_name.pocket
    assert len(row(BRD, pocket_from="ZYB", cutoff=8.0).pocket) > len(by_name.pocket)


def test_modified_residues_are_read_as_their_parents() -> None:
    found = row(CAPSID)
    assert isinstance(found.value, str) and found.value.startswith("MDIRQGPKEPFRDYVDRFYKTLRAEQ")
    assert found.site is not None and "4 × MSE as M" in found.site.notes
    assert found.value == row(EXAMPLES / "1a8o.pdb.gz", chain="A").value


def test_pdb_and_mmcif_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "4cup.pdb").write_text(pdb_of(BRD))
    one, other = row(BRD, pocket_from="ZYB"), row(tmp_path / "4cup.pdb", pocket_from="ZYB")
    assert (one.value, one.pocket, own(one)) == (other.value, other.pocket, own(other))


def without_residues(text: str, first: int, last: int) -> str:
    """A PDB without the atoms of some residues of the protein."""
    return "".join(
        line
        for line in text.splitlines(True)
        if not (line.startswith(("ATOM", "ANISOU")) and first <= int(line[22:26]) <= last)
    )


def without_seqres(text: str) -> str:
    return "".join(line for line in text.splitlines(True) if not line.startswith("SEQRES"))


def test_gaps_are_filled_from_the_stated_sequence_or_told(tmp_path: Path) -> None:
    whole = row(BRD)
    assert whole.value is not None and whole.site is not None
    broken = without_residues(pdb_of(BRD), 1900, 1904)
    (tmp_path / "stated.pdb").write_text(broken)
    filled = row(tmp_path / "stated.pdb")
    assert filled.value == whole.value and filled.site is not None
    assert filled.site.numbers.count(None) == 5 and any("gap filled" in note for note in filled.site.notes)
    (tmp_path / "unstated.pdb").write_text(without_seqres(broken))
    joined = row(tmp_path / "unstated.pdb")
    assert joined.value is not None and len(joined.value) == len(whole.value) - 5
    assert joined.site is not None and any("its ends joined: A:1899 to A:1905" in note for note in joined.site.notes)


def test_ends_that_only_the_stated_sequence_has_are_told(tmp_path: Path) -> None:
    """The file states 117 residues; 1856 to 1970 have coordinates."""
    whole = pdb_of(BRD)
    for first, last, told in (
        (0, 1, "2 residues after A:1970"),
        (1860, 1970, "113 residues after A:1859"),
        (1856, 1865, "10 residues before A:1866, 2 residues after A:1970"),
    ):
        (tmp_path / "x.pdb").write_text(without_residues(whole, first, last))
        found = row(tmp_path / "x.pdb")
        assert found.site is not None and f"only in the stated sequence, left out: {told}" in found.site.notes
    assert (row(CAPSID).site or pytest.fail()).notes == ("4 × MSE as M",)


def test_the_chain_with_most_contacts(tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(BRD))
    copy = structure[0]["A"].clone()
    copy.name = "B"
    for residue in copy:
        for atom in residue:
            atom.pos = gemmi.Position(atom.pos.x + 100, atom.pos.y, atom.pos.z)
    for number in reversed([i for i, residue in enumerate(copy) if residue.name == "ZYB" or residue.is_water()]):
        del copy[number]
    structure[0].add_chain(copy, pos=0)
    structure.setup_entities()
    (tmp_path / "two.pdb").write_text(structure.make_pdb_string())
    found = row(tmp_path / "two.pdb", pocket_from="ZYB")
    assert found.site is not None and found.site.chain == "A" and any("most contacts" in note for note in found.site.notes)
    assert row(tmp_path / "two.pdb", pocket_from="ZYB", chain="B").error == "no residue of chain B within 4.5 Å of ZYB A:2971"


NUCLEIC = """\
ATOM      1  P    DG B   1      10.000  10.000  10.000  1.00 10.00           P
ATOM      2  C1'  DG B   1      11.000  10.000  10.000  1.00 10.00           C
ATOM      3  P    DC B   2      14.000  10.000  10.000  1.00 10.00           P
ATOM      4  C1'  DC B   2      15.000  10.000  10.000  1.00 10.00           C
ATOM      5  P    DA B   3      18.000  10.000  10.000  1.00 10.00           P
END
"""


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("HEADER    NOTHING\nEND\n", {}, "no atoms"),
        ("data_x\n_cell.length_a 5\n", {}, "no atoms"),
        ("data_x\nloop_\n_atom_site.id\n_atom_site", {}, "not a readable mmCIF"),
        (NUCLEIC, {}, "nucleic acid"),
    ],
)
def test_broken_structures_are_error_rows(tmp_path: Path, text: str, options: dict[str, Any], reason: str) -> None:
    path = tmp_path / ("bad.cif" if text.startswith("data_") else "bad.pdb")
    path.write_text(text)
    found = row(path, **options)
    assert found.id == "bad" and found.value is None and reason in (found.error or "")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"chain": "Z"}, "chain Z is not in this structure; protein chains: A"),
        ({"pocket_from": "XXX"}, "no ligand XXX in this structure; it has: ZYB A:2971, MOH A:2972"),
        ({"pocket_from": "A:9999"}, "residue A:9999 is not in this structure; chain A has A:1856 to A:1970"),
        ({"pocket_from": "ZYB", "cutoff": 0.5}, "no residue of chain A within 0.5 Å of ZYB"),
    ],
)
def test_what_is_not_there_is_named(options: dict[str, Any], reason: str) -> None:
    assert reason in (row(BRD, **options).error or "")


def test_a_residue_without_a_parent_is_named(tmp_path: Path) -> None:
    text = pdb_of(CAPSID).replace("PRO A 160", "ZZZ A 160")
    assert "ZZZ A 160" in text
    (tmp_path / "odd.pdb").write_text(text)
    assert "residue A:160 (ZZZ) has no standard parent" in (row(tmp_path / "odd.pdb").error or "")
    modres = "MODRES 1A8O ZZZ A  160  PRO  CHANGED\n"
    (tmp_path / "told.pdb").write_text(text.replace("SEQRES", modres + "SEQRES", 1))
    told = row(tmp_path / "told.pdb")
    assert told.value == row(CAPSID).value, "the file itself may name the parent"


def test_a_folder_and_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (CAPSID, BRD):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "broken.pdb").write_text("HEADER\n")
    (tmp_path / "2abc.pdb.gz").write_bytes(CAPSID.read_bytes()[:3000])
    (tmp_path / "notes.txt").write_text("not a structure")
    found = list(read_rows(str(tmp_path), Reading(wants="sequence")))
    assert [(one.ordinal, one.id, one.error is None) for one in found] == [
        (0, "1a8o", True),
        (1, "2abc", False),
        (2, "4cup", True),
        (3, "broken", False),
    ]
    assert "2abc.pdb.gz: damaged packed data" in (found[1].error or "")
    with (tmp_path / "4cup.cif.gz").open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Standard", (), {"buffer": stream}))
        assert replace(row("-"), site=None).value == found[2].value


@pytest.mark.parametrize(("header", "identity"), [(True, "1A8O"), (False, "stdin")])
def test_a_pdb_from_a_pipe_has_the_id_of_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bool, identity: str
) -> None:
    lines = unpacked(CAPSID).splitlines(True)
    (tmp_path / "x").write_text("".join(line for line in lines if header or not line.startswith("HEADER")))
    with (tmp_path / "x").open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Standard", (), {"buffer": stream}))
        assert row("-").id == identity


def test_tasks_about_molecules_refuse_structures() -> None:
    with pytest.raises(InputError, match="takes SMILES"):
        list(read_rows(str(BRD), Reading(wants="smiles")))


def test_frequencies_become_bfactors() -> None:
    found = row(TRYPSIN)
    assert found.site is not None and found.value is not None
    frequency = [0.0] * len(found.value)
    place = found.site.numbers.index("A:184A")
    frequency[place] = 0.25
    suffix, text = frequencies_as_bfactors(found.site, frequency)
    assert suffix == ".pdb"
    back = parse_structure(text.encode(), mmcif=False).structure
    values = {str(residue.seqid): {atom.b_iso for atom in residue} for residue in back[0]["A"]}
    assert values["184A"] == {25.0} and values["184"] == {0.0}
    assert sum(value != {0.0} for value in values.values()) == 1


@pytest.fixture
def peptide(tmp_path: Path) -> Path:
    """4CUP and, as chain P, the first residues of another copy."""
    structure = gemmi.read_structure(str(BRD))
    copy = structure[0]["A"].clone()
    copy.name = "P"
    del copy[5:]
    structure[0].add_chain(copy)
    structure.assign_subchains(force=True)
    structure.setup_entities()
    (tmp_path / "peptide.pdb").write_text(structure.make_pdb_string())
    return tmp_path / "peptide.pdb"


def test_named_residues_of_another_chain(peptide: Path) -> None:
    found = row(peptide, pocket_from="A:1893,A:1900,P:1857")
    assert own(found) == ["A:1893", "A:1900"] and found.site is not None
    assert "named for the pocket but not on chain A, left out: P:1857" in found.site.notes
    refused = row(peptide, pocket_from="A:1893,P:1857", chain="A").error
    assert refused == "residue P:1857 is on chain P, not A: leave it out, or give --chain A,P"
    assert "residue P:1999 is not in this structure" in (row(peptide, pocket_from="A:1893,P:1999").error or "")
    assert row(BRD, pocket_from="A:2001").error == "A:2001 (HOH) is neither a residue of the sequence nor a ligand"
