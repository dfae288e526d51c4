"""Writing ONNX folders, for convert and quantize."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from logos_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from logos_cli.models.checkpoint import Checkpoint
    from logos_cli.models.onnx_model import OnnxModel
    from logos_cli.models.tokens import Tokens
    from logos_cli.quant.quantize_gguf import QuantReport
    from logos_cli.quant.schemes import OnnxScheme

UNQUANTIZED = ("f32", "f16")


def onnx_scheme(name: str) -> OnnxScheme | None:
    """The scheme of a --type word for ONNX; None for f32 and f16. Raises UsageError."""
    from logos_cli.quant.schemes import ONNX_SCHEMES

    if name.lower() in UNQUANTIZED:
        return None
    if name.lower() not in ONNX_SCHEMES:
        raise UsageError(f"--type {name}: an ONNX model is one of {', '.join((*UNQUANTIZED, *ONNX_SCHEMES))}")
    return ONNX_SCHEMES[name.lower()]


def prepared(checkpoint: Checkpoint, name: str, half: bool, out: Path) -> tuple[OnnxModel, Tokens]:
    """The model in float32 or float16, none of its weights read yet, once all else about checkpoint and `out` is checked."""
    from logos_cli.commands.convert import check_manifest, check_sampling, say_ignored
    from logos_cli.convert.to_onnx import to_onnx
    from logos_cli.models.onnx_model import OWN_FILES
    from logos_cli.models.tokens import Tokens
    from logos_cli.system.files import check_output_folder

    check_output_folder(out, OWN_FILES)
    check_manifest(checkpoint)
    checkpoint.check_tied_head()
    check_sampling(checkpoint)
    tokens = Tokens(checkpoint.path, checkpoint.config.vocabulary)
    tokens.check_markers()
    say_ignored(tokens)
    return to_onnx(checkpoint, "f16" if half or name.lower() == "f16" else "f32"), tokens


def convert_onnx(checkpoint: Checkpoint, name: str, half: bool, out: Path, threads: int | None) -> QuantReport:
    """Write `out` in the scheme `name`; with `half` the activations of int8 and int4 are float16."""
    from logos_cli.convert.verify import verify_onnx_tokens

    scheme = onnx_scheme(name)
    model, tokens = prepared(checkpoint, name, half, out)
    before = sum(tensor.nbytes for tensor in checkpoint.tensors.values())

    def verify(folder: Path) -> None:
        verify_onnx_tokens(folder, tokens, checkpoint.kept is not None)

    return write_onnx(model, scheme, out, before, threads, f"converting to {name}", verify)


def estimate_onnx(checkpoint: Checkpoint, name: str, half: bool, out: Path, threads: int | None, as_json: bool) -> None:
    """Check all that `convert_onnx` checks, every weight too, and say what it would take. Sizes are exact."""
    from logos_cli.commands.convert import say_estimate
    from logos_cli.convert.estimate import estimate_folder
    from logos_cli.quant.onnx_blocks import seconds_to_pack
    from logos_cli.quant.quantize_onnx import quantized_model
    from logos_cli.system.threads import chosen_threads
    from logos_cli.terminal.console import progress

    scheme = onnx_scheme(name)
    model, _ = prepared(checkpoint, name, half, out)
    with progress("checking the weights", model.nbytes(), "bytes") as bar:
        found = estimate_folder(model, bar.advance, (lambda one: quantized_model(one, scheme, 1)) if scheme else None)
    seconds = found.seconds
    if scheme is not None:
        seconds += seconds_to_pack(sum(tensor.elements for tensor in checkpoint.tensors.values()), scheme.bits)
        seconds /= chosen_threads(threads)
    say_estimate(out, name, found.bytes, found.bytes, found.memory, seconds, as_json)


def quantize_onnx(source: Path, name: str, out: Path, threads: int | None) -> QuantReport:
    """Write `out` in the scheme `name` from an f32 or f16 folder."""
    from logos_cli.errors import ModelFileError
    from logos_cli.models.onnx_folder import OnnxFolder
    from logos_cli.models.onnx_model import OWN_FILES
    from logos_cli.system.files import check_output_folder
    from logos_cli.terminal.console import progress

    scheme = onnx_scheme(name)
    check_output_folder(out, OWN_FILES)
    folder = OnnxFolder.open(source)
    if scheme is None or folder.scheme not in UNQUANTIZED:
        which = f"{source} is {folder.scheme} already" if scheme else f"--type {name} does not quantize"
        raise UsageError(f"{which}; quantize an f32 or f16 folder to int8 or int4")
    if out.exists() and out.samefile(source):
        raise OutputError(f"{out} is the folder to quantize; give another -o")
    with progress("checking the source", folder.size, "bytes") as bar:
        whole = folder.data_is_whole(bar.advance)
    if not whole:  # the smaller model would look whole
        raise ModelFileError(f"{source}: the data is damaged (its checksum differs); copy or convert it again")
    return write_onnx(folder.model(), scheme, out, folder.size, threads, f"quantizing to {name}")


def write_onnx(
    model: OnnxModel,
    scheme: OnnxScheme | None,
    out: Path,
    before: int,
    threads: int | None,
    what: str,
    verify: Callable[[Path], None] = lambda _: None,
) -> QuantReport:
    """`before`: bytes of the source. `verify` looks at what was written before it gets its name."""
    from logos_cli.errors import ModelFileError
    from logos_cli.models.onnx_folder import OnnxFolder
    from logos_cli.models.onnx_model import OWN_FILES, write_folder
    from logos_cli.quant.quantize_onnx import quantized_model, report
    from logos_cli.system.files import atomic_folder, bytes_of
    from logos_cli.system.threads import chosen_threads
    from logos_cli.terminal.console import progress

    used = chosen_threads(threads)
    if scheme is not None:
        model = quantized_model(model, scheme, used)
    with atomic_folder(out, OWN_FILES) as beside:
        with progress(what, model.nbytes(), "bytes") as bar:
            write_folder(model, beside, bar.advance)
        with progress("reading back", model.nbytes(), "bytes") as bar:
            if not OnnxFolder.open(beside).data_is_whole(bar.advance):
                raise ModelFileError(f"{out}: the data differs when read back; the disk may be failing")
        verify(beside)
    return report(model, scheme.name if scheme else model.properties["logos.scheme"], before, bytes_of(out))
