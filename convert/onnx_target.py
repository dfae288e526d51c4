"""Checkpoint to an ONNX folder: in ONNX Runtime's fused operators, or in standard ones only."""

from __future__ import annotations

from pathlib import Path

from logos_cli.convert.conversion import Conversion, Estimate
from logos_cli.convert.estimate import estimate_folder
from logos_cli.convert.preconditions import check_manifest, check_sampling, note_ignored
from logos_cli.convert.to_onnx import to_onnx
from logos_cli.convert.verify import verify_onnx_tokens
from logos_cli.errors import UsageError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.onnx_model import OWN_FILES, OnnxModel
from logos_cli.models.tokens import Tokens
from logos_cli.quant.onnx_blocks import seconds_to_pack
from logos_cli.quant.onnx_folders import onnx_scheme, write_onnx
from logos_cli.quant.quantize_onnx import quantized_model
from logos_cli.system.files import atomic_folder, bytes_of, check_output_folder
from logos_cli.system.reporter import SILENT, Reporter
from logos_cli.system.threads import chosen_threads


def _prepared(checkpoint: Checkpoint, name: str, half: bool, out: Path, reporter: Reporter) -> tuple[OnnxModel, Tokens]:
    """The model in float32 or float16, none of its weights read yet, once all else about checkpoint and `out` is checked."""
    check_output_folder(out, OWN_FILES)
    check_manifest(checkpoint, reporter)
    checkpoint.check_tied_head()
    check_sampling(checkpoint)
    tokens = Tokens(checkpoint.path, checkpoint.config.vocabulary)
    tokens.check_markers()
    note_ignored(tokens, reporter)
    return to_onnx(checkpoint, "f16" if half or name.lower() == "f16" else "f32"), tokens


def convert_onnx(
    checkpoint: Checkpoint, name: str, half: bool, out: Path, threads: int | None, reporter: Reporter = SILENT
) -> Conversion:
    """Write `out` in the scheme `name`; with `half` the activations of int8 and int4 are float16."""
    scheme = onnx_scheme(name)
    model, tokens = _prepared(checkpoint, name, half, out, reporter)
    before = sum(tensor.nbytes for tensor in checkpoint.tensors.values())

    def verify(folder: Path) -> None:
        verify_onnx_tokens(folder, tokens, checkpoint.kept is not None)

    report = write_onnx(model, scheme, out, before, threads, f"converting to {name}", verify, reporter)
    return Conversion(out, report.scheme, report.bytes_after, report, scheme is not None)


def estimate_onnx(
    checkpoint: Checkpoint, name: str, half: bool, out: Path, threads: int | None, reporter: Reporter = SILENT
) -> Estimate:
    """Check all that `convert_onnx` checks, every weight too, and tell what it would take. Sizes are exact."""
    scheme = onnx_scheme(name)
    model, _ = _prepared(checkpoint, name, half, out, reporter)
    with reporter.progress("checking the weights", model.nbytes(), "bytes") as bar:
        found = estimate_folder(model, bar.advance, (lambda one: quantized_model(one, scheme, 1)) if scheme else None)
    seconds = found.seconds
    if scheme is not None:
        seconds += seconds_to_pack(sum(tensor.elements for tensor in checkpoint.tensors.values()), scheme.bits)
        seconds /= chosen_threads(threads)
    return Estimate(out, name, found.bytes, found.bytes, found.memory, seconds)


def convert_portable(checkpoint: Checkpoint, name: str, out: Path, reporter: Reporter = SILENT) -> Conversion:
    """Write `out` in standard operators, through optimum (extra `torch`)."""
    from logos_cli.convert.portable_onnx import load_optimum, to_portable

    if name not in ("f32", "int8"):
        raise UsageError(
            f"--type {name}: a portable export is f32 or int8; others need the fused operators: leave out --portable"
        )
    load_optimum()
    check_manifest(checkpoint, reporter)
    checkpoint.check_tied_head()
    Tokens(checkpoint.path, checkpoint.config.vocabulary).check_markers()
    checkpoint.check_numbers()
    reporter.note("exporting through optimum; this takes a minute or two and needs twice the model's size in memory")
    with atomic_folder(out, OWN_FILES) as beside:
        to_portable(checkpoint, name, beside)
    return Conversion(out, name, bytes_of(out), None, False, portable=True)
