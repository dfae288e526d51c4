"""The verb: a checkpoint becomes a model file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logos_cli.convert.conversion import Conversion, Estimate
from logos_cli.convert.nano_model import NANO, nano_checkpoint
from logos_cli.convert.preconditions import check_manifest
from logos_cli.convert.trim import trimmed
from logos_cli.convert.verify import verify_trim
from logos_cli.errors import UsageError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.tokens import Tokens
from logos_cli.quant.schemes import scheme_named
from logos_cli.system.files import check_output
from logos_cli.system.reporter import SILENT, Reporter

GGUF, ONNX = "gguf", "onnx"


def convert_checkpoint(
    checkpoint: str | Path,
    out: str | Path,
    type: str | None = None,
    *,
    to: str = GGUF,
    activations: str | None = None,
    portable: bool = False,
    trim_vocab: bool = False,
    threads: int | None = None,
    reporter: Reporter = SILENT,
) -> Conversion:
    """Convert a Hugging Face checkpoint folder, or the word `nano`, to the model file `out`, and read it back.

    `type` is a scheme such as bf16, int8 or int4 (by default what loses nothing: bf16 for GGUF, f32 for ONNX); `to` is gguf
    or onnx. For ONNX, `activations` is f32 or f16 and `portable` asks for standard operators only. `trim_vocab` leaves out
    the tokens that no SMILES and no sequence can hold. Raises CheckpointError, TokenizerError, OutputError, UsageError.
    """
    check_options(type, to, activations, portable, trim_vocab)
    out = Path(out)
    opened = _opened(checkpoint, to, type, out)
    if portable:
        from logos_cli.convert.onnx_target import convert_portable

        return convert_portable(opened, type or "f32", out, reporter)
    with _vocabulary_of(opened, trim_vocab, reporter) as source:
        if to == ONNX:
            from logos_cli.convert.onnx_target import convert_onnx

            return convert_onnx(source, type or "f32", activations == "f16", out, threads, reporter)
        from logos_cli.convert.gguf_target import convert_gguf

        return convert_gguf(source, scheme_named(type or "bf16"), out, threads, reporter)


def estimate_conversion(
    checkpoint: str | Path,
    out: str | Path,
    type: str | None = None,
    *,
    to: str = GGUF,
    activations: str | None = None,
    trim_vocab: bool = False,
    threads: int | None = None,
    reporter: Reporter = SILENT,
) -> Estimate:
    """Tell what `convert_checkpoint` would take, after the same checks; nothing is written."""
    check_options(type, to, activations, False, trim_vocab)
    out = Path(out)
    with _vocabulary_of(_opened(checkpoint, to, type, out), trim_vocab, reporter) as source:
        if to == ONNX:
            from logos_cli.convert.onnx_target import estimate_onnx

            return estimate_onnx(source, type or "f32", activations == "f16", out, threads, reporter)
        from logos_cli.convert.gguf_target import estimate_gguf

        return estimate_gguf(source, scheme_named(type or "bf16"), out, threads, reporter)


def check_options(type: str | None, to: str, activations: str | None, portable: bool, trim_vocab: bool) -> None:
    """Raise UsageError for options that do not fit together."""
    if to not in (GGUF, ONNX):
        raise UsageError(f"{to!r} is no kind of model file; it is {GGUF} or {ONNX}")
    if activations and (to != ONNX or portable or (type or "").lower() not in ("int8", "int4")):
        raise UsageError("--activations is for --to onnx --type int8 or int4; others have those of their own type")
    if portable and trim_vocab:
        raise UsageError("--portable exports the whole vocabulary; leave out --trim-vocab")
    if portable and to != ONNX:
        raise UsageError("--portable is for --to onnx")


def _opened(checkpoint: str | Path, to: str, type: str | None, out: Path) -> Checkpoint:
    if to == GGUF:
        scheme_named(type or "bf16")
        check_output(out)
    return Checkpoint.open(nano_checkpoint() if checkpoint == NANO else Path(checkpoint))


@contextmanager
def _vocabulary_of(checkpoint: Checkpoint, trim: bool, reporter: Reporter) -> Iterator[Checkpoint]:
    """The checkpoint itself, or with `trim` as one whose vocabulary is cut to the grammar."""
    if not trim:
        yield checkpoint
        return
    check_manifest(checkpoint, reporter)  # of the whole folder: the cut one has other files
    with trimmed(checkpoint) as found:
        verify_trim(Tokens(checkpoint.path, checkpoint.config.vocabulary), found)
        reporter.note(f"vocabulary: {found.config.vocabulary:,} of {checkpoint.config.vocabulary:,} tokens kept")
        yield found
