"""GGUF to a smaller GGUF through llama.cpp's own quantizer, and a report of what became of each tensor."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logos_cli import engine_llamacpp_library as library
from logos_cli.errors import EngineError, ModelFileError, OutputError
from logos_cli.gguf_header import GgufHeader, GgufTensor, read_header
from logos_cli.gguf_seal import DATA, HEADER, UNKNOWN, data_sha256, seal
from logos_cli.quant.schemes import Scheme
from logos_cli.threads import chosen_threads

Progress = Callable[[int, int], None]
# Above the mapped source, which counts as resident: the child's buffers and its interpreter.
MEMORY = 500 << 20


@dataclass(frozen=True)
class WiderTensor:
    """A tensor that did not get the scheme's main type, and why."""

    name: str
    type: str
    reason: str


@dataclass(frozen=True)
class QuantReport:
    scheme: str
    bytes_before: int
    bytes_after: int
    bits_per_weight: float
    wider: tuple[WiderTensor, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "scheme": self.scheme,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "bits_per_weight": round(self.bits_per_weight, 3),
            "wider": [{"name": w.name, "type": w.type.lower(), "reason": w.reason} for w in self.wider],
        }


def quantize_gguf(source: Path, target: Path, scheme: Scheme, threads: int | None, progress: Progress) -> QuantReport:
    """Write `target` (a temporary path; the caller renames). `progress` gets (tensors done, all tensors).

    Raises ModelFileError for a source that cannot be quantized, OutputError for a target that cannot be written.
    """
    header = check_source(source)
    if header.sealed and data_sha256(source, header.data_start) != header.text(DATA):
        # The smaller file would look whole.
        raise ModelFileError(f"{source}: the data is damaged (its checksum differs); copy or convert it again")
    fingerprint = hashlib.sha256(f"{header.fingerprint} {scheme.name} {library.VERSION}".encode()).hexdigest()
    keys = {"logos.scheme": scheme.name, "logos.fingerprint": fingerprint, "logos.quantized_from": header.fingerprint}
    keys |= dict.fromkeys((DATA, HEADER), UNKNOWN)
    for message in run_child(source, target, scheme, threads, keys, dry_run=False):
        progress(message["number"], message["total"])
    written = read_header(target)
    seal(target, written.data_start, {DATA: data_sha256(target, written.data_start)})
    wider = tuple(wider_tensors({t.name: t.type for t in written.tensors}, header, scheme))
    return QuantReport(scheme.name, header.size, written.size, written.bits_per_weight, wider)


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
    source: Path, target: Path, scheme: Scheme, threads: int | None, keys: dict[str, str], dry_run: bool
) -> Iterator[dict[str, Any]]:
    """Messages about tensors; raises when the child fails. Closing the iterator ends the child."""
    job = {
        "source": str(source), "target": str(target), "ftype": scheme.ftype, "dry_run": dry_run,
        "threads": chosen_threads(threads), "keys": keys,
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
    """The matrices that differ from the scheme's main type."""
    if not scheme.quantized:
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
