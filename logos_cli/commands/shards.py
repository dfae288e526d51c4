"""--shard of generate and score: what it says, and what is written down so that logos merge can join the shards."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from logos_cli.engines.engine import EngineInfo
    from logos_cli.pipeline.score_records import ScorePlan
    from logos_cli.records.journal import Journal
    from logos_cli.records.score_record import ScoreFormatter, ScoreRecord
    from logos_cli.records.shard import Shard
    from logos_cli.rows.row import Row
    from logos_cli.system.lines import Blank


def shard_of(text: str | None, out: Path | None, reads_rows: bool) -> Shard | None:
    """The shard that --shard names. Raises UsageError where there is nothing to part, or nowhere to say which one it is."""
    from logos_cli.records.shard import Shard
    from logos_cli.terminal.console import note

    if text is None:
        return None
    shard = Shard.parse(text, os.environ)
    if out is None:
        raise UsageError("--shard needs -o OUT: logos merge reads OUT.run, which is written beside it")
    if not reads_rows:
        raise UsageError("--shard parts the rows of an input, and without INPUT there is one; give other --seed to each run")
    if text == "slurm":
        note(f"shard {shard}")
    return shard


class ScoredShard:
    """The rows of a shard of `logos score`, its lines counted; without a shard all rows."""

    def __init__(self, shard: Shard | None, formatter: ScoreFormatter) -> None:
        from logos_cli.pipeline.row_identity import RunningDigest
        from logos_cli.records.shard import LineCounts

        self.shard, self.formatter = shard, formatter
        self.counts, self.input = LineCounts(), RunningDigest()

    def own(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows to score; all are read, so that every shard knows the same input."""
        for row in rows:
            self.input.add(row)
            if self.shard is None or self.shard.has(row.ordinal):
                yield row

    def check_finished(self, journal: Journal, rows: Iterable[Row]) -> None:
        """Raises OutputError where the complete output of `journal` is of other rows."""
        for _ in self.own(rows):
            pass
        if journal.told.get("rows") != [self.input.rows, self.input.value]:
            raise OutputError(
                f"{journal.out} is complete, but of other input rows; run without --resume to replace it, or write elsewhere"
            )

    def lines(self, record: ScoreRecord) -> str:
        return self.counts.written(self.formatter.lines, record, record.row)

    def settings(self, plan: ScorePlan, info: EngineInfo, described: dict[str, Any]) -> dict[str, Any]:
        """What OUT.run says of the run: all that changes its output."""
        from logos_cli.records.record import SCHEMA
        from logos_cli.records.shard import SHARD

        mutants = hashlib.sha256(repr(plan.mutations).encode()).hexdigest()[:16] if plan.mutations else None
        return {
            "schema": SCHEMA, "command": "score", "task": plan.task.name if plan.task else None, **of_model(info),
            "mutants": mutants, "numbered_from": plan.first, "each_token": plan.each, "each_residue": plan.each_residue,
            "as_written": plan.as_written, "numbering": plan.scheme, **described,
            **({SHARD: str(self.shard)} if self.shard else {}),
        }  # fmt: skip

    def told(self, tally: dict[str, int], blank: Blank) -> dict[str, Any]:
        """What OUT.run says besides."""
        from logos_cli.records.shard import part_of

        part = part_of(self.counts, tally, blank) if self.shard else {}
        return {"rows": [self.input.rows, self.input.value], **part}


def of_model(info: EngineInfo) -> dict[str, Any]:
    """What of a model and its engine changes the figures of a sequence."""
    return {
        "model": info.model, "scheme": info.scheme, "build": info.build, "device": info.device, "kv_type": info.kv_type,
    }  # fmt: skip


def scores_told(scored: int, failed: int, blank: Blank, shard: Shard | None = None) -> Iterator[str]:
    """What `logos score`, or all its shards together, wrote and skipped."""
    from logos_cli.system.quantities import counted
    from logos_cli.terminal.rows_input import skipped

    if not scored + failed:
        yield f"no row of the input is in shard {shard}, no scores" if shard else "no rows in the input, no scores"
        return
    yield f"{counted(scored, 'sequence')} scored"
    if failed:
        yield f"{failed:,} could not be (see error)"
    yield from skipped(blank)
