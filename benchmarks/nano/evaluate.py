"""Measure nano on the validation data, through the engine users run.

    python -m logos_cli.benchmarks.nano.evaluate DATA MODEL.gguf [--molecules 10000] [--rows 1000]

Prints one JSON document: molecules at temperature 1 (valid, unique among valid, novel against train), and top-k exact
match of retro and react on uspto50k_valid, answers ranked by count, then log-probability. Invalid answers count as wrong.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from logos_cli.chem import canonical, canonical_set
from logos_cli.engine import Engine, EngineSettings, open_engine
from logos_cli.pipeline import Plan, generate_records
from logos_cli.rows import Row
from logos_cli.sampling import resolve
from logos_cli.tasks import TASKS

TOP = (1, 3, 5, 10)


def plan_of(engine: Engine, name: str, samples: int, top: int | None) -> Plan:
    task = TASKS[name]
    settings = resolve(name, task.sampling, task.source, engine.info.sampling, {"max_tokens": 200}).settings
    return Plan(task, settings, samples, top)


def read_json_lines(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for _, line in zip(range(limit or 10**9), stream, strict=False)]


def molecule_figures(engine: Engine, data: Path, count: int) -> dict[str, float]:
    records = generate_records([Row(0, "1", value="")], plan_of(engine, "molecule", count, None), engine)
    valid = [record.smiles for record in records if record.valid]
    with gzip.open(data / "molecules" / "train.smi.gz", "rt", encoding="utf-8") as stream:
        train = {found for line in stream if (found := canonical(line.strip()))}
    unique = set(valid)
    return {"n": count, "valid": len(valid) / count, "unique": len(unique) / max(1, len(valid)),
            "novel": len(unique - train) / max(1, len(unique))}  # fmt: skip


def reaction_figures(engine: Engine, name: str, reactions: list[dict[str, Any]], samples: int) -> dict[str, float]:
    """Exact match of canonical molecule sets within the first k distinct answers."""

    def rows() -> Iterator[Row]:
        for i, row in enumerate(reactions):
            yield Row(i, str(i), row["product"] if name == "retro" else tuple(row["reactants"]))

    wanted = [canonical_set(r["reactants"] if name == "retro" else [r["product"]]) for r in reactions]
    hits = dict.fromkeys(TOP, 0)
    for record in generate_records(rows(), plan_of(engine, name, samples, max(TOP)), engine):
        if record.valid and canonical_set(record.smiles.split(".")) == wanted[record.row]:
            for k in TOP:
                hits[k] += (record.rank or 0) <= k
    return {"n": len(reactions)} | {f"top{k}": hits[k] / len(reactions) for k in TOP}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--molecules", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=32)
    args = parser.parse_args()
    engine = open_engine(args.model, EngineSettings(batch=64))
    reactions = read_json_lines(args.data / "reactions" / "uspto50k_valid.jsonl.gz", args.rows)
    figures: dict[str, Any] = {"model": engine.info.model, "scheme": engine.info.scheme}
    figures["molecule"] = molecule_figures(engine, args.data, args.molecules)
    for name in ("retro", "react"):
        figures[name] = reaction_figures(engine, name, reactions, args.samples)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
