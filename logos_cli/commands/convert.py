"""logos convert LOGOS-pretrain-1B/ -o logos-1b-int4.gguf --type int4"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from logos_cli.errors import LogosError, UsageError
from logos_cli.terminal import options

if TYPE_CHECKING:
    from logos_cli.convert.gguf_vocab import GgufVocab
    from logos_cli.convert.to_gguf import PlannedTensor
    from logos_cli.models.checkpoint import Checkpoint
    from logos_cli.models.tokens import Tokens
    from logos_cli.quant.schemes import Scheme


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
    from logos_cli.convert.nano_model import NANO, nano_checkpoint
    from logos_cli.models.checkpoint import Checkpoint
    from logos_cli.quant.schemes import scheme_named
    from logos_cli.records.output_names import check_name, check_no_stream
    from logos_cli.system.files import check_output

    if activations and (to is not Target.onnx or portable or (type or "").lower() not in ("int8", "int4")):
        raise UsageError("--activations is for --to onnx --type int8 or int4; others have those of their own type")
    if portable and trim_vocab:
        raise UsageError("--portable exports the whole vocabulary; leave out --trim-vocab")
    if portable and to is not Target.onnx:
        raise UsageError("--portable is for --to onnx")
    check_no_stream(out)
    check_name(out, to.value, "give --to, or another name")
    folder = nano_checkpoint() if checkpoint == NANO else Path(checkpoint)
    if to is Target.onnx:
        from logos_cli.commands.onnx_output import estimate_onnx

        if portable and dry_run:
            raise UsageError("--dry-run does not know portable exports; leave out --portable")
        if portable:
            to_portable_folder(Checkpoint.open(folder), type or "f32", out, as_json)
            return
        with vocabulary_of(Checkpoint.open(folder), trim_vocab) as source:
            make = estimate_onnx if dry_run else to_folder
            make(source, type or "f32", activations is Activations.f16, out, threads, as_json)
        return
    scheme = scheme_named(type or "bf16")
    check_output(out)
    with vocabulary_of(Checkpoint.open(folder), trim_vocab) as source:
        if dry_run:
            estimate(source, scheme, out, threads, as_json)
        else:
            write(source, scheme, out, threads, as_json)


@contextmanager
def vocabulary_of(checkpoint: Checkpoint, trim: bool) -> Iterator[Checkpoint]:
    """The checkpoint itself, or with `trim` as one whose vocabulary is cut to the grammar."""
    from logos_cli.convert.trim import trimmed
    from logos_cli.convert.verify import verify_trim
    from logos_cli.models.tokens import Tokens
    from logos_cli.terminal.console import note

    if not trim:
        yield checkpoint
        return
    check_manifest(checkpoint)  # of the whole folder: the cut one has other files
    with trimmed(checkpoint) as found:
        verify_trim(Tokens(checkpoint.path, checkpoint.config.vocabulary), found)
        note(f"vocabulary: {found.config.vocabulary:,} of {checkpoint.config.vocabulary:,} tokens kept")
        yield found


def to_folder(checkpoint: Checkpoint, type: str, half: bool, out: Path, threads: int | None, as_json: bool) -> None:
    from logos_cli.commands.onnx_output import convert_onnx, onnx_scheme
    from logos_cli.commands.quantize import show
    from logos_cli.terminal.console import note, size

    report = convert_onnx(checkpoint, type, half, out, threads)
    if onnx_scheme(type):
        show(out, report)
    else:
        note(f"{out}: {report.scheme}, {size(report.bytes_after)}, read back and verified")
    if as_json:
        sys.stdout.write(json.dumps({"out": str(out), **report.to_dict()}, indent=2) + "\n")


def to_portable_folder(checkpoint: Checkpoint, type: str, out: Path, as_json: bool) -> None:
    from logos_cli.convert.portable_onnx import load_optimum, to_portable
    from logos_cli.models.onnx_model import OWN_FILES
    from logos_cli.models.tokens import Tokens
    from logos_cli.system.files import atomic_folder, bytes_of
    from logos_cli.terminal.console import note, size

    if type not in ("f32", "int8"):
        raise UsageError(
            f"--type {type}: a portable export is f32 or int8; others need the fused operators: leave out --portable"
        )
    load_optimum()
    check_manifest(checkpoint)
    checkpoint.check_tied_head()
    Tokens(checkpoint.path, checkpoint.config.vocabulary).check_markers()
    checkpoint.check_numbers()
    note("exporting through optimum; this takes a minute or two and needs twice the model's size in memory")
    with atomic_folder(out, OWN_FILES) as beside:
        to_portable(checkpoint, type, beside)
    total = bytes_of(out)
    note(f"{out}: {type}, {size(total)}, standard operators only")
    if as_json:
        sys.stdout.write(json.dumps({"out": str(out), "scheme": type, "bytes": total}, indent=2) + "\n")


def write(checkpoint: Checkpoint, scheme: Scheme, out: Path, threads: int | None, as_json: bool) -> None:
    from logos_cli.commands.quantize import show, write_quantized
    from logos_cli.convert.to_gguf import native_scheme
    from logos_cli.system.files import atomic, scratch
    from logos_cli.terminal.console import note, size

    if not scheme.quantized:
        with atomic(out) as beside:
            unquantized(checkpoint, beside, scheme.name)
        total = out.stat().st_size
        note(f"{out}: {scheme.name}, {size(total)}, read back and verified")
        document = {"out": str(out), "scheme": scheme.name, "bytes": total}
    else:
        with scratch(out.with_name(f"{out.name}.{native_scheme(checkpoint)}")) as between:
            unquantized(checkpoint, between, native_scheme(checkpoint))
            report = write_quantized(between, out, scheme.name, threads)
        show(out, report)
        document = {"out": str(out), **report.to_dict()}
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")


def unquantized(checkpoint: Checkpoint, target: Path, scheme: str) -> None:
    """Write `target` and read it back: its data against the checkpoint, its tokenizer against the original."""
    from logos_cli.convert.to_gguf import to_gguf
    from logos_cli.convert.verify import verify_data, verify_tokenizer
    from logos_cli.terminal.console import progress

    vocab, planned = prepared(checkpoint, scheme)
    total = sum(tensor.nbytes for tensor in planned)
    with progress(f"converting to {scheme}", total, "bytes") as bar:
        to_gguf(checkpoint, vocab, target, scheme, bar.advance)
    with progress("reading back", total, "bytes") as bar:
        verify_data(target, checkpoint, planned, bar.advance)
    verify_tokenizer(target, vocab.tokens, checkpoint.kept is not None)


def prepared(checkpoint: Checkpoint, scheme: str) -> tuple[GgufVocab, list[PlannedTensor]]:
    """What will be written, once all but the weights is checked."""
    from logos_cli.convert.gguf_vocab import read_vocab
    from logos_cli.convert.to_gguf import plan

    check_manifest(checkpoint)
    checkpoint.check_tied_head()
    check_sampling(checkpoint)
    vocab = read_vocab(checkpoint)
    say_ignored(vocab.tokens)
    return vocab, plan(checkpoint, scheme)


def say_ignored(tokens: Tokens) -> None:
    from logos_cli.terminal.console import note

    for text in tokens.notes:
        note(f"{tokens.path}: {text}")


def check_manifest(checkpoint: Checkpoint) -> None:
    """Raise for a folder that is not what was fetched: the converted file names the origin of its weights."""
    if checkpoint.kept is not None:
        return  # checked before it was cut
    from logos_cli.errors import CheckpointError
    from logos_cli.models.hub.manifest import MANIFEST, read_manifest, verify_manifest
    from logos_cli.terminal.console import progress

    manifest = read_manifest(checkpoint.path)
    if manifest is None:
        return
    with progress("checking what was fetched", sum(entry.size for entry in manifest.files), "bytes") as bar:
        problems = verify_manifest(checkpoint.path, manifest, progress=bar.advance)
    if problems:
        raise CheckpointError(f"{checkpoint.path}: {problems[0]}; or, if you changed it yourself, remove {MANIFEST}")


def check_sampling(checkpoint: Checkpoint) -> None:
    """Raise now for a sampling table that every later run would stumble over."""
    from logos_cli.engines.sampling import resolve
    from logos_cli.errors import CheckpointError
    from logos_cli.tasks.table import TASKS

    table = checkpoint.document("logos_sampling.json")
    for task in TASKS.values():
        try:
            resolve(task.name, task.sampling, task.source, table, {})
        except (LogosError, AttributeError) as error:
            raise CheckpointError(f"{checkpoint.path / 'logos_sampling.json'}: {error}") from None


def estimate(checkpoint: Checkpoint, scheme: Scheme, out: Path, threads: int | None, as_json: bool) -> None:
    """Check all that `write` checks, every weight too, and say what it would take. Sizes are exact: llama.cpp's own dry run
    over the header the file will have."""
    from tempfile import TemporaryDirectory

    from gguf import GGMLQuantizationType

    from logos_cli.convert.estimate import SPARSE, estimate_unquantized, seconds_to_quantize
    from logos_cli.convert.to_gguf import data_of, native_scheme
    from logos_cli.convert.verify import verify_tokenizer
    from logos_cli.quant.quantize_gguf import MEMORY, planned_size
    from logos_cli.terminal.console import progress

    between = native_scheme(checkpoint) if scheme.quantized else scheme.name
    vocab, planned = prepared(checkpoint, between)
    with progress("checking the weights", sum(tensor.nbytes for tensor in planned), "bytes") as bar:
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
    say_estimate(out, scheme.name, total, disk, memory, seconds, as_json)


def say_estimate(out: Path, scheme: str, total: int, disk: int, memory: int, seconds: float, as_json: bool) -> None:
    from logos_cli.terminal.console import note, size

    if as_json:
        found = {"out": str(out), "scheme": scheme, "bytes": total, "disk_bytes": disk, "memory_bytes": memory}
        sys.stdout.write(json.dumps({**found, "seconds": round(seconds, 1)}, indent=2) + "\n")
    note(f"{out}: {scheme}, {size(total)}; {size(disk)} of disk while it is made")
    note(f"memory: at most {size(memory)}; time: about {seconds:.0f} s on this machine and the disk's own; nothing was written")
