"""Parsed: a structure as gemmi has it, and what was done to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Parsed:
    """`structure` is gemmi's, of the first model. `notes` say what was done to read it and what was not read, `letters` the
    chains that had another name in the file: ours -> (letter, segment)."""

    structure: Any
    notes: tuple[str, ...] = ()
    letters: Mapping[str, tuple[str, str]] = field(default_factory=dict)
