"""The run's batches, planned in chapters: each a pure function of the corpus, the mix, the seed and its number."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logos_cli.nano.recipe.packing import fill, pack

# Share of the trained tokens. `search` is the binding-site task, `pocket` the other three forms of a pocket.
MIX: Mapping[str, float] = {
    "molecule": 0.17, "retro": 0.40, "react": 0.325, "search": 0.03, "pocket": 0.002, "complex": 0.025,
    "protein": 0.03, "antibody": 0.003, "material": 0.015,
}  # fmt: skip
KINDS = tuple(MIX)
AHEAD = 3  # chapters being planned while one is trained on


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


def drawn(corpus: Corpus, mix: Mapping[str, float], tokens: float, seed: int, chapter: int = 0) -> npt.NDArray[np.int64]:
    """Documents of a chapter of `tokens` tokens in the shares of `mix`, shuffled. Of each kind one epoch follows the other
    through the chapters, every epoch in an order of its own."""
    chosen = []
    for number, kind in enumerate(KINDS):
        own = np.flatnonzero(corpus.kinds == number)
        share = tokens * mix.get(kind, 0.0) / sum(mix.values())
        if not len(own) or share <= 0:
            continue
        whole = int(corpus.lengths[own].sum())
        first, last = chapter * share, (chapter + 1) * share
        for epoch in range(int(first // whole), int(last // whole) + 1):
            order = np.random.default_rng((seed, number, epoch)).permutation(own)
            begins = epoch * whole + np.cumsum(corpus.lengths[order]) - corpus.lengths[order]
            chosen.append(order[(begins >= first) & (begins < last)])
    return np.random.default_rng((seed, len(KINDS), chapter)).permutation(np.concatenate(chosen))


class Batches:
    """The batches of a chapter: whole documents in windows of one width, batches of all widths in random order."""

    def __init__(
        self, corpus: Corpus, sizes: Sizes, mix: Mapping[str, float], tokens: float, pad: int, seed: int, chapter: int = 0
    ) -> None:
        lengths, left = corpus.lengths.tolist(), drawn(corpus, mix, tokens, seed, chapter).tolist()
        rng = np.random.default_rng((seed, len(KINDS) + 1, chapter))
        self._windows: dict[int, tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]] = {}
        plan: list[tuple[int, int]] = []
        for width, below in reversed(list(zip(sizes.widths, (0, *sizes.widths), strict=False))):
            windows = pack(lengths, [i for i in left if lengths[i] > below], width)
            left = fill(windows, lengths, [i for i in left if lengths[i] <= below], width)
            mixed = [windows[i] for i in rng.permutation(len(windows))]
            rows = sizes.tokens // width
            mixed = mixed[: len(mixed) // rows * rows]
            self._windows[width] = _laid_out(corpus, mixed, width, pad)
            plan += [(width, first) for first in range(0, len(mixed), rows)]
        self.sizes = sizes
        self.plan = [plan[i] for i in rng.permutation(len(plan))]

    def __len__(self) -> int:
        return len(self.plan)

    def __call__(self, step: int, prompt_weight: float = 1.0) -> Batch:
        width, first = self.plan[step]
        some = slice(first, first + self.sizes.tokens // width)
        tokens, roles, kinds = self._windows[width]
        x = tokens[some].astype(np.int64)
        weights = np.array([0.0, prompt_weight, 1.0], np.float32)[roles[some]]
        return Batch(x[:, :-1], x[:, 1:], weights[:, 1:], kinds[some, 1:])


def _laid_out(
    corpus: Corpus, windows: Sequence[Sequence[int]], width: int, pad: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Tokens, roles (0 padding or a document's first token, which is never predicted, 1 prompt, 2 answer) and kinds, each
    [windows, width + 1]."""
    shape = (len(windows), width + 1)
    x, roles, kinds = np.full(shape, pad, np.uint16), np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    documents = np.array([i for window in windows for i in window], np.int64)
    if len(documents):
        sizes = corpus.lengths[documents]
        window = np.repeat(np.arange(len(windows)), [len(one) for one in windows])
        before = np.cumsum(sizes) - sizes
        first = np.searchsorted(window, window)  # the number of each window's first document
        place = window * (width + 1) + before - before[first]
        within = np.arange(int(sizes.sum())) - np.repeat(before, sizes)
        into = np.repeat(place, sizes) + within
        x.ravel()[into] = corpus.tokens[np.repeat(corpus.starts[documents], sizes) + within]
        role = 1 + (within >= np.repeat(corpus.prompts[documents], sizes))
        roles.ravel()[into] = np.where(within == 0, 0, role)
        kinds.ravel()[into] = np.repeat(corpus.kinds[documents], sizes)
    return x, roles, kinds


_corpus: Corpus | None = None  # of a planning process


def _load(path: Path) -> None:
    global _corpus
    _corpus = Corpus.load(path)


def _plan(sizes: Sizes, mix: Mapping[str, float], tokens: float, pad: int, seed: int, chapter: int) -> Batches:
    assert _corpus is not None, "the process began with _load"
    return Batches(_corpus, sizes, mix, tokens, pad, seed, chapter)


def chapters(
    path: Path, sizes: Sizes, mix: Mapping[str, float], tokens: float, pad: int, seed: int, first: int = 0
) -> Generator[Batches]:
    """Chapters of `tokens` tokens each from number `first` on, without end; the next ones are planned by processes beside."""
    with ProcessPoolExecutor(AHEAD, get_context("spawn"), _load, (path,)) as pool:

        def begin(chapter: int) -> Future[Batches]:
            return pool.submit(_plan, sizes, mix, tokens, pad, seed, chapter)

        waiting = [begin(first + i) for i in range(AHEAD)]
        chapter = first + AHEAD
        try:
            while True:
                yield waiting.pop(0).result()
                waiting.append(begin(chapter))
                chapter += 1
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
