"""How many rows a change of a rate needs in order to show, from what the rows seen so far differ by."""

from __future__ import annotations

import math
from collections.abc import Sequence

from logos_cli.benchmarks.metrics.intervals import FEW, Z95, rate

POINT = 0.01
Z80 = 0.8416212335729143  # four times of five


def spread_of(differences: Sequence[float]) -> float:
    """The standard deviation of rows' differences, each between -1 and 1.

    Where hardly any row differs, as many may as Wilson's interval allows, and by 1: that nothing was seen in thirty rows
    does not show that there is nothing.
    """
    n = len(differences)
    differing = sum(one != 0 for one in differences)
    if differing < FEW:
        most = rate(differing, n)
        return math.sqrt(most.high) if most else 1.0
    mean = math.fsum(differences) / n
    return math.sqrt(math.fsum((one - mean) ** 2 for one in differences) / n)


def rows_to_show(spread: float, loss: float = POINT) -> int:
    """At so many rows a change of `loss` lies outside of its 95 % interval's reach four times of five (Connor 1987)."""
    return math.ceil(((Z95 + Z80) * spread / loss) ** 2)


def rows_for_width(spread: float, half: float) -> int:
    """At so many rows the 95 % interval of a change is plus or minus `half`."""
    return math.ceil((Z95 * spread / half) ** 2)
