"""Which model a command runs: -m, else $LOGOS_MODEL, else nano, which is then said."""

from __future__ import annotations

import os
from pathlib import Path

from logos_cli.engines.engine import Engine, EngineSettings
from logos_cli.engines.open_engine import open_engine
from logos_cli.engines.remote.address import is_address
from logos_cli.errors import ModelFileError, UsageError
from logos_cli.terminal.console import note

NANO_NOTE = (
    "model: nano, the small demonstration inside this package, which is not LOGOS-1B; give a model with -m or $LOGOS_MODEL"
)


def is_nano(name: str | None) -> bool:
    """Whether a MODEL word means the model inside this package."""
    from logos_cli.convert.nano_model import NANO

    return (name or os.environ.get("LOGOS_MODEL") or NANO) == NANO


def model_path(name: str | None) -> Path:
    """The file of a MODEL word."""
    from logos_cli.convert.nano_model import NANO, nano_model

    if name == "":
        raise UsageError("the model's name is empty; give a file, or the word nano")
    chosen = name or os.environ.get("LOGOS_MODEL")
    if not chosen:
        note(NANO_NOTE)
    if chosen in (None, "", NANO):
        return nano_model()
    if is_address(chosen):
        raise UsageError(f"{chosen} is a server, which generate and inspect ask; this needs a model file")
    path = Path(chosen)
    if not name and not path.exists():
        raise ModelFileError(f"{path}: No such file, and $LOGOS_MODEL names it; correct that variable or give a model with -m")
    return path


def address_of(name: str | None) -> str | None:
    """The word itself if it is the address of a server, not a file."""
    chosen = name or os.environ.get("LOGOS_MODEL") or ""
    return chosen if is_address(chosen) else None


def open_model(name: str | None, settings: EngineSettings) -> Engine:
    return open_engine(address_of(name) or model_path(name), settings)
