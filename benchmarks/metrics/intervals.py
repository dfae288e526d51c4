"""How sure a figure is: 95 % intervals for rates and means, and McNemar's test for paired outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Z95 = 1.959963984540054
RESAMPLES = 2000
MANY = 5000  # rows whose draws take 80 MB
FEW = 5  # rows that no interval is drawn from: so few look more alike than they are


@dataclass(frozen=True)
class Estimate:
    """`value` of `n` observations with its 95 % interval; NaN ends where too little was seen for one."""

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON."""
        return {"value": self.value, "ci95": list(self.ends) if self.ends else None, "n": self.n}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Estimate:
        """Reads what `to_dict` gave."""
        low, high = found["ci95"] or (math.nan, math.nan)
        return cls(found["value"], low, high, found["n"])

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval, if there is one."""
        return (self.low, self.high) if math.isfinite(self.low) and math.isfinite(self.high) else None


def rate(hits: int, n: int) -> Estimate | None:
    """Estimates a proportion with Wilson's score interval (Wilson 1927), which holds for small n and at 0 and 1; None for n =
    0."""
    if n == 0:
        return None
    p, z2 = hits / n, Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At the ends the formula gives 0 and 1 but for rounding.
    return Estimate(p, 0.0 if hits == 0 else max(0.0, middle - half), 1.0 if hits == n else min(1.0, middle + half), n)


def percentile(values: Sequence[float], asked: float) -> float:
    """Interpolates linearly between neighbours, as numpy's default."""
    import numpy as np

    return float(np.percentile(values, asked))


class Resamples:
    """Draws of rows with replacement, how often each row came in each, for 95 % percentile intervals.

    Rows are drawn, not tokens or samples: those of one row are not independent of each other. All figures of a result share
    the draws. Beyond `MANY` rows a mean has the interval of its normal limit instead, in memory that does not grow.
    """

    def __init__(self, rows: int, resamples: int = RESAMPLES) -> None:
        import numpy as np

        self.rows, self.even = rows, np.full(rows, 1 / rows)
        self.times: npt.NDArray[np.float64] | None = None
        if rows <= MANY:
            # R draws out of R rows with replacement are multinomial counts [B, R].
            self.times = np.random.default_rng(0).multinomial(rows, self.even, resamples).astype(np.float64)

    def draws(self, most: int) -> Iterator[npt.NDArray[np.float64]]:
        """Draws how often each row [R] came, at most `most` times."""
        import numpy as np

        if self.times is not None:
            yield from self.times[:most]
            return
        rng = np.random.default_rng(0)
        for _ in range(most):
            yield rng.multinomial(self.rows, self.even).astype(np.float64)

    def interval(self, values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, float]:
        """Finds the interval of a statistic's `values` [B], one a draw; draws that have none (NaN) are left out."""
        import numpy as np

        known = np.asarray(values)[np.isfinite(values)]
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) and self.rows >= FEW else (math.nan, math.nan)
        return float(low), float(high)

    def mean(self, sums: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Estimate | None:
        """Averages over all observations from each row's sum and count; None without observations."""
        import numpy as np

        total = int(counts.sum())
        if total == 0:
            return None
        value = float(sums.sum() / total)
        if self.times is None:
            half = Z95 * float(np.sqrt(np.square(sums - value * counts).sum())) / total
            return Estimate(value, value - half, value + half, total)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (self.times @ sums) / (self.times @ counts)
        return Estimate(value, *self.interval(means), total)


def mean_over_rows(sums: Sequence[float] | npt.NDArray[Any], counts: Sequence[int] | npt.NDArray[Any]) -> Estimate | None:
    """Averages over rows as `Resamples.mean`, with draws of its own."""
    import numpy as np

    values = np.asarray(sums, np.float64)
    return Resamples(len(values)).mean(values, np.asarray(counts, np.float64)) if len(values) else None


def share_over_rows(sums: Sequence[float] | npt.NDArray[Any], counts: Sequence[int] | npt.NDArray[Any]) -> Estimate | None:
    """The mean of values between 0 and 1, from each row's sum and count. Where all rows are alike it is as sure as so many
    rows make it, and not as so many answers."""
    found = mean_over_rows(sums, counts)
    if found is None or found.low != found.high:
        return found
    return wilson_of_rows(found, sum(count > 0 for count in counts))


def ratio_over_rows(top: float, bottom: float, own: Sequence[tuple[float, float]]) -> Estimate | None:
    """`top` / `bottom` with a jackknife interval over rows, for figures of sets, such as the share of distinct answers; `own`:
    what leaving a row out takes from both. None for an empty set."""
    if not bottom:
        return None
    value, n, rows = top / bottom, int(bottom), len(own)
    without = [(top - less) / (bottom - base) for less, base in own if base < bottom]
    if rows < FEW or len(without) < rows:
        return Estimate(value, math.nan, math.nan, n)
    mean = math.fsum(without) / rows
    half = Z95 * math.sqrt((rows - 1) / rows * math.fsum((one - mean) ** 2 for one in without))
    found = Estimate(value, max(0.0, value - half), min(1.0, value + half), n)
    return found if half else wilson_of_rows(found, rows)


def wilson_of_rows(found: Estimate, rows: int) -> Estimate:
    """A share that all rows agree on, with the interval that so many rows leave open."""
    even = rate(round(found.value * rows), rows)
    assert even
    return Estimate(found.value, min(even.low, found.value), max(even.high, found.value), found.n)


def uniqueness(counts: Sequence[int]) -> Estimate | None:
    """Estimates the share of distinct answers when each came `counts` times, with a jackknife interval over answers; None for
    none.

    It is no proportion of independent trials: it falls as more answers are drawn, so only equal numbers compare.
    """
    n, distinct = sum(counts), len(counts)
    if n < 2:
        return None
    once = sum(count == 1 for count in counts)
    without = [(distinct - 1) / (n - 1), distinct / (n - 1)]  # an answer that came once, or more often, left out
    mean = (once * without[0] + (n - once) * without[1]) / n
    spread = once * (without[0] - mean) ** 2 + (n - once) * (without[1] - mean) ** 2
    half = Z95 * math.sqrt((n - 1) / n * spread)
    if half == 0:
        return rate(distinct, n)
    value = distinct / n
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n)


@dataclass(frozen=True)
class Flips:
    """Paired outcomes of two models on the same items: `lost` were right only in the baseline, `gained` only in the model.

    `p` is McNemar's exact two-sided probability that so uneven a split, or one more so, comes by chance. Where several
    items belong to one row it is of rows: how many lost more than they gained, against how many gained more.
    """

    both: int
    lost: int
    gained: int
    neither: int
    p: float

    @property
    def n(self) -> int:
        return self.both + self.lost + self.gained + self.neither

    def to_dict(self) -> dict[str, Any]:
        """Gives them as JSON."""
        return {"both": self.both, "lost": self.lost, "gained": self.gained, "neither": self.neither, "mcnemar_p": self.p}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Flips:
        """Reads what `to_dict` gave."""
        return cls(found["both"], found["lost"], found["gained"], found["neither"], found["mcnemar_p"])

    def change(self) -> Estimate | None:
        """Estimates the model's rate minus the baseline's, items independent: Newcombe's method 10 for paired proportions
        (1998)."""
        if not self.n:
            return None
        model, baseline = rate(self.both + self.gained, self.n), rate(self.both + self.lost, self.n)
        assert model and baseline
        a, b, c, d = self.both, self.gained, self.lost, self.neither
        margins = (a + b) * (c + d) * (a + c) * (b + d)
        cross = float(a * d - b * c)
        cross = max(cross - self.n / 2, 0.0) if cross > 0 else cross
        phi = cross / math.sqrt(margins) if margins else 0.0
        down, up = model.value - model.low, model.high - model.value
        base_down, base_up = baseline.value - baseline.low, baseline.high - baseline.value
        value = model.value - baseline.value
        low = value - math.sqrt(max(0.0, down**2 - 2 * phi * down * base_up + base_up**2))
        high = value + math.sqrt(max(0.0, base_down**2 - 2 * phi * base_down * up + up**2))
        return Estimate(value, low, high, self.n)


def flips(baseline: Sequence[bool], model: Sequence[bool], rows: Sequence[int] | None = None) -> Flips:
    """Compares paired outcomes. `rows` says which row each item belongs to; without it each is its own."""
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    net: dict[int, int] = {}
    for place, pair in enumerate(zip(baseline, model, strict=True)):
        counts[pair] += 1
        row = rows[place] if rows is not None else place
        net[row] = net.get(row, 0) + pair[1] - pair[0]
    worse, better = sum(change < 0 for change in net.values()), sum(change > 0 for change in net.values())
    return Flips(counts[True, True], counts[True, False], counts[False, True], counts[False, False], sign_test(worse, better))


def sign_test(a: int, b: int) -> float:
    """Computes the two-sided binomial probability of a split as uneven as a : b under even odds."""
    n, k = a + b, min(a, b)
    if n == 0:
        return 1.0
    # In logarithms: 2^n leaves the floats at n = 1024.
    terms = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) - n * math.log(2) for i in range(k + 1)]
    return min(1.0, 2 * math.fsum(math.exp(term) for term in terms))
