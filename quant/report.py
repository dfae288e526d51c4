"""What a quantizer did: sizes, bits a weight, and the tensors that it left wider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WiderTensor:
    """A tensor that did not get the scheme's main type, and why."""

    name: str
    type: str
    reason: str


@dataclass(frozen=True)
class QuantReport:
    scheme: str
    bytes_before: int
    bytes_after: int
    bits_per_weight: float
    wider: tuple[WiderTensor, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "scheme": self.scheme,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "bits_per_weight": round(self.bits_per_weight, 3),
            "wider": [{"name": w.name, "type": w.type.lower(), "reason": w.reason} for w in self.wider],
        }
