"""Folders that are no plain checkpoint, named as what they are: quantized ones, LoRA adapters, the hub's cache."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError
from logos_cli.models.checkpoint_config import read_json

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CACHED = "models--"
# What the loaders of each method call it (`quantization_config.quant_method`), and what its users do.
_METHODS = {
    "bitsandbytes": "bitsandbytes", "gptq": "GPTQ", "awq": "AWQ", "fp8": "FP8", "fbgemm_fp8": "FP8", "mxfp4": "MXFP4",
    "compressed-tensors": "compressed-tensors", "mlx": "MLX", "hqq": "HQQ", "quanto": "quanto", "torchao": "torchao",
    "aqlm": "AQLM", "eetq": "EETQ", "modelopt": "ModelOpt",
}  # fmt: skip
# Endings of tensors that only one method writes, for folders whose config.json does not say.
_TENSORS = {
    ".quant_state.bitsandbytes__nf4": "bitsandbytes", ".quant_state.bitsandbytes__fp4": "bitsandbytes",
    ".absmax": "bitsandbytes", ".SCB": "bitsandbytes", ".qzeros": "GPTQ or AWQ", ".qweight": "GPTQ or AWQ",
    ".weight_packed": "compressed-tensors", ".weight_scale_inv": "FP8", ".weight_scale": "FP8 or compressed-tensors",
}  # fmt: skip
_PREFIXES = {
    "_orig_mod.": "torch.compile",
    "module.": "DataParallel",
    "base_model.model.": "PEFT, not merged",
    "_fsdp_wrapped_module.": "FSDP",
}


def check_folder(path: Path) -> None:
    """Raise CheckpointError for a path that holds no checkpoint of its own, with where one is."""
    if found := elsewhere(path):
        raise CheckpointError(found)
    if not path.is_dir():
        if path.exists():
            raise CheckpointError(f"{path} is a file, not a checkpoint folder; give the folder that holds config.json")
        raise CheckpointError(f"{path} is not there; give the folder that holds config.json and model.safetensors")


def elsewhere(path: Path) -> str | None:
    """What to say of a repository's name, the hub's cache of one, and a LoRA adapter: where the model itself is."""
    if _REPO.fullmatch(str(path)) and not path.exists() and not path.parent.is_dir():
        return f"{path} is not there; if it is a repository on the hub, fetch it: logos pull {path}"
    if path.name.startswith(_CACHED) and (path / "snapshots").is_dir():
        return f"{path} is the hub's cache of a repository; {_snapshot(path)}"
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        base = read_json(path / "adapter_config.json").get("base_model_name_or_path")
        of = f" of {base}" if isinstance(base, str) and base else ""
        return (
            f"{path}: a LoRA adapter{of}, not a whole model; merge it into its base (merge_and_unload of peft), save that "
            "and take its folder"
        )
    return None


def _snapshot(path: Path) -> str:
    """What to give instead of a cache folder: the revision that `main` is, else the newest that is there."""
    found = sorted((one for one in (path / "snapshots").iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    named = path / "refs" / "main"
    wanted = path / "snapshots" / named.read_text().strip() if named.is_file() else None
    if wanted in found or found:
        return f"give its snapshot: {wanted if wanted in found else found[-1]}"
    return f"it has no snapshot; fetch it: logos pull {path.name.removeprefix(_CACHED).replace('--', '/')}"


def check_unquantized(path: Path, config: Mapping[str, Any]) -> None:
    """Raise CheckpointError for weights that config.json says are quantized."""
    stated, mlx = config.get("quantization_config"), config.get("quantization")
    method = None
    if isinstance(stated, dict) and stated:
        method = stated.get("quant_method") or ("mlx" if mlx or "group_size" in stated else "unnamed")
    elif isinstance(mlx, dict) and mlx:
        method = "mlx"
    if method:
        raise quantized(path, _METHODS.get(str(method), str(method)[:40]))


def quantized(path: Path, method: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: its weights are quantized already ({method}); take the checkpoint it was made from, in bf16, f16 or f32, and "
        "let logos quantize that"
    )


def check_names(path: Path, names: Iterable[str]) -> None:
    """Raise CheckpointError for tensors that a wrapper or a quantizer named."""
    listed = list(names)
    for prefix, wrapper in _PREFIXES.items():
        if listed and all(name.startswith(prefix) for name in listed):
            raise CheckpointError(
                f"{path}: tensors are named {prefix}…, saved through a wrapper ({wrapper}); save the model inside it"
            )
    for name in listed:
        for ending, method in _TENSORS.items():
            if name.endswith(ending):
                raise quantized(path, method)
