"""The families that are read, by the class that config.json names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError
from logos_cli.models.architectures.architecture import Architecture
from logos_cli.models.architectures.llama import LLAMA
from logos_cli.models.architectures.mixtral import MIXTRAL
from logos_cli.models.architectures.qwen3 import QWEN3

ARCHITECTURES = {one.hf_class: one for one in (LLAMA, QWEN3, MIXTRAL)}


def architecture_of(path: Path, raw: Mapping[str, Any]) -> Architecture:
    """The family of a config.json. Raises CheckpointError for one that is not here."""
    names, kind = raw.get("architectures"), raw.get("model_type")
    named = names[0] if isinstance(names, list) and names else None
    for one in ARCHITECTURES.values():
        # A model saved without its class, or as the one without a head, is read by what kind of model it is.
        if named == one.hf_class or (kind == one.model_type and named in (None, one.body)):
            return one
        if named == one.body and kind is None:
            return one
    said = named or kind or "none"
    raise CheckpointError(f"{path}: architecture {str(said)[:60]!r}; only {', '.join(ARCHITECTURES)} are read")
