"""Writing ONNX folders in a scheme: from a converted checkpoint, or from an unquantized folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from logos_cli.errors import ModelFileError, OutputError, UsageError
from logos_cli.models.onnx_folder import OnnxFolder
from logos_cli.models.onnx_model import OWN_FILES, OnnxModel, write_folder
from logos_cli.quant.quantize_onnx import quantized_model, report
from logos_cli.quant.report import QuantReport
from logos_cli.quant.schemes import ONNX_SCHEMES, OnnxScheme
from logos_cli.system.files import atomic_folder, bytes_of, check_output_folder
from logos_cli.system.reporter import SILENT, Reporter
from logos_cli.system.threads import chosen_threads

UNQUANTIZED = ("f32", "f16")


def onnx_scheme(name: str) -> OnnxScheme | None:
    """The scheme of a --type word for ONNX; None for f32 and f16. Raises UsageError."""
    if name.lower() in UNQUANTIZED:
        return None
    if name.lower() not in ONNX_SCHEMES:
        raise UsageError(f"--type {name}: an ONNX model is one of {', '.join((*UNQUANTIZED, *ONNX_SCHEMES))}")
    return ONNX_SCHEMES[name.lower()]


def quantize_onnx(source: Path, name: str, out: Path, threads: int | None, reporter: Reporter = SILENT) -> QuantReport:
    """Write `out` in the scheme `name` from an f32 or f16 folder."""
    scheme = onnx_scheme(name)
    check_output_folder(out, OWN_FILES)
    folder = OnnxFolder.open(source)
    if scheme is None or folder.scheme not in UNQUANTIZED:
        which = f"{source} is {folder.scheme} already" if scheme else f"--type {name} does not quantize"
        raise UsageError(f"{which}; quantize an f32 or f16 folder to int8 or int4")
    if out.exists() and out.samefile(source):
        raise OutputError(f"{out} is the folder to quantize; give another -o")
    with reporter.progress("checking the source", folder.size, "bytes") as bar:
        whole = folder.data_is_whole(bar.advance)
    if not whole:  # the smaller model would look whole
        raise ModelFileError(f"{source}: the data is damaged (its checksum differs); copy or convert it again")
    return write_onnx(folder.model(), scheme, out, folder.size, threads, f"quantizing to {name}", reporter=reporter)


def write_onnx(
    model: OnnxModel,
    scheme: OnnxScheme | None,
    out: Path,
    before: int,
    threads: int | None,
    what: str,
    verify: Callable[[Path], None] = lambda _: None,
    reporter: Reporter = SILENT,
) -> QuantReport:
    """Write `out`. `before`: bytes of the source. `verify` looks at what was written before it gets its name."""
    used = chosen_threads(threads)
    if scheme is not None:
        model = quantized_model(model, scheme, used)
    with atomic_folder(out, OWN_FILES) as beside:
        with reporter.progress(what, model.nbytes(), "bytes") as bar:
            write_folder(model, beside, bar.advance)
        with reporter.progress("reading back", model.nbytes(), "bytes") as bar:
            if not OnnxFolder.open(beside).data_is_whole(bar.advance):
                raise ModelFileError(f"{out}: the data differs when read back; the disk may be failing")
        verify(beside)
    return report(model, scheme.name if scheme else model.properties["logos.scheme"], before, bytes_of(out))
