"""What an ONNX folder is, and whether it is whole."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from logos_cli.errors import CheckpointError, ModelFileError
from logos_cli.inspection.inspection import TRIMMED, Inspection, Progress, Vocabulary, grouped, read_vocabulary, report_values
from logos_cli.models.checkpoint_config import read_json
from logos_cli.models.gguf_header import TRIM_IDS
from logos_cli.models.onnx_folder import OnnxFolder
from logos_cli.models.onnx_model import DATA
from logos_cli.models.tensor_values import all_finite

_PIECE = 16 << 20


def inspect_onnx(path: Path, quick: bool, progress: Progress = lambda _: None) -> Inspection:
    """Read the folder, all of its weights unless `quick`. Raises ModelFileError for one that cannot be run."""
    folder = OnnxFolder.open(path)
    config, properties = folder.config, folder.properties
    named = {"source": "logos.source", "license": "logos.license", "quantized_from": "logos.made_from", "bits": "logos.bits"}
    activations = "f16" if folder.half else "f32"
    found = Inspection(
        path, "onnx", folder.size,
        {
            "name": config.architecture.hf_class, "layers": config.layers, "hidden": config.hidden, "ffn": config.ffn,
            "heads": config.heads, "kv_heads": config.kv_heads, "head": config.head, "context": config.context,
            "rope_theta": config.rope_theta, "rope_scaling": "llama3" if config.rope_scaling else "none",
            "tied_head": config.tied,
        },
        folder.scheme, folder.fingerprint,
        {"written_by": "logos", **{name: properties[key] for name, key in named.items() if key in properties},
         "activations": activations, **({"vocabulary": TRIMMED} if TRIM_IDS in properties else {})},
        onnx_vocabulary(folder), tuple(folder.sampling), grouped(weights(folder)),
        tuple({"name": file.name, "size": file.stat().st_size} for file in sorted(path.iterdir()) if file.is_file()),
    )  # fmt: skip
    found.checks.append("checksums of graph and side files")
    if not quick:
        check_data(folder, found, progress)
    return found


def weights(folder: OnnxFolder) -> list[tuple[str, str, int, int]]:
    """(name, type, parameters, bytes) of every weight, the scales of a quantized one counted with it."""
    found, seen = [], set()
    for name, tensor in sorted(folder.tensors.items(), key=lambda item: item[1].offset):
        base, _, last = name.rpartition(".")
        if last == "scales" or name.endswith("_cache") or tensor.offset in seen:
            continue
        seen.add(tensor.offset)
        bits = {"q4": 4, "q8": 8}.get(last) if f"{base}.scales" in folder.tensors else None
        if bits is None:
            found.append((name, tensor.dtype, math.prod(tensor.shape), tensor.nbytes))
        else:
            size = tensor.nbytes + folder.tensors[f"{base}.scales"].nbytes
            found.append((base, f"int{bits}", tensor.nbytes * 8 // bits, size))
    return found


def onnx_vocabulary(folder: OnnxFolder) -> Vocabulary:
    try:
        document = read_json(folder.path / "tokenizer.json")
        added = {entry["content"] for entry in document.get("added_tokens") or []}
        kind = str(document["model"].get("type", "BPE"))
    except (CheckpointError, KeyError, TypeError, AttributeError):
        raise ModelFileError(f"{folder.path / 'tokenizer.json'}: damaged; convert the model again") from None
    return read_vocabulary(folder.config.vocabulary, added, kind, None)


def check_data(folder: OnnxFolder, found: Inspection, progress: Progress) -> None:
    """Read the data once: its checksum against the graph's, and every float for NaN."""
    digest, bad, floats = hashlib.sha256(), [], 0
    with (folder.path / DATA).open("rb") as stream:

        def take(count: int) -> bytes:
            raw = stream.read(count)
            digest.update(raw)
            progress(len(raw))
            return raw

        for tensor in sorted(folder.tensors.values(), key=lambda t: t.offset):
            if tensor.offset < stream.tell():
                continue  # the same bytes under another name
            take(tensor.offset - stream.tell())
            floats += tensor.dtype != "U8"
            left, finite = tensor.nbytes, True
            while left:
                raw = take(min(left, _PIECE))
                if not raw:
                    break  # the file shrinks; its checksum will say so
                left -= len(raw)
                finite = finite and (tensor.dtype == "U8" or all_finite(raw, tensor.dtype))
            if not finite:
                bad.append(tensor.name)
        while take(_PIECE):
            pass
    if digest.hexdigest() != folder.properties.get("logos.data_sha256"):
        found.problems.append("the data is damaged: its checksum differs from the one in the graph")
    else:
        found.checks.append("data checksum")
    report_values(found, bad, floats)
