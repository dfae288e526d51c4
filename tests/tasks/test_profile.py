"""Profiles: the same rows asked in another family's words, the answers read into the same records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from completions_server import CompletionsServer, serving

from logos_cli.engines.engine import Generation
from logos_cli.errors import InputError, UsageError
from logos_cli.rows.row import Row
from logos_cli.tasks.profile import FOLDER, profile_named
from logos_cli.tasks.table import TASKS
from logos_cli.tasks.task import Task

Logos = Callable[..., Run]
PRODUCT = "CC(=O)Nc1ccc(O)cc1"
REACTANTS = "<reactants> C C ( = O ) O C ( C ) = O . N c 1 c c c ( O ) c c 1 </reactants>"


def naturelm(name: str) -> Task:
    found = profile_named("naturelm")
    assert found
    return found.of(TASKS[name])


def test_a_published_question_and_its_answer() -> None:
    """Question and form of the answer are those of the notebook of NatureLM-1B-Inst."""
    task = naturelm("retro")
    prompt = task.prompt(Row(0, "a", value="OC1=CC=C(C=C1)NC(C)=O"))
    assert prompt.text == f"Instruction: How to synthesis <product>{PRODUCT}</product>?\n\n\nResponse:"
    assert prompt.question == PRODUCT and prompt.stored == prompt.text
    marked = REACTANTS.replace(" ", " <m>")
    for text in (REACTANTS, marked, REACTANTS.replace(" ", ""), f" {REACTANTS} and more"):
        answer = task.parse(text, "stop", prompt)
        assert answer.valid and answer.value == ["CC(=O)OC(C)=O", "Nc1ccc(O)cc1"]
    assert task.parse("I cannot say", "stop", prompt).reason == "no <reactants>…</reactants>"
    assert task.parse(REACTANTS[:30], "length", prompt).reason == "cut at the token limit"
    assert task.parse("<reactants>C(</reactants>", "stop", prompt).reason == "not a valid SMILES: C("
    assert task.sampling.temperature == 0.7 and task.sampling.max_tokens == 100 and "microsoft/SFM" in task.source


def test_molecules_go_on_from_a_prefix() -> None:
    task = naturelm("molecule")
    prompt = task.prompt(Row(0, "1", value="CC"))
    assert prompt.text == "<mol>CC" and task.stops == ("</mol>",)
    assert task.parse(" <m>O</mol>", "stop", prompt).value == "CCO"


def test_what_is_not_published_is_not_made_up(logos_here: Logos) -> None:
    with pytest.raises(UsageError, match="no prompt for pocket, only for retro, molecule; none is published"):
        naturelm("pocket")
    assert profile_named("logos") is None
    done = logos_here("generate", "react", "-", "--profile", "naturelm", stdin="CCO a\n")
    assert done.code == 2 and "no prompt for react" in done.err


def test_tasks_shows_a_profile(logos_here: Logos) -> None:
    shown = logos_here("tasks", "--profile", "naturelm", "--json")
    found = {task["task"]: task for task in json.loads(shown.out)}
    assert list(found) == ["retro", "molecule"] and "How to synthesis" in found["retro"]["prompt"]
    default = found["retro"]["defaults"]["temperature"]
    assert default["value"] == 0.7 and "microsoft/SFM's notebooks (the settings that its 71.9 %" in default["source"]


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[tasks.react]\nprompt = "What do {question} give?"\nopens = "<mol>"\ncloses = "</mol>"\n'
        'each = "<MoleculeS>{part}<MoleculeE>"\nstops = ["</mol>"]\n'
    )
    profile = profile_named(str(own))
    assert profile and profile.name == "own"
    task = profile.of(TASKS["react"])
    prompt = task.prompt(Row(0, "a", value="CCO.CC(=O)O"))
    assert (
        prompt.text == "What do CCO.CC(=O)O give?" and task.parse("<mol>CCOC(C)=O</mol>", "stop", prompt).value == "CCOC(C)=O"
    )
    text = (FOLDER / "naturelm.toml").read_text()
    for change, said in (
        (("{question}", "it"), "tasks.retro.prompt must hold {question}"),
        (("opens", "open"), "has no key 'open'"),
        (("temperature = 0.7", "temperature = -1"), "tasks.retro.sampling"),
        (("[tasks.retro]", "[tasks.retros]"), "is no task"),
        (('["<m>", " "]', "3"), "remove is 3, a list of texts"),
        (("name =", "nam ="), "no such key: nam"),
        (("name =", "name"), "no TOML"),
    ):
        own.write_text(text.replace(*change))
        with pytest.raises(InputError) as caught:
            profile_named(str(own))
        assert said in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="No such file"):
        profile_named(str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match=r"no profile 'gpt'; one of: logos, naturelm, or a FILE\.toml"):
        profile_named("gpt")


class Rival(CompletionsServer):
    """Answers every question with the reactants of paracetamol, spelled as NatureLM spells them."""

    def choice(self, one: Generation, body: dict[str, Any], stops: list[str]) -> dict[str, Any]:
        return {"index": one.sample, "text": f" {REACTANTS}", "finish_reason": "stop", "logprobs": None}


@pytest.fixture
def rival(nano_bf16: Path, open_model: Any) -> Iterator[CompletionsServer]:
    with serving(Rival(open_model(nano_bf16), kind="somebody")) as told:
        yield told


@pytest.mark.slow
def test_logos_and_a_rival_answer_the_same_rows(
    rival: CompletionsServer, nano_bf16: Path, logos_here: Logos, tmp_path: Path
) -> None:
    rows, truth = tmp_path / "rows.smi", tmp_path / "truth.smi"
    rows.write_text(f"{PRODUCT} a\nCC(=O)Oc1ccccc1C(=O)O b\n")
    truth.write_text("CC(=O)OC(C)=O.Nc1ccc(O)cc1 a\nCC(=O)Cl.O=C(O)c1ccccc1O b\n")
    ours, theirs = tmp_path / "ours.jsonl", tmp_path / "theirs.jsonl"
    asked = ("generate", "retro", rows, "--temperature", "0", "--max-tokens", "80")
    assert logos_here(*asked, "-m", nano_bf16, "-o", ours).code == 0
    done = logos_here(*asked, "-m", rival.address, "--profile", "naturelm", "-o", theirs)
    assert done.code == 0, done.err
    assert all(body["prompt"].startswith("Instruction: How to synthesis <product>") for body in rival.asked)
    found = [json.loads(line) for line in theirs.read_text().splitlines()]
    assert [one["valid"] for one in found] == [True, True] and found[0]["logprob"] is None
    assert found[0]["prompt"].endswith("Response:") and found[0]["reaction"].endswith(f">>{PRODUCT}")
    compared = logos_here("bench", "compare", ours, theirs, "--truth", truth)
    assert compared.code == 0, compared.err
    top = json.loads(compared.out)["tasks"]["retro"]["second"]["top"]["1"]
    assert (top["value"], top["n"]) == (0.5, 2)
    again = logos_here(*asked, "-m", rival.address, "-o", theirs, "--resume")
    assert again.code == 1 and "of another run: profile_sha256 was" in again.err
