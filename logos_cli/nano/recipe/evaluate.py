"""Measure nano on the validation data, through the engine users run.

    python -m logos_cli.nano.recipe.evaluate DATA MODEL.gguf [--parts molecule retro] [--out figures.json]

Prints one JSON document, each part's figures under its name. With --out every part is saved as soon as it is done, beside
those that the file already has of the same model. Sampling is the model file's own; invalid answers count as wrong.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from logos_cli.engines.engine import Engine, EngineSettings
from logos_cli.engines.open_engine import open_engine
from logos_cli.nano.recipe.data import read_json_lines
from logos_cli.nano.recipe.measure_chemistry import ligand_figures, material_figures, molecule_figures, reaction_figures
from logos_cli.nano.recipe.measure_proteins import antibody_figures, perplexity_figures, search_figures
from logos_cli.nano.recipe.measure_spelling import ROWS, spelling_figures

log = logging.getLogger("nano.evaluate")


def valid_reactions(data: Path) -> list[dict[str, Any]]:
    return read_json_lines(data / "reactions" / "uspto50k_valid.jsonl.gz")


def reactions_part(name: str) -> Callable[[Engine, argparse.Namespace], dict[str, Any]]:
    def measure(engine: Engine, args: argparse.Namespace) -> dict[str, Any]:
        return reaction_figures(engine, name, valid_reactions(args.data)[: args.rows], args.samples)

    return measure


PARTS: Mapping[str, Callable[[Engine, argparse.Namespace], dict[str, Any]]] = {
    "perplexity": lambda engine, args: perplexity_figures(engine, args.data, args.documents),
    "molecule": lambda engine, args: molecule_figures(engine, args.data, args.molecules),
    "material": lambda engine, args: material_figures(engine, args.data, args.chains),
    "antibody": lambda engine, args: antibody_figures(engine, args.data, args.chains),
    "search": lambda engine, args: search_figures(engine, args.data, args.searches, args.temperature),
    "ligand": lambda engine, args: ligand_figures(engine, args.data, args.ligands),
    "spelling": lambda engine, args: spelling_figures(engine, valid_reactions(args.data)[: args.rows or ROWS], args.samples),
    "react": reactions_part("react"),
    "retro": reactions_part("retro"),
}


def kept(path: Path | None, model: str) -> dict[str, Any]:
    """What an earlier run has saved of the same model."""
    if path and path.exists():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found.get("model") == model:
            return found
        raise SystemExit(f"{path} has the figures of {found.get('model')}; move it away or give another --out")
    return {"model": model}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, help="save figures here as they come")
    parser.add_argument("--molecules", type=int, default=10_000)
    parser.add_argument("--rows", type=int, help="reactions to ask for; without it all of them")
    parser.add_argument("--samples", type=int, default=32, help="answers to each reaction")
    parser.add_argument("--chains", type=int, default=1000, help="antibodies, and materials")
    parser.add_argument("--searches", type=int, default=40, help="binding-site answers to each protein")
    parser.add_argument("--temperature", type=float, help="of the binding-site answers; without it the model file's")
    parser.add_argument("--ligands", type=int, default=10, help="ligands for each pocket")
    parser.add_argument("--documents", type=int, default=500, help="of each kind, for perplexity")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    engine = open_engine(args.model, EngineSettings(batch=64))
    figures = kept(args.out, engine.info.model) | {"scheme": engine.info.scheme}
    for name in args.parts:
        started = time.monotonic()
        figures[name] = PARTS[name](engine, args) | {"seconds": round(time.monotonic() - started, 1)}
        log.info("%s: %s", name, json.dumps(figures[name]))
        if args.out:
            beside = args.out.with_suffix(".partial")
            beside.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
            os.replace(beside, args.out)
    engine.close()
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
