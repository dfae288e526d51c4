"""The token half of `logos bench accuracy`: one text after the other through baseline and models, piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from logos_cli.benchmarks.accuracy.results import TokenFigures
from logos_cli.benchmarks.metrics.intervals import Estimate, Resamples
from logos_cli.engines.divergence import Shared, TokenComparison, compare
from logos_cli.engines.engine import Engine
from logos_cli.errors import EngineError, ForeignText
from logos_cli.pipeline.own_texts import NamedText

if TYPE_CHECKING:
    import numpy.typing as npt

PERCENTILES = {"median": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9, "max": 100.0}
_DRAWS = 500  # resamples of a percentile; each looks at every token


@dataclass(frozen=True)
class TextFigures:
    """What one text gave: `kl` [T] of each predicted token, and sums over them. `outside` and `model_outside` are None for
    equal vocabularies."""

    modality: str
    kl: npt.NDArray[np.float32]
    same: int
    delta_p: float
    delta_p_squared: float
    baseline_logprob: float
    model_logprob: float
    outside: float | None
    model_outside: float | None

    @classmethod
    def of(cls, text: NamedText, found: TokenComparison, shared: bool) -> TextFigures:
        delta = np.exp(found.model_logprob) - np.exp(found.baseline_logprob)
        outside = (float(found.outside.sum()), float(found.model_outside.sum())) if shared else (None, None)
        return cls(
            text.modality, found.kl.astype(np.float32), int(found.same.sum()), float(delta.sum()), float((delta * delta).sum()),
            float(found.baseline_logprob.sum()), float(found.model_logprob.sum()), *outside,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Gives them as JSON, for the journal."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return named | {"kl": [float(f"{value:.9g}") for value in self.kl]}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> TextFigures:
        return cls(**{**found, "kl": np.array(found["kl"], np.float32)})


class TokenMap:
    """Which tokens of a model are which of the baseline's."""

    def __init__(self, baseline: Engine, model: Engine) -> None:
        self.baseline, self.model = baseline, model
        mine, theirs = baseline.token_texts(), model.token_texts()
        self.shared = Shared.of(mine, theirs)
        self.places = {text: i for i, text in enumerate(theirs)} if self.shared else None
        self.texts = mine

    def tokens(self, ids: Sequence[int], text: str) -> tuple[int, ...] | str:
        """Gives the same text in the model's ids, or in words why it is another sequence there."""
        try:
            encoded = self.model.encode(text)
        except ForeignText as error:
            return str(error)
        if self.places is None:
            return encoded if tuple(encoded) == tuple(ids) else "the model's tokenizer cuts it otherwise"
        missing = next((self.texts[i] for i in ids if self.texts[i] not in self.places), None)
        if missing is not None:
            return f"the model's vocabulary has no token {missing!r}"
        if encoded != tuple(self.places[self.texts[i]] for i in ids):
            return "the model's tokenizer cuts it otherwise"
        return encoded


def read_text(text: NamedText, baseline: Engine, maps: Sequence[TokenMap]) -> list[TextFigures | str]:
    """Measures one text with each model, or says in words why it was left out. The baseline reads it once for all."""
    ids = baseline.encode(text.text)
    first = len(baseline.encode(text.text[: text.given])) if text.given else 1  # the first token that counts
    if len(ids) <= first:
        return ["nothing to predict in it"] * len(maps)
    limit = min(engine.info.context for engine in (baseline, *(one.model for one in maps)))
    if len(ids) > limit:
        return [f"{len(ids):,} tokens, the context is {limit:,}"] * len(maps)
    theirs = [one.tokens(ids, text.text) for one in maps]
    readers = [
        None if isinstance(t, str) else Positions(one.model.logits_pieces(t)) for one, t in zip(maps, theirs, strict=True)
    ]
    parts: list[list[TokenComparison]] = [[] for _ in maps]
    at, last = 0, len(ids) - 1
    for piece in baseline.logits_pieces(ids):
        size = min(len(piece), last - at)
        skipped = min(max(0, first - 1 - at), size)
        for i, reader in enumerate(readers):
            if reader is not None and size:
                theirs_here = reader.take(size)[skipped:]
                after, after_model = (np.array(t[at + 1 + skipped : at + 1 + size], np.int64) for t in (ids, theirs[i]))
                if len(after):
                    parts[i].append(checked(piece[skipped:size], theirs_here, after, after_model, maps[i]))
        at += size
    return [
        t if isinstance(t, str) else TextFigures.of(text, TokenComparison.joined(pieces), one.shared is not None)
        for t, pieces, one in zip(theirs, parts, maps, strict=True)
    ]


def checked(
    baseline: npt.NDArray[np.float32], model: npt.NDArray[np.float32], after: npt.NDArray[np.int64],
    after_model: npt.NDArray[np.int64], tokens: TokenMap,
) -> TokenComparison:  # fmt: skip
    """Compares logits; raises EngineError with the model's name for logits that are no numbers."""
    try:
        return compare(baseline, model, after, after_model, tokens.shared)
    except FloatingPointError as error:
        names = f"{tokens.model.info.name} against {tokens.baseline.info.name}"
        raise EngineError(f"{names}: {error}, a file is damaged or quantized too far; see: logos inspect") from None


class Positions:
    """Logits as a stream of positions, whatever pieces they come in: two vocabularies have pieces of two lengths."""

    def __init__(self, pieces: Iterator[npt.NDArray[np.float32]]) -> None:
        self.pieces = pieces
        self.rest: npt.NDArray[np.float32] | None = None

    def take(self, count: int) -> npt.NDArray[np.float32]:
        found = []
        while count:
            if self.rest is None or not len(self.rest):
                self.rest = next(self.pieces)
            part = self.rest[:count]
            self.rest = self.rest[len(part) :]
            count -= len(part)
            # A piece is only valid until the next one is asked for.
            found.append(part.copy() if count else part)
        return found[0] if len(found) == 1 else np.concatenate(found)


def summarize(texts: Sequence[TextFigures]) -> TokenFigures:
    """Measures all tokens of all texts, each figure with its interval over texts and its n."""
    counts = np.array([len(text.kl) for text in texts], np.float64)
    n = int(counts.sum())
    draws = Resamples(len(texts))

    def mean(values: Sequence[float]) -> Estimate:
        estimate = draws.mean(np.array(values, np.float64), counts)
        assert estimate is not None
        return estimate

    def mapped(estimate: Estimate, function: Callable[[float], float]) -> Estimate:
        return Estimate(function(estimate.value), function(estimate.low), function(estimate.high), n)

    surplus = mean([text.baseline_logprob - text.model_logprob for text in texts])
    every = np.concatenate([text.kl for text in texts]).astype(np.float64)
    sums = [float(text.kl.sum(dtype=np.float64)) for text in texts]
    foreign = [text for text in texts if text.outside is not None]
    return TokenFigures(
        n_tokens=n, n_texts=len(texts), kld={"mean": mean(sums), **percentiles(every, counts, draws)},
        same_top1=mean([text.same for text in texts]),
        delta_p={
            "mean": mean([text.delta_p for text in texts]),
            "rms": mapped(mean([text.delta_p_squared for text in texts]), lambda x: math.sqrt(max(x, 0.0))),
        },
        ppl_baseline=mapped(mean([-text.baseline_logprob for text in texts]), exponential),
        ppl=mapped(mean([-text.model_logprob for text in texts]), exponential),
        ppl_ratio=mapped(surplus, exponential),
        mass_outside=mean([text.outside or 0.0 for text in texts]) if foreign else None,
        mass_outside_model=mean([text.model_outside or 0.0 for text in texts]) if foreign else None,
    )  # fmt: skip


def exponential(value: float) -> float:
    return math.exp(min(value, 700.0))  # beyond it the floats end


def percentiles(values: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], draws: Resamples) -> dict[str, Estimate]:
    """Measures percentiles of all tokens; for the intervals, those of each draw, in which a text's tokens come as often as it
    does."""
    row = np.repeat(np.arange(len(counts)), counts.astype(np.int64))
    order = np.argsort(values, kind="stable")
    values, row = values[order], row[order]
    percents = np.array(list(PERCENTILES.values()))
    drawn = []
    for times in draws.draws(_DRAWS):
        reached = times[row].cumsum()
        place = np.searchsorted(reached, percents / 100 * reached[-1])
        drawn.append(values[np.minimum(place, len(values) - 1)])
    several = np.array(drawn)
    whole = np.percentile(values, percents)
    estimates = {}
    for i, name in enumerate(PERCENTILES):
        low, high = draws.interval(several[:, i])
        if len(values) * (100 - percents[i]) < 500:
            # With fewer than five values beyond it a draw never goes as high as another sample might.
            low = high = math.nan
        estimates[name] = Estimate(float(whole[i]), low, high, len(values))
    return estimates
