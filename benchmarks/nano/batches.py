"""The run's batches, planned before it starts: a pure function of the corpus, the mix and the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logos_cli.benchmarks.nano.packing import fill, pack

# Share of the trained tokens. `search` is the binding-site task, `pocket` the other three forms of a pocket.
MIX: Mapping[str, float] = {
    "molecule": 0.31, "retro": 0.19, "react": 0.17, "search": 0.15, "pocket": 0.03, "complex": 0.04,
    "protein": 0.03, "antibody": 0.04, "material": 0.04,
}  # fmt: skip
KINDS = tuple(MIX)


@dataclass(frozen=True)
class Corpus:
    """Documents end to end: `tokens`, and for each document where it starts, where its prompt ends, and its kind."""

    tokens: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]
    prompts: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]

    @classmethod
    def load(cls, path: Path) -> Corpus:
        with np.load(path) as arrays:
            starts = np.concatenate([[0], np.cumsum(arrays["lengths"].astype(np.int64))])
            return cls(arrays["tokens"], starts, arrays["prompts"].astype(np.int64), arrays["kinds"])

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.starts)


@dataclass(frozen=True)
class Sizes:
    """A batch is so many tokens in windows of one of the widths; a document goes into the narrowest that holds it."""

    tokens: int = 8192
    widths: tuple[int, ...] = (256, 512, 1024)


@dataclass(frozen=True)
class Batch:
    """All [rows, width]: tokens, the next token, the weight of its loss, and the document's kind."""

    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.uint8]


def drawn(corpus: Corpus, mix: Mapping[str, float], tokens: float, seed: int) -> npt.NDArray[np.int64]:
    """Documents for `tokens` tokens in the shares of `mix`: whole epochs of each kind, then part of one; shuffled."""
    chosen = []
    for number, kind in enumerate(KINDS):
        own = np.flatnonzero(corpus.kinds == number)
        left, epoch = tokens * mix.get(kind, 0.0) / sum(mix.values()), 0
        while left > 0 and len(own):
            order = np.random.default_rng((seed, number, epoch)).permutation(own)
            ends = np.cumsum(corpus.lengths[order])
            part = order[: int(np.searchsorted(ends, left)) + 1]
            chosen.append(part)
            left, epoch = left - float(ends[len(part) - 1]), epoch + 1
    return np.random.default_rng((seed, len(KINDS))).permutation(np.concatenate(chosen))


class Batches:
    """Batch `step` of the run: whole documents in windows of one width, batches of all widths in random order."""

    def __init__(self, corpus: Corpus, sizes: Sizes, mix: Mapping[str, float], tokens: float, pad: int, seed: int) -> None:
        self.corpus, self.pad = corpus, pad
        lengths, left = corpus.lengths.tolist(), drawn(corpus, mix, tokens, seed).tolist()
        rng = np.random.default_rng((seed, len(KINDS) + 1))
        batches: list[tuple[int, list[list[int]]]] = []
        for width, below in reversed(list(zip(sizes.widths, (0, *sizes.widths), strict=False))):
            windows = pack(lengths, [i for i in left if lengths[i] > below], width)
            left = fill(windows, lengths, [i for i in left if lengths[i] <= below], width)
            mixed = [windows[i] for i in rng.permutation(len(windows))]
            rows = sizes.tokens // width
            batches += [(width, mixed[i : i + rows]) for i in range(0, len(mixed) - rows + 1, rows)]
        self.plan = [batches[i] for i in rng.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self.plan)

    def __call__(self, step: int, prompt_weight: float = 1.0) -> Batch:
        width, windows = self.plan[step]
        x = np.full((len(windows), width + 1), self.pad, np.int64)
        weights = np.zeros((len(windows), width + 1), np.float32)
        kinds = np.zeros((len(windows), width + 1), np.uint8)
        for row, documents in enumerate(windows):
            at = 0
            for i in documents:
                start, after = int(self.corpus.starts[i]), int(self.corpus.starts[i + 1])
                size, prompt = after - start, int(self.corpus.prompts[i])
                x[row, at : at + size] = self.corpus.tokens[start:after]
                weights[row, at + 1 : at + prompt] = prompt_weight  # the first token, BOS, is never predicted
                weights[row, at + prompt : at + size] = 1.0
                kinds[row, at : at + size] = self.corpus.kinds[i]
                at += size
        return Batch(x[:, :-1], x[:, 1:], weights[:, 1:], kinds[:, 1:])
