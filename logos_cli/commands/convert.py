"""logos convert LOGOS-pretrain-1B/ -o logos-1b-int4.gguf --type int4"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logos_cli.errors import UsageError
from logos_cli.terminal import options

if TYPE_CHECKING:
    from logos_cli.convert.conversion import Conversion, Estimate


class Activations(StrEnum):
    f32 = "f32"
    f16 = "f16"


class Target(StrEnum):
    gguf = "gguf"
    onnx = "onnx"


def convert(
    checkpoint: Annotated[
        str, typer.Argument(help="Folder of a Hugging Face checkpoint, or the word nano.", metavar="CHECKPOINT")
    ],
    out: options.Out,
    to: Annotated[Target, typer.Option("--to", help="Kind of model file.")] = Target.gguf,
    type: options.ConvertType = None,
    activations: Annotated[
        Activations | None,
        typer.Option("--activations", help="ONNX int8, int4: f32 for CPUs (default), f16 for GPUs.", show_default=False),
    ] = None,
    portable: Annotated[
        bool, typer.Option("--portable", help="ONNX in standard operators for other runtimes, f32 or int8.")
    ] = False,
    trim_vocab: Annotated[
        bool, typer.Option("--trim-vocab", help="Leave out tokens that no SMILES and no sequence can hold: a third of the 1B.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say size, memory and time, write nothing.")] = False,
    threads: options.Threads = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Turn a checkpoint into a model file, int8 or int4 if asked.

    \b
    Example: logos convert LOGOS-pretrain-1B/ -o logos-1b-int4.gguf --type int4
    """
    from logos_cli.convert.convert_checkpoint import check_options, convert_checkpoint, estimate_conversion
    from logos_cli.records.output_names import check_name, check_no_stream
    from logos_cli.terminal.console import TERMINAL

    wanted: dict[str, Any] = {
        "to": to.value,
        "activations": activations.value if activations else None,
        "trim_vocab": trim_vocab,
    }
    check_options(type, portable=portable, **wanted)
    check_no_stream(out)
    check_name(out, to.value, "give --to, or another name")
    if dry_run:
        if portable:
            raise UsageError("--dry-run does not know portable exports; leave out --portable")
        estimate = estimate_conversion(checkpoint, out, type, **wanted, threads=threads, reporter=TERMINAL)
        if as_json:
            sys.stdout.write(json.dumps(estimate.to_dict(), indent=2) + "\n")
        show_estimate(estimate)
        return
    made = convert_checkpoint(checkpoint, out, type, portable=portable, **wanted, threads=threads, reporter=TERMINAL)
    show_conversion(made)
    if as_json:
        sys.stdout.write(json.dumps(made.to_dict(), indent=2) + "\n")


def show_conversion(made: Conversion) -> None:
    from logos_cli.commands.quant_report import show_report
    from logos_cli.system.quantities import size
    from logos_cli.terminal.console import note

    if made.quantized and made.report:
        show_report(made.out, made.report)
        return
    checked = "standard operators only" if made.portable else "read back and verified"
    note(f"{made.out}: {made.scheme}, {size(made.bytes)}, {checked}")


def show_estimate(found: Estimate) -> None:
    from logos_cli.system.quantities import size
    from logos_cli.terminal.console import note

    note(f"{found.out}: {found.scheme}, {size(found.bytes)}; {size(found.disk_bytes)} of disk while it is made")
    memory, seconds = size(found.memory_bytes), f"{found.seconds:.0f}"
    note(f"memory: at most {memory}; time: about {seconds} s on this machine and the disk's own; nothing was written")
