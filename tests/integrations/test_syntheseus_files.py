"""Files of syntheseus, written and read by syntheseus itself: its data sets, and the predictions of its evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run

import logos_cli

pytest.importorskip("syntheseus")

from syntheseus import Bag, Molecule
from syntheseus.cli.eval_single_step import EvalResults, PredictionRecord, compute_metrics
from syntheseus.reaction_prediction.data.dataset import DataFold, DiskReactionDataset
from syntheseus.reaction_prediction.data.reaction_sample import ReactionSample

from logos_cli.integrations.syntheseus import LogosBackward, LogosForward, LogosModel

REACTIONS = [
    ("CC(=O)OC(C)=O.Nc1ccc(O)cc1", "CC(=O)Nc1ccc(O)cc1"),
    ("CC(=O)Cl.O=C(O)c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O"),
    ("CCOC(=O)c1ccc([N+](=O)[O-])cc1", "CCOC(=O)c1ccc(N)cc1"),
    ("C[C@H](N)C(=O)OC.CC(=O)Cl", "COC(=O)[C@H](C)NC(C)=O"),
    ("CCBr.CCO", "CCOCC"),
]
TOP = ("1", "3", "5")
Logos = Callable[..., Run]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a data set, as syntheseus saves one."""
    folder = tmp_path / "data"
    folder.mkdir()
    samples = [
        ReactionSample(
            reactants=Bag(map(Molecule, left.split("."))), products=Bag([Molecule(right)]), reagents="[Pd]",
            mapped_reaction_smiles="[CH3:1][OH:2]>>[CH3:1][OH:2]",
        )
        for left, right in REACTIONS
    ]  # fmt: skip
    DiskReactionDataset.save_samples_to_file(folder, DataFold.VALIDATION, samples)
    return folder


def evaluation(model: LogosModel, data: Path, out: Path) -> EvalResults:
    """Syntheseus' own, going on after what is in `out`."""
    out.mkdir(exist_ok=True)
    dataset = DiskReactionDataset(data, sample_cls=ReactionSample)
    return compute_metrics(
        model, dataset, num_dataset_truncation=None, num_top_results=5, batch_size=3, include_predictions=True, resumable=True,
        output_dir=out,
    )  # fmt: skip


def evaluated(logos_here: Logos, records: Path, *flags: str | Path) -> dict[str, Any]:
    run = logos_here("evaluate", records, "--json", *flags)
    assert run.code == 0, run.err
    (figures,) = json.loads(run.out)["tasks"].values()
    return dict(figures)


def same_figures(ours: dict[str, Any], theirs: EvalResults) -> None:
    assert [ours["top"][k]["value"] for k in TOP] == pytest.approx([theirs.top_k[int(k) - 1] for k in TOP], abs=1e-12)
    assert ours["mrr"]["value"] == pytest.approx(theirs.mrr)
    assert ours["rows_with_truth"] == theirs.num_samples == len(REACTIONS)
    assert 0 < theirs.top_k[0] < 1, "some are right, some are not"


@pytest.mark.slow
@pytest.mark.parametrize("task, kind", [("retro", LogosBackward), ("react", LogosForward)])
def test_its_evaluation_is_ours(
    task: str, kind: type[LogosModel], logos_here: Logos, nano_int4: Path, data: Path, tmp_path: Path
) -> None:
    with kind(nano_int4, width=10, settings={"max_tokens": 100}) as model:
        theirs = evaluation(model, data, tmp_path / "out")
    # Its predictions, judged here.
    same_figures(evaluated(logos_here, tmp_path / "out" / "predictions.jsonl"), theirs)
    # The command's own answers to its data, judged by its data.
    records = tmp_path / "records.jsonl"
    beam = ("--decode", "beam", "--top", "5", "--beam-width", "10", "--max-tokens", "100")
    assert logos_here("generate", task, data / "val.jsonl", "-m", nano_int4, *beam, "-o", records).code == 0
    ours = evaluated(logos_here, records, "--truth", data / "val.jsonl", "--syntheseus", tmp_path / "predictions.jsonl")
    same_figures(ours, theirs)
    # What is written here is what it wrote, but for times and spellings of the same probability.
    wrote, read = ((path / "predictions.jsonl").read_text().splitlines() for path in (tmp_path, tmp_path / "out"))
    for line, their_line in zip(wrote, read, strict=True):
        one, other = (PredictionRecord.from_dict(json.loads(text)) for text in (line, their_line))
        assert (one.input, one.ground_truth, one.num_predictions) == (other.input, other.ground_truth, other.num_predictions)
        assert one.ground_truth_correct == other.ground_truth_correct
        assert one.predictions is not None and other.predictions is not None
        for prediction, their_own in zip(one.predictions, other.predictions, strict=True):
            their_own["metadata"].pop("probability")
            assert prediction == their_own


@pytest.mark.slow
def test_it_goes_on_from_what_is_written_here(logos_here: Logos, nano_int4: Path, data: Path, tmp_path: Path) -> None:
    """Samples, not ranked: the order is that of `evaluate`."""
    records, out = tmp_path / "records.jsonl", tmp_path / "out"
    out.mkdir()
    assert logos_here("generate", "retro", data / "val.jsonl", "-m", nano_int4, "-n", "5", "-o", records).code == 0
    ours = evaluated(logos_here, records, "--truth", data / "val.jsonl", "--syntheseus", out / "predictions.jsonl")
    with logos_cli.open_model(nano_int4) as model:
        theirs = evaluation(LogosBackward(model), data, out)
        with model.engine() as engine:
            assert engine.work.tokens == 0, "nothing was asked again"
    same_figures(ours, theirs)


@pytest.mark.slow
def test_its_data_are_rows_and_right_answers(logos_here: Logos, nano_int4: Path, data: Path) -> None:
    for task, question in (("retro", 1), ("react", 0)):
        run = logos_here("generate", task, data / "val.jsonl", "-m", nano_int4)
        expected = [".".join(str(Molecule(part).smiles) for part in one[question].split(".")) for one in REACTIONS]
        assert [set(record["input"].split(".")) for record in run.lines] == [set(one.split(".")) for one in expected]


def line(**changed: Any) -> str:
    sides = {"reactants": [{"smiles": "CC(=O)Cl"}, {"smiles": "N"}], "products": [{"smiles": "CC(N)=O"}]}
    found = {
        "input": "CC(N)=O", "ground_truth": "CC(=O)Cl.N>>CC(N)=O", "num_predictions": 1, "ground_truth_correct": [True],
        "timing": {"time_model_call": 1.0, "time_post_processing": 0.0},
        "predictions": [{**sides, "identifier": None, "metadata": {"probability": 0.5, "log_probability": -0.6931}}],
    }  # fmt: skip
    return json.dumps(found | changed) + "\n"


def test_rows_without_predictions_and_a_cut_line(logos_here: Logos, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    none = line(num_predictions=0, ground_truth_correct=[], predictions=[])
    path.write_text(line() + none + line()[:100])
    run = logos_here("evaluate", path, "--json")
    figures = json.loads(run.out)["tasks"]["retro"]
    assert figures["top"]["1"]["value"] == 0.5 and figures["rows_without_answer"] == 1
    assert run.err == "the last line is cut short and left out\n"
    (first, second) = logos_cli.read_records(tmp_path / "predictions.jsonl")
    assert (first.rank, first.logprob, first.answer) == (1, -0.6931, ["CC(=O)Cl", "N"])
    assert second.failed and second.error == "no predictions"


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"predictions": None}, "evaluate again with include_predictions=true"),
        ({"input": "CCO"}, "its input is neither side of its ground_truth"),
        ({"ground_truth": "CCO"}, "its ground_truth, a reaction SMILES, is missing"),
        ({"input": 3}, "its input or its ground_truth"),
        ({"predictions": [{"reactants": [{"smiles": "C"}]}]}, "prediction 1 has no reactants and products"),
        ({"predictions": ["C"]}, "prediction 1 has no reactants and products"),
        ({"predictions": [{"reactants": [], "products": []}]}, "prediction 1 has no reactants and products"),
    ],
)
def test_damage_is_one_line(logos_here: Logos, tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(line() + line(**changed))
    run = logos_here("evaluate", path)
    assert run.code == 1 and run.err.startswith(f"logos: {path}: line 2: ") and said in run.err and run.err.count("\n") == 1


@pytest.mark.slow
def test_what_it_does_not_evaluate(logos_here: Logos, nano_int4: Path, tmp_path: Path) -> None:
    molecules, reactants = tmp_path / "molecules.jsonl", tmp_path / "reactants.jsonl"
    assert logos_here("generate", "molecule", "-m", nano_int4, "-o", molecules).code == 0
    assert logos_here("generate", "retro", "-m", nano_int4, "-o", reactants, stdin="CC(=O)Nc1ccc(O)cc1\n").code == 0
    for path, said in ((molecules, "retro or react; these records are of molecule"), (reactants, "give --truth")):
        run = logos_here("evaluate", path, "--syntheseus", tmp_path / "out.jsonl")
        assert run.code == 2 and said in run.err and not run.out and not (tmp_path / "out.jsonl").exists()
