"""One of N parts of a run, each of which can be written on a machine of its own and merged with the others."""

from __future__ import annotations

import base64
import re
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from logos_cli.errors import UsageError
from logos_cli.system.lines import Blank

SHARD = "shard"  # the setting that says which one a file is
PART = "part"  # what OUT.run says of a shard besides
Made = TypeVar("Made")
_REMEDY = "give I/N, such as 0/16 to 15/16 for sixteen shards, or slurm"


@dataclass(frozen=True)
class Shard:
    """The rows whose ordinal leaves the rest `index` when divided by `count`."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str]) -> Shard:
        """From `I/N`, or of the Slurm array task that `environment` is of for `slurm`. Raises UsageError."""
        if text == "slurm":
            return cls.of_slurm(environment)
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if not found:
            raise UsageError(f"--shard {text} is none; {_REMEDY}")
        index, count = map(int, found.groups())
        if index >= count:
            there = f"the shards of {count} are 0/{count} to {count - 1}/{count}" if count else "there are no shards of 0"
            raise UsageError(f"--shard {text}: {there}")
        return cls(index, count)

    @classmethod
    def of_slurm(cls, environment: Mapping[str, str]) -> Shard:
        """The n-th task of an array is shard n. Raises UsageError outside of an array, and in one with gaps: that is some
        tasks of a larger one sent again, whose shards are not to be counted anew."""
        names = [f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "MIN", "COUNT")]
        for name in names:
            if not environment.get(name, "").isdigit():
                raise UsageError(f"--shard slurm: ${name} is not set; submit with sbatch --array=0-15, or give --shard I/N")
        task, first, count = (int(environment[name]) for name in names)
        last = environment.get("SLURM_ARRAY_TASK_MAX", "")
        if not first <= task < first + count or (last.isdigit() and int(last) != first + count - 1):
            raise UsageError(
                f"--shard slurm: the array's {count} tasks, {first} to {last or '?'}, have gaps; give --shard I/N as it was"
            )
        return cls(task - first, count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def has(self, ordinal: int) -> bool:
        return ordinal % self.count == self.index

    def before(self, ordinal: int) -> int:
        """How many rows of the shard come before the row `ordinal` of the input."""
        return max(0, ordinal - self.index + self.count - 1) // self.count

    def ordinal(self, place: int) -> int:
        """The ordinal in the input of the shard's row `place`, counted from 0."""
        return place * self.count + self.index


WHOLE = Shard()


class LineCounts:
    """How many lines of a file each row of a shard has, and its header, which stands before the first of them."""

    def __init__(self) -> None:
        self.header, self.counts = 0, array("I")
        self._row: int | None = None
        self._begun = False

    def written(self, lines: Callable[[Made], str], record: Made, row: int, kept: bool = True) -> str:
        """The lines of a record of `row`, counted; none if it is not `kept`. Rows come in order, each with a record."""
        if row != self._row:
            self._row = row
            self.counts.append(0)
        text = lines(record) if kept else ""
        own = text.count("\n")
        if text and not self._begun:
            # A csv's first record comes with the header; asked again, without it.
            self._begun, own = True, lines(record).count("\n")
            self.header = text.count("\n") - own
        self.counts[-1] += own
        return text

    def packed(self) -> str:
        """The counts as text: a JSON list of them would be longer than all else that is told of a run."""
        return base64.b64encode(zlib.compress(" ".join(map(str, self.counts)).encode())).decode()


def unpacked(text: str) -> Sequence[int]:
    """What `LineCounts.packed` wrote. Raises ValueError for anything else."""
    try:
        return array("I", map(int, zlib.decompress(base64.b64decode(text, validate=True)).split()))
    except (zlib.error, OverflowError) as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True)
class Part:
    """What merging needs to know of a shard besides its lines: how many each row has, and what the run's last line counted."""

    header: int
    lines: Sequence[int]
    tally: Mapping[str, int]
    skipped: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, found: Any) -> Part:
        """Raises ValueError, KeyError, TypeError for what `part_of` did not write."""
        tally = {str(name): int(number) for name, number in dict(found["tally"]).items()}
        return cls(int(found["header"]), unpacked(found["lines"]), tally, dict(found["skipped"]))

    @property
    def blank(self) -> Blank:
        """What was skipped of the input, for the summary."""
        left_out = self.skipped.get("left_out") or {}
        blank = Blank(int(self.skipped.get("lines", 0)), int(self.skipped.get("comments", 0)))
        blank.left_out.update(left_out)
        return blank


def part_of(counts: LineCounts, tally: Mapping[str, int], blank: Blank | None) -> dict[str, Any]:
    """What OUT.run says of a shard."""
    skipped = {"lines": blank.lines, "comments": blank.comments, "left_out": dict(blank.left_out)} if blank else {}
    return {PART: {"header": counts.header, "lines": counts.packed(), "tally": dict(tally), "skipped": skipped}}
