"""Every line that is written is what docs/record.schema.json says, and lines from before there were kinds are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from schemas import check_records

EXAMPLES = Path(__file__).parents[2] / "examples"
Logos = Callable[..., Run]
BRD = EXAMPLES / "4cup.cif.gz"
ANSWERS: dict[str, list[str | Path]] = {
    "retro": [EXAMPLES / "drugs.smi", "--top", "2", "-n", "4"],
    "react": ["-", "-n", "2"],
    "molecule": ["-n", "2", "--props", "mw,logp"],
    "protein": ["-n", "1"],
    "antibody": ["-n", "1"],
    "pocket": [BRD, "--top", "1", "-n", "2"],
    "ligand": [BRD, "--pocket-from", "ZYB"],
    "expand": [BRD, "--pocket-from", "ZYB", "--max-tokens", "900"],
    "material": ["-n", "2"],
    "raw": ["-"],
}
INPUT = {"react": "CC(=O)Cl.Nc1ccccc1 a\nxx b\n", "raw": "<MoleculeS>CC\n"}


@pytest.mark.slow
@pytest.mark.parametrize("task", ANSWERS)
def test_answers(task: str, nano_bf16: Path, logos_here: Logos) -> None:
    found = logos_here("generate", task, *ANSWERS[task], "-m", nano_bf16, stdin=INPUT.get(task, ""))
    assert found.lines, found.err
    check_records(found.lines, "answer")


@pytest.mark.slow
def test_scores(nano_bf16: Path, logos_here: Logos) -> None:
    texts = ["CC(=O)Nc1ccc(O)cc1 a", "xx b"]
    found = logos_here("score", "-", "-m", nano_bf16, "--each-token", stdin="\n".join(texts))
    check_records(found.lines, "score")
    assert [line["error"] is None for line in found.lines] == [True, False]
    mutants = logos_here("score", "-", "-m", nano_bf16, "--task", "protein", "--mutants", "M1A,2", stdin=">p\nMKTAYIAKQR\n")
    check_records(mutants.lines, "score")
    assert len(mutants.lines) == 21
    fed = logos_here("generate", "retro", "-", "-m", nano_bf16, stdin=found.out)
    assert [line["id"] for line in fed.lines] == ["a", "b"]


@pytest.mark.slow
def test_lines_without_a_kind(nano_bf16: Path, logos_here: Logos, tmp_path: Path) -> None:
    """Of records and of scores; both are told apart as before."""
    for command in (["generate", "molecule", "-n", "2"], ["score", EXAMPLES / "drugs.smi", "--limit", "2"]):
        lines = logos_here(*command, "-m", nano_bf16).lines
        old = [{key: value for key, value in line.items() if key != "kind"} for line in lines]
        again = [logos_here("score", "-", "-m", nano_bf16, stdin="".join(json.dumps(one) + "\n" for one in some)).out
                 for some in (lines, old)]  # fmt: skip
        assert again[0] == again[1] and again[0]
