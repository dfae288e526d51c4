"""What a quantizer did, in lines for people; of `logos quantize` and `logos convert`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logos_cli.quant.report import QuantReport


def show_report(out: Path, report: QuantReport) -> None:
    """Tell size, bits a weight and wider tensors on stderr."""
    from logos_cli.system.quantities import size
    from logos_cli.terminal.console import note

    ratio = report.bytes_after / report.bytes_before
    note(f"{out}: {report.scheme}, {size(report.bytes_after)} ({ratio:.0%} of the source)")
    note(f"  {report.bits_per_weight:.2f} bits a weight")
    for (kind, reason), count in Counter((w.type, w.reason) for w in report.wider).items():
        names = [w.name for w in report.wider if (w.type, w.reason) == (kind, reason)]
        note(f"  {count} wider, {kind}: {reason}: {names[0]}{' …' if count > 1 else ''}")
