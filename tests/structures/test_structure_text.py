"""What the text of a PDB or mmCIF file means: several molecules of one letter, atoms behind END, models, old columns."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path

import gemmi
import pytest

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.structures.chains import frequencies_as_bfactors

BRD = Path(__file__).parents[2] / "examples" / "4cup.cif.gz"  # A:1856 to A:1970, ZYB at A:2971, methanol, water
NEAR = [38, 43, 46, 88, 89, 95]  # of ZYB, counted from 1
LENGTH = 115


@pytest.fixture(scope="module")
def protein() -> str:
    text = str(gemmi.read_structure(str(BRD)).make_pdb_string())
    return "".join(line for line in text.splitlines(True) if line.startswith("ATOM"))


@pytest.fixture(scope="module")
def ligand() -> str:
    return "".join(re.findall("(?m)^HETATM.{11}ZYB.*\n", str(gemmi.read_structure(str(BRD)).make_pdb_string())))


def row(path: Path, text: str, pocket_from: str | None = None, chain: str | None = None) -> Row:
    path.write_text(text)
    (found,) = read_rows(str(path), Reading(wants="sequence", pocket_from=pocket_from, chain=chain))
    return found


def notes(found: Row) -> str:
    assert found.error is None and found.site is not None, found.error
    return "; ".join(found.site.notes)


def renumbered(text: str, by: int, x: float = 0, segment: str = "", letter: str = "A") -> str:
    def one(line: str) -> str:
        place = f"{float(line[30:38]) + x:8.3f}"
        return f"{line[:21]}{letter}{int(line[22:26]) + by:4d}{line[26:30]}{place}{line[38:72]}{segment:4s}{line[76:]}"

    return "".join(one(line) for line in text.splitlines(True))


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["A", " "])
@pytest.mark.parametrize("ter", ["", "TER\n"])
@pytest.mark.parametrize(
    ("by", "segments", "names"),
    [
        (0, ("P1", "P2"), ("/P1", "/P2")), (115, ("P1", "P2"), ("/P1", "/P2")), (0, ("", ""), ("", ".2")),
        (-1000, ("", ""), ("", ".2")), (115, ("", ""), ("", ".2")),
    ],
)  # fmt: skip
def test_molecules_of_one_letter(
    tmp_path: Path, protein: str, letter: str, ter: str, by: int, segments: tuple[str, str], names: tuple[str, str]
) -> None:
    """The same numbers, numbers that go on, numbers before; far apart in space."""
    text = renumbered(protein, 0, 0, segments[0], letter) + ter + renumbered(protein, by, 60, segments[1], letter)
    found = row(tmp_path / "x.pdb", text)
    shown = [f"{letter.strip()}{name}" if letter.strip() else name.removeprefix("/") for name in names]
    assert found.site and found.site.chain == shown[0] and len(found.value or "") == LENGTH
    assert f"2 molecules under the letter {letter.strip() or '(blank)'}" in notes(found)
    other = row(tmp_path / "x.pdb", text, chain=shown[1])
    assert other.value == found.value and other.site and other.site.numbers[0] == f"{shown[1]}:{1856 + by}"
    # B-factors are those of this molecule alone, under the file's own letter.
    _, back = frequencies_as_bfactors(other.site, [0.5] * LENGTH)
    values = {(line[21], float(line[30:38]) > 55): set[str]() for line in back.splitlines() if line.startswith("ATOM")}
    for line in back.splitlines():
        if line.startswith("ATOM"):
            values[line[21], float(line[30:38]) > 55].add(line[60:66].strip())
    assert {at for at, _ in values} == {letter} and set().union(*values.values()) == {"0.00", "50.00"}


def test_numbers_that_run_backwards_along_bonds_are_one_chain(tmp_path: Path, protein: str) -> None:
    lines = protein.splitlines(True)
    text = "".join(line if int(line[22:26]) < 1900 else renumbered(line, -1000) for line in lines)
    found = row(tmp_path / "x.pdb", text)
    assert len(found.value or "") == LENGTH and "gap" not in notes(found)


def test_residues_in_no_order_are_sorted(tmp_path: Path, protein: str) -> None:
    residues: dict[str, str] = {}
    for line in protein.splitlines(True):
        residues[line[22:26]] = residues.get(line[22:26], "") + line
    kept = [text for number, text in residues.items() if int(number) % 9 < 4]
    ordered = row(tmp_path / "x.pdb", "".join(kept))
    random.Random(1).shuffle(kept)
    found = row(tmp_path / "x.pdb", "".join(kept))
    assert "residues out of order, sorted by number" in notes(found) and found.value == ordered.value
    assert found.site and ordered.site and found.site.numbers == ordered.site.numbers


def test_a_gap_is_one_chain_with_and_without_ter(tmp_path: Path, protein: str) -> None:
    before = "".join(line for line in protein.splitlines(True) if int(line[22:26]) < 1900)
    behind = "".join(line for line in protein.splitlines(True) if int(line[22:26]) > 1905)
    for ter in ("", "TER\n"):
        found = row(tmp_path / "x.pdb", before + ter + behind)
        assert len(found.value or "") == LENGTH - 6 and "gap, its ends joined: A:1899 to A:1906" in notes(found)


@pytest.mark.parametrize("between", ["END\n", "TER\nEND\n", "ENDMDL\n", "END\nREMARK ligand\n"])
def test_atoms_behind_end_are_read_on(tmp_path: Path, protein: str, ligand: str, between: str) -> None:
    found = row(tmp_path / "x.pdb", protein + between + ligand + "END\n", "ZYB")
    assert list(found.pocket) == NEAR and ("read on after END" in notes(found)) == (
        "END\n" in between[-4:] or "REMARK" in between
    )
    inside = row(tmp_path / "x.pdb", f"MODEL        1\n{protein}ENDMDL\n{ligand}END\n", "ZYB")
    assert list(inside.pocket) == NEAR and "atoms that stand in no model, read with the first" in notes(inside)


@pytest.mark.parametrize("frames", ["{0}END\n{0}END\n", "{0}ENDMDL\n{0}ENDMDL\n", "MODEL 1\n{0}ENDMDL\nMODEL 2\n{0}ENDMDL\n"])
def test_what_comes_again_is_counted(tmp_path: Path, protein: str, frames: str) -> None:
    found = row(tmp_path / "x.pdb", frames.format(protein))
    assert len(found.value or "") == LENGTH
    assert f"{protein.count(chr(10))} atoms of what comes after the first not read" in notes(found)


def test_lines_of_no_record_are_counted(tmp_path: Path, protein: str) -> None:
    lines = protein.splitlines(True)
    lines[20] = f"QTOM  {lines[20][6:]}"
    assert "1 lines with coordinates, of no record of a PDB, not read: line 21" in notes(
        row(tmp_path / "x.pdb", "".join(lines))
    )


def test_columns_as_before_1996(tmp_path: Path, protein: str, ligand: str) -> None:
    old = "".join(f"{line[:66]:72s}1GDR{at:4d}\n" for at, line in enumerate((protein + ligand).splitlines()))
    assert list(row(tmp_path / "x.pdb", old, "ZYB").pocket) == NEAR


def test_columns_of_elements_that_are_missing(tmp_path: Path, protein: str) -> None:
    """Names that begin a column early would be calcium, mercury, helium."""
    early = "".join(f"{line[:12]}{line[12:16].strip():4s}{line[16:66]}\n" for line in protein.splitlines())
    assert row(tmp_path / "x.pdb", early).value == row(tmp_path / "y.pdb", protein).value


def test_the_more_frequent_residue_of_two(tmp_path: Path, protein: str) -> None:
    """Both at A:1862, the second kind with occupancy 0.6."""
    lines = []
    for line in protein.splitlines(True):
        if line[22:26] != "1862":
            lines.append(line)
            continue
        lines.append(f"{line[:16]}A{line[17:54]}  0.40{line[60:]}")
    at = next(i for i, line in enumerate(lines) if line[22:26] == "1863")
    second = [f"{line[:16]}BTRP{line[20:54]}  0.60{line[60:]}" for line in lines if line[22:26] == "1862"]
    found = row(tmp_path / "x.pdb", "".join(lines[:at] + second + lines[at:]))
    assert found.value and found.value[6] == "W" and "TRP 0.60: TRP taken" in notes(found)


def test_alternative_places_without_letters(tmp_path: Path, protein: str) -> None:
    def twice(by: float) -> Row:
        lines = []
        for line in protein.splitlines(True):
            lines.append(line)
            if line[22:26] == "1870":
                lines.append(renumbered(line, 0, by))
        return row(tmp_path / "x.pdb", "".join(lines))

    assert "read as one residue: A:1870" in notes(twice(0.2)) and len(twice(0.2).value or "") == LENGTH
    assert "residue A:1870 is there twice" in (twice(9.0).error or "")


@pytest.mark.parametrize(("name", "letters"), [("CRO", "TYG"), ("CR2", "GYG"), ("NRQ", "MYG"), ("GYS", "SYG"), ("MDO", "ASG")])
@pytest.mark.parametrize("closed", [False, True])
def test_a_chromophore_is_three_residues(tmp_path: Path, protein: str, name: str, letters: str, closed: bool) -> None:
    """With the backbone's names as any other residue, and as in the ring."""
    ring = {" N  ": " N1 ", " CA ": " CA1", " C  ": " C3 ", " O  ": " O3 "} if closed else {}
    text = "".join(
        f"HETATM{line[6:12]}{ring.get(line[12:16], line[12:16])}{line[16]}{name}{line[20:]}" if line[22:26] == "1900" else line
        for line in protein.splitlines(True)
    )
    found, plain = row(tmp_path / "x.pdb", text), row(tmp_path / "y.pdb", protein)
    assert (
        isinstance(plain.value, str)
        and found.value == plain.value[:44] + letters + plain.value[45:]
        and "gap" not in notes(found)
    )
    assert found.site and found.site.numbers[43:48] == ("A:1899", None, "A:1900", None, "A:1901")


def test_mmcif_without_elements_and_crystals(tmp_path: Path) -> None:
    document = gemmi.cif.read_string(gzip.decompress(BRD.read_bytes()).decode())
    loop = document[0].find_loop("_atom_site.id").get_loop()
    loop.remove_column("_atom_site.type_symbol")
    whole = next(iter(read_rows(str(BRD), Reading(wants="sequence", pocket_from="ZYB"))))
    found = row(tmp_path / "x.cif", document.as_string(), "ZYB")
    assert (found.value, found.pocket) == (whole.value, whole.pocket)
    crystal = "data_x\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nC1 0 0 0\n"
    assert "a crystal's CIF, with fractional coordinates" in (row(tmp_path / "y.cif", crystal).error or "")


def test_chains_of_water_are_called_so(tmp_path: Path) -> None:
    water = "HETATM    1  O   HOH W   1       6.377  28.531  21.462  1.00 71.01           O  \n"
    assert "chain W is water only" in (row(tmp_path / "x.pdb", water).error or "")


@pytest.mark.parametrize("seed", range(4))
def test_no_atom_is_lost_in_silence(tmp_path: Path, protein: str, ligand: str, seed: int) -> None:
    """Damaged lines: an error, or atoms read and atoms told of are all that the file has."""
    random_of = random.Random(seed)
    kept = [line for line in (protein + ligand).splitlines() if not 1890 < int(line[22:26]) < 1970]
    coordinates = re.compile(r"-?\d+\.\d{3}\s*-?\d+\.\d{3}\s*-?\d+\.\d{3}")
    for _ in range(40):
        lines = list(kept)
        for _ in range(3):
            at = random_of.randrange(len(lines))
            line = lines[at]
            place = random_of.randrange(len(line) + 1)
            lines[at] = random_of.choice(
                [line[:place] + "X" + line[place + 1 :], line[:place], line[:place] + " " + line[place:]]
            )
            lines.insert(at, random_of.choice([line, "END", "TER", "MODEL        1", "ENDMDL", "ATOM", ""]))
        found = row(tmp_path / "x.pdb", "\n".join(lines) + "\n")
        if found.error is None and found.site is not None:
            told = re.findall(r"(\d+) (?:of \d+ )?(?:atoms|lines)[^;]*?not read", "; ".join(found.site.notes))
            read = found.site.structure[0].count_atom_sites()
            assert read + sum(map(int, told)) >= sum(bool(coordinates.search(line)) for line in lines), lines


def hybrid_36(text: str, by: int) -> str:
    """Residue numbers `by` further, beyond 9999 as `A000`, in a writer of its own."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def field(number: int) -> str:
        if number < 10_000:
            return f"{number:4d}"
        rest, written = number - 10_000, ""
        for _ in range(3):
            rest, digit = divmod(rest, 36)
            written = digits[digit] + written
        return digits[10 + rest] + written

    return "".join(f"{line[:22]}{field(int(line[22:26]) + by)}{line[26:]}" for line in text.splitlines(True))


def test_numbers_in_hybrid_36(protein: str, ligand: str, tmp_path: Path) -> None:
    found = row(tmp_path / "x.pdb", hybrid_36(protein + ligand, 8100), "ZYB")
    assert found.pocket == tuple(NEAR) and found.site and found.site.numbers[43:45] == ("A:9999", "A:10000")
    assert row(tmp_path / "x.pdb", hybrid_36(protein, 8100), "A:9999-10001").pocket == (44, 45, 46)
    both = renumbered(protein, 0, 0, "P1") + ligand + renumbered(protein, 0, 60, "P2")
    two = row(tmp_path / "y.pdb", hybrid_36(both, 8100), "ZYB")
    assert "read as chains A/P1, A/P2" in notes(two) and two.pocket == tuple(NEAR) and len(two.value or "") == LENGTH


def test_many_gaps_are_told_in_one_note(protein: str, tmp_path: Path) -> None:
    kept = [line for line in protein.splitlines(True) if int(line[22:26]) % 20 > 5]
    found = row(tmp_path / "x.pdb", "".join(kept))
    assert "6 gaps, their ends joined: A:1859 to A:1866, " in notes(found) and notes(found).count("gap") == 1
