"""What is scored: of rows, told in the record; of our own records, the same prompt and the same text again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run

from logos_cli.chemistry.grammar import protein
from logos_cli.pipeline.recorded import rebuilt_prompt
from logos_cli.pipeline.sequences import text_of_record, text_of_row
from logos_cli.rows.from_json import json_rows
from logos_cli.rows.row import Reading, Recorded, Row
from logos_cli.system.lines import Blank
from logos_cli.tasks.table import TASKS, task_named

EXAMPLES = Path(__file__).parents[2] / "examples"
BRD = EXAMPLES / "4cup.cif.gz"
Logos = Callable[..., Run]
COMPLEX = '{"protein_pocket_ligand": "<ProteinS>MK<PocketS>OC(=O)C1CCCN1<PocketE>AYIAKQR<ProteinE><MoleculeS>"}\n'


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (("molecule", "-n", 4), ""), (("molecule", "-n", 2, "--max-tokens", 8), ""), (("molecule", "-"), "O=C(O)c1ccc\n"),
        (("antibody", "-n", 2), ""), (("protein", "-", "--max-tokens", 40), ">a\nMQIFVKTL\n"),
        (("retro", EXAMPLES / "drugs.smi", "--limit", 3, "--keep-identity"), ""),
        (("retro", EXAMPLES / "drugs.smi", "--limit", 2, "--top", 2), ""),
        (("retro", "-", "-n", 2, "--keep-identity"), "CC(=O)NC1=CC=C(O)C=C1 kekule\n[CH3:1][OH:2] mapped\n"),
        (("retro", "-", "-n", 2, "--as-written", "--keep-identity"), "CC(=O)NC1=CC=C(O)C=C1 kekule\n"),
        (("react", "-", "-n", 2, "--keep-identity"), '{"reactants": ["CC(=O)Cl", "CCN.[Na+].[Cl-]"]}\n'),
        (("pocket", EXAMPLES / "proteins.fasta", "--limit", 1, "-n", 2), ""),
        (("ligand", BRD, "--pocket-from", "ZYB", "-n", 2), ""),
        (("ligand", BRD, "--pocket-from", "ZYB", "-n", 2, "--form", "smiles"), ""), (("ligand", "-", "-n", 2), COMPLEX),
        (("expand", EXAMPLES / "proteins.fasta", "--pocket-from", "8,44", "--limit", 1), ""),
        (("material", "-", "-n", 2), "[Cu][Cu]\n"), (("raw", "-", "--max-tokens", 30), '{"text": "<ProteinS>MKT"}\n'),
    ],
)  # fmt: skip
def test_records_score_as_what_they_were(logos_here: Logos, arguments: tuple[Any, ...], stdin: str) -> None:
    """Their own task and prompt, whatever is in them, valid or not, cut or not; and so do the scores again."""
    written = logos_here("generate", *arguments, "-m", "nano", stdin=stdin).lines
    found = logos_here("score", "-", "-m", "nano", stdin=lines(*written)).lines
    assert len(found) == len(written) and any(a["tokens"] == b["tokens"] for a, b in zip(written, found, strict=True))
    for before, after in zip(written, found, strict=True):
        assert after["error"] is None and (after["task"], after["input"]) == (before["task"], before["input"])
        assert after["text"] == before["text"] and after.get("answer") == (before["answer"] if before["valid"] else None)
        assert after.get("reaction") == before.get("reaction") and after.get("site") == before.get("site")
        if before["tokens"] == after["tokens"]:  # drawn tokens need not be the tokenizer's own
            assert after["logprob"] == pytest.approx(before["logprob"], abs=0.1)  # bf16: see test_scoring for f32
    again = logos_here("score", "-", "-m", "nano", stdin=lines(*found)).lines
    assert [one["logprob"] for one in again] == [one["logprob"] for one in found]


@pytest.mark.slow
def test_scores_of_whole_inputs_and_of_mutants_score_again(logos_here: Logos) -> None:
    found = logos_here("score", "-", "-m", "nano", "--mutants", "A4V,3", stdin=">a\nMKTAYIAKQR\n").lines
    again = logos_here("score", "-", "-m", "nano", stdin=lines(*found)).lines
    assert [one["logprob"] for one in again] == [one["logprob"] for one in found]
    assert again[1]["input"] == "MKTVYIAKQR" and "text" not in again[1]
    broken = logos_here("score", "-", "-m", "nano", stdin=lines(found[1] | {"mutant": "nonsense"})).lines
    assert broken[0]["error"] == "nonsense: no mutation such as A23V"


@pytest.mark.slow
def test_what_a_record_lacks_is_an_error_record(logos_here: Logos) -> None:
    retro = logos_here("generate", "retro", "-", "-m", "nano", stdin="xx\nCCO\n").lines
    failed = {"schema": 1, "row": 9, "id": "x", "answer": None, "valid": False, "text": "C<MoleculeE>", "finish": "stop"}
    given = [
        retro[0], retro[1] | {"input": "((("}, failed | {"task": "ligand", "input": "MKT"},
        failed | {"task": "ligand", "input": "MKT", "site": {"pocket": "two"}}, failed | {"task": "nothing", "input": "MKT"},
    ]  # fmt: skip
    found = logos_here("score", "-", "-m", "nano", stdin=lines(*given))
    reasons = ["no text that could be scored", "not a valid SMILES", "no pocket in this row", "no residues", "no valid answer"]
    assert found.code == 1 and len(found.lines) == len(reasons)
    assert all(reason in one["error"] for reason, one in zip(reasons, found.lines, strict=True))


def test_a_consensus_is_scored_as_an_answer(logos_here: Logos) -> None:
    merged = {"schema": 1, "row": 0, "id": "p", "task": "pocket", "input": "MKTAYIAKQR", "answer": [2, 5], "valid": True}
    known = lines({"sequence": "MKTAYIAKQR", "pocket": [2, 5]})
    records = [logos_here("score", "-", "-m", "nano", stdin=text).lines[0] for text in (lines(merged), known)]
    assert records[0]["logprob"] == records[1]["logprob"] and records[0]["answer"] == [2, 5]


@pytest.mark.slow
def test_the_command_line_wins_over_the_record(logos_here: Logos) -> None:
    chain = {"schema": 1, "row": 0, "id": "1", "task": "antibody", "input": "", "answer": "EVQLVESGG", "valid": True}
    chain |= {"text": "EVQLVESGG<AntibodyE>", "finish": "stop"}
    own, other = (
        logos_here("score", "-", "-m", "nano", *task, stdin=lines(chain)).lines[0] for task in ((), ("--task", "protein"))
    )
    assert (own["task"], other["task"], other["input"]) == ("antibody", "protein", "EVQLVESGG")
    mutants = logos_here("score", "-", "-m", "nano", "--mutants", "V2A", stdin=lines(chain)).lines
    assert [one["task"] for one in mutants] == ["antibody"] * 2 and mutants[0]["logprob"] == own["logprob"]
    ligand = Recorded("ligand", "MKT", "CCO<MoleculeE>", "stop", "<ProteinS>MKT<ProteinE><MoleculeS>", {"pocket": [2]})
    wrapped = protein("MKT", (2,)) + "<MoleculeS>"
    assert text_of_record(Row(0, "1"), ligand, TASKS["ligand"]).prompt == "<ProteinS>MKT<ProteinE><MoleculeS>"
    assert text_of_record(Row(0, "1"), ligand, task_named("ligand", "wrapped")).prompt == wrapped
    assert rebuilt_prompt(TASKS["ligand"], "MKT", {"pocket": [2]}).text == wrapped


def test_the_end_of_a_record(logos_here: Logos) -> None:
    """The end token stops every task, and a marker those that have one; a cut text has neither."""
    for text, finish, ends in [
        ("C<MoleculeE>", "stop", False),
        ("CC", "stop", True),
        ("CC", "length", False),
        ("C", None, False),
    ]:
        assert text_of_record(Row(0, "1"), Recorded("molecule", "", text, finish), TASKS["molecule"]).ends == ends
    for finish, ends in [("stop", True), ("length", False), (None, True)]:
        recorded = Recorded("retro", "CCO", "<MoleculeS>CO<MoleculeE>", finish)
        assert text_of_record(Row(0, "1"), recorded, TASKS["retro"]).ends == ends


def test_scores_tell_what_was_scored() -> None:
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "ligand": ('{"sequence": "MKT", "pocket": [2], "ligand": "OCC"}',
                   {"input": "MKT", "answer": "CCO", "text": "CCO<MoleculeE>"}),
        "retro": ('{"product": "CCN", "reactants": ["CC", "N"]}',
                  {"input": "CCN", "answer": ["CC", "N"], "reaction": "CC.N>>CCN"}),
        "react": ('{"product": "CCN", "reactants": ["CC", "N"]}', {"input": "CC.N", "answer": "CCN", "reaction": "CC.N>>CCN"}),
        "pocket": ('{"sequence": "MKT", "pocket": [2]}',
                   {"input": "MKT", "answer": [2], "text": "M<PocketS>K<PocketE>T<ProteinE>"}),
        "expand": ('{"text": "<ProteinS>M<PocketS>K<PocketE>T<ProteinE><Trans><ProteinS>M<PocketS>CN<PocketE>T<ProteinE>"}',
                   {"input": "MKT", "answer": {"pocket": [2], "smiles": ["CN"]}, "site": {"pocket": [2]}}),
        "material": ('{"metal": "[Zn]", "linkers": ["OCC"]}', {"input": "", "answer": {"metal": "[Zn]", "linkers": ["CCO"]}}),
        "molecule": ('{"smiles": "OCC"}', {"input": "OCC", "asked": "CCO"}),
        "protein": ('{"sequence": "mkt"}', {"input": "MKT"}),
        "raw": ('{"text": "<AntibodyS>EVQ<AntibodyE>"}', {"input": "<AntibodyS>EVQ<AntibodyE>"}),
    }  # fmt: skip
    for task, (line, told) in cases.items():
        (row,) = json_rows("-", iter([(1, line)]), Blank(), Reading("any"))
        found = text_of_row(row, TASKS[task]).fields
        assert {key: found.get(key) for key in told} == told, task
        assert ("answer" in found) == (task not in ("molecule", "protein", "raw"))


def test_the_csv_has_what_was_scored(logos_here: Logos, tmp_path: Path) -> None:
    """And the same columns in every line, whatever the rows are and whether they could be scored."""
    text = lines({"smiles": "xx"}, {"product": "CCN", "reactants": ["CC", "N"]}, {"metal": "[Zn]", "linkers": ["CCO"]})
    found = logos_here("score", "-", "-m", "nano", "--format", "csv", "--each-token", stdin=text)
    rows = list(csv.DictReader(io.StringIO(found.out)))
    assert [row["answer"] for row in rows] == ["", "CC.N", '{"metal": "[Zn]", "linkers": ["CCO"]}']
    assert rows[1]["reaction"] == "CC.N>>CCN" and rows[2]["text"].endswith("<MaterialE>") and rows[0]["error"]
    assert rows[0]["each"] == "" and json.loads(rows[1]["each"]) and None not in rows[0]


@pytest.mark.slow
def test_scores_are_fed_on(logos_here: Logos) -> None:
    """As before: what was scored is the next task's input."""
    scores = logos_here("score", "-", "-m", "nano", stdin="CC(=O)Nc1ccc(O)cc1 para\n").out
    (record,) = logos_here("generate", "retro", "-", "-m", "nano", stdin=scores).lines
    assert (record["id"], record["input"]) == ("para", "CC(=O)Nc1ccc(O)cc1") and record["text"]
    scores = logos_here("score", EXAMPLES / "mofs.jsonl", "-m", "nano").out
    assert [one["input"] for one in logos_here("generate", "material", "-", "-m", "nano", stdin=scores).lines] == [
        "[Zn][O]([Zn])([Zn])[Zn]", "[Cu][Cu]",
    ]  # fmt: skip
