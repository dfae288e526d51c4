"""Records of every kind, and what is to be read in their pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

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


LINE = json.dumps(record("molecule", "CCO")) + "\n"
