"""What `logos bench latency` measures: lengths, sizes of batches, a task and its rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.errors import UsageError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Recorded, Row
from logos_cli.tasks.defaults import TIMED
from logos_cli.tasks.task import Task

# Drugs of ordinary size, as rows of the task: aspirin, ibuprofen, caffeine, imatinib.
DRUGS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
)

_ALWAYS = ("ordinal", "id", "value", "text", "reactants")  # in the document even where a row has none
_NO_PROMPT = ("site", "truth")  # of a record only; a site holds its whole structure


@dataclass(frozen=True)
class LatencySettings:
    """`prompt` tokens are read for prompt speed; decode writes `new` tokens after a prompt of `start`, for each of
    `samples` answers at once. The task's rows are answered with `task_samples` each of at most `max_tokens`."""

    prompt: int = 512
    start: int = 32
    new: int = 64
    samples: tuple[int, ...] = (1, 8, 32)
    task: str = TIMED
    rows: tuple[Row, ...] = tuple(Row(i, str(i + 1), value=smiles) for i, smiles in enumerate(DRUGS))
    task_samples: int = 8
    max_tokens: int = 64
    seed: int = 0
    device: str = "auto"
    threads: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Gives them as JSON; of the rows what a prompt is made from."""
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        return settings | {"rows": [row_to_dict(row) for row in self.rows]}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> LatencySettings:
        """Reads what `to_dict` gave."""
        rows = tuple(row_from_dict(one) for one in found["rows"])
        return cls(**{**found, "samples": tuple(found["samples"]), "rows": rows})


def row_to_dict(row: Row) -> dict[str, Any]:
    """Gives of a row what a prompt is made from; beyond `_ALWAYS` only what it has."""
    plain = Row(row.ordinal, row.id)
    names = [field.name for field in fields(row) if field.name not in _NO_PROMPT]
    found = {name: getattr(row, name) for name in names if name in _ALWAYS or getattr(row, name) != getattr(plain, name)}
    return found | ({"recorded": asdict(row.recorded)} if row.recorded else {})


def row_from_dict(found: dict[str, Any]) -> Row:
    """Reads what `row_to_dict` gave and went through JSON."""
    recorded = found.get("recorded")
    plain = {name: tuples(value) for name, value in found.items() if name != "recorded"}
    return Row(**plain, recorded=Recorded(**recorded) if recorded else None)


def tuples(value: Any) -> Any:
    """Makes tuples of lists: JSON has lists where a row has tuples."""
    return tuple(map(tuples, value)) if isinstance(value, (list, tuple)) else value


def task_rows(path: str, limit: int, reading: Reading, task: Task) -> tuple[Row, ...]:
    """The first rows of a file that the task can use. Raises UsageError if there are none."""
    if path != "-" and not Path(path).exists():
        raise UsageError(f"{path}: no such file; give rows for --data")
    found, reason = [], "it is empty"
    for row in islice(read_rows(path, reading), limit):
        try:
            task.prompt(row)
        except RowError as error:
            reason = str(error)
            continue
        if row.error is None:
            found.append(row)
        else:
            reason = row.error
    if not found:
        raise UsageError(f"{path}: none of its first rows can be used for {task.name} ({reason})")
    return tuple(found)
