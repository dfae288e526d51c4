"""logos quantize logos-1b-bf16.gguf -o logos-1b-int4.gguf --type int4"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from logos_cli.commands.quant_report import show_report
from logos_cli.terminal import options


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
    from logos_cli.quant.quantize_model import check_options, quantize_model
    from logos_cli.records.output_names import check_name, check_no_stream
    from logos_cli.terminal.console import TERMINAL
    from logos_cli.terminal.model_word import model_path

    check_options(type, calibrate, budget, task, save_imatrix, resume)
    source = model_path(model)
    check_no_stream(out)
    check_name(out, "onnx" if is_onnx(source) else "gguf", "name it after what MODEL is")
    found = quantize_model(
        source, out, type, calibrate=calibrate, task=task, budget=budget, save_imatrix=save_imatrix, resume=resume,
        threads=threads, reporter=TERMINAL,
    )  # fmt: skip
    if found is None:
        return
    if as_json:
        sys.stdout.write(json.dumps(found.to_dict(), indent=2) + "\n")
    show_report(out, found.report)
