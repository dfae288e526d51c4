"""Structures as programs write them, not as the PDB does: chains without TER, odd names of residues, slipped columns."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import gemmi
import pytest

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row

BRD = Path(__file__).parents[2] / "examples" / "4cup.cif.gz"  # A:1856 to A:1970, ZYB at A:2971, methanol, water
LIGAND = "HETATM.{11}ZYB.*\n"


def row(path: Path, text: str, **options: str) -> Row:
    path.write_text(text)
    (found,) = read_rows(str(path), Reading(wants="sequence", **options))  # type: ignore[arg-type]
    return found


def notes(found: Row) -> tuple[str, ...]:
    assert found.error is None and found.site is not None, found.error
    return found.site.notes


def letters(text: str) -> str:
    """The sequence of the first atoms of residues, read by nothing of ours."""
    alphas = (line for line in text.splitlines() if line.startswith("ATOM") and line[12:16] == " CA " and line[16] in " A")
    return str(gemmi.one_letter_code([line[17:20] for line in alphas]))


@pytest.fixture(scope="module")
def whole() -> str:
    """A PDB with TER and SEQRES."""
    return str(gemmi.read_structure(str(BRD)).make_pdb_string())


@pytest.fixture(scope="module")
def bare(whole: str) -> str:
    """Its atoms alone, as docking programs write them."""
    return "".join(line for line in whole.splitlines(True) if line.startswith(("ATOM", "HETATM")))


def renamed(text: str, number: int, name: str, record: str = "") -> str:
    """One residue by another name, four letters of which take the column that PDB leaves free."""
    start = record or r"\1"
    return re.sub(rf"(?m)^(ATOM  |HETATM)(.{{11}})(....)A{number}", rf"{start}\g<2>{name:4s}A{number}", text)


@pytest.mark.parametrize(("name", "letter"), [("SEC", "C"), ("PYL", "K"), ("CSO", "C"), ("HIE", "H")])
@pytest.mark.parametrize("number", [1856, 1893, 1970])
@pytest.mark.parametrize("stated", [False, True])
def test_a_chain_goes_on_behind_a_residue_of_its_own(
    tmp_path: Path, whole: str, bare: str, name: str, letter: str, number: int, stated: bool
) -> None:
    seqres = "".join(line for line in whole.splitlines(True) if line.startswith("SEQRES"))
    found = row(tmp_path / "x.pdb", (seqres if stated else "") + renamed(bare, number, name, "HETATM"), pocket_from="ZYB")
    expected, place = letters(bare), number - 1856
    assert found.value == expected[:place] + letter + expected[place + 1 :] and len(found.value) == 115
    assert f"1 × {name} as {letter}" in notes(found) and not any("gap" in note for note in notes(found))
    assert found.pocket == row(tmp_path / "y.pdb", bare, pocket_from="ZYB").pocket


def test_an_unknown_residue_is_named_not_the_end(tmp_path: Path, bare: str) -> None:
    for name in ("UNK", "QQQ"):
        found = row(tmp_path / "x.pdb", renamed(bare, 1893, name, "HETATM"))
        assert f"residue A:1893 ({name}) has no standard parent" in (found.error or "")


@pytest.mark.parametrize("before", [1856, 1893, 1910])
@pytest.mark.parametrize("ter", ["", "TER\n"])
def test_a_ligand_anywhere_in_a_chain(tmp_path: Path, bare: str, before: int, ter: str) -> None:
    ligand = "".join(re.findall(LIGAND, bare))
    protein = "".join(line for line in bare.splitlines(True) if line.startswith("ATOM"))
    at = re.search(rf"(?m)^ATOM.{{17}}A{before}", protein)
    assert at and ligand
    mixed = protein[: at.start()] + ligand + protein[at.start() :] + ter
    found = row(tmp_path / "x.pdb", mixed, pocket_from="ZYB")
    assert found.value == letters(bare) and notes(found) == ()
    assert found.pocket == row(tmp_path / "y.pdb", bare, pocket_from="ZYB").pocket


def test_a_ter_inside_a_chain(tmp_path: Path, bare: str) -> None:
    protein = "".join(line for line in bare.splitlines(True) if line.startswith("ATOM"))
    cut, again = (re.search(rf"(?m)^ATOM.{{17}}A{number}", protein) for number in (1900, 1906))
    assert cut and again
    assert row(tmp_path / "x.pdb", protein[: cut.start()] + "TER\n" + protein[cut.start() :]).value == letters(bare)
    gap = row(tmp_path / "x.pdb", protein[: cut.start()] + "TER\n" + protein[again.start() :])
    assert len(gap.value or "") == 109 and notes(gap) == ("gap, its ends joined: A:1899 to A:1906",)


def test_two_chains_under_one_letter(tmp_path: Path, bare: str) -> None:
    protein = "".join(line for line in bare.splitlines(True) if line.startswith("ATOM"))
    ligand = "".join(re.findall(LIGAND, bare))
    renumbered = re.sub(r"(?m)^(.{21}A)(....)", lambda found: f"{found[1]}{int(found[2]) - 1855:4d}", protein)
    found = row(tmp_path / "x.pdb", protein + "TER\n" + ligand + renumbered)
    assert "2 molecules under the letter A, read as chains A, A.2" in notes(found) and found.value == letters(protein)
    far = re.sub(r"(?m)^(.{30})(.{8})", lambda found: f"{found[1]}{float(found[2]) + 300:8.3f}", protein)
    found = row(tmp_path / "x.pdb", protein + "TER\n" + far)
    assert "2 molecules under the letter A, read as chains A, A.2" in notes(found) and found.value == letters(protein)


def test_amino_acids_that_are_ligands(tmp_path: Path, bare: str) -> None:
    """A free glutamate bound where ZYB is, as HETATM, then as a docking program's ATOM."""
    glutamate = "".join(
        f"{{}} 2000  {name:3s} GLU A3000    {13.0 + 1.4 * i:8.3f}  41.429  28.043  1.00 57.66           {name[0]}  \n"
        for i, name in enumerate(("N", "CA", "C", "O"))
    )
    found = row(tmp_path / "x.pdb", bare + glutamate.replace("{}", "HETATM"), pocket_from="GLU")
    assert found.value == letters(bare) and notes(found) == () and found.pocket
    found = row(tmp_path / "x.pdb", bare + glutamate.replace("{}", "ATOM  "), pocket_from="A:3000")
    assert found.value == letters(bare) and notes(found) == ("A:3000 (GLU), not bonded to the chain, not in its sequence",)


FORCE_FIELDS = (
    "HID H HIE H HIP H HSD H HSE H HSP H CYX C CYM C ASH D GLH E LYN K NALA A CHIE H HISH H CYS2 C ASPP D LYSH K LSN K"
)


def test_names_of_force_fields(tmp_path: Path, bare: str) -> None:
    names, expected = FORCE_FIELDS.split()[::2], FORCE_FIELDS.split()[1::2]
    text = bare
    for number, name in enumerate(names, 1856):
        text = renamed(text, number, name)
    found = row(tmp_path / "x.pdb", text)
    assert found.value == "".join(expected) + letters(bare)[len(names) :]
    assert {"2 × HIE as H", "2 × HIP as H", "1 × HSD as H", "2 × CYX as C", "1 × LYN as K"} <= set(notes(found))
    assert found.site is not None and None not in found.site.numbers


def test_names_of_four_letters_in_mmcif(tmp_path: Path) -> None:
    text = gzip.decompress(BRD.read_bytes()).decode()
    (tmp_path / "x.cif").write_text(re.sub(r"\bHIS\b", "HISE", text))
    (found,) = read_rows(str(tmp_path / "x.cif"), Reading(wants="sequence"))
    (plain,) = read_rows(str(BRD), Reading(wants="sequence"))
    assert found.value == plain.value and any("× HISE as H" in note for note in notes(found))


def test_chains_of_two_letters_stay(tmp_path: Path, bare: str) -> None:
    """CYS of chain 2A is not CYS2 of chain A."""
    text = re.sub(r"(?m)^(.{20}) A", r"\g<1>2A", bare)
    found = row(tmp_path / "x.pdb", text)
    assert found.value == letters(bare) and found.site is not None and found.site.chain == "2A"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: re.sub(r"(?m)^(.{26})", r"\1 ", text), 1),
        (lambda text: re.sub(r"(?m)^(.{30}) ", r"\1", text), 1),
        (lambda text: text.replace("  51.000", "  xx.xxx", 1), 12),
        (lambda text: text.replace("  51.000", "     nan", 1), 12),
        (lambda text: text.replace("  51.000", "  51,000", 1), 12),
    ],
)
def test_slipped_columns_are_no_coordinates(tmp_path: Path, bare: str, change: Callable[[str], str], line: int) -> None:
    lines = bare.splitlines(True)
    lines[11] = lines[11][:30] + "  51.000" + lines[11][38:]
    found = row(tmp_path / "x.pdb", change("".join(lines)))
    assert f"line {line}: no x, y, z of eight columns each in columns 31-54" in (found.error or "")


def test_coordinates_written_otherwise(tmp_path: Path, bare: str) -> None:
    """Far from the origin %8.3f has no room, and some programs write fewer places; both are still in their columns."""
    far = re.sub(r"(?m)^(.{30})(.{8})", lambda found: f"{found[1]}{float(found[2]) - 2000:8.2f}", bare)
    assert row(tmp_path / "x.pdb", far).value == letters(bare)
    assert row(tmp_path / "x.pdb", bare.replace("\n", "\r\n")).value == letters(bare)
