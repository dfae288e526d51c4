"""logos: run LOGOS, the open scientific language model, on your own machine.

    import logos_cli

    with logos_cli.open_model("logos-1b-int4.gguf") as model:
        for record in logos_cli.generate("retro", ["CC(=O)Nc1ccc(O)cc1"], model=model, top=5):
            print(record.rank, record.smiles)

What is named here is public, and docs/python.md tells what it does; it is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the module that has it.
_PUBLIC = {
    "Model": "logos_cli.api.model",
    "Reading": "logos_cli.rows.row",
    "Record": "logos_cli.records.record",
    "Row": "logos_cli.rows.row",
    "Sampling": "logos_cli.engines.sampling",
    "ScoreRecord": "logos_cli.records.score_record",
    "TASKS": "logos_cli.tasks.table",
    "convert_checkpoint": "logos_cli.convert.convert_checkpoint",
    "generate": "logos_cli.api.generate",
    "open_model": "logos_cli.api.model",
    "quantize_model": "logos_cli.quant.quantize_model",
    "read_records": "logos_cli.records.record",
    "read_rows": "logos_cli.rows.read_rows",
    "score": "logos_cli.api.score",
} | dict.fromkeys(
    ("CheckpointError", "EngineError", "ForeignText", "HubError", "HubUnreachable", "InputError", "LogosError",
     "MissingDependency", "ModelFileError", "OutputError", "TokenizerError", "UsageError"),
    "logos_cli.errors",
)  # fmt: skip

if TYPE_CHECKING:
    from logos_cli.api.generate import generate
    from logos_cli.api.model import Model, open_model
    from logos_cli.api.score import score
    from logos_cli.convert.convert_checkpoint import convert_checkpoint
    from logos_cli.engines.sampling import Sampling
    from logos_cli.errors import (
        CheckpointError,
        EngineError,
        ForeignText,
        HubError,
        HubUnreachable,
        InputError,
        LogosError,
        MissingDependency,
        ModelFileError,
        OutputError,
        TokenizerError,
        UsageError,
    )
    from logos_cli.quant.quantize_model import quantize_model
    from logos_cli.records.record import Record, read_records
    from logos_cli.records.score_record import ScoreRecord
    from logos_cli.rows.read_rows import read_rows
    from logos_cli.rows.row import Reading, Row
    from logos_cli.tasks.table import TASKS

__all__ = [
    "TASKS",
    "CheckpointError",
    "EngineError",
    "ForeignText",
    "HubError",
    "HubUnreachable",
    "InputError",
    "LogosError",
    "MissingDependency",
    "Model",
    "ModelFileError",
    "OutputError",
    "Reading",
    "Record",
    "Row",
    "Sampling",
    "ScoreRecord",
    "TokenizerError",
    "UsageError",
    "__version__",
    "convert_checkpoint",
    "generate",
    "open_model",
    "quantize_model",
    "read_records",
    "read_rows",
    "score",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: `logos --help` waits for none of them."""
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
