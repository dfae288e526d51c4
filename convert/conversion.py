"""What a conversion made, or would take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logos_cli.quant.report import QuantReport


@dataclass(frozen=True)
class Conversion:
    """A model file that was written: `bytes` of it, `report` of each tensor's type where one is made."""

    out: Path
    scheme: str
    bytes: int
    report: QuantReport | None = None
    quantized: bool = False
    portable: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The document of `logos convert --json`."""
        if self.report is None:
            return {"out": str(self.out), "scheme": self.scheme, "bytes": self.bytes}
        return {"out": str(self.out), **self.report.to_dict()}


@dataclass(frozen=True)
class Estimate:
    """What a conversion would take: `bytes` of the file, `disk_bytes` and `memory_bytes` at most while it is made, `seconds`
    without the disk's own time."""

    out: Path
    scheme: str
    bytes: int
    disk_bytes: int
    memory_bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The document of `logos convert --dry-run --json`."""
        return {
            "out": str(self.out), "scheme": self.scheme, "bytes": self.bytes, "disk_bytes": self.disk_bytes,
            "memory_bytes": self.memory_bytes, "seconds": round(self.seconds, 1),
        }  # fmt: skip
