"""Cells, scans, text and layout of drawings, and what hostile records do to them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pictures import FRAME, KINDS, LINE, PROTEIN, Seen, record, scan, score, words, write

from logos_cli.drawing.canvas import fitted, measured, wrapped
from logos_cli.drawing.draw import draw_records
from logos_cli.drawing.groups import choose, sheet_of
from logos_cli.drawing.molecule_line import TALLEST
from logos_cli.drawing.molecules import Undrawn, picture
from logos_cli.drawing.scan import changes_of
from logos_cli.drawing.sheet import HeatMap, Molecule, Residues, shade
from logos_cli.drawing.stored_record import read_stored
from logos_cli.records.record import Ending

HOSTILE = ["<&>\"'id]]>", "</title><script>alert(1)</script>", "a\u0000b\ud800c\u202ed\n\te", "漢字 αβγ", "x" * 5000]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str, tmp_path: Path) -> None:
    told = record("molecule", "CCO", id=name, model=name, similarity={"tanimoto": 0.5, "to": name})
    failed = record("molecule", None, id=name, valid=False, error=name, text=name)
    atoms = record("molecule", "CCO |$<&;;$|", id=name)  # RDKit reads names of atoms behind a SMILES
    source = write(tmp_path / "r.jsonl", [told, failed, atoms, record("molecule", name, id=name), record(name, name, id=name)])
    for suffix in ("svg", "png", "html"):
        draw_records(str(source), tmp_path / f"r.{suffix}", title=name)
    svg = ElementTree.parse(tmp_path / "r.svg").getroot()
    shown = name if name.isprintable() else "a\ufffdb\ufffdc\ufffdd  e"
    assert svg[0].text == shown
    assert words(shown) in words(Seen((tmp_path / "r.html").read_text()).text)


def test_molecules_that_cannot_be_drawn_are_text(tmp_path: Path) -> None:
    for smiles, reason in (("C1CC", "RDKit reads"), ("C" * 3000, "3,000 atoms"), ("C" * 5000, "5,000 characters"), ("", "no")):
        with pytest.raises(Undrawn, match=reason):
            picture(Molecule(smiles))
    with pytest.raises(Undrawn):
        picture(Molecule(FRAME))
    assert picture(Molecule(FRAME, lenient=True)).svg
    drawn = [record("material", {"metal": "[Zn", "linkers": ["CCO"]}), record("molecule", "C" * 3000, row=1)]
    draw_records(str(write(tmp_path / "r.jsonl", drawn)), tmp_path / "r.svg")
    text = (tmp_path / "r.svg").read_text()
    assert text.count('class="molecule"') == 1 and ">[Zn<" in text and "not drawn: 3,000 atoms" in text
    assert picture(Molecule("CCO")).svg.count("<path") >= 2


@pytest.mark.parametrize("task", ["retro", "react", "pocket", "protein", "material", "expand", "ligand"])
def test_an_answer_of_another_shape_is_shown(task: str, tmp_path: Path) -> None:
    strange = [record(task, answer, row=i, text=None) for i, answer in enumerate(([1.5], {"metal": 1}, 7, [None], [[]], True))]
    draw_records(str(write(tmp_path / "r.jsonl", strange)), tmp_path / "r.svg")
    assert (tmp_path / "r.svg").read_text().count("another shape") == 6


def test_where_a_pocket_is(tmp_path: Path) -> None:
    source = write(tmp_path / "r.jsonl", [record("pocket", [3, 4, 999], input=PROTEIN)])
    sheet = sheet_of(read_stored(str(source), Ending()), "t", 4)
    (sequence,) = [part for part in sheet.groups[0].cards[0].parts if isinstance(part, Residues)]
    assert sequence.letters == PROTEIN and sorted(sequence.marks) == [3, 4]
    merged = record("pocket", [4], input=PROTEIN, sample=None, frequency=[0, 0.25, 0, 1.0])
    (other,) = sheet_of(read_stored(str(write(tmp_path / "m.jsonl", [merged])), Ending()), "t", 4).groups
    (sequence,) = [part for part in other.cards[0].parts if isinstance(part, Residues)]
    assert [(at, mark.title[:6], mark.strong) for at, mark in sequence.marks.items()] == [
        (2, "E2: 25", False),
        (4, "S4: 10", True),
    ]
    assert sequence.marks[2].fill != sequence.marks[4].fill
    draw_records(str(source), tmp_path / "r.svg")
    assert (tmp_path / "r.svg").read_text().count(f'fill="{shade(0.7)}"') == 2
    draw_records(str(source), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert re.findall(r"<b style=[^>]*>(.)</b>", page) == ["A", "S"] and "1 number outside the sequence" in page
    assert 'data-n="10">EE<b' in page and 'data-n="156"' in page


def test_a_scan_is_one_card_with_a_heat_map(tmp_path: Path) -> None:
    source = str(write(tmp_path / "r.jsonl", scan()))
    chosen = choose(read_stored(source, Ending()), limit=1, valid_only=False)
    assert len(chosen.records) == 13 and not chosen.over
    (group,) = sheet_of(chosen.records, "t", 4).groups
    (card,) = group.cards
    (heat,) = [part for part in card.parts if isinstance(part, HeatMap)]
    assert heat.positions == ((3, "A"), (4, "S")) and len(heat.fills) == 11
    (sequence,) = [part for part in card.parts if isinstance(part, Residues)]
    assert sorted(sequence.marks) == [3, 4, 5] and sequence.marks[5].title == "A3G+S5T: −3.50"
    better, worse = heat.fills[3, "G"].fill, heat.fills[3, "W"].fill
    assert int(better[5:], 16) > int(better[1:3], 16) and int(worse[5:], 16) < int(worse[1:3], 16)
    # Where input is the mutant itself, the wild type is the sequence before the change.
    mutated = PROTEIN[:2] + "W" + PROTEIN[3:]
    (other,) = sheet_of(read_stored(str(write(tmp_path / "m.jsonl", [score(mutated, "A3W", -1.0)])), Ending()), "t", 4).groups
    assert next(part.letters for part in other.cards[0].parts if isinstance(part, Residues)) == PROTEIN
    assert changes_of("A23V+K45R") == ((23, "A", "V"), (45, "K", "R")) and changes_of("A23V+") == ()


def test_text_is_cut_and_wrapped_to_its_width() -> None:
    assert fitted("short", 12, 100) == "short"
    cut = fitted("a long text that is cut", 12, 60)
    assert cut.endswith("…") and measured(cut, 12) <= 60
    lines = wrapped("word " * 40, 12, 100, 3)
    assert len(lines) == 3 and all(measured(line, 12) <= 100 for line in lines) and lines[-1].endswith("…")
    assert "".join(wrapped("C1" * 50, 12, 100, 99, anywhere=True)) == "C1" * 50


def test_odd_numbers_do_no_harm(tmp_path: Path) -> None:
    odd = LINE.replace("-3.217", "NaN") + LINE.replace("-3.217", "-Infinity")
    odd += LINE.replace("}", ', "props": {"mw": NaN, "logp": 1e400, "n": null, "list": [1]}}')
    (tmp_path / "r.jsonl").write_text(odd)
    draw_records(str(tmp_path / "r.jsonl"), tmp_path / "r.html")
    assert "log-prob −3.22" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("columns", [1, 2, 7])
def test_nothing_lies_outside_or_on_one_another(columns: int, tmp_path: Path) -> None:
    records = [one | {"row": i} for i, kind in enumerate(KINDS) for one in KINDS[kind][0]]
    large = ["C" * 240, "C1" + "C" * 90 + "1"]  # one too wide, one too high
    records += [record("molecule", one, row=100) for one in large] + [record("retro", [*large, "Cl"], row=101, input=large[1])]
    draw_records(str(write(tmp_path / "r.jsonl", records)), tmp_path / "r.svg", columns=columns)
    root = ElementTree.parse(io.BytesIO((tmp_path / "r.svg").read_bytes())).getroot()
    width, height = float(root.get("width", 0)), float(root.get("height", 0))

    def box(one: ElementTree.Element) -> tuple[float, float, float, float]:
        x, y, wide, high = (float(one.get(name, 0)) for name in ("x", "y", "width", "height"))
        return x, y, x + wide, y + high

    cards = [box(one) for one in root if one.get("rx") == "6"]
    molecules = [box(one) for one in root if one.get("class") == "molecule"]
    for i, (left, top, right, bottom) in enumerate(cards):
        assert left >= 0 and top >= 0 and right <= width and bottom <= height
        assert not any(l < right and left < r and t < bottom and top < b for l, t, r, b in cards[i + 1 :])  # noqa: E741
    for i, (left, top, right, bottom) in enumerate(molecules):
        assert right - left > 3 and bottom - top <= TALLEST + 0.1
        assert any(c[0] <= left and c[1] <= top and right <= c[2] and bottom <= c[3] for c in cards)
        assert not any(m[0] < right and left < m[2] and m[1] < bottom and top < m[3] for m in molecules[i + 1 :])
    for one in root:
        if one.tag.endswith("}text") and " " not in one.get("x", "") and one.get("text-anchor") is None:
            wide = measured(one.text or "", float(one.get("font-size", 0)), one.get("font-weight") == "bold")
            assert float(one.get("x", 0)) + wide <= width, one.text
