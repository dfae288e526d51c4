"""What `logos bench latency` measures: lengths, sizes of batches, a task and its rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from logos_cli.rows.row import Row

# Drugs of ordinary size, as rows of the task: aspirin, ibuprofen, caffeine, imatinib.
DRUGS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
)


_ROW = ("ordinal", "id", "value", "text", "reactants")


@dataclass(frozen=True)
class LatencySettings:
    """`prompt` tokens are read for prompt speed; decode writes `new` tokens after a prompt of `start`, for each of
    `samples` answers at once. The task's rows are answered with `task_samples` each of at most `max_tokens`."""

    prompt: int = 512
    start: int = 32
    new: int = 64
    samples: tuple[int, ...] = (1, 8, 32)
    task: str = "retro"
    rows: tuple[Row, ...] = tuple(Row(i, str(i + 1), value=smiles) for i, smiles in enumerate(DRUGS))
    task_samples: int = 8
    max_tokens: int = 64
    seed: int = 0
    device: str = "auto"
    threads: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON; of the rows what a prompt is made from."""
        rows = [{name: getattr(row, name) for name in _ROW} for row in self.rows]
        return asdict(self) | {"rows": rows}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> LatencySettings:
        rows = tuple(row_from(one) for one in found["rows"])
        return cls(**{**found, "samples": tuple(found["samples"]), "rows": rows})


def row_from(found: dict[str, Any]) -> Row:
    """JSON has lists where a row has tuples."""
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return Row(**plain)
