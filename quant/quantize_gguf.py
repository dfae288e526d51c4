"""GGUF to a smaller GGUF through llama.cpp's own quantizer, and a report of what became of each tensor.

A recipe adds to the scheme what was measured: an importance matrix, and a type for single matrices.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from logos_cli.engines.llamacpp import library
from logos_cli.errors import EngineError, ModelFileError, OutputError
from logos_cli.models.gguf_header import GgufHeader, GgufTensor, read_header
from logos_cli.models.gguf_seal import DATA, HEADER, UNKNOWN, data_sha256, seal
from logos_cli.quant.calibration.imatrix import Imatrix, read_imatrix
from logos_cli.quant.calibration.refine_gguf import Refiner
from logos_cli.quant.report import QuantReport, WiderTensor
from logos_cli.quant.schemes import MIXED, Scheme
from logos_cli.system.files import atomic, check_output
from logos_cli.system.reporter import SILENT, Reporter
from logos_cli.system.threads import chosen_threads

Progress = Callable[[int, int], None]
ROUNDING = "logos.rounding"
# Above the mapped source, which counts as resident: the child's buffers and its interpreter.
MEMORY = 500 << 20


@dataclass(frozen=True)
class Recipe:
    """`imatrix` is the file of an importance matrix, `types` the ggml types of matrices by name."""

    imatrix: Path | None = None
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of what the bits of the result depend on."""
        if self.imatrix is None and not self.types:
            return ""
        content = self.imatrix.read_bytes() if self.imatrix else b""
        return hashlib.sha256(content + json.dumps(dict(self.types), sort_keys=True).encode()).hexdigest()


PLAIN = Recipe()


def quantize_gguf(
    source: Path,
    target: Path,
    scheme: Scheme,
    threads: int | None,
    progress: Progress,
    recipe: Recipe = PLAIN,
    refiner: Refiner | None = None,
) -> QuantReport:
    """Write `target` (a temporary path; the caller renames). `progress` gets (tensors done, all tensors); with `refiner` the
    matrices are then rounded with feedback.

    Raises ModelFileError for a source that cannot be quantized, OutputError for a target that cannot be written.
    """
    header = check_source(source)
    if header.sealed and data_sha256(source, header.data_start) != header.text(DATA):
        # The smaller file would look whole.
        raise ModelFileError(f"{source}: the data is damaged (its checksum differs); copy or convert it again")
    rounding = refiner.digest if refiner else ""
    described = " ".join(filter(None, (header.fingerprint, scheme.name, library.VERSION, recipe.digest, rounding)))
    fingerprint = hashlib.sha256(described.encode()).hexdigest()
    keys: dict[str, str | int] = {
        "logos.scheme": scheme.name, "logos.fingerprint": fingerprint, "logos.quantized_from": header.fingerprint,
    }  # fmt: skip
    keys |= dict.fromkeys((DATA, HEADER), UNKNOWN)
    if recipe.imatrix is not None:
        imatrix = read_imatrix(recipe.imatrix)
        imatrix.check(recipe.imatrix, header)
        keys |= imatrix_keys(imatrix, recipe.imatrix)
    if refiner is not None:
        keys[ROUNDING] = "feedback"
    for message in run_child(source, target, scheme, threads, keys, dry_run=False, recipe=recipe):
        progress(message["number"], message["total"])
    written = read_header(target)
    other = [
        f"{t.name} is {t.type}, not {recipe.types[t.name]}"
        for t in written.tensors
        if recipe.types.get(t.name, t.type) != t.type
    ]
    if other:
        raise EngineError(f"{source}: llama.cpp did not take the types it was given: {other[0]}; please report this model")
    if refiner is not None:
        refiner.refine(target, written)
    seal(target, written.data_start, {DATA: data_sha256(target, written.data_start)})
    wider = tuple(wider_tensors({t.name: t.type for t in written.tensors}, header, scheme))
    return QuantReport(scheme.name, header.size, written.size, written.bits_per_weight, wider)


def check_target(source: Path, out: Path) -> None:
    """Raise OutputError for an `out` that cannot be written, or that is the source."""
    check_output(out)
    if out.exists() and out.samefile(source):
        raise OutputError(f"{out} is the file to quantize; give another -o")


def write_quantized(
    source: Path,
    out: Path,
    scheme: Scheme | None,
    threads: int | None,
    recipe: Recipe = PLAIN,
    refiner: Refiner | None = None,
    reporter: Reporter = SILENT,
) -> QuantReport:
    """Quantize `source` to `out`, which appears complete or not at all. `scheme` None: by the recipe's types."""
    check_target(source, out)
    chosen = scheme or MIXED
    with atomic(out) as beside, reporter.progress(f"quantizing to {chosen.name}", None, "tensors") as bar:
        if refiner:
            refiner = replace(refiner, progress=bar.set)
        return quantize_gguf(source, beside, chosen, threads, bar.set, recipe, refiner)


def imatrix_keys(imatrix: Imatrix, path: Path) -> dict[str, str | int]:
    """What llama-quantize writes about an importance matrix; llama.cpp takes texts of at most 127 bytes."""
    named = {"file": path.name, "dataset": next(iter(imatrix.datasets), "")}
    return {
        **{f"quantize.imatrix.{key}": text.encode()[:127].decode("utf-8", "ignore") for key, text in named.items()},
        "quantize.imatrix.entries_count": len(imatrix.sums),
        "quantize.imatrix.chunks_count": -(-imatrix.tokens // max(1, imatrix.chunk)),
    }


def planned_size(source: Path, scheme: Scheme) -> QuantReport:
    """What `quantize_gguf` would give, from llama.cpp's own dry run: nothing is read but the header."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    header = check_source(source)
    types = {m["name"]: m["type"].upper() for m in run_child(source, Path("-"), scheme, None, {}, dry_run=True)}
    total = header.data_start
    for tensor in header.tensors:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType[types.get(tensor.name, tensor.type)]]
        total += -(-(tensor.elements // block * size) // 32) * 32
    wider = tuple(wider_tensors(types, header, scheme))
    return QuantReport(scheme.name, header.size, total, 8 * (total - header.data_start) / header.elements, wider)


def check_source(source: Path) -> GgufHeader:
    header = read_header(source)
    quantized = {t.type for t in header.tensors} - {"F32", "F16", "BF16"}
    if quantized:
        raise ModelFileError(
            f"{source} is already quantized ({header.scheme}); quantize the bf16, f16 or f32 file it was made from"
        )
    return header


def run_child(
    source: Path,
    target: Path,
    scheme: Scheme,
    threads: int | None,
    keys: Mapping[str, str | int],
    dry_run: bool,
    recipe: Recipe = PLAIN,
) -> Iterator[dict[str, Any]]:
    """Messages about tensors; raises when the child fails. Closing the iterator ends the child."""
    job = {
        "source": str(source), "target": str(target), "ftype": scheme.ftype, "dry_run": dry_run,
        "threads": chosen_threads(threads), "keys": keys, "imatrix": str(recipe.imatrix) if recipe.imatrix else None,
        "types": dict(recipe.types),
    }  # fmt: skip
    command = [sys.executable, "-m", "logos_cli.quant.llamacpp_child", json.dumps(job)]
    # A session of its own: Ctrl-C reaches this process only, which then ends the child.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout and child.stderr
        try:
            end: dict[str, Any] = {}
            for line in child.stdout:
                message = json.loads(line)
                if "code" in message:
                    end = message
                else:
                    yield message
            complaint = child.stderr.read()
        except BaseException:
            child.kill()
            raise
    if not end:
        last = complaint.strip().splitlines()[-1:] or [f"exit status {child.returncode}"]
        raise EngineError(f"{source}: llama.cpp ended while quantizing ({last[0][:200]}); the file may be damaged")
    if end["code"] != 0:
        if any(word in end["reason"] for word in ("iostream", "basic_ios", "write")):
            raise OutputError(f"{target}: cannot be written, the disk may be full ({end['reason']})")
        raise ModelFileError(f"{source}: llama.cpp cannot quantize it ({end['reason']})")


def wider_tensors(types: dict[str, str], source: GgufHeader, scheme: Scheme) -> Iterator[WiderTensor]:
    """The matrices that differ from the scheme's main type, if it has one."""
    if not scheme.quantized or not scheme.main:
        return
    for tensor in source.tensors:
        kind = types.get(tensor.name, tensor.type).upper()
        if kind != scheme.main and len(tensor.shape) > 1:
            yield WiderTensor(tensor.name, kind, _reason(tensor, scheme))


def _reason(tensor: GgufTensor, scheme: Scheme) -> str:
    row = tensor.shape[0]
    if row % scheme.block:
        return f"row length {row} is not divisible by {scheme.block}"
    return f"llama.cpp's {scheme.name.upper()} keeps it wider ({scheme.wider})"
