"""A new task is one file and one line of the table: here the file is this one, and every command then knows the task."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run

from logos_cli.chemistry.grammar import protein, read_marked, usable, wrap
from logos_cli.tasks import answer_kinds
from logos_cli.tasks.molecules import END, MARKERS, START, read_molecule
from logos_cli.tasks.proteins import sequence_of
from logos_cli.tasks.table import TASKS
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, Task, body_of, invalid

Logos = Callable[..., Run]
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
UBIQUITIN = "MQIFVKTLTGKTITLEVEPSD"


# What the file of a task would hold: a molecule in, one like it out.


def build(row: Input, style: Style) -> Prompt:
    shown = str(row.value).strip()
    molecule = usable(shown, style.as_written)
    return Prompt(wrap(molecule) + START, shown, molecule if molecule != shown else None)


def example(row: Input, style: Style) -> Example:
    return Example(build(row, style), usable(row.truth) + END if isinstance(row.truth, str) else None)


ANALOG = Task(
    name="analog", modality="molecule", takes="a SMILES", gives="a SMILES like it", form="<MoleculeS>M<MoleculeE><MoleculeS>",
    stops=(END,), needs=MARKERS, answers=answer_kinds.MOLECULE, build=build, read=read_molecule, example_of=example,
    spells=("question", "answer"), invents=True, near_counts=True, unpublished="a toy",
)  # fmt: skip


# And of another: a protein in, some of its residues out.


def build_surface(row: Input, style: Style) -> Prompt:
    sequence = sequence_of(row)
    return Prompt(protein(sequence) + "<ProteinS>", sequence, sequence=sequence)


def surface_example(row: Input, style: Style) -> Example:
    prompt = build_surface(row, style)
    return Example(prompt, protein(prompt.sequence, row.pocket).removeprefix("<ProteinS>") if row.pocket else None)


def read_surface(text: str, finish: str, prompt: Prompt) -> Answer:
    body = body_of(text, finish, "<ProteinE>")
    marked = read_marked(body) if isinstance(body, str) else None
    if marked is None:
        return invalid("not residues and pocket markers")
    places = [place for place in marked.pocket if place <= len(prompt.sequence)]
    return Answer(places, True, str(places))


SURFACE = Task(
    name="surface", modality="pocket", takes="a protein", gives="residues, from 1", form="<ProteinS>A<ProteinE><ProteinS>",
    needs=("<ProteinS>", "<ProteinE>"), answers=answer_kinds.RESIDUES, build=build_surface, read=read_surface,
    example_of=surface_example, wants="sequence",
)  # fmt: skip


@pytest.fixture(autouse=True)
def lines_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (ANALOG, SURFACE):
        monkeypatch.setitem(TASKS, task.name, task)


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.slow
def test_generated_scored_evaluated_and_drawn(logos_here: Logos, tmp_path: Path) -> None:
    rows = lines({"smiles": "OC(=O)c1ccccc1OC(C)=O", "id": "aspirin", "groundtruth": "CCO"}, {"smiles": "xx", "id": "bad"})
    records = tmp_path / "analogs.jsonl"
    done = logos_here("generate", "analog", "-", "-m", "nano", "-n", 6, "--max-tokens", 60, "-o", records, stdin=rows)
    assert done.code == 0, done.err
    found = [json.loads(line) for line in records.read_text().splitlines()]
    assert [one["id"] for one in found] == ["aspirin"] * 6 + ["bad"] and {one["asked"] for one in found[:6]} == {ASPIRIN}
    assert any(one["valid"] for one in found) and "not a valid SMILES" in found[-1]["error"]
    smiles = logos_here(
        "generate", "analog", "-", "-m", "nano", "-n", 6, "--top", 2, "--props", "mw", "--format", "smi", stdin=rows
    )
    assert smiles.code == 0 and all(len(line.split("\t")) == 5 for line in smiles.out.splitlines())

    scores = logos_here("score", records, "-m", "nano").lines
    for before, after in zip(found[:6], scores, strict=False):
        assert (after["task"], after["asked"], after["text"]) == ("analog", ASPIRIN, before["text"]) and after["logprob"] < 0
    (own,) = logos_here("score", "-", "-m", "nano", "--task", "analog", "--limit", 1, stdin=rows).lines
    assert own["text"] == "CCO<MoleculeE>" and own["answer"] == "CCO"

    figures = json.loads(logos_here("evaluate", records, "--novel-against", records, "--json").out)["tasks"]["analog"]
    assert figures["rows_with_truth"] == 1 and figures["validity"]["n"] == 6
    assert {"top", "similarity_best", "novelty"} <= figures.keys()
    for name in ("analogs.svg", "analogs.html"):
        assert logos_here("draw", records, "-o", tmp_path / name).code == 0
    valid = sum(one["valid"] for one in found)
    assert (tmp_path / "analogs.svg").read_text().count('class="molecule"') == valid
    assert re.search("<h2>aspirin <span>analog", (tmp_path / "analogs.html").read_text())

    fed = logos_here("generate", "retro", records, "-m", "nano", "--max-tokens", 4).lines
    assert [one["input"] for one in fed if one["input"]] == [one["answer"] for one in found if one["valid"]]
    assert "analog" in logos_here("tasks", "-m", "nano").out
    wrong = logos_here("generate", "analog", "-", "-m", "nano", "--keep-identity", stdin=rows)
    assert wrong.code == 2 and "analog has no answer that is its question" in wrong.err


@pytest.mark.slow
def test_compared_with_a_baseline(logos_here: Logos, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text(lines({"smiles": ASPIRIN, "groundtruth": "CCO"}))
    arguments = ("--baseline", "nano", "--task", "analog", "--data", data, "-n", 2, "--max-tokens", 12)
    document = json.loads(logos_here("bench", "accuracy", "nano", *arguments).out)
    assert document["models"][0]["n_texts"] == 1 and document["models"][0]["tasks"]["analog"]["rows_with_truth"] == 1
    assert document["models"][0]["tasks"]["analog"]["against_baseline"]["top"]["1"]["flips"]["neither"] == 1


@pytest.mark.slow
def test_residues_are_merged_stored_and_read_back(logos_here: Logos, tmp_path: Path) -> None:
    rows = lines({"sequence": UBIQUITIN, "pocket": [2, 5], "id": "ubi"})
    (merged,) = logos_here("generate", "surface", "-", "-m", "nano", "-n", 4, "--top", 1, "--max-tokens", 60, stdin=rows).lines
    assert merged["samples"] == 4 and "faithful" in merged
    table = logos_here("generate", "surface", "-", "-m", "nano", "-n", 3, "--max-tokens", 60, "--format", "csv", stdin=rows).out
    given = list(csv.DictReader(io.StringIO(table)))
    answer = {"task": "surface", "valid": "True", "answer": "2 5", "error": ""}
    stored = tmp_path / "surface.csv"
    with stored.open("w") as stream:
        writer = csv.DictWriter(stream, list(given[0]))
        writer.writeheader()
        writer.writerow(given[0] | answer)
    figures = json.loads(logos_here("evaluate", stored, "--truth", "-", "--json", stdin=rows).out)["tasks"]["surface"]
    assert figures["residue_recall"]["value"] == figures["residue_precision"]["value"] == 1
    assert logos_here("draw", stored, "-o", tmp_path / "surface.html").code == 0
    assert "2 residues: Q2  V5" in (tmp_path / "surface.html").read_text()
    record = lines({"schema": 1, "row": 0, "id": "ubi", "task": "surface", "input": UBIQUITIN, "answer": [2, 5], "valid": True})
    (fed,) = logos_here("generate", "ligand", "-", "-m", "nano", "--max-tokens", 8, stdin=record).lines
    assert fed["site"] == {"pocket": [2, 5]}, "the next task's pocket"
