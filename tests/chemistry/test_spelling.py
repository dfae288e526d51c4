"""One molecule, one question: what the commands ask, record and score of a molecule that is spelled in several ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run

from logos_cli.nano.recipe.measure_spelling import kekule, spelling_figures

Logos = Callable[..., Run]
AROMATIC, KEKULE = "CC(=O)Nc1ccc(O)cc1", "CC(=O)NC1=CC=C(O)C=C1"
HYDROGENS = "[H]Oc1c([H])c([H])c(N([H])C(=O)C([H])([H])[H])c([H])c1[H]"
MAPPED = "[CH3:1][C:2](=[O:3])[NH:4][c:5]1[cH:6][cH:7][c:8]([OH:9])[cH:10][cH:11]1"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["retro", "react"])
def test_answers_do_not_depend_on_the_spelling(task: str, logos_here: Logos) -> None:
    """One row after the other has other seeds, so each spelling is asked alone."""
    found: list[list[dict[str, Any]]] = []
    for spelling in (AROMATIC, KEKULE, HYDROGENS, MAPPED):
        arguments = ("generate", task, "-", "-m", "nano", "-n", 2, "--max-tokens", 40)
        records = [json.loads(line) for line in logos_here(*arguments, stdin=f"{spelling} x\n").out.splitlines()]
        assert [one.pop("input") for one in records] == [spelling] * 2
        assert [one.pop("asked", None) for one in records] == [None if spelling == AROMATIC else AROMATIC] * 2
        found.append(records)
    assert len(found[0]) == 2 and found[1:] == found[:1] * 3


@pytest.mark.slow
def test_scores_do_not_depend_on_the_spelling(logos_here: Logos) -> None:
    rows = "".join(f"{one}\n" for one in (AROMATIC, KEKULE, HYDROGENS, MAPPED))
    reactions = "".join(
        f"CC(=O)Cl.{amine}>>{one}\n" for one, amine in ((AROMATIC, "Nc1ccc(O)cc1"), (KEKULE, "NC1=CC=C(O)C=C1"))
    )
    for stdin in (rows, reactions):
        found = [json.loads(line) for line in logos_here("score", "-", "-m", "nano", stdin=stdin).out.splitlines()]
        assert len({one["logprob"] for one in found}) == 1 and len(found) == stdin.count("\n")
        written = [
            json.loads(line) for line in logos_here("score", "-", "-m", "nano", "--as-written", stdin=stdin).out.splitlines()
        ]
        assert written[0]["logprob"] == found[0]["logprob"] > written[1]["logprob"] and "asked" not in written[1]


@pytest.mark.slow
def test_as_written_is_asked_and_recorded(logos_here: Logos) -> None:
    (found,) = logos_here("generate", "retro", "-", "-m", "nano", "--as-written", stdin=f"{KEKULE}\n").out.splitlines()
    record = json.loads(found)
    assert record["input"] == KEKULE and "asked" not in record and "prompt" not in record
    table = logos_here("generate", "retro", "-", "-m", "nano", "--format", "csv", stdin=f"{KEKULE}\n").out
    assert AROMATIC in table.splitlines()[1] and ",asked," in table.splitlines()[0]


@pytest.mark.parametrize("arguments, told", [
    (("generate", "molecule", "--as-written"), "--as-written is for retro, react"),
    (("generate", "pocket", "-", "--as-written"), "--as-written is for retro, react"),
    (("score", "-", "--task", "protein", "--as-written"), "--as-written is for retro, react, molecule, ligand"),
    (("generate", "molecule", "--keep-identity"), "--keep-identity is for retro and react"),
])  # fmt: skip
def test_options_without_a_meaning_are_refused(arguments: tuple[str, ...], told: str, logos_here: Logos) -> None:
    found = logos_here(*arguments, "-m", "nano", stdin="C\n")
    assert (found.code, found.out) == (2, "") and told in found.err and found.err.count("\n") == 1


@pytest.mark.slow
def test_a_resume_asks_in_the_same_way(logos_here: Logos, tmp_path: Path) -> None:
    source, out = tmp_path / "rows.smi", tmp_path / "o.jsonl"
    source.write_text(f"{KEKULE}\n")
    arguments = ("generate", "retro", source, "-m", "nano", "-o", out, "--max-tokens", 5)
    assert logos_here(*arguments).code == 0
    settings = tmp_path / "o.jsonl.partial.json"
    (tmp_path / "o.jsonl.partial").write_text(out.read_text())
    for option, name in (("--as-written", "as_written"), ("--keep-identity", "keep_identity")):
        settings.write_text("{}")
        assert name in logos_here(*arguments, "--resume", option).err


@pytest.mark.slow
def test_what_the_spelling_is_worth_is_measured(nano_int4: Path, open_model: Any) -> None:
    assert kekule("c1ccccc1O") == "OC1=CC=CC=C1" and kekule("CCO") == "CCO"
    reactions = [{"product": AROMATIC, "reactants": ["CC(=O)Cl", "Nc1ccc(O)cc1"]}, {"product": "CCOCC", "reactants": ["CCO"]}]
    found = spelling_figures(open_model(nano_int4), reactions, 2)
    assert (found["n"], found["spelled_otherwise"], found["top1"]["canonical"]["n"]) == (2, 1, 2)
    assert sum(found["kekule_against_canonical"][one] for one in ("both", "lost", "gained", "neither")) == 2
