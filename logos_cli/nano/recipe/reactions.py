"""Reactions as documents, both directions, each answer aligned with its prompt; the slow step, so its result is kept."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

from rdkit import RDLogger

from logos_cli.nano.recipe.aligned_smiles import aligned, aligned_side, random_root
from logos_cli.nano.recipe.data import read_lines
from logos_cli.nano.recipe.forms import Document, molecules

log = logging.getLogger("nano.prepare")


def reaction_documents(job: tuple[str, int, int]) -> list[Document]:
    """Both directions of one reaction line, once as published and `roots` times from random root atoms."""
    line, roots, seed = job
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]  # a function added by the C++ module
    rng = random.Random(seed)
    row = json.loads(line)
    product, reactants = row["product"], row["reactants"]
    documents = []
    for turn in range(1 + roots):
        target = product if turn == 0 else random_root(product, rng)
        documents.append(Document("retro", molecules([target]) + "<ReverseReact>", molecules(aligned_side(reactants, target))))
        given = [text if turn == 0 else random_root(text, rng) for text in reactants]
        rng.shuffle(given)
        made, _ = aligned(product, max(given, key=len))
        documents.append(Document("react", molecules(given) + "<React>", molecules([made])))
    return documents


def all_reactions(data: Path, roots: int, more_roots: int, seed: int) -> Iterator[Document]:
    """Documents of every training reaction, from random root atoms too: `roots` times USPTO-50K's, `more_roots` the rest."""
    rng = random.Random(seed)
    jobs = []
    for name, turns in (("uspto50k_train", roots), ("uspto_mit_part", more_roots)):
        jobs += [(line, turns, rng.getrandbits(32)) for line in read_lines(data / "reactions" / f"{name}.jsonl.gz")]
    with Pool() as pool:
        for done, found in enumerate(pool.imap(reaction_documents, jobs, chunksize=200), 1):
            yield from found
            if done % 20_000 == 0:
                log.info("%d of %d reactions aligned", done, len(jobs))


def kept_reactions(data: Path, work: Path, roots: int, more_roots: int, seed: int) -> list[Document]:
    """`all_reactions`, read from WORK if an earlier run with the same roots and seed has left them there."""
    path = work / f"reactions-{roots}-{more_roots}-{seed}.jsonl"
    if not path.exists():
        beside = path.with_suffix(".partial")
        with beside.open("w", encoding="utf-8") as stream:
            for doc in all_reactions(data, roots, more_roots, seed):
                stream.write(json.dumps([doc.kind, doc.prompt, doc.answer]) + "\n")
        beside.replace(path)
    with path.open(encoding="utf-8") as stream:
        return [Document(*json.loads(line)) for line in stream]
