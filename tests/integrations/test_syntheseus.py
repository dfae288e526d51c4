"""LOGOS as syntheseus' models, with syntheseus itself."""

from __future__ import annotations

import logging
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import Run

import logos_cli

pytest.importorskip("syntheseus")

from syntheseus import Bag, Molecule, Reaction
from syntheseus.search.algorithms.best_first.retro_star import RetroStarSearch
from syntheseus.search.analysis.route_extraction import iter_routes_time_order
from syntheseus.search.graph.and_or import AndNode
from syntheseus.search.mol_inventory import SmilesListInventory
from syntheseus.search.node_evaluation.common import ConstantNodeEvaluator, ReactionModelLogProbCost

from logos_cli.integrations.syntheseus import LogosBackward, LogosForward, round_trip

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "planners.md").read_text()
PRODUCTS = ["CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O", "CCOC(=O)c1ccc(N)cc1"]
TARGETS = [Molecule(smiles) for smiles in PRODUCTS]
AMIDE = Bag([Molecule("CC(=O)Cl"), Molecule("Nc1ccc(O)cc1")])


@pytest.fixture
def model(nano_int4: Path) -> Iterator[logos_cli.Model]:
    with logos_cli.open_model(nano_int4) as opened:
        yield opened


def without_digits(text: str) -> str:
    """A text with no more of its probabilities than every processor gives."""
    return re.sub(r"\b0\.\d+\b", "0.…", text)


def block(text: str) -> str:
    """What was printed, as a page shows it."""
    return without_digits("".join(f"    {line}\n" for line in text.splitlines()))


def asked(
    logos_here: Callable[..., Run], task: str, model: Path, rows: list[str], *flags: str
) -> list[list[dict[str, object]]]:
    """What the command answers, row by row."""
    run = logos_here("generate", task, "-m", model, *flags, stdin="\n".join(rows) + "\n")
    return [[record for record in run.lines if record["row"] == row] for row in range(len(rows))]


@pytest.mark.slow
def test_a_beam_gives_what_the_command_gives(model: logos_cli.Model, nano_int4: Path, logos_here: Callable[..., Run]) -> None:
    flags = ("--decode", "beam", "--beam-width", "16", "--top", "6")
    told = asked(logos_here, "retro", nano_int4, PRODUCTS, *flags)
    found = LogosBackward(model, width=16)(TARGETS, num_results=6)
    for target, reactions, records in zip(TARGETS, found, told, strict=True):
        assert [reaction.reaction_smiles for reaction in reactions] == [record["reaction"] for record in records]
        assert [reaction.metadata["log_probability"] for reaction in reactions] == [record["logprob"] for record in records]
        assert all(reaction.product == target for reaction in reactions) and len(reactions) == 6
        for reaction in reactions:
            assert math.log(reaction.metadata["probability"]) == pytest.approx(reaction.metadata["log_probability"])
    products = LogosForward(model, width=16)([AMIDE], num_results=6)[0]
    (records,) = asked(logos_here, "react", nano_int4, ["CC(=O)Cl.Nc1ccc(O)cc1"], *flags)
    assert [reaction.products_str for reaction in products] == [record["answer"] for record in records]
    assert all(reaction.reactants == AMIDE for reaction in products)


@pytest.mark.slow
def test_samples_give_what_the_command_gives(model: logos_cli.Model, nano_int4: Path, logos_here: Callable[..., Run]) -> None:
    told = asked(logos_here, "retro", nano_int4, PRODUCTS, "-n", "12", "--top", "100", "--seed", "5")
    found = LogosBackward(model, decode="sample", width=12, settings={"seed": 5})(TARGETS)
    for reactions, records in zip(found, told, strict=True):
        assert [reaction.reactants_str for reaction in reactions] == [str(one["reaction"]).split(">>")[0] for one in records]
        assert [reaction.metadata["probability"] * 12 for reaction in reactions] == [record["count"] for record in records]
        for reaction in reactions:
            assert math.log(reaction.metadata["probability"]) == pytest.approx(reaction.metadata["log_probability"])


@pytest.mark.slow
def test_molecules_are_asked_together_and_alone_alike(model: logos_cli.Model) -> None:
    backward = LogosBackward(model, width=4)

    def steps() -> int:
        with model.engine() as engine:
            return engine.work.steps

    together, before = backward(TARGETS, num_results=4), steps()
    alone = [backward([target], num_results=4)[0] for target in TARGETS]
    assert together == alone
    assert [r.metadata for row in together for r in row] == [r.metadata for row in alone for r in row]
    assert steps() - before > 1.5 * before, "three molecules one by one take the steps of each, together those of the longest"


@pytest.mark.slow
def test_more_results_than_the_beam_is_wide(model: logos_cli.Model) -> None:
    (all_of_them,), (few,) = (LogosBackward(model, width=8)(TARGETS[:1], num_results=most) for most in (100, 3))
    assert 3 < len(all_of_them) <= 8 and few == all_of_them[:3]


def test_what_cannot_be_answered_has_no_reactions(model: logos_cli.Model, caplog: pytest.LogCaptureFixture) -> None:
    chain = Molecule("C(F)(Cl)" * 400 + "C")
    with caplog.at_level(logging.WARNING):
        found = LogosBackward(model, width=4)([TARGETS[0], chain, TARGETS[1]], num_results=2)
    assert [len(reactions) for reactions in found] == [2, 0, 2]
    assert all(reaction.product == TARGETS[1] for reaction in found[2])
    (line,) = caplog.messages
    assert line.startswith("retro: CC(F)(Cl)C") and "the model's context is" in line and len(line) < 200


@pytest.mark.slow
def test_round_trip(model: logos_cli.Model) -> None:
    backward, forward = LogosBackward(model, width=8), LogosForward(model, width=1)
    every = backward(TARGETS, num_results=8)
    back = [forward([reaction.reactants for reaction in reactions], num_results=1) for reactions in every]
    expected = [
        [one for one, made in zip(reactions, products, strict=True) if any(target in found.products for found in made)]
        for target, reactions, products in zip(TARGETS, every, back, strict=True)
    ]
    kept = round_trip(backward, forward)
    assert kept(TARGETS, num_results=8) == expected
    assert kept.acceptance_rate == sum(map(len, expected)) / sum(map(len, every))
    assert 0.2 < kept.acceptance_rate < 1 and all(expected)


@pytest.mark.slow
def test_a_route_is_planned(model: logos_cli.Model) -> None:
    """Benzocaine from toluene's nitro acid, over a step that is not for sale."""
    backward = LogosBackward(model, width=8, use_cache=True, default_num_results=8)
    shelf = SmilesListInventory(["CCO", "O=C(O)c1ccc([N+](=O)[O-])cc1"])
    search = RetroStarSearch(
        reaction_model=backward, mol_inventory=shelf, max_expansion_depth=3, limit_iterations=30, stop_on_first_solution=True,
        or_node_cost_fn=ConstantNodeEvaluator(0.0), and_node_cost_fn=ReactionModelLogProbCost(),
        value_function=ConstantNodeEvaluator(0.0),
    )  # fmt: skip
    graph, _ = search.run_from_mol(TARGETS[2])
    route = next(iter(iter_routes_time_order(graph, max_routes=1)))
    steps = [node.reaction for node in route if isinstance(node, AndNode)]
    assert len(steps) == 2
    made = {step.product for step in steps}
    bought = {one.smiles for step in steps for one in step.reactants if one not in made}
    assert bought == {"CCO", "O=C(O)c1ccc([N+](=O)[O-])cc1"}


def test_who_opened_the_model_closes_it(model: logos_cli.Model, nano_int4: Path) -> None:
    with LogosForward(model, width=1) as forward:
        assert forward.is_forward()
    assert model.info.model
    with LogosBackward(nano_int4, width=2) as own:
        assert own([TARGETS[0]], num_results=1)[0] and own.get_model_info()["model"] == model.info.model
    with pytest.raises(logos_cli.UsageError, match="closed"):
        own([TARGETS[0]])
    with pytest.raises(logos_cli.UsageError, match="decode='greedy'"):
        LogosBackward(model, decode="greedy")  # type: ignore[arg-type]


def test_without_syntheseus() -> None:
    code = "import sys; sys.modules['syntheseus'] = None; import logos_cli.integrations.syntheseus"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("logos_cli.errors.MissingDependency: ")
    assert "pip install 'logos-cli[syntheseus]'" in done.stderr


def test_a_reaction_of_syntheseus_own(model: logos_cli.Model) -> None:
    """What a forward model gives is a reaction as syntheseus makes one, so that it can be compared and put into sets."""
    found = LogosForward(model, width=4)([AMIDE], num_results=1)[0][0]
    assert found == Reaction.from_reaction_smiles("CC(=O)Cl.Nc1ccc(O)cc1>>CC(=O)Nc1ccc(O)cc1")


@pytest.mark.slow
def test_the_routes_that_the_page_shows(private_cache: Path) -> None:
    done = subprocess.run([sys.executable, ROOT / "examples" / "plan_routes.py"], capture_output=True, text=True, check=True)
    shown = PAGE.split("<!-- output: routes -->\n")[1].split("<!-- end -->")[0]
    assert without_digits(shown) == block("$ python examples/plan_routes.py\n" + done.stdout)


@pytest.mark.slow
def test_what_the_page_says_of_one_step(private_cache: Path) -> None:
    code = PAGE.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"```\n\n{block(done.stdout)}\n" in without_digits(PAGE)
