"""Figures of molecules, reactions, ligands and materials, from answers of the engine."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors

from logos_cli.chemistry.smiles import canonical, canonical_set
from logos_cli.engines.engine import Engine
from logos_cli.engines.sampling import resolve
from logos_cli.nano.recipe.answers import read_material
from logos_cli.nano.recipe.asking import ask, sampling_for
from logos_cli.nano.recipe.data import read_json_lines, read_lines
from logos_cli.nano.recipe.forms import Protein, complex_prompt
from logos_cli.pipeline.generate_records import GenerationPlan, generate_records
from logos_cli.rows.row import Row
from logos_cli.tasks.table import TASKS

TOP = (1, 3, 5, 10)
LONGEST = 200  # tokens of a molecule or a reaction's answer
LINKERS = 400  # tokens of a material


def plan_of(engine: Engine, name: str, samples: int, top: int | None) -> GenerationPlan:
    task = TASKS[name]
    settings = resolve(name, task.sampling, task.source, engine.info.sampling, {"max_tokens": LONGEST}).settings
    # Answers that are the question keep their places in a ranking, as in all published figures.
    return GenerationPlan(task, settings, samples, top, keep_identity=True)


def medians(smiles: Iterable[str]) -> dict[str, float | None]:
    """Median molecular weight and Crippen logP of valid SMILES; None of none."""
    mols = [mol for text in smiles if (mol := Chem.MolFromSmiles(text))]
    if not mols:
        return {"median_mw": None, "median_logp": None}
    weights = map(Descriptors.MolWt, mols)  # type: ignore[attr-defined]  # not in RDKit's stubs
    logps = map(Crippen.MolLogP, mols)  # type: ignore[attr-defined]
    return {"median_mw": round(statistics.median(weights), 2), "median_logp": round(statistics.median(logps), 3)}


def molecule_figures(engine: Engine, data: Path, count: int) -> dict[str, Any]:
    records = generate_records([Row(0, "1", value="")], plan_of(engine, "molecule", count, None), engine)
    valid = [record.smiles for record in records if record.valid]
    train = {found for line in read_lines(data / "molecules" / "train.smi.gz") if (found := canonical(line))}
    unique = set(valid)
    return {
        "n": count, "valid": len(valid) / count, "unique": len(unique) / max(1, len(valid)),
        "novel": len(unique - train) / max(1, len(unique)), "generated": medians(valid),
        "validation": medians(read_lines(data / "molecules" / "valid.smi")),
    }  # fmt: skip


def reaction_figures(engine: Engine, name: str, reactions: Sequence[dict[str, Any]], samples: int) -> dict[str, Any]:
    """Exact match of canonical molecule sets within the first k distinct answers, ranked by count, then log-probability."""

    def rows() -> Iterator[Row]:
        for i, row in enumerate(reactions):
            yield Row(i, str(i), row["product"] if name == "retro" else tuple(row["reactants"]))

    wanted = [canonical_set(r["reactants"] if name == "retro" else [r["product"]]) for r in reactions]
    hits = dict.fromkeys(TOP, 0)
    for record in generate_records(rows(), plan_of(engine, name, samples, max(TOP)), engine):
        if record.valid and canonical_set(record.smiles.split(".")) == wanted[record.row]:
            for k in TOP:
                hits[k] += (record.rank or 0) <= k
    return {"n": len(reactions), "samples": samples} | {f"top{k}": hits[k] / len(reactions) for k in TOP}


def written(smiles: Sequence[str]) -> bool:
    """Whether all are SMILES as strings go, sanitized or not."""
    return all(Chem.MolFromSmiles(text, sanitize=False) is not None for text in smiles)


def material_key(metal: str, linkers: Sequence[str]) -> tuple[str, ...] | None:
    """One material's identity as text: its node as written and its linkers' canonical SMILES; None if one does not parse.

    Nodes are read without sanitization, which many published ones do not survive.
    """
    if Chem.MolFromSmiles(metal, sanitize=False) is None:
        return None
    found = [canonical(text) for text in linkers]
    return None if None in found else (metal, *sorted(text for text in found if text))


def material_figures(engine: Engine, data: Path, count: int) -> dict[str, Any]:
    """Valid, novel and unique are of text: an upper bound of the published VNU, which assembles structures."""
    [answers] = ask(engine, ["<MaterialS>"], count, sampling_for(engine, "material", LINKERS), ["<MaterialE>"])
    read = [read_material(answer.text) for answer in answers]
    keys = [key for found in read if found and (key := material_key(*found))]
    train = {material_key(r["metal"], r["linkers"]) for r in read_json_lines(data / "materials" / "train.jsonl.gz")}
    published = read_json_lines(data / "materials" / "valid.jsonl.gz")
    return {
        "n": count, "grammatical": sum(found is not None for found in read) / count,
        "written": sum(found is not None and written([found[0], *found[1]]) for found in read) / count,
        "valid": len(keys) / count,
        "vnu": len(set(keys) - train) / count,
        "validation_valid": sum(material_key(r["metal"], r["linkers"]) is not None for r in published) / len(published),
    }  # fmt: skip


def ligand_figures(engine: Engine, data: Path, samples: int) -> dict[str, Any]:
    """Valid ligands for the validation complexes, by the form of the prompt. Those longer than the context are left out."""
    records = read_json_lines(data / "complexes" / "valid.jsonl.gz")
    given = dict.fromkeys(Protein.of_record(record["sequence"], record["pocket"]) for record in records)
    train = {canonical(r["ligand"]) for r in read_json_lines(data / "complexes" / "train.jsonl.gz")}
    found: dict[str, Any] = {}
    for form in (1, 2, 3):
        prompts = [complex_prompt(one, form) for one in given]
        answers = ask(engine, prompts, samples, sampling_for(engine, "ligand", LONGEST), ["<MoleculeE>"])
        texts = [answer.text for group in answers for answer in group]
        smiles = [canonical(text.removesuffix("<MoleculeE>")) if text.endswith("<MoleculeE>") else None for text in texts]
        valid = [text for text in smiles if text]
        found[f"form{form}"] = {
            "prompts": sum(map(bool, answers)), "left_out": sum(not group for group in answers), "n": len(texts),
            "valid": len(valid) / max(1, len(texts)), "unique": len(set(valid)) / max(1, len(valid)),
            "novel": len(set(valid) - train) / max(1, len(set(valid))),
        }  # fmt: skip
    return found
