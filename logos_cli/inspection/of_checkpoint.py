"""What a checkpoint folder is, and whether it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from logos_cli.inspection.inspection import Inspection, Progress, Vocabulary, grouped, read_vocabulary, report_values
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.hub.manifest import Manifest, read_manifest, verify_manifest


def inspect_checkpoint(path: Path, quick: bool, progress: Progress = lambda _: None) -> Inspection:
    """Read the folder, all of its weights unless `quick`. Raises CheckpointError for one that cannot be converted."""
    checkpoint = Checkpoint.open(path)
    config = checkpoint.config
    manifest = read_manifest(path)
    tensors = checkpoint.tensors.values()
    weights = sorted({tensor.path for tensor in tensors})
    found = Inspection(
        path, "checkpoint", sum(file.stat().st_size for file in weights),
        {
            "name": config.architecture.hf_class, "layers": config.layers, "hidden": config.hidden, "ffn": config.ffn,
            "heads": config.heads, "kv_heads": config.kv_heads, "head": config.head, "context": config.context,
            "rope_theta": config.rope_theta, "rope_scaling": "llama3" if config.rope_scaling else "none",
            "tied_head": config.tied,
            **({"experts": config.experts, "experts_used": config.experts_used} if config.experts else {}),
        },
        ", ".join(sorted({t.dtype.lower() for t in tensors if len(t.shape) > 1})), "", checkpoint_provenance(manifest),
        checkpoint_vocabulary(checkpoint), tuple(checkpoint.document("logos_sampling.json")),
        grouped((t.name, t.dtype, t.nbytes // (4 if t.dtype == "F32" else 2), t.nbytes) for t in tensors),
        tuple({"name": file.name, "size": file.stat().st_size} for file in weights),
    )  # fmt: skip
    if manifest is not None:
        problems = verify_manifest(path, manifest, sizes_only=quick, progress=progress)
        found.problems.extend(problems)
        if not problems:
            what = "sizes" if quick else "sizes and sha256"
            found.checks.append(f"{what} of {len(manifest.files)} files as the hub stated them")
    if not quick:
        check_weights(checkpoint, found, progress)
    return found


def checkpoint_provenance(manifest: Manifest | None) -> dict[str, Any]:
    if manifest is None:
        return {}
    stated = {"source": f"{manifest.repo}@{manifest.commit}", "fetched": manifest.date, "license": manifest.license}
    return {name: value for name, value in stated.items() if value}


def checkpoint_vocabulary(checkpoint: Checkpoint) -> Vocabulary:
    document = checkpoint.document("tokenizer.json")
    model, added = document.get("model"), document.get("added_tokens") or []
    texts = {
        entry["content"]
        for entry in (added if isinstance(added, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("content"), str)
    }
    kind = str(model.get("type", "BPE")) if isinstance(model, dict) else "unknown"
    return read_vocabulary(checkpoint.config.vocabulary, texts, kind, None)


def check_weights(checkpoint: Checkpoint, found: Inspection, progress: Progress) -> None:
    from logos_cli.models.tensor_values import all_finite

    bad = []
    for tensor in checkpoint.tensors.values():
        finite = True
        for span in tensor.pieces():
            raw = tensor.rows(*span)
            finite = all_finite(raw, tensor.dtype) and finite
            progress(len(raw))
        if not finite:
            bad.append(tensor.name)
    report_values(found, bad, len(checkpoint.tensors))
