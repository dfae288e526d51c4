"""Routes to three drugs from what can be bought, planned by syntheseus' Retro* over LOGOS: python plan_routes.py [MODEL]

Needs pip install 'logos-cli[syntheseus]'. With the bundled model nano it takes half a minute.
"""

import sys
from pathlib import Path

from syntheseus import Molecule
from syntheseus.search.algorithms.best_first.retro_star import RetroStarSearch
from syntheseus.search.analysis.route_extraction import iter_routes_time_order
from syntheseus.search.graph.and_or import AndNode
from syntheseus.search.mol_inventory import SmilesListInventory
from syntheseus.search.node_evaluation.common import ConstantNodeEvaluator, ReactionModelLogProbCost

from logos_cli.integrations.syntheseus import LogosBackward

HERE = Path(__file__).parent
DRUGS = {
    "lidocaine": "CCN(CC)CC(=O)Nc1c(C)cccc1C",
    "propranolol": "CC(C)NCC(O)COc1cccc2ccccc12",
    "celecoxib": "Cc1ccc(-c2cc(C(F)(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1",
}

shelf = SmilesListInventory.load_from_file(HERE / "purchasable.smi", canonicalize=True)
model = sys.argv[1] if len(sys.argv) > 1 else "nano"
with LogosBackward(model, width=16, settings={"max_tokens": 200}, use_cache=True, default_num_results=16) as backward:
    search = RetroStarSearch(
        reaction_model=backward,
        mol_inventory=shelf,
        value_function=ConstantNodeEvaluator(0.0),
        and_node_cost_fn=ReactionModelLogProbCost(),
        limit_reaction_model_calls=50,
        max_expansion_depth=5,
        prevent_repeat_mol_in_trees=True,
        stop_on_first_solution=True,
    )
    for name, smiles in DRUGS.items():
        search.reset()
        graph, _ = search.run_from_mol(Molecule(smiles))
        route = next(iter_routes_time_order(graph, max_routes=1), ())
        steps = sorted((node for node in route if isinstance(node, AndNode)), key=lambda node: (node.depth, str(node.reaction)))
        print(f"{name}: {len(steps) or 'no'} steps")
        for step in steps:
            print(f"  {step.reaction.metadata['probability']:.3f}  {step.reaction}")
