"""logos quantize logos-1b-bf16.gguf -o logos-1b-int4.gguf --type int4"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logos_cli.commands import options

if TYPE_CHECKING:
    from logos_cli.quant.quantize_gguf import QuantReport


def quantize(
    model: Annotated[
        str, typer.Argument(help="A bf16, f16 or f32 GGUF file, an f32 or f16 ONNX folder, or nano.", metavar="MODEL")
    ],
    out: options.Out,
    type: options.Type = "int4",
    threads: options.Threads = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Make a smaller model file of an unquantized one.

    \b
    Example: logos quantize logos-1b-bf16.gguf -o logos-1b-int4.gguf --type int4
    """
    from logos_cli.commands.models import model_path
    from logos_cli.model_file import is_onnx
    from logos_cli.quant.schemes import scheme_named

    source = model_path(model)
    if is_onnx(source):
        from logos_cli.commands.onnx_output import quantize_onnx

        report = quantize_onnx(source, type, out, threads)
    else:
        report = write_quantized(source, out, scheme_named(type).name, threads)
    if as_json:
        sys.stdout.write(json.dumps({"out": str(out), **report.to_dict()}, indent=2) + "\n")
    show(out, report)


def write_quantized(source: Path, out: Path, scheme: str, threads: int | None) -> QuantReport:
    """Quantize `source` to `out`, which appears complete or not at all."""
    from logos_cli.console import progress
    from logos_cli.errors import OutputError
    from logos_cli.files import atomic
    from logos_cli.quant.quantize_gguf import quantize_gguf
    from logos_cli.quant.schemes import scheme_named

    if out.exists() and out.samefile(source):
        raise OutputError(f"{out} is the file to quantize; give another -o")
    with atomic(out) as beside, progress(f"quantizing to {scheme}", None, "tensors") as bar:
        return quantize_gguf(source, beside, scheme_named(scheme), threads, bar.set)


def show(out: Path, report: QuantReport) -> None:
    from logos_cli.console import note, size

    ratio = report.bytes_after / report.bytes_before
    note(f"{out}: {report.scheme}, {size(report.bytes_after)} ({ratio:.0%} of the source)")
    note(f"  {report.bits_per_weight:.2f} bits a weight")
    for (kind, reason), count in Counter((w.type, w.reason) for w in report.wider).items():
        names = [w.name for w in report.wider if (w.type, w.reason) == (kind, reason)]
        note(f"  {count} wider, {kind}: {reason}: {names[0]}{' …' if count > 1 else ''}")
