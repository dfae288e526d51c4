"""Figures of pockets, sequences, ligands and materials against values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from logos_cli.benchmarks.metrics.evaluation import judge_records
from logos_cli.benchmarks.metrics.metrics import figures_for, judge
from logos_cli.benchmarks.metrics.residue_metrics import pocket_scores, recovered
from logos_cli.benchmarks.metrics.truth_file import read_truth_file
from logos_cli.benchmarks.metrics.truths import read_answers
from logos_cli.errors import InputError
from logos_cli.records.record import Record
from logos_cli.tasks.table import TASKS

EXAMPLES = Path(__file__).parents[2] / "examples"


def record(task: str, answer: Any, row: int = 0, valid: bool = True, given: str = "MKTAYIAKQR", **more: Any) -> Record:
    return Record(row, str(row), task, given, "m", sample=more.pop("sample", 0), answer=answer, valid=valid, **more)


def test_pocket_scores_by_hand() -> None:
    """2 of 3 found are right, 2 of 4 known are found, of ten residues: TP 2, FP 1, FN 2, TN 5."""
    found = pocket_scores([1, 2, 9], [1, 2, 3, 4], 10)
    assert found["precision"] == pytest.approx(2 / 3) and found["recall"] == 0.5 and found["f1"] == pytest.approx(4 / 7)
    assert found["mcc"] == pytest.approx((2 * 5 - 1 * 2) / math.sqrt(3 * 4 * 6 * 7))
    assert pocket_scores([1, 2], [1, 2], 10)["mcc"] == pytest.approx(1)
    assert pocket_scores([], [1, 2], 10) == dict.fromkeys(("precision", "recall", "f1", "mcc"), 0.0)


def test_pockets_over_proteins() -> None:
    records = [
        record("pocket", [1, 2, 9]), record("pocket", None, sample=1, valid=False),
        record("pocket", [5], row=1), Record(2, "2", "pocket", "MKT", "m", error="x"),
    ]  # fmt: skip
    truths = {0: frozenset([1, 2, 3, 4]), 1: frozenset([5]), 2: frozenset([1])}
    found = figures_for(judge(records, truths)).to_dict()
    assert found["residue_precision"]["value"] == pytest.approx(((2 / 3 + 0) / 2 + 1 + 0) / 3)
    assert found["residue_recall"]["value"] == pytest.approx((0.25 + 1 + 0) / 3)
    assert found["chance_precision"]["value"] == pytest.approx((0.4 + 0.1 + 1 / 3) / 3)
    assert found["rows_with_truth"] == 3 and found["validity"]["n"] == 3


def test_merged_pockets() -> None:
    merged = [
        record("pocket", [1], rank=1, count=3, frequency=[0.0] * 10, samples=4, faithful=3),
        Record(1, "1", "pocket", "MKT", "m", error="no sample", samples=4, faithful=0),
    ]
    found = figures_for(judge(merged, {0: frozenset([1]), 1: frozenset([2])})).to_dict()
    assert found["faithful"]["value"] == 3 / 8 and found["proteins_never_repeated"] == 1
    assert found["residue_precision"]["value"] == 0.5 and "validity" not in found


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ([3, 1], {1, 3}), ({"sequence": "MKT", "pocket": [2]}, {2}), ("2 3", {2, 3}),
        ("<ProteinS>M<PocketS>K<PocketE>T<ProteinE>", {2}),
        ("M<PocketS>K<PocketE>T<ProteinE>", {2}),
        ({"groundtruth": "<ProteinS>MK<ProteinE><Search><ProteinS>M<PocketS>K<PocketE><ProteinE>"}, {2}),
        ("MKT", None), ([], None), ({"id": 1}, None),
    ],
)  # fmt: skip
def test_right_binding_sites(value: Any, places: set[int] | None) -> None:
    assert TASKS["pocket"].truth(value) == (frozenset(places) if places else None)


def test_recovery() -> None:
    assert recovered("EVQLLE", "EVQLVE", "EVQ") == pytest.approx(2 / 3)
    assert recovered("EVQ", "EVQLVE", "EVQ") == 0 and recovered("EVQ", "EVQ", "EVQ") is None
    records = [record("antibody", "EVQLLE", given="EVQ"), record("antibody", None, sample=1, valid=False, given="EVQ")]
    found = figures_for(judge(records, {0: "EVQLVE"}, frozenset(["EVQLVE"]))).to_dict()
    assert found["recovery"]["value"] == pytest.approx(1 / 3) and found["novelty"]["value"] == 1


def test_truths_and_known_ones_from_files(tmp_path: Path) -> None:
    truths = [line.answer for line in read_truth_file(EXAMPLES / "antibody.fasta", TASKS["antibody"]).lines]
    assert truths[0].startswith("EVQLVESGG") and len(truths) == 2
    assert read_answers(EXAMPLES / "antibody.fasta", TASKS["antibody"]) == frozenset(truths)
    known = read_answers(EXAMPLES / "mofs.jsonl", TASKS["material"])
    assert "[Cu][Cu].O=C([O-])c1cc(C(=O)[O-])cc(C(=O)[O-])c1" in known and len(known) == 2
    (tmp_path / "none.jsonl").write_text('{"metal": "(((", "linkers": ["C"]}\n')
    with pytest.raises(InputError, match="no valid material"):
        read_answers(tmp_path / "none.jsonl", TASKS["material"])


def test_text_vnu(tmp_path: Path) -> None:
    names = ["[Zn]", "[Cu]", "[Cu]", "[Co]", None]
    answers = [
        record("material", name and {"metal": name, "linkers": ["C"]}, sample=i, valid=bool(name))
        for i, name in enumerate(names)
    ]
    found = figures_for(judge(answers, known=frozenset(["[Zn].C"]))).to_dict()
    assert (found["text_vnu"]["value"], found["text_vnu"]["n"]) == (2 / 5, 5) and found["text_valid_unique"]["value"] == 3 / 5
    assert "text_vnu" not in figures_for(judge(answers)).to_dict(), "without known materials nothing is novel"
    first = json.loads((EXAMPLES / "mofs.jsonl").read_text().splitlines()[0])
    records = [
        record("material", {"metal": m, "linkers": first["linkers"]}, sample=i) for i, m in enumerate([first["metal"], "[Zn]"])
    ]
    assert figures_for(judge_records(records, None, EXAMPLES / "mofs.jsonl")["material"]).to_dict()["text_vnu"]["value"] == 0.5


def test_ligands_against_the_known_one() -> None:
    records = [
        record("ligand", "CCO", truth="OCC"), record("ligand", "CCN", sample=1, truth="OCC"),
        record("ligand", "x", sample=2, valid=False, truth="OCC"),
    ]  # fmt: skip
    found = figures_for(judge_records(records, None, None)["ligand"]).to_dict()
    assert found["similarity_best"]["value"] == 1 and 1 / 3 < found["similarity_mean"]["value"] < 1
    assert found["top"]["1"]["value"] == 1 and found["validity"]["value"] == pytest.approx(2 / 3)
