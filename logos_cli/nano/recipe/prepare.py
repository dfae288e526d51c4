"""Turn the data folder into nano's vocabulary and one array of training tokens.

    python -m logos_cli.nano.recipe.prepare DATA WORK [--molecules 500000] [--roots 8] [--vocabulary 768]

Writes WORK/tokenizer.json and WORK/tokens.npz: documents of all modalities end to end, with the kind of each. DATA is
the folder described in README.md here. The aligned reactions are kept in WORK and used again.
"""

from __future__ import annotations

import argparse
import logging
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rdkit import RDLogger
from tokenizers import Tokenizer

from logos_cli.nano.recipe.batches import KINDS
from logos_cli.nano.recipe.forms import Document
from logos_cli.nano.recipe.modalities import all_documents
from logos_cli.nano.recipe.reactions import kept_reactions
from logos_cli.nano.recipe.vocabulary import EOS, MARKERS, train_tokenizer

log = logging.getLogger("nano.prepare")
LEARNED_FROM = ("molecule", "retro", "react", "material")  # kinds of SMILES: only they are shortened by merges
MARKER = re.compile("|".join(MARKERS))


def texts(documents: list[Document], each: int) -> list[str]:
    """The molecules inside the first `each` documents of every kind that the vocabulary is learned from."""
    left = Counter(dict.fromkeys(LEARNED_FROM, each))
    found = []
    for doc in documents:
        if left[doc.kind] > 0:
            left[doc.kind] -= 1
            found += [text for text in MARKER.split(doc.prompt + doc.answer) if text]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--molecules", type=int, default=500_000)
    parser.add_argument("--roots", type=int, default=8, help="extra random-root copies of each USPTO-50K reaction")
    parser.add_argument("--more-roots", type=int, default=1, help="the same of each other reaction")
    parser.add_argument("--vocabulary", type=int, default=768)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json to keep, instead of learning one")
    parser.add_argument("--context", type=int, default=1024, help="leave out documents of more tokens")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]  # a function added by the C++ module
    args.work.mkdir(parents=True, exist_ok=True)

    started = time.monotonic()
    reactions = kept_reactions(args.data, args.work, args.roots, args.more_roots, args.seed)
    found = [*all_documents(args.data, args.molecules, args.seed), *reactions]
    log.info("%d documents after %.0f s", len(found), time.monotonic() - started)
    if args.tokenizer:
        tokenizer = Tokenizer.from_file(str(args.tokenizer))
    else:
        tokenizer = train_tokenizer(texts(found, 100_000), args.vocabulary)
    tokenizer.save(str(args.work / "tokenizer.json"))

    end = tokenizer.token_to_id(EOS)
    rows: list[tuple[str, int, npt.NDArray[np.uint16]]] = []
    for first in range(0, len(found), 50_000):  # encodings are large objects
        some = found[first : first + 50_000]
        prompts = tokenizer.encode_batch([doc.prompt for doc in some])
        answers = tokenizer.encode_batch([doc.answer for doc in some], add_special_tokens=False)
        for doc, p, a in zip(some, prompts, answers, strict=True):
            rows.append((doc.kind, len(p.ids), np.array([*p.ids, *a.ids, end], np.uint16)))
    kept = [row for row in rows if len(row[2]) <= args.context]
    np.savez(
        args.work / "tokens.npz",
        tokens=np.concatenate([ids for _, _, ids in kept]),
        lengths=np.array([len(ids) for _, _, ids in kept], np.int32),
        prompts=np.array([prompt for _, prompt, _ in kept], np.int32),
        kinds=np.array([KINDS.index(kind) for kind, _, _ in kept], np.uint8),
    )
    for kind in KINDS:
        sizes = [len(ids) for name, _, ids in kept if name == kind]
        log.info("%-9s %7d documents, %6.2f M tokens, longest %d", kind, len(sizes), sum(sizes) / 1e6, max(sizes, default=0))
    log.info("%d too long, left out; %.0f s in all", len(rows) - len(kept), time.monotonic() - started)


if __name__ == "__main__":
    main()
