"""What AiZynthFinder's ChemformerBasedExpansionStrategy posts and reads: its request replayed, and the class itself."""

from __future__ import annotations

import http.client
import json
import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from served import Served

pytestmark = pytest.mark.slow

PRODUCTS = ["CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O"]


def posted(server: Served, smiles: list[str], beams: int) -> Any:
    """As `requests.post(url, json=smiles, params={"n_beams": beams})` sends it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {
        "User-Agent": "python-requests/2.32.5", "Accept-Encoding": "gzip, deflate", "Accept": "*/*",
        "Connection": "keep-alive", "Content-Type": "application/json",
    }  # fmt: skip
    connection.request("POST", f"/retrosynthesis/batch?n_beams={beams}", json.dumps(smiles).encode(), headers)
    reply = connection.getresponse()
    assert reply.status == 200
    found = json.loads(reply.read())
    connection.close()
    return found


def test_as_generate(server: Served, logos_here: Callable[..., Run], nano_int4: Path) -> None:
    found = posted(server, [*PRODUCTS, "no SMILES"], 5)
    flags = ("--decode", "beam", "--top", "5", "--max-tokens", "200")
    run = logos_here("generate", "retro", "-m", nano_int4, *flags, stdin="\n".join(PRODUCTS) + "\n")
    for place, one in enumerate(found[:2]):
        records = [record for record in run.lines if record["row"] == place]
        assert one["output"] == [record["reaction"].partition(">>")[0] for record in records]
        assert one["lhs"] == [record["logprob"] for record in records] == sorted(one["lhs"], reverse=True)
        assert len(one["output"]) > 1 and all(value < 0 for value in one["lhs"])
    assert found[2] == {"output": [], "lhs": []}, "each answer stands where its molecule stood"


@pytest.mark.parametrize(
    "query, body, said",
    [
        ("", {"smiles_list": PRODUCTS}, "not a list of SMILES"),
        ("", [1], "not a list of SMILES"),
        ("?n_beams=ten", PRODUCTS, "n_beams is 'ten'"),
        ("?n_beams=0", PRODUCTS, "top is 0"),
        ("?n_beams=50", PRODUCTS, "it takes 1 to 32"),
        ("?beams=5", PRODUCTS, "no option 'beams'"),
    ],
)
def test_misuse(server: Served, query: str, body: Any, said: str) -> None:
    found = server.ask(f"/retrosynthesis/batch{query}", body)
    assert found.status == 400 and said in found.error


STRATEGY = """
import json, sys
sys.path.insert(0, sys.argv[2])
from aizynthfinder.chem import TreeMolecule
from aizynthfinder.context.config import Configuration
from expansion_strategies import ChemformerBasedExpansionStrategy
strategy = ChemformerBasedExpansionStrategy("logos", Configuration(), url=sys.argv[1], n_beams=5)
actions, priors = strategy.get_actions([TreeMolecule(parent=None, smiles=one) for one in sys.argv[3:]])
told = [[action.mol.smiles, action.reactants_str, prior, bool(action.reactants)] for action, prior in zip(actions, priors)]
print(json.dumps(told))
"""


@pytest.mark.integration
@pytest.mark.skipif("AIZYNTHFINDER_PYTHON" not in os.environ, reason="aizynthfinder takes minutes to install, and numpy 1")
def test_the_strategy_itself(server: Served) -> None:
    """$AIZYNTHFINDER_PYTHON is a Python that has aizynthfinder, $AIZYNTHFINDER_PLUGINS the folder plugins/ of its sources."""
    python, plugins = os.environ["AIZYNTHFINDER_PYTHON"], os.environ["AIZYNTHFINDER_PLUGINS"]
    url = f"{server.url}/retrosynthesis/batch"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-c", STRATEGY, url, plugins, *PRODUCTS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    actions = json.loads(done.stdout.splitlines()[-1])
    expected = posted(server, PRODUCTS, 5)
    assert [one[1] for one in actions] == [smiles for found in expected for smiles in found["output"]]
    priors = [math.exp(value) / sum(map(math.exp, found["lhs"])) for found in expected for value in found["lhs"]]
    assert [one[2] for one in actions] == pytest.approx(priors)
    assert all(one[3] for one in actions), "AiZynthFinder reads every one as molecules"
