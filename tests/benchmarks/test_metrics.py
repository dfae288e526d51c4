"""Task-level figures against records whose figures can be counted on fingers, and `logos evaluate` on stored ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.DataStructs import TanimotoSimilarity

from logos_cli.benchmarks.metrics import metrics
from logos_cli.benchmarks.metrics.molecules import internal_diversity, wasserstein
from logos_cli.benchmarks.metrics.row_answers import by_row, matches
from logos_cli.benchmarks.metrics.task_figures import TaskFigures
from logos_cli.commands.evaluate import shown
from logos_cli.records.record import Record
from logos_cli.tasks.table import TASKS


def task_metrics(records: list[Record], *arguments: Any, **options: Any) -> dict[str, Any]:
    """Figures as a document has them, which is as they are read back."""
    figures = metrics.figures_for(metrics.judge(records, *arguments, **options))
    assert TaskFigures.from_dict(figures.to_dict()) == figures
    return figures.to_dict()


def answer(row: int, sample: int, *smiles: str, logprob: float = -1.0, task: str = "retro") -> Record:
    """Valid if there is a SMILES; a sample that gave none is an invalid answer."""
    value = list(smiles) if task == "retro" else (smiles or ("",))[0]
    found = Record(row, str(row), task, "CCO", "m", sample, value if smiles else None, bool(smiles), text="t", logprob=logprob)
    return replace(found, error=None if smiles else "not valid", finish="stop")


RECORDS = [
    answer(0, 0, "CCO"), answer(0, 1, "CCO"), answer(0, 2, "CCN"), answer(0, 3),
    answer(1, 0, "CC", logprob=-5.0), answer(1, 1, "O", "CO", logprob=-1.0), answer(1, 2), answer(1, 3),
    Record(2, "2", "retro", "x", "m", error="not a SMILES"),
]  # fmt: skip
TRUTHS = {0: ("CCN",), 1: ("CO", "O"), 2: ("C",)}


def test_ranks_by_hand() -> None:
    """Row 0: CCO came twice, so the truth is second, although CCO is the question. Row 1: one each, the likelier first. Row 2
    has no answer."""
    assert matches(by_row(RECORDS), TRUTHS) == {0: 2, 1: 1, 2: None}
    found = task_metrics(RECORDS, TRUTHS)
    assert [found["top"][k]["value"] for k in ("1", "3", "5", "10")] == pytest.approx([1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert found["mrr"]["value"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert found["validity"]["value"] == pytest.approx(3 / 8) and found["validity"]["n"] == 8
    assert found["repeats_question"]["value"] == 2 / 8
    kept = task_metrics(RECORDS, TRUTHS, keep_identity=True)
    assert kept["validity"]["value"] == pytest.approx(5 / 8) and kept["repeats_question"] == found["repeats_question"]
    assert kept["top"] == found["top"] and kept["mrr"] == found["mrr"], "what was published counts them among the answers"
    assert found["rows_without_answer"] == 1


@pytest.mark.parametrize("task, question, answers", [
    ("retro", "c1ccccc1", ["C1=CC=CC=C1"]), ("retro", "CCN.Cl", ["CCN", "Cl"]), ("react", "CCO.CC", "OCC"),
])  # fmt: skip
def test_an_answer_that_is_the_question_however_it_was_recorded(task: str, question: str, answers: Any) -> None:
    """By a run with --keep-identity it is valid, by one without it is not; figures do not depend on that."""
    kept = Record(0, "1", task, question, "m", 0, answers, True, text="t", finish="stop")
    why = "the reactants contain the product" if task == "retro" else "the product is among the reactants"
    left = replace(kept, valid=False, error=why)
    for wanted in (True, False):
        found = [task_metrics([one], keep_identity=wanted) for one in (kept, left)]
        assert found[0] == found[1] and found[0]["validity"]["value"] == float(wanted)
    for other in (replace(kept, answer=["CC"] if task == "retro" else "CCC"), replace(kept, input="CC", answer=answers)):
        assert task_metrics([other])["validity"]["value"] == 1 or (other.input == "CC" and task == "react")
    cut = replace(left, finish="length", error="cut at the token limit")
    assert task_metrics([cut], keep_identity=True)["validity"]["value"] == 0


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("valid", [True, False])
def test_one_answer_none_and_none_valid_are_shown(task: str, valid: bool) -> None:
    """No figure where there is none, and no crash over it."""
    pocket: Any = {"pocket": [1], "material": {"metal": "[Zn]", "linkers": ["CC"]}, "retro": ["CC"]}.get(task, "CCN")
    one = Record(0, "1", task, "CCO", "m", 0, pocket if valid else None, valid, text="t", finish="stop")
    for records in ([one], [replace(one, rank=1, count=1)], [Record(0, "1", task, "x", "m", error="bad")]):
        figures = task_metrics(records)
        assert "None" not in "\n".join(shown(figures)) and None not in reached(figures)


def reached(value: Any) -> list[Any]:
    """Everything in nested figures but intervals, which are null where too little was seen."""
    if not isinstance(value, dict):
        return [value]
    return [found for name, one in value.items() if name != "ci95" for found in reached(one)]


def test_novelty_and_uniqueness_by_hand() -> None:
    records = [answer(0, i, s, task="molecule") for i, s in enumerate(("CCO", "CCO", "CCN", "CCC"))]
    found = task_metrics(records, known=frozenset({"CCN"}))
    assert found["uniqueness"]["value"] == 3 / 4 and found["novelty"]["value"] == pytest.approx(2 / 3)
    assert "novelty" not in task_metrics(RECORDS, known=frozenset({"CCN"}))  # of molecules, not of reactant sets
    prints = [
        rdFingerprintGenerator.GetMorganGenerator(radius=2).GetFingerprint(Chem.MolFromSmiles(s)) for s in ("CCO", "CCN", "CCC")
    ]
    alike = [TanimotoSimilarity(prints[i], prints[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found["internal_diversity"]["value"] == pytest.approx(1 - sum(alike) / 3)
    assert internal_diversity(["CCO", "CCO"]) is None


def test_wasserstein_by_hand() -> None:
    assert wasserstein([0, 1], [0, 3]) == pytest.approx(1.0)  # half of the mass moves by 2
    assert wasserstein([0, 1, 2], [1]) == pytest.approx(2 / 3)
    assert wasserstein([5, 1], [1, 5]) == 0 and wasserstein([], [1]) is None


@pytest.mark.parametrize(
    "value",
    [
        "OCC.N", "N.CCO>>CCON", "N.CCO>[Pd]>CCON", ["N", "CCO"], {"product": "CCON", "reactants": ["CCO", "N"]},
        {"reaction": "CCO.N>>CCON"}, {"groundtruth": "<MoleculeS>N<MoleculeE><MoleculeS>CCO<MoleculeE>"},
    ],
)  # fmt: skip
def test_every_way_to_say_what_is_right(value: object) -> None:
    assert TASKS["retro"].truth(value) == ("CCO", "N")
    assert TASKS["retro"].truth("not a molecule") is None and TASKS["retro"].truth(None) is None


@pytest.mark.slow
def test_evaluate(logos: Callable[..., Run], tmp_path: Path) -> None:
    records = tmp_path / "r.jsonl"
    records.write_text("".join(record.to_line() for record in RECORDS))
    truth = tmp_path / "t.smi"
    truth.write_text("CCN>>CCO\nCO.O>>CCO\nC>>CCO\n")
    found = json.loads(logos("evaluate", records, "--truth", truth, "--json").out)
    assert found["tasks"]["retro"] == task_metrics(RECORDS, TRUTHS)
    shown = logos("evaluate", records, "--truth", truth)
    assert shown.code == 0 and "top 1" in shown.out and "33.3%" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


@pytest.mark.slow
def test_evaluate_reads_stdin_gzip_and_a_file_cut_short(logos: Callable[..., Run], tmp_path: Path) -> None:
    text = "".join(record.to_line() for record in RECORDS)
    plain, packed = tmp_path / "r.jsonl", tmp_path / "r.jsonl.gz"
    plain.write_text(text + "\n" + RECORDS[0].to_line()[:50])
    packed.write_bytes(gzip.compress(text.encode()))
    found = [logos("evaluate", plain), logos("evaluate", packed), logos("evaluate", "-", stdin=text)]
    assert [one.code for one in found] == [0, 0, 0] and found[0].out == found[1].out == found[2].out != ""


@pytest.mark.slow
def test_scores_are_no_answers(logos: Callable[..., Run], tmp_path: Path) -> None:
    scores = tmp_path / "scores.jsonl"
    scores.write_text(logos("score", "-", "-m", "nano", stdin="CCO\n").out)
    found = logos("evaluate", scores)
    assert (found.code, found.out) == (2, "") and found.err.count("\n") == 1
    assert "scores of logos score, which a table of measured variants judges; give it with --truth" in found.err
    found = logos("bench", "compare", scores, scores)
    assert (found.code, found.out) == (1, "") and found.err.count("\n") == 1
    assert "line 1: these are scores, of logos score, and not answers; give the JSONL or csv of logos generate" in found.err


def test_known_materials_whose_linkers_are_not_sanitized_are_known(logos: Callable[..., Run], tmp_path: Path) -> None:
    written, known = "n1ccc(cc1)C1=NC(=[N]=C([N]1)C)C", "[N]1C(C)=[N]=C(C)N=C1c1ccncc1"
    answer = TASKS["material"].parse(f"<MetalS>[Zn]<MetalE><MoleculeS>{written}<MoleculeE><MaterialE>", "stop")
    records, file = tmp_path / "r.jsonl", tmp_path / "known.jsonl"
    records.write_text(Record(0, "1", "material", "", "m", 0, answer.value, answer.valid, text="t").to_line())
    file.write_text(json.dumps({"metal": "[Zn]", "linkers": [known]}) + '\n{"metal": "[Zn]", "linkers": ["nonsense(("]}\n')
    found = json.loads(logos("evaluate", records, "--novel-against", file, "--json").out)["tasks"]["material"]
    assert found["validity"]["value"] == 1 and found["novelty"]["value"] == 0


@pytest.mark.slow
def test_evaluate_takes_the_records_own_truth(logos: Callable[..., Run], tmp_path: Path) -> None:
    records = tmp_path / "r.jsonl"
    own = "<MoleculeS>CCN<MoleculeE>"
    records.write_text("".join(replace(record, truth=own).to_line() for record in RECORDS[:4]))
    found = json.loads(logos("evaluate", records, "--json").out)["tasks"]["retro"]
    assert found["rows_with_truth"] == 1 and found["top"]["1"]["value"] == 0 and found["top"]["3"]["value"] == 1


@pytest.mark.slow
def test_evaluate_says_what_it_cannot_use(logos: Callable[..., Run], tmp_path: Path) -> None:
    records, truth = tmp_path / "r.jsonl", tmp_path / "t.smi"
    records.write_text("".join(record.to_line() for record in RECORDS))
    truth.write_text("CCN>>CCO\n")
    for arguments, said in (
        ((records, "--truth", truth), "1 right answers, but the records reach row 3"),
        ((records, "--truth", tmp_path / "none"), "none: No such file"),
        ((tmp_path / "none.jsonl",), "none.jsonl: No such file"),
        ((truth,), "t.smi: line 1"),
    ):
        found = logos("evaluate", *arguments)
        assert found.code == 1 and said in found.err and found.err.count("\n") == 1, found.err
    truth.write_text("CCN>>CCO\nnonsense\nC>>CCO\n")
    assert "line 2 holds no right answer for retro" in logos("evaluate", records, "--truth", truth).err
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    found = logos("evaluate", empty)
    assert found.code == 0 and found.out == "" and "no records" in found.err
    found = logos("evaluate", records, "--novel-against", truth)
    assert found.code == 2 and "--novel-against is for molecule" in found.err
