"""The last line of a run: what it wrote and skipped, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logos_cli.records.record import Tally
    from logos_cli.records.shard import Shard
    from logos_cli.system.lines import Blank


def summary(tally: Tally, before: int, seconds: float, blank: Blank, shard: Shard | None = None) -> str:
    """The last line of a run: what it wrote, and how fast."""
    if tally.rows == 0 and shard:
        return f"no row of the input is in shard {shard}, no records"
    parts = [*counts_told(tally, blank, before)]
    if tally.rows:
        done, unit = (tally.rows - before, "rows") if tally.rows > 1 else (tally.answers, "answers")
        speed = done / max(seconds, 0.05)
        parts.append(f"{seconds:.1f} s, {f'{speed:,.0f}' if speed >= 10 else f'{speed:.2g}'} {unit}/s")
    return "; ".join(parts)


def counts_told(tally: Tally, blank: Blank, before: int = 0) -> Iterator[str]:
    """What a run, or all its shards together, wrote and skipped."""
    from logos_cli.system.quantities import counted
    from logos_cli.terminal.rows_input import skipped

    if tally.rows == 0:
        yield "no rows in the input, no records" + (f" ({blank.lines} blank lines)" if blank.lines else "")
        return
    yield counted(tally.rows, "row") + (f" ({before:,} of them before the resume)" if before else "")
    yield f"{counted(tally.answers, 'answer')}, {tally.valid:,} valid"
    if tally.failed:
        yield f"{counted(tally.failed, 'row')} without an answer (see error)"
    yield from skipped(blank)
