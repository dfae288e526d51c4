"""What the spelling of a molecule changes: the same products asked in canonical form and as Kekulé SMILES."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rdkit import Chem

from logos_cli.benchmarks.metrics.intervals import flips, rate
from logos_cli.chemistry.smiles import canonical_set, canonical_strict
from logos_cli.engines.engine import Engine
from logos_cli.nano.recipe.measure_chemistry import plan_of
from logos_cli.pipeline.generate_records import generate_records
from logos_cli.rows.row import Row
from logos_cli.tasks.table import spelled

ROWS = 300


def kekule(smiles: str) -> str:
    """With double bonds in its rings, as drawing programs and databases write it."""
    mol = Chem.MolFromSmiles(smiles)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    return Chem.MolToSmiles(mol, kekuleSmiles=True)


def first_answers(engine: Engine, products: Sequence[str], samples: int, as_written: bool) -> list[tuple[str, ...] | None]:
    """The best answer of `retro` to each product, as canonical molecules in canonical order; None for those without one."""
    plan = plan_of(engine, "retro", samples, 1)
    plan = replace(plan, task=spelled(plan.task, as_written))
    rows = (Row(i, str(i), product) for i, product in enumerate(products))
    return [canonical_set([record.smiles]) if record.valid else None for record in generate_records(rows, plan, engine)]


def spelling_figures(engine: Engine, reactions: Sequence[dict[str, Any]], samples: int) -> dict[str, Any]:
    """Top-1 of canonical products and of Kekulé ones asked as they are written; what `generate` asks by default are the former,
    whichever it is given."""
    wanted = [canonical_set(one["reactants"]) for one in reactions]
    given = {
        "canonical": [canonical_strict(one["product"]) for one in reactions],
        "kekule": [kekule(one["product"]) for one in reactions],
    }
    found = {name: first_answers(engine, products, samples, True) for name, products in given.items()}
    right = {name: [one == truth for one, truth in zip(answers, wanted, strict=True)] for name, answers in found.items()}
    same = sum(one == other for one, other in zip(found["canonical"], found["kekule"], strict=True))
    top1 = {name: estimate.to_dict() for name, hits in right.items() if (estimate := rate(sum(hits), len(hits)))}
    change = flips(right["canonical"], right["kekule"])
    return {
        "n": len(reactions), "samples": samples, "spelled_otherwise": sum(map(str.__ne__, *given.values())), "top1": top1,
        "same_first_answer": same / len(reactions), "kekule_against_canonical": change.to_dict(),
    }  # fmt: skip
