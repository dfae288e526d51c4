"""Checkpoint to a GGUF file: unquantized, or quantized by way of an unquantized one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from logos_cli.convert.conversion import Conversion, Estimate
from logos_cli.convert.estimate import SPARSE, estimate_unquantized, seconds_to_quantize
from logos_cli.convert.gguf_vocab import GgufVocab, read_vocab
from logos_cli.convert.preconditions import check_manifest, check_sampling, note_ignored
from logos_cli.convert.to_gguf import PlannedTensor, data_of, native_scheme, plan, to_gguf
from logos_cli.convert.verify import verify_data, verify_tokenizer
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.quant.quantize_gguf import MEMORY, planned_size, write_quantized
from logos_cli.quant.schemes import Scheme
from logos_cli.system.files import atomic, scratch
from logos_cli.system.reporter import SILENT, Reporter


def convert_gguf(
    checkpoint: Checkpoint, scheme: Scheme, out: Path, threads: int | None, reporter: Reporter = SILENT
) -> Conversion:
    """Write `out` in `scheme`; it appears complete or not at all."""
    if not scheme.quantized:
        with atomic(out) as beside:
            planned = _write_unquantized(checkpoint, beside, scheme.name, reporter)
            total = sum(tensor.nbytes for tensor in planned)
            with reporter.progress("reading back", total, "bytes") as bar:
                verify_data(beside, checkpoint, planned, bar.advance)
        return Conversion(out, scheme.name, out.stat().st_size)
    with scratch(out.with_name(f"{out.name}.{native_scheme(checkpoint)}")) as between:
        # Not read back here: the quantizer compares the checksum of all data before it reads it.
        _write_unquantized(checkpoint, between, native_scheme(checkpoint), reporter)
        report = write_quantized(between, out, scheme, threads, reporter=reporter)
    return Conversion(out, report.scheme, report.bytes_after, report, quantized=True)


def _write_unquantized(checkpoint: Checkpoint, target: Path, scheme: str, reporter: Reporter) -> list[PlannedTensor]:
    """Write `target` and compare its tokenizer with the original; what was written."""
    vocab, planned = _prepared(checkpoint, scheme, reporter)
    with reporter.progress(f"converting to {scheme}", sum(tensor.nbytes for tensor in planned), "bytes") as bar:
        to_gguf(checkpoint, vocab, target, scheme, bar.advance)
    verify_tokenizer(target, vocab.tokens, checkpoint.kept is not None)
    return planned


def _prepared(checkpoint: Checkpoint, scheme: str, reporter: Reporter) -> tuple[GgufVocab, list[PlannedTensor]]:
    """What will be written, once all but the weights is checked."""
    check_manifest(checkpoint, reporter)
    checkpoint.check_tied_head()
    check_sampling(checkpoint)
    vocab = read_vocab(checkpoint)
    note_ignored(vocab.tokens, reporter)
    return vocab, plan(checkpoint, scheme)


def estimate_gguf(
    checkpoint: Checkpoint, scheme: Scheme, out: Path, threads: int | None, reporter: Reporter = SILENT
) -> Estimate:
    """Check all that `convert_gguf` checks, every weight too, and tell what it would take. Sizes are exact: llama.cpp's own
    dry run over the header the file will have."""
    from gguf import GGMLQuantizationType

    between = native_scheme(checkpoint) if scheme.quantized else scheme.name
    vocab, planned = _prepared(checkpoint, between, reporter)
    with reporter.progress("checking the weights", sum(tensor.nbytes for tensor in planned), "bytes") as bar:
        for tensor in planned:
            for piece in data_of(tensor, checkpoint.config):
                bar.advance(len(piece))
    with TemporaryDirectory() as folder:
        first = estimate_unquantized(checkpoint, between, Path(folder))
        verify_tokenizer(Path(folder) / SPARSE, vocab.tokens, checkpoint.kept is not None)
        total = disk = first.bytes
        memory, seconds = first.memory, first.seconds
        if scheme.quantized:
            report = planned_size(Path(folder) / SPARSE, scheme)
            total, disk = report.bytes_after, first.bytes + report.bytes_after
            memory = first.bytes + MEMORY
            elements = sum(tensor.elements for tensor in checkpoint.tensors.values())
            seconds += seconds_to_quantize(elements, GGMLQuantizationType[scheme.main], threads)
    return Estimate(out, scheme.name, total, disk, memory, seconds)
