"""What a GGUF file is, and whether it is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from logos_cli.errors import ModelFileError
from logos_cli.inspection.inspection import TRIMMED, Inspection, Progress, Vocabulary, grouped, read_vocabulary, report_values
from logos_cli.models.gguf_header import TRIM_IDS, GgufHeader, GgufTensor, read_header
from logos_cli.models.gguf_seal import DATA, HEADER

_PIECE = 16 << 20


def inspect_gguf(path: Path, quick: bool, progress: Progress = lambda _: None) -> Inspection:
    """Read `path`, all of it unless `quick`. Raises ModelFileError for a header that cannot be read."""
    header = read_header(path)
    arch = header.text("general.architecture", "unknown")
    found = Inspection(
        path, "gguf", header.size, gguf_architecture(header, arch), header.scheme, header.fingerprint,
        gguf_provenance(header), gguf_vocabulary(header), tuple(header.sampling),
        grouped((t.name, t.type, t.elements, t.nbytes) for t in header.tensors),
    )  # fmt: skip
    if header.sealed:
        found.checks.append("header checksum")
    elif HEADER in header.keys:
        found.problems.append("the header is not what logos wrote: another program changed the file, or it is damaged")
    if not quick:
        check_data(header, found, progress)
    return found


def gguf_architecture(header: GgufHeader, arch: str) -> dict[str, Any]:
    keys = {
        "layers": "block_count", "hidden": "embedding_length", "ffn": "feed_forward_length", "heads": "attention.head_count",
        "kv_heads": "attention.head_count_kv", "head": "rope.dimension_count", "context": "context_length",
        "rope_theta": "rope.freq_base",
    }  # fmt: skip
    names = {tensor.name for tensor in header.tensors}
    scaling = "llama3" if "rope_freqs.weight" in names else header.text(f"{arch}.rope.scaling.type", "none")
    found = {name: header.keys.get(f"{arch}.{key}") for name, key in keys.items()}
    if found["head"] is None:  # a family whose heads have a size of their own names it once
        found["head"] = header.keys.get(f"{arch}.attention.key_length")
    if experts := header.integer(f"{arch}.expert_count"):
        found |= {"experts": experts, "experts_used": header.integer(f"{arch}.expert_used_count")}
    return {"name": arch, **found, "rope_scaling": scaling, "tied_head": "output.weight" not in names}


def gguf_provenance(header: GgufHeader) -> dict[str, Any]:
    written = "logos" if header.sealed else "another program"
    named = {"name": "general.name", "source": "logos.source", "license": "general.license"}
    if header.sealed:
        named |= {"quantized_from": "logos.quantized_from", "rounding": "logos.rounding"}
    named["calibrated_on"] = "quantize.imatrix.dataset"
    cut = {"vocabulary": TRIMMED} if TRIM_IDS in header.keys else {}
    return {"written_by": written, **cut, **{name: header.text(key) for name, key in named.items() if header.text(key)}}


def gguf_vocabulary(header: GgufHeader) -> Vocabulary:
    added = header.added_tokens
    if added is None:
        raise ModelFileError(f"{header.path}: no vocabulary in its header; convert the model again")
    adds_bos = header.keys.get("tokenizer.ggml.add_bos_token")
    pre = header.text("tokenizer.ggml.pre") or ("without a named pre-tokenizer" if header.guesses_pieces else "")
    name = f"{header.text('tokenizer.ggml.model')} {pre}".strip()
    size = len(header.keys["tokenizer.ggml.tokens"])
    return read_vocabulary(size, set(added), name, adds_bos if isinstance(adds_bos, bool) else None)


def check_data(header: GgufHeader, found: Inspection, progress: Progress) -> None:
    """Read the data once: its checksum against the header's, and every scale and float for NaN."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    from logos_cli.models.tensor_values import all_finite

    digest, bad = hashlib.sha256(), []
    with header.path.open("rb") as stream:
        stream.seek(header.data_start)

        def take(count: int) -> bytes:
            raw = stream.read(count)
            digest.update(raw)
            progress(len(raw))
            return raw

        for tensor in sorted(header.tensors, key=lambda t: t.offset):
            # What lies between two tensors; a table in which they overlap has no checksum of ours.
            take(max(0, header.data_start + tensor.offset - stream.tell()))
            stream.seek(header.data_start + tensor.offset)
            block = GGML_QUANT_SIZES[GGMLQuantizationType[tensor.type]][1]
            finite = [all_finite(take(size), tensor.type) for size in pieces(tensor, block)]
            if not all(finite):
                bad.append(tensor.name)
        while take(_PIECE):
            pass
    if header.sealed and digest.hexdigest() != header.text(DATA):
        found.problems.append("the data is damaged: its checksum differs from the one in the header")
    elif header.sealed:
        found.checks.append("data checksum")
    report_values(found, bad, len(header.tensors))


def pieces(tensor: GgufTensor, block: int) -> Iterable[int]:
    """Sizes of at most `_PIECE` bytes, whole blocks each, that add up to the tensor."""
    step = _PIECE // block * block
    return (min(step, tensor.nbytes - start) for start in range(0, tensor.nbytes, step))
