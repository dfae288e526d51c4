"""What a result says of a model that was measured: which file, and what ran it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class ModelFacts:
    """`bytes` on disk; `device`, `threads`, `kv_type` and `build` are the engine's."""

    path: str
    name: str
    bytes: int
    scheme: str
    fingerprint: str
    device: str
    threads: int
    kv_type: str
    build: str

    def to_dict(self) -> dict[str, Any]:
        """Gives them as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> ModelFacts:
        """Picks them out of what a document says of a model."""
        return cls(**{field.name: found[field.name] for field in fields(cls)})
