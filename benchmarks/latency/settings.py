"""What `logos bench latency` measures: lengths, sizes of batches, a task and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from logos_cli.rows.row import Row
from logos_cli.tasks.defaults import TIMED

# Drugs of ordinary size, as rows of the task: aspirin, ibuprofen, caffeine, imatinib.
DRUGS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
)
# What a prompt is made from: fields of every row, and those that are left out where they say nothing.
_FIELDS = ("ordinal", "id", "value", "text", "reactants")
_OPTIONAL = ("kind", "pocket", "ligand", "material")


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
        """Gives them as JSON."""
        return asdict(self) | {"rows": [row_to_dict(row) for row in self.rows]}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> LatencySettings:
        """Reads what `to_dict` gave."""
        rows = tuple(row_from_dict(row) for row in found["rows"])
        return cls(**{**found, "samples": tuple(found["samples"]), "rows": rows})


def row_to_dict(row: Row) -> dict[str, Any]:
    """Gives as JSON what a row's prompt is made from."""
    plain = Row(row.ordinal, row.id)
    more = {name: value for name in _OPTIONAL if (value := getattr(row, name)) != getattr(plain, name)}
    return {name: getattr(row, name) for name in _FIELDS} | more


def row_from_dict(found: Mapping[str, Any]) -> Row:
    """Reads what `row_to_dict` gave: JSON has lists where a row has tuples."""
    return Row(**{name: _tuples(value) for name, value in found.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
