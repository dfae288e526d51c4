"""The remote engine against `logos serve`: records that are greedy are those of the model file, log-probabilities included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import Run
from served_command import serving

pytestmark = pytest.mark.slow

ROWS = "CC(=O)Nc1ccc(O)cc1 a\nCC(=O)Oc1ccccc1C(=O)O b\nnot_smiles c\nO=C(O)c1ccc(NC(=O)c2ccccc2)cc1 d\n"


@pytest.fixture(scope="module")
def address(nano_int4: Path) -> Iterator[str]:
    with serving(nano_int4, "--max-tokens", "200") as (_, port):
        yield f"http://127.0.0.1:{port}/v1"


@pytest.mark.parametrize("task, stdin", [("retro", ROWS), ("molecule", "c1ccc\nCC(=O)N\n")])
@pytest.mark.parametrize("longest", ["200", "6"])
def test_greedy_records_are_those_of_the_file(
    address: str, nano_int4: Path, logos_here: Callable[..., Run], task: str, stdin: str, longest: str
) -> None:
    """Answers that the end token ends, that a marker ends, and that are cut."""
    # The penalty that the model file itself asks for is not known to who asks its server.
    asked = ("generate", task, "-", "-n", "2", "--temperature", "0", "--repetition-penalty", "1.05", "--max-tokens", longest)
    near, far = (logos_here(*asked, "-m", model, stdin=stdin) for model in (nano_int4, address))
    assert near.code == far.code == 0, far.err
    assert len(far.lines) >= 4
    for one, other in zip(far.lines, near.lines, strict=True):
        logprobs = one.pop("logprob"), other.pop("logprob")
        assert one == other
        # The sum of the same numbers, in another order.
        assert logprobs == (None, None) or logprobs[0] == pytest.approx(logprobs[1], abs=1.01e-4)
    finishes = {record["finish"] for record in near.lines if record["valid"] or record["text"]}
    assert finishes == ({"length"} if longest == "6" else {"stop"})


def test_what_is_said_of_it(address: str, logos_here: Callable[..., Run]) -> None:
    shown = " ".join(logos_here("inspect", address).out.split())
    assert "logos serve" in shown and "null" not in shown
