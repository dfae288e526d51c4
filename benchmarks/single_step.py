"""syntheseus' single-step evaluation of a model beside `logos evaluate`, on the same reactions:
python -m logos_cli.benchmarks.single_step reactions.jsonl model.gguf -o FOLDER

Three top-k that must be equal: syntheseus' own, ours of the predictions that it wrote, and ours of what the package's
`generate` answers to the same products. FOLDER keeps the data set and the predictions. Exit 1 if they differ.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any

import logos_cli
from logos_cli.benchmarks.metrics.evaluation import judge_records
from logos_cli.benchmarks.metrics.metrics import figures_for
from logos_cli.errors import InputError
from logos_cli.records.record import Record, read_records
from logos_cli.rows.read_rows import read_rows

RESULTS = 10
SHOWN = (1, 3, 5, 10)


def data_set(reactions: Path, rows: int, folder: Path) -> Path:
    """Saves the first `rows` reactions as syntheseus does, and gives the file. Raises InputError for one that is none."""
    from syntheseus import Bag, Molecule
    from syntheseus.reaction_prediction.data.dataset import DataFold, DiskReactionDataset
    from syntheseus.reaction_prediction.data.reaction_sample import ReactionSample

    samples = []
    for row in islice(read_rows(str(reactions)), rows):
        left, arrow, right = str(row.value).partition(">>")
        if row.error or not arrow:
            raise InputError(f"{reactions}: row {row.ordinal + 1}: {row.error or 'no reaction'}; give whole reactions")
        sides = (Bag(map(Molecule, side.split("."))) for side in (left, right))
        samples.append(ReactionSample(*sides))
    folder.mkdir(parents=True, exist_ok=True)
    DiskReactionDataset.save_samples_to_file(folder, DataFold.VALIDATION, samples)
    return folder / "val.jsonl"


def evaluated_by_syntheseus(model: logos_cli.Model, data: Path, width: int, out: Path) -> Any:
    """Its `EvalResults`; predictions go to `out`, in the place of earlier ones."""
    from syntheseus.cli.eval_single_step import compute_metrics
    from syntheseus.reaction_prediction.data.dataset import DiskReactionDataset
    from syntheseus.reaction_prediction.data.reaction_sample import ReactionSample

    from logos_cli.integrations.syntheseus import LogosBackward

    out.mkdir(parents=True, exist_ok=True)
    (out / "predictions.jsonl").unlink(missing_ok=True)  # from which it would go on
    with redirect_stdout(sys.stderr):
        return compute_metrics(
            LogosBackward(model, width=width), DiskReactionDataset(data.parent, sample_cls=ReactionSample),
            num_dataset_truncation=None, num_top_results=RESULTS, include_predictions=True, resumable=True, output_dir=out,
        )  # fmt: skip


def top_of(records: list[Record], truth: Path | None) -> list[float]:
    """Top-k of SHOWN, as `logos evaluate` has it."""
    figures = figures_for(judge_records(records, truth, None)["retro"])
    found = [figures.estimate("top", str(k)) for k in SHOWN]
    return [one.value for one in found if one is not None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("reactions", type=Path)
    parser.add_argument("model")
    parser.add_argument("-o", dest="out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--width", type=int, default=32)
    asked = parser.parse_args()
    data = data_set(asked.reactions, asked.rows, asked.out / "data")
    with logos_cli.open_model(asked.model) as model:
        theirs = evaluated_by_syntheseus(model, data, asked.width, asked.out / "results")
        answers = list(logos_cli.generate("retro", data, model=model, top=RESULTS, beam=asked.width))
    columns = [
        [float(theirs.top_k[k - 1]) for k in SHOWN],
        top_of(list(read_records(asked.out / "results" / "predictions.jsonl")), None),
        top_of(answers, data),
    ]
    sys.stdout.write("| | syntheseus | evaluate, its predictions | evaluate, generate's records |\n|---|---|---|---|\n")
    for k, *row in zip(SHOWN, *columns, strict=True):
        sys.stdout.write(f"| top-{k} | {' | '.join(f'{100 * value:.1f} %' for value in row)} |\n")
    alike = all(max(row) - min(row) < 1e-9 for row in zip(*columns, strict=True))
    sys.stdout.write(f"{theirs.num_samples} products, {'equal' if alike else 'NOT equal'}\n")
    return 0 if alike else 1


if __name__ == "__main__":
    sys.exit(main())
