"""Records drawn: every kind of record in every format, hostile ones too."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders import Run
from pictures import ASPIRIN, KINDS, LINE, PROTEIN, SALICYLIC, Seen, record, score, words, write
from PIL import Image

from logos_cli.drawing.draw import draw_records
from logos_cli.errors import InputError, OutputError


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_format(kind: str, tmp_path: Path) -> None:
    records, molecules, captions = KINDS[kind]
    source = write(tmp_path / "records.jsonl", records)
    outs = {suffix: tmp_path / f"drawn.{suffix}" for suffix in ("svg", "png", "html")}
    for out in outs.values():
        draw_records(str(source), out)
    svg = ElementTree.parse(outs["svg"]).getroot()
    drawings = [one for one in svg.iter() if one.get("class") == "molecule"]
    assert len(drawings) == molecules and all(len(one) > 1 for one in drawings)
    read = words(" ".join("".join(one.itertext()) for one in svg.iter() if one.tag.endswith("}text")))
    page = outs["html"].read_text()
    seen = words(Seen(page).text)
    for caption in captions:
        assert words(caption) in read, caption
        assert words(caption) in seen, caption
    assert page.count('class="molecule"') == molecules and "http" not in page
    with Image.open(outs["png"]) as image:
        assert image.size == tuple(2 * int(svg.get(side, "0")) for side in ("width", "height"))
        assert sum(image.convert("L").histogram()[:100]) > 500, "a blank picture"
        if kind in ("retro", "expand"):
            found = [colour for _, colour in image.getcolors(1 << 20) or []]
            assert (255, 0, 0) in found, "no oxygen"


def test_nothing_has_an_id_that_could_clash(tmp_path: Path) -> None:
    draw_records(str(write(tmp_path / "r.jsonl", KINDS["retro"][0])), tmp_path / "r.svg")
    text = (tmp_path / "r.svg").read_text()
    assert " id=" not in text and "url(" not in text


def test_a_name_that_is_all_suffix(tmp_path: Path) -> None:
    draw_records(str(write(tmp_path / "r.jsonl", KINDS["retro"][0])), tmp_path / ".PNG")
    with Image.open(tmp_path / ".PNG") as image:
        assert image.format == "PNG"


def test_smiles_and_sequences_can_be_copied(tmp_path: Path) -> None:
    draw_records(str(write(tmp_path / "r.jsonl", [*KINDS["retro"][0], *KINDS["pocket"][0]])), tmp_path / "r.html")
    copies = re.findall(r'<code class="copy">(.*?)</code>', (tmp_path / "r.html").read_text())
    assert copies[:2] == [ASPIRIN, f"CC(=O)Cl.{SALICYLIC}&gt;&gt;{ASPIRIN}"] and copies[-1] == PROTEIN


DATIVE: dict[str, tuple[str, str, Any, int]] = {
    "two ammonias on platinum": ("retro", "N->[Pt](<-N)(Cl)Cl", ["N", "Cl[Pt]Cl"], 4),
    "potassium benzoate": ("retro", "O=C([O-]->[K+])c1ccccc1", ["CCOC(=O)c1ccccc1", "O=C(O)CI"], 4),
    "of a reaction's product": ("retro", "CC>>N->[Pd]", ["N", "[Pd]"], 4),
    "backwards": ("retro", "[Pt]<-N", ["N->[Pt]"], 3),
    "among reactants": ("react", "N->[Pt](Cl)Cl.CCO", "CCO[Pt](Cl)<-N", 5),
}


@pytest.mark.parametrize("name", DATIVE)
@pytest.mark.parametrize("recorded", [False, True])
def test_dative_bonds_are_drawn(name: str, recorded: bool, tmp_path: Path) -> None:
    """An arrow of a bond is no arrow of a reaction."""
    task, given, answer, molecules = DATIVE[name]
    sides = (".".join(answer), given.rpartition(">>")[2]) if isinstance(answer, list) else (given, answer)
    more: dict[str, Any] = {"reaction": ">>".join(sides)} if recorded else {}
    draw_records(str(write(tmp_path / "r.jsonl", [record(task, answer, input=given, **more)])), tmp_path / "r.svg")
    text = (tmp_path / "r.svg").read_text()
    assert text.count('class="molecule"') == molecules and "not a SMILES" not in text


def test_scored_dative_bonds_are_molecules_and_reactions(tmp_path: Path) -> None:
    scores = [score("[Pt]<-N", task="molecule"), score("N->[Pt].CC>[Pd]<-N>CCO", task="retro")]
    draw_records(str(write(tmp_path / "r.jsonl", scores)), tmp_path / "r.svg")
    text = (tmp_path / "r.svg").read_text()
    assert text.count('class="molecule"') == 4 and "over the arrow: [Pd]&lt;-N" in text


def test_a_salt_that_was_asked_as_one_is_drawn_as_one(tmp_path: Path) -> None:
    prompt = "<MoleculeS>CC(=O)Cl<MoleculeE><MoleculeS>[Na+].[OH-]<MoleculeE><React>"
    given = "CC(=O)Cl.[Na+].[OH-]"
    together = record("react", "CC(=O)O", input=given, reaction=f"{given}>>CC(=O)O", prompt=prompt)
    for one, molecules in ((together, 2 + 3), (together | {"prompt": None}, 3 + 4)):
        draw_records(str(write(tmp_path / "r.jsonl", [one])), tmp_path / "r.svg")
        assert (tmp_path / "r.svg").read_text().count('class="molecule"') == molecules


def test_limit_and_valid_only(logos: Callable[..., Run], tmp_path: Path) -> None:
    many = [record("molecule", "CCO", sample=i) for i in range(5)] + KINDS["invalid"][0]
    out = tmp_path / "r.svg"
    found = logos("draw", write(tmp_path / "r.jsonl", many), "-o", out, "--limit", "3", "--valid-only")
    assert (found.code, found.out) == (0, ""), found.err
    assert found.err.splitlines() == [
        f"{out}: 3 records in 1 group", "2 more left out; draw them with --limit 5", "2 left out that are not valid",
    ]  # fmt: skip
    assert out.read_text().count('class="molecule"') == 3 and [p.name for p in tmp_path.iterdir()].count("r.svg") == 1


@pytest.mark.slow
def test_from_stdin_and_gzip(logos: Callable[..., Run], tmp_path: Path) -> None:
    packed = gzip.compress(write(tmp_path / "r.jsonl", KINDS["molecule"][0]).read_bytes())
    (tmp_path / "r.jsonl.gz").write_bytes(packed)
    assert logos("draw", tmp_path / "r.jsonl.gz", "-o", tmp_path / "a.svg").code == 0
    found = logos("draw", "-", "-o", tmp_path / "b.svg", "--title", "r", stdin=packed)
    assert found.code == 0, found.err
    assert (tmp_path / "a.svg").read_text() == (tmp_path / "b.svg").read_text()


@pytest.mark.slow
def test_errors_are_one_line_and_write_nothing(logos: Callable[..., Run], tmp_path: Path) -> None:
    good = write(tmp_path / "r.jsonl", KINDS["molecule"][0])
    for code, told, *arguments in (
        (2, ".svg, .png or .html", "draw", good, "-o", tmp_path / "out.pdf"),
        (1, "no records", "draw", "-", "-o", tmp_path / "out.svg"),
    ):
        found = logos(*arguments)
        assert (found.code, found.out, found.err.count("\n")) == (code, "", 1) and told in found.err, found.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.jsonl"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CCO ethanol\n", r"line 1: not JSON"),
        (LINE + "[1]\n", r"line 2: not a JSON object"),
        (LINE + '{"row": 1\n' + LINE, r"line 2: not JSON"),
        (LINE + '\n{"smiles": "CCO"}\n', r"line 3: not a record: it has no row, id, task, input"),
        (LINE.replace('"row": 0', '"row": "x"'), r'line 1: not a record: row is "x"'),
        (LINE.replace('"row": 0', '"row": true'), r"line 1: not a record: row is true"),
        (LINE.replace('"logprob": -3.217', '"logprob": [1]'), r"line 1: not a record: logprob is \[1\]"),
        (LINE.replace('"error": null', '"residues": ["A:3", [1]]'), r"line 1: not a record: residues holds"),
        (LINE.replace('"schema": 1', '"schema": 2'), r"line 1: schema 2 is not 1"),
        ("[" * 100_000 + "\n", r"line 1: "),
        ('{"row": 1', r"no records"),
    ],
)
def test_lines_that_are_no_records(text: str, told: str, tmp_path: Path) -> None:
    source, out = tmp_path / "r.jsonl", tmp_path / "r.html"
    source.write_text(text)
    with pytest.raises(InputError, match=told) as error:
        draw_records(str(source), out)
    assert str(error.value).startswith(f"{source}: ") and not out.exists()


def test_a_cut_last_line_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "r.jsonl"
    source.write_text(LINE * 2 + LINE[:40])
    drawn = draw_records(str(source), tmp_path / "r.svg")
    assert drawn.cut and len(drawn.chosen.records) == 2
    source.write_text(LINE * 2 + LINE.rstrip())
    drawn = draw_records(str(source), tmp_path / "r.svg")
    assert not drawn.cut and len(drawn.chosen.records) == 3


def test_a_png_too_large_is_refused(tmp_path: Path) -> None:
    many = [record("protein", PROTEIN * 40, row=i) for i in range(60)]
    source = write(tmp_path / "r.jsonl", many)
    with pytest.raises(OutputError, match=r"megapixels.*\.svg or \.html, or fewer records, about --limit \d+$"):
        draw_records(str(source), tmp_path / "r.png")
    assert not (tmp_path / "r.png").exists()
