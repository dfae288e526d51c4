"""Records drawn: every kind of record in every format, hostile ones too."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders import Run
from PIL import Image

from logos_cli.drawing.draw import draw_records
from logos_cli.errors import InputError, OutputError

ASPIRIN, SALICYLIC = "CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccccc1O"
# Mouse major urinary protein 1, and residues near its ligand.
PROTEIN = (
    "EEASSTGRNFNVEKINGEWHTIILASDKREKIEDNGNFRLFLEQIHVLENSLVLKFHTVRDEECSELSMVADKTEKAGEY"
    "SVTYDGFNTFTIPKTDYDNFLMAHLINEKDGETFQLMGLYGREPDLSSDIKERFAQLCEEHGILRENIIDLSNANR"
)
POCKET = [38, 40, 42, 54, 56, 69, 82, 90, 103, 105, 120]
FRAME = "[Zn][O]([Zn])([Zn])[Zn]"  # RDKit's valences do not allow it


def record(task: str, answer: Any, row: int = 0, **others: Any) -> dict[str, Any]:
    given = {
        "schema": 1, "row": row, "id": f"id{row}", "task": task, "input": "", "sample": 0, "answer": answer, "valid": True,
        "error": None, "text": "t", "tokens": 9, "logprob": -3.217, "finish": "stop", "model": "m@1",
    }  # fmt: skip
    return given | others


def score(text: str, /, mutant: str | None = None, delta: float | None = None, **others: Any) -> dict[str, Any]:
    base = {
        "schema": 1,
        "row": 0,
        "id": "wt",
        "task": "protein",
        "input": text,
        "mutant": mutant,
        "logprob": -30.0 + (delta or 0),
    }
    return base | {"delta": delta, "tokens": 9, "logprob_per_token": -1.5, "rank": None, "error": None} | others


def scan() -> list[dict[str, Any]]:
    singles = [("A3G", 1.25), ("A3W", -2.5), *((f"S4{new}", -0.1 * i) for i, new in enumerate("GAVLIMFWY", 1))]
    return [score(PROTEIN), *(score(PROTEIN, *one) for one in singles), score(PROTEIN, "A3G+S5T", -3.5)]


SITE: dict[str, Any] = {"chain": "A", "pocket": POCKET, "residues": [f"A:{at + 30}" for at in POCKET]}
MERGED: dict[str, Any] = {
    "frequency": [0.5 if at in POCKET else 0.0 for at in range(1, len(PROTEIN) + 1)],
    "samples": 32,
    "faithful": 30,
    "unfaithful": {"other sequence": 2},
}
# name: (records, how many structures, what is to be read in the picture)
KINDS: dict[str, tuple[list[dict[str, Any]], int, Sequence[str]]] = {
    "retro": (
        [record("retro", ["CC(=O)Cl", SALICYLIC], input=ASPIRIN, id="aspirin", rank=1, count=7),
         record("retro", ["CC(=O)O", SALICYLIC], input=ASPIRIN, id="aspirin", sample=4, rank=2, count=1)],
        1 + 2 * 3, ("aspirin", "rank 1 · 7 samples · log-prob −3.22", "rank 2 · 1 sample · log-prob −3.22"),
    ),
    "react": (
        [record("react", ASPIRIN, input=f"CC(=O)Cl.{SALICYLIC}", reaction=f"CC(=O)Cl.{SALICYLIC}>>{ASPIRIN}")],
        2 + 3, ("id0", "sample 0 · log-prob −3.22"),
    ),
    "molecule": (
        [record("molecule", "CCO", id="1", props={"mw": 46.07, "logp": -0.0014, "rings": 0},
                similarity={"tanimoto": 0.43, "to": "aspirin"})],
        1, ("MW 46.07, logP −0.00, rings 0", "Tanimoto 0.43 to aspirin"),
    ),
    "ligand": (
        [record("ligand", "CC1=NCCS1", input=PROTEIN, site=SITE), record("ligand", "CCO", input=PROTEIN, sample=1, site=SITE)],
        2, ("156 residues", "pocket of 11 residues, chain A", "A:68", "sample 1"),
    ),
    "pocket": ([record("pocket", POCKET, input=PROTEIN)], 0, ("11 residues: F38  L40",)),
    "merged": (
        [record("pocket", POCKET, input=PROTEIN, residues=SITE["residues"], logprob=None, rank=1, count=30, **MERGED)],
        0, ("32 samples, 30 faithful", "left out: 2 other sequence",
            "0 %", "100 %", "of the faithful samples; framed: the consensus", "F38 (A:68)  L40 (A:70)"),
    ),
    # Residues that the file states and does not model have no number there.
    "unmodelled": (
        [record("pocket", [3, 4], input=PROTEIN, residues=["A:33", None]),
         record("ligand", "CCO", row=1, input=PROTEIN, site={"chain": "A", "pocket": [3, 4], "residues": [None, "A:34"]})],
        1, ("in the structure's own numbers in brackets: A3 (A:33)  S4", "pocket of 2 residues, chain A: A3  S4 (A:34)"),
    ),
    "protein": ([record("protein", PROTEIN, input=PROTEIN[:12])], 0, ("156 residues, the first 12 given",)),
    "antibody": ([record("antibody", "EVQLVESGGG")], 0, ("10 residues", "antibody")),
    "material": ([record("material", {"metal": FRAME, "linkers": ["[O-]C(=O)C#CC(=O)[O-]"]})], 2, ("node", "linker")),
    "expand": ([record("expand", {"pocket": [3, 4], "smiles": ["CCO", "CCN"]}, input=PROTEIN)], 2, ("A3  S4", "S4 ")),
    "raw": ([record("raw", "<React>CCO", input="<MoleculeS>C")], 0, ("<MoleculeS>C<React>CCO",)),
    "scored": (
        [score(ASPIRIN, task="molecule", id="aspirin"), score("CCO>[H+]>CC=O", task="reaction", id="oxidation", row=1)],
        3, ("aspirin", "log-prob −30.00 · −1.50 a token", "over the arrow: [H+]"),
    ),
    "scored answers": (
        [score("", task="material", id="MOF-5", answer={"metal": FRAME, "linkers": ["[O-]C(=O)C#CC(=O)[O-]"]}, text="t"),
         score(ASPIRIN, task="retro", id="aspirin", row=1, answer=["CC(=O)Cl", SALICYLIC], text="t"),
         score(PROTEIN, task="ligand", id="a", row=2, answer="CCO", text="t", site={"pocket": [3]}),
         score(PROTEIN, task="ligand", id="b", row=3, answer="CCN", text="t", site={"pocket": [3]}),
         score("", task="molecule", id="cut", row=4, text="CC(=O"),
         score(PROTEIN, task="pocket", id="site", row=5, answer=[3, 4], text="t")],
        2 + 3 + 2, ("score · material · 1 record", "MOF-5 log-prob", "node", "aspirin log-prob", "score · ligand · 2 records",
                    "pocket of 1 residue", "CC(=O", "2 residues: A3  S4"),
    ),
    "scan": (
        scan(), 0, ("12 mutants", "wild type: log-prob −30.00, −1.50 a token", "A3G+S5T", "−3.50", "+1.25", "−3.50 worse"),
    ),
    "invalid": (
        [record("molecule", None, valid=False, error="not a valid SMILES: CC(", text="CC(<MoleculeE>"),
         record("retro", None, row=1, input="xx", sample=None, text=None, valid=False, error="not a valid SMILES: xx")],
        0, ("not a valid SMILES: CC(", "CC(<MoleculeE>", "no answer: not a valid SMILES: xx", "1 not valid"),
    ),
}  # fmt: skip


def write(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def words(text: str) -> str:
    return " ".join(text.split())


class Seen(HTMLParser):
    """The text of a page; every tag is closed in order and nothing is fetched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs} and tag not in ("script", "link", "img")
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data + " "


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


def test_from_stdin_and_gzip(logos: Callable[..., Run], tmp_path: Path) -> None:
    packed = gzip.compress(write(tmp_path / "r.jsonl", KINDS["molecule"][0]).read_bytes())
    (tmp_path / "r.jsonl.gz").write_bytes(packed)
    assert logos("draw", tmp_path / "r.jsonl.gz", "-o", tmp_path / "a.svg").code == 0
    found = logos("draw", "-", "-o", tmp_path / "b.svg", "--title", "r", stdin=packed)
    assert found.code == 0, found.err
    assert (tmp_path / "a.svg").read_text() == (tmp_path / "b.svg").read_text()


def test_errors_are_one_line_and_write_nothing(logos: Callable[..., Run], tmp_path: Path) -> None:
    good = write(tmp_path / "r.jsonl", KINDS["molecule"][0])
    for code, told, *arguments in (
        (2, ".svg, .png or .html", "draw", good, "-o", tmp_path / "out.pdf"),
        (1, "no records", "draw", "-", "-o", tmp_path / "out.svg"),
    ):
        found = logos(*arguments)
        assert (found.code, found.out, found.err.count("\n")) == (code, "", 1) and told in found.err, found.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.jsonl"]


LINE = json.dumps(record("molecule", "CCO")) + "\n"


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
    assert drawn.cut and len(drawn.chosen.entries) == 2
    source.write_text(LINE * 2 + LINE.rstrip())
    drawn = draw_records(str(source), tmp_path / "r.svg")
    assert not drawn.cut and len(drawn.chosen.entries) == 3


def test_a_png_too_large_is_refused(tmp_path: Path) -> None:
    many = [record("protein", PROTEIN * 40, row=i) for i in range(60)]
    source = write(tmp_path / "r.jsonl", many)
    with pytest.raises(OutputError, match=r"megapixels.*\.svg or \.html, or fewer records, about --limit \d+$"):
        draw_records(str(source), tmp_path / "r.png")
    assert not (tmp_path / "r.png").exists()
