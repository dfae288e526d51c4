"""logos quantize logos-1b-bf16.gguf -o logos-1b-int4.gguf --type int4"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logos_cli.errors import UsageError
from logos_cli.terminal import options

if TYPE_CHECKING:
    from logos_cli.quant.calibration.refine_gguf import Refiner
    from logos_cli.quant.quantize_gguf import QuantReport, Recipe

DEFAULT = "int4"


def quantize(
    model: Annotated[
        str, typer.Argument(help="A bf16, f16 or f32 GGUF file, an f32 or f16 ONNX folder, or nano.", metavar="MODEL")
    ],
    out: options.Out,
    type: options.Type = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            "--calibrate",
            metavar="[FILE]",
            help="Round with regard to what the model reads: rows of FILE, an importance matrix, or its own samples.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="What FILE's rows are. Default: by content.", show_default=False)
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="BITS|BYTES",
            help="Choose each matrix's type by measured damage: 4.5 bits a weight, or 620MB of file.",
            show_default=False,
        ),
    ] = None,
    save_imatrix: Annotated[
        Path | None,
        typer.Option("--save-imatrix", help="Also write the importance matrix, as llama-imatrix does.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted --budget run.")] = False,
    threads: options.Threads = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Make a smaller model file of an unquantized one.

    \b
    Example: logos quantize logos-1b-bf16.gguf -o logos-1b-int4.gguf --type int4
    """
    from logos_cli.models.model_file import is_onnx
    from logos_cli.quant.schemes import scheme_named
    from logos_cli.records.output_names import check_name, check_no_stream
    from logos_cli.terminal.model_word import model_path

    if budget is not None and type is not None:
        raise UsageError("--budget chooses the types itself; leave out --type")
    if calibrate is None and budget is None and (task or save_imatrix or resume):
        option = "--task" if task else "--save-imatrix" if save_imatrix else "--resume"
        raise UsageError(f"{option} is for --calibrate or --budget")
    source = model_path(model)
    told: dict[str, Any] = {}
    check_no_stream(out)
    check_name(out, "onnx" if is_onnx(source) else "gguf", "name it after what MODEL is")
    if is_onnx(source):
        from logos_cli.commands.onnx_output import quantize_onnx

        if calibrate is not None or budget is not None:
            raise UsageError("--calibrate and --budget are for GGUF files; convert the checkpoint without --to onnx")
        report = quantize_onnx(source, type or DEFAULT, out, threads)
    elif calibrate is None and budget is None:
        report = write_quantized(source, out, scheme_named(type or DEFAULT).name, threads)
    else:
        from logos_cli.commands.quantize_calibrated import Asked, quantize_calibrated
        from logos_cli.quant.calibration.budget import Budget

        scheme = scheme_named(type or DEFAULT)
        if not scheme.quantized:
            raise UsageError(f"--type {type} is not quantized: nothing to calibrate")
        check_target(source, out)
        limit = Budget.parse(budget) if budget is not None else None
        asked = Asked(source, out, scheme.name, limit, calibrate or "", task, save_imatrix, resume, threads)
        found = quantize_calibrated(asked)
        if found is None:
            return
        report, told = found
    if as_json:
        sys.stdout.write(json.dumps({"out": str(out), **report.to_dict(), **told}, indent=2) + "\n")
    show(out, report)


def check_target(source: Path, out: Path) -> None:
    from logos_cli.errors import OutputError
    from logos_cli.system.files import check_output

    check_output(out)
    if out.exists() and out.samefile(source):
        raise OutputError(f"{out} is the file to quantize; give another -o")


def write_quantized(
    source: Path,
    out: Path,
    scheme: str | None,
    threads: int | None,
    recipe: Recipe | None = None,
    refiner: Refiner | None = None,
) -> QuantReport:
    """Quantize `source` to `out`, which appears complete or not at all. `scheme` None: by the recipe's types."""
    from logos_cli.quant.quantize_gguf import PLAIN, quantize_gguf
    from logos_cli.quant.schemes import MIXED, scheme_named
    from logos_cli.system.files import atomic
    from logos_cli.terminal.console import progress

    check_target(source, out)
    chosen = scheme_named(scheme) if scheme else MIXED
    with atomic(out) as beside, progress(f"quantizing to {chosen.name}", None, "tensors") as bar:
        if refiner:
            refiner = replace(refiner, progress=bar.set)
        return quantize_gguf(source, beside, chosen, threads, bar.set, recipe or PLAIN, refiner)


def show(out: Path, report: QuantReport) -> None:
    from logos_cli.terminal.console import note, size

    ratio = report.bytes_after / report.bytes_before
    note(f"{out}: {report.scheme}, {size(report.bytes_after)} ({ratio:.0%} of the source)")
    note(f"  {report.bits_per_weight:.2f} bits a weight")
    for (kind, reason), count in Counter((w.type, w.reason) for w in report.wider).items():
        names = [w.name for w in report.wider if (w.type, w.reason) == (kind, reason)]
        note(f"  {count} wider, {kind}: {reason}: {names[0]}{' …' if count > 1 else ''}")
