"""The verb: a model file becomes a smaller one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logos_cli.errors import UsageError
from logos_cli.models.model_file import is_onnx
from logos_cli.quant.report import QuantReport
from logos_cli.quant.schemes import scheme_named
from logos_cli.system.reporter import SILENT, Reporter

DEFAULT = "int4"


@dataclass(frozen=True)
class Quantization:
    """A smaller model file that was written; `measured`: what calibration adds, texts, budget, the type of each matrix."""

    out: Path
    report: QuantReport
    measured: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The document of `logos quantize --json`."""
        return {"out": str(self.out), **self.report.to_dict(), **self.measured}


def quantize_model(
    source: str | Path,
    out: str | Path,
    type: str | None = None,
    *,
    calibrate: str | Path | None = None,
    task: str | None = None,
    budget: str | None = None,
    save_imatrix: str | Path | None = None,
    resume: bool = False,
    threads: int | None = None,
    reporter: Reporter = SILENT,
) -> Quantization | None:
    """Quantize an unquantized GGUF file or ONNX folder to the model file `out`.

    `type` is a scheme, int4 by default. `calibrate` rounds with regard to what the model reads: a file of rows (of `task`), an
    importance matrix, or with "" the model's own samples; `budget` ("4.5" bits a weight, "620MB") chooses the type of each
    matrix by measured damage instead of `type`; both are for GGUF. `save_imatrix` keeps the importance matrix. None if a run
    that was to be resumed is complete. Raises ModelFileError, OutputError, InputError, UsageError.
    """
    check_options(type, calibrate, budget, task, save_imatrix, resume)
    source, out = Path(source), Path(out)
    if is_onnx(source):
        from logos_cli.quant.onnx_folders import quantize_onnx

        if calibrate is not None or budget is not None:
            raise UsageError("--calibrate and --budget are for GGUF files; convert the checkpoint without --to onnx")
        return Quantization(out, quantize_onnx(source, type or DEFAULT, out, threads, reporter))
    from logos_cli.quant.quantize_gguf import check_target, write_quantized

    scheme = scheme_named(type or DEFAULT)
    if calibrate is None and budget is None:
        return Quantization(out, write_quantized(source, out, scheme, threads, reporter=reporter))
    from logos_cli.quant.calibration.budget import Budget
    from logos_cli.quant.calibration.quantize_calibrated import Calibration, quantize_calibrated

    if not scheme.quantized:
        raise UsageError(f"--type {type} is not quantized: nothing to calibrate")
    check_target(source, out)
    limit = Budget.parse(budget) if budget is not None else None
    kept = Path(save_imatrix) if save_imatrix is not None else None
    found = quantize_calibrated(
        Calibration(source, out, scheme, limit, str(calibrate or ""), task, kept, resume, threads, reporter)
    )
    return Quantization(out, *found) if found else None


def check_options(
    type: str | None,
    calibrate: str | Path | None,
    budget: str | None,
    task: str | None,
    save_imatrix: str | Path | None,
    resume: bool,
) -> None:
    """Raise UsageError for options that do not fit together."""
    if budget is not None and type is not None:
        raise UsageError("--budget chooses the types itself; leave out --type")
    if calibrate is None and budget is None and (task or save_imatrix or resume):
        option = "--task" if task else "--save-imatrix" if save_imatrix else "--resume"
        raise UsageError(f"{option} is for --calibrate or --budget")
