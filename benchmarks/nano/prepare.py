"""Turn the data folder into nano's vocabulary and one array of training tokens.

    python -m logos_cli.benchmarks.nano.prepare DATA WORK [--molecules 250000] [--roots 1] [--vocabulary 768]

Writes WORK/tokenizer.json and WORK/tokens.npz. DATA holds `molecules/train.smi.gz` (one SMILES a line) and
`reactions/*.jsonl.gz` (lines with `product` and `reactants`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from rdkit import RDLogger

from logos_cli.benchmarks.nano.aligned_smiles import aligned, aligned_side, random_root
from logos_cli.benchmarks.nano.vocabulary import EOS, train_tokenizer

log = logging.getLogger("nano.prepare")


@dataclass(frozen=True)
class Document:
    """One training sequence; `prompt` is what a user would type, `answer` what the model should write."""

    prompt: str
    answer: str


def wrap(smiles: list[str]) -> str:
    return "".join(f"<MoleculeS>{text}<MoleculeE>" for text in smiles)


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
        documents.append(Document(wrap([target]) + "<ReverseReact>", wrap(aligned_side(reactants, target))))
        given = [text if turn == 0 else random_root(text, rng) for text in reactants]
        rng.shuffle(given)
        made, _ = aligned(product, max(given, key=len))
        documents.append(Document(wrap(given) + "<React>", wrap([made])))
    return documents


def read_lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return stream.read().splitlines()


def documents(data: Path, molecules: int, roots: int, seed: int) -> Iterator[Document]:
    rng = random.Random(seed)
    smiles = read_lines(data / "molecules" / "train.smi.gz")
    for text in rng.sample(smiles, min(molecules, len(smiles))):
        yield Document("<MoleculeS>", f"{text}<MoleculeE>")
    jobs = []
    for name, turns in (("uspto50k_train", roots), ("uspto_mit_part", 0)):
        jobs += [(line, turns, rng.getrandbits(32)) for line in read_lines(data / "reactions" / f"{name}.jsonl.gz")]
    with Pool() as pool:
        for done, found in enumerate(pool.imap(reaction_documents, jobs, chunksize=200), 1):
            yield from found
            if done % 20_000 == 0:
                log.info("%d of %d reactions aligned", done, len(jobs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--molecules", type=int, default=250_000)
    parser.add_argument("--roots", type=int, default=1, help="extra random-root copies of each USPTO-50K reaction")
    parser.add_argument("--vocabulary", type=int, default=768)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args.work.mkdir(parents=True, exist_ok=True)

    started = time.monotonic()
    found = list(documents(args.data, args.molecules, args.roots, args.seed))
    random.Random(args.seed).shuffle(found)
    log.info("%d documents after %.0f s", len(found), time.monotonic() - started)

    bare = ["".join(part.split(">")[-1] for part in (doc.prompt + doc.answer).split("<")) for doc in found[:200_000]]
    tokenizer = train_tokenizer(bare, args.vocabulary)
    tokenizer.save(str(args.work / "tokenizer.json"))

    end = tokenizer.token_to_id(EOS)
    prompts = tokenizer.encode_batch([doc.prompt for doc in found])
    answers = tokenizer.encode_batch([doc.answer for doc in found], add_special_tokens=False)
    rows = [[*p.ids, *a.ids, end] for p, a in zip(prompts, answers, strict=True)]
    np.savez(
        args.work / "tokens.npz",
        tokens=np.concatenate([np.array(row, np.uint16) for row in rows]),
        lengths=np.array([len(row) for row in rows], np.int32),
        prompts=np.array([len(p.ids) for p in prompts], np.int32),
    )
    total = sum(map(len, rows))
    log.info("%.1f M tokens, %.1f a document, after %.0f s", total / 1e6, total / len(rows), time.monotonic() - started)


if __name__ == "__main__":
    main()
