"""Training documents of every modality but reactions, drawn from the data folder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from logos_cli.nano.recipe import forms
from logos_cli.nano.recipe.aligned_smiles import random_root
from logos_cli.nano.recipe.augment import any_octave, around_pocket, crop, transplant
from logos_cli.nano.recipe.data import read_fasta, read_json_lines, read_lines
from logos_cli.nano.recipe.forms import Document, Protein

WHOLES, STRETCHES = 8, 48  # drawings of each protein for the binding-site task: as whole as fits, and stretches of it
SHORTEST = 8  # residues of a stretch: few enough that one residue tells where the copy stands
NEAR = 3  # residues kept on each side of a pocket residue when its surroundings are exchanged
LIGAND_TURNS, LINKER_TURNS = 3, 6  # drawings of each complex in each form, and of each material beside the published one
WHOLE = 330  # residues: longer proteins are cut, so that prompt and answer fit in a training window


def molecule_documents(data: Path, count: int, rng: random.Random) -> Iterator[Document]:
    smiles = read_lines(data / "molecules" / "train.smi.gz")
    for text in rng.sample(smiles, min(count, len(smiles))):
        yield forms.molecule(text)


def chain_documents(data: Path) -> Iterator[Document]:
    for kind, folder in (("protein", "proteins"), ("antibody", "antibodies")):
        for sequence in read_fasta(data / folder / "train.fasta.gz"):
            yield forms.chain(kind, sequence)


def pocket_documents(data: Path, rng: random.Random) -> Iterator[Document]:
    """Forms (1) to (3) of the pockets; form (4), which is mostly copying, also of the complexes and of altered proteins."""
    own = [Protein.of_record(r["sequence"], r["pocket"]) for r in read_json_lines(data / "pockets" / "train.jsonl.gz")]
    by_sequence: dict[str, list[Protein]] = {}
    for record in read_json_lines(data / "complexes" / "train.jsonl.gz"):
        by_sequence.setdefault(record["sequence"], []).append(Protein.of_record(record["sequence"], record["pocket"]))
    strangers = read_fasta(data / "proteins" / "train.fasta.gz")
    for given in own:
        for form in (1, 2, 3):
            shown = around_pocket(given, WHOLE, rng) if form == 1 else crop(given, rng.randint(30, 200), rng)
            yield forms.pocket(shown, form)
    for variants in [*([one] for one in own), *by_sequence.values()]:
        for turn in range(WHOLES + STRETCHES):
            given = rng.choice(variants)
            whole = turn < WHOLES
            shown = around_pocket(given, WHOLE, rng) if whole else crop(given, any_octave(SHORTEST, WHOLE, rng), rng)
            if turn % 2:
                shown = transplant(shown, rng.choice(strangers), NEAR, rng)
            yield forms.pocket(shown, 4)


def complex_documents(data: Path, rng: random.Random) -> Iterator[Document]:
    for record in read_json_lines(data / "complexes" / "train.jsonl.gz"):
        given = Protein.of_record(record["sequence"], record["pocket"])
        for form in (1, 2, 3) * LIGAND_TURNS:
            shown = around_pocket(given, 2 * WHOLE if rng.random() < 0.5 else WHOLE // 2, rng)
            ligand = record["ligand"] if rng.random() < 0.5 else random_root(record["ligand"], rng)
            yield forms.complex_document(shown, ligand, form)


def material_documents(data: Path, rng: random.Random) -> Iterator[Document]:
    """As published, and again with linkers from random root atoms; the nodes stay, RDKit cannot read many of them."""
    for record in read_json_lines(data / "materials" / "train.jsonl.gz"):
        yield forms.material(record["metal"], record["linkers"])
        for _ in range(LINKER_TURNS):
            yield forms.material(record["metal"], [random_root(text, rng) for text in record["linkers"]])


def all_documents(data: Path, count: int, seed: int) -> Iterator[Document]:
    """Each modality from its own generator, so that a change to one leaves the others as they were."""
    drawn: dict[str, Any] = {name: random.Random(f"{seed} {name}") for name in ("molecule", "pocket", "complex", "material")}
    yield from molecule_documents(data, count, drawn["molecule"])
    yield from chain_documents(data)
    yield from pocket_documents(data, drawn["pocket"])
    yield from complex_documents(data, drawn["complex"])
    yield from material_documents(data, drawn["material"])
