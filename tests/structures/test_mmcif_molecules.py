"""mmCIF as programs write it: several molecules under one letter, columns that are not there, names of all kinds, quotes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gemmi
import pytest

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.structures.chains import frequencies_as_bfactors

BRD = Path(__file__).parents[2] / "examples" / "4cup.cif.gz"
NEAR = [1893, 1898, 1901, 1943, 1944, 1950]  # heavy atoms within 4.5 Å of ZYB
REPEATED = ("_entity_poly_seq.", "_entity_poly.", "_entity.", "_struct_asym.")


def read(path: Path, text: str, **options: Any) -> Row:
    path.write_text(text)
    (found,) = read_rows(str(path), Reading(wants="sequence", **options))
    return found


def near(found: Row) -> list[str | None]:
    assert found.error is None and found.site is not None, found.error
    return found.site.own(found.pocket)


def cif(structure: gemmi.Structure) -> gemmi.cif.Document:
    structure.setup_entities()
    return structure.make_mmcif_document()


@pytest.fixture
def dimer() -> gemmi.Structure:
    """4CUP, and its protein again as chain B, 60 Å away."""
    structure = gemmi.read_structure(str(BRD))
    copy = structure[0]["A"].clone()
    copy.name = "B"
    for at in reversed([at for at, residue in enumerate(copy) if residue.name in ("ZYB", "MOH") or residue.is_water()]):
        del copy[at]
    for residue in copy:
        for atom in residue:
            atom.pos = gemmi.Position(atom.pos.x + 60, atom.pos.y, atom.pos.z)
    structure[0].add_chain(copy)
    structure.assign_subchains(force=True)
    return structure


def under_one_letter(structure: gemmi.Structure, label: str = "") -> gemmi.cif.Document:
    document = cif(structure)
    for row in document[0].find("_atom_site.", ["auth_asym_id", "label_asym_id"]):
        row[0] = "A"
        row[1] = label or row[1]
    return document


@pytest.mark.parametrize("stated", [True, False])
def test_two_labels_under_one_letter(dimer: gemmi.Structure, tmp_path: Path, stated: bool) -> None:
    document = under_one_letter(dimer)
    for category in () if stated else REPEATED:
        document[0].find_mmcif_category(category).erase()
    found = read(tmp_path / "x.cif", document.as_string(), pocket_from="ZYB")
    assert len(found.value or "") == 115 and near(found) == [f"A/Axp:{number}" for number in NEAR]
    assert found.site and "2 molecules under the letter A, read as chains A/Axp, A/Bxp" in found.site.notes
    other = read(tmp_path / "x.cif", document.as_string(), chain="A/Bxp")
    assert other.value == found.value and other.site and other.site.numbers[0] == "A/Bxp:1856"
    # Coloured by residue, not by its name alone, and under the file's own letter.
    suffix, text = frequencies_as_bfactors(other.site, [1.0] + [0.0] * 114)
    atoms = [line for line in text.splitlines() if line.startswith(("ATOM", "HETATM"))]
    coloured = [line for line in atoms if float(line[60:66])]
    assert suffix == ".pdb" and {line[20:22] for line in atoms} == {" A"}
    assert {line[17:26] for line in coloured} == {"SER A1856"} and len(coloured) == 6
    assert all(float(line[30:38]) > 90 for line in coloured), "those of the second molecule alone"


def test_numbers_that_begin_again_or_go_on_under_one_letter(dimer: gemmi.Structure, tmp_path: Path) -> None:
    again = read(tmp_path / "x.cif", under_one_letter(dimer, "A").as_string(), pocket_from="ZYB")
    assert near(again) == [f"A:{number}" for number in NEAR] and len(again.value or "") == 115
    assert again.site and "read as chains A, A.2" in again.site.notes[0]
    document = under_one_letter(dimer)
    for row in document[0].find("_atom_site.", ["label_asym_id", "auth_seq_id"]):
        row[1] = str(int(row[1]) + 500 * (row[0] == "Bxp"))
    on = read(tmp_path / "y.cif", document.as_string(), pocket_from="ZYB", chain="all")
    assert len(on.value or "") == 230 and near(on) == [f"A/Axp:{number}" for number in NEAR]


def test_one_molecule_is_left_as_it_is(tmp_path: Path) -> None:
    """Alternative places of an atom, and a free amino acid with a label of its own, are no second molecule."""
    text = cif(gemmi.read_structure(str(BRD))).as_string()
    assert re.search(r"(?m)^ATOM \d+ . CA B ", text)
    found = read(tmp_path / "x.cif", text, pocket_from="ZYB")
    assert near(found) == [f"A:{number}" for number in NEAR] and found.site and not found.site.letters


@pytest.mark.parametrize("name", ["AAA", "Heavy", "A-2", "A_1", "0", "a", "1"])
def test_names_of_chains(name: str, tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(BRD))
    structure[0]["A"].name = name
    text = cif(structure).as_string()
    for asked in ("ZYB", f"ZYB:{name}:2971", f"ZYB {name}:2971"):
        assert near(read(tmp_path / "x.cif", text, pocket_from=asked)) == [f"{name}:{number}" for number in NEAR]
    asked = f"{name}:1893,{name}_1898,{name}:1900-1901"
    named = read(tmp_path / "x.cif", text, pocket_from=asked, chain=name)
    assert near(named) == [f"{name}:{number}" for number in (1893, 1898, 1900, 1901)]


def test_a_label_is_hinted_at(tmp_path: Path) -> None:
    structure = gemmi.read_structure(str(BRD))
    structure[0]["A"].name = "H"
    found = read(tmp_path / "x.cif", cif(structure).as_string(), chain="A")
    assert found.error and "protein chains: H; the file's label_asym_id A is its chain H" in found.error


COLUMNS = (
    "id", "label_alt_id", "label_asym_id", "auth_asym_id", "label_entity_id", "label_seq_id", "occupancy", "B_iso_or_equiv",
    "pdbx_PDB_ins_code", "pdbx_PDB_model_num", "group_PDB", "auth_atom_id", "type_symbol",
)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_that_are_not_there(column: str, tmp_path: Path) -> None:
    document = cif(gemmi.read_structure(str(BRD)))
    table = document[0].get_mmcif_category("_atom_site.")
    table.pop(column, None)
    document[0].set_mmcif_category("_atom_site.", table)
    found = read(tmp_path / "x.cif", document.as_string(), pocket_from="ZYB")
    assert near(found) == [f"A:{number}" for number in NEAR] and len(found.value or "") == 115


def quoted(text: str) -> str:
    return re.sub(r"(?m)^(ATOM|HETATM) (\d+) ", lambda found: f"'{found[1]}'\t\"{found[2]}\"   ", text)


WRITTEN: dict[str, Callable[[str], str]] = {
    "quotes": quoted,
    "capitals": lambda text: text.replace("_atom_site.", "_ATOM_SITE.").replace("loop_", "LOOP_"),
    "a value a line": lambda text: re.sub(r"(?m)^((?:ATOM|HETATM) .*)$", lambda found: "\n".join(found[1].split()), text),
    "comments": lambda text: ("# made by X\n\n" + text).replace("\n", "\r\n"),
    "text fields": lambda text: text.replace("\n", "\n_struct.other\n;a title\n_atom_site.id is no tag here\n;\n", 1),
    "another block first": lambda text: "data_comp\n_chem_comp.id ZYB\n" + text,
    "uncertainties": lambda text: re.sub(r"(?m)^(HETATM .*? )(\d+\.\d\d\d) ", r"\1\2(3) ", text),
}  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_cif_as_it_may_be_written(written: str, tmp_path: Path) -> None:
    text = cif(gemmi.read_structure(str(BRD))).as_string()
    changed = WRITTEN[written](text)
    assert changed != text
    for name in ("x.cif", "x", "x.pdb"):
        found = read(tmp_path / name, changed, pocket_from="ZYB")
        assert near(found) == [f"A:{number}" for number in NEAR]


def test_atoms_of_further_blocks_are_counted(tmp_path: Path) -> None:
    text = cif(gemmi.read_structure(str(BRD))).as_string()
    found = read(tmp_path / "x.cif", text + text.replace("data_", "data_x"))
    assert found.site and "1107 atoms of further data blocks not read" in found.site.notes
