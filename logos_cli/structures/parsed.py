"""Parsed: a structure as gemmi has it, and what was done to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from logos_cli.structures.predicted import Predicted


@dataclass(frozen=True)
class Parsed:
    """`structure` is gemmi's, of the first model. `notes` say what was done to read it and what was not read, `letters` the
    chains that had another name in the file: ours -> (letter, segment). `predicted`: what the file says of a prediction.
    `labels`: residues that have another name as label_comp_id, that name -> the author's."""

    structure: Any
    notes: tuple[str, ...] = ()
    letters: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    predicted: Predicted | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
