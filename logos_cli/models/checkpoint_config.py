"""config.json of a checkpoint as a `Config`, and the JSON files beside the weights, read with a bound on what they take."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError
from logos_cli.models.architectures.architecture import Architecture, Config, RopeScaling
from logos_cli.models.architectures.table import architecture_of

_LONGEST_JSON = 32 << 20  # the tokenizer.json of Llama 3 has 17 MB, the index of shards of a large model under 1 MB
# Objects and lists in it: an empty one takes dozens of bytes for two of text. Llama 3 has 280,000 merges, some files a
# list for each.
_MOST_NESTED = 1_000_000


def read_raw(path: Path) -> bytes:
    """The bytes of a JSON file without a byte order mark. Raises CheckpointError for one too large to be parsed."""
    if not path.is_file():
        raise CheckpointError(f"{path.parent}: {path.name} is missing; download the whole folder, for example with logos pull")
    try:
        if path.stat().st_size > _LONGEST_JSON:
            raise CheckpointError(f"{path}: {path.stat().st_size:,} bytes are too many for this file; download it again")
        raw = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; make it readable, or download it again") from error
    if raw.count(b"[") + raw.count(b"{") > _MOST_NESTED:
        raise CheckpointError(f"{path}: too many lists and objects for this file; download it again")
    return raw.removeprefix(b"\xef\xbb\xbf")


def read_text(path: Path) -> str:
    """A UTF-8 text under the bounds of `read_raw`."""
    try:
        return read_raw(path).decode("utf-8")
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: not UTF-8; download it again") from None


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_raw(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error}); download it again") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: a JSON object is expected; download it again")
    return found


def read_config(path: Path) -> Config:
    """Raises CheckpointError for a family that is not read, and for values that do not fit together."""
    raw = read_json(path)
    architecture = architecture_of(path, raw)
    raw = {**architecture.defaults, **{key: value for key, value in raw.items() if value is not None}}
    _check_variant(path, architecture, raw)

    def number(key: str, default: float | None = None, kind: type = int) -> Any:
        value: Any = raw.get(key, default)
        # GGUF holds 32 bits, no size in a model comes near that, and integers of JSON know no limit.
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1 << 31
        if not good or (kind is int and value != int(value)):
            raise CheckpointError(f"{path}: {key} is {value!r}, a positive number is expected; download it again")
        return kind(value)

    heads, hidden = number("num_attention_heads"), number("hidden_size")
    kv_heads = number("num_key_value_heads", heads)
    head = number("head_dim", hidden // heads)
    if heads % kv_heads or head < 2 or head % 2:
        raise CheckpointError(
            f"{path}: {heads} heads with {kv_heads} key-value heads of size {head} do not fit; download it again"
        )
    theta, scaling = read_rope(path, raw, architecture.rope_theta)
    if scaling and not architecture.scales_rope:
        raise CheckpointError(f"{path}: rope scaling 'llama3' is not supported for {architecture.hf_class}")
    mixture = "num_local_experts" in architecture.defaults
    experts, used = (number("num_local_experts"), number("num_experts_per_tok")) if mixture else (0, 0)
    if used > experts:
        raise CheckpointError(f"{path}: num_experts_per_tok is {used}, of {experts} experts; download it again")
    return Config(
        architecture, number("vocab_size"), hidden, number("intermediate_size"), number("num_hidden_layers"), heads,
        kv_heads, head, number("max_position_embeddings"), number("rms_norm_eps", None, float), theta,
        scaling, bool(raw.get("tie_word_embeddings", False)), "head_dim" in raw, experts, used,
    )  # fmt: skip


def _check_variant(path: Path, architecture: Architecture, raw: Mapping[str, Any]) -> None:
    """Raise CheckpointError for what a family can be but is not read as: biases, other activations, sliding windows."""
    for key, values in architecture.only.items():
        if raw.get(key, values[0]) not in values:
            raise CheckpointError(f"{path}: {key} is {raw[key]!r}, only {values[0]!r} is supported; use a LOGOS checkpoint")
    kinds = raw.get("layer_types")
    if isinstance(kinds, list) and (other := [kind for kind in kinds if kind != "full_attention"]):
        raise CheckpointError(f"{path}: layer_types has {other[0]!r}, only 'full_attention' is supported")


def read_rope(path: Path, raw: dict[str, Any], usual: float) -> tuple[float, RopeScaling | None]:
    """(theta, scaling); `usual` is the family's theta where nothing is said. Version 4 of transformers keeps them in rope_theta
    and rope_scaling, version 5 in rope_parameters; each reads the other's files in its own way. Raises CheckpointError where
    they would take different ones."""
    older = {key: raw[key] for key in ("rope_theta", "rope_scaling") if raw.get(key) is not None}
    newer = raw.get("rope_parameters")
    for name, value in (("rope_scaling", raw.get("rope_scaling")), ("rope_parameters", newer)):
        if value is not None and not isinstance(value, dict):
            raise CheckpointError(f"{path}: {name} is {value!r}, an object is expected; download it again")
    scaling = raw.get("rope_scaling") or {}
    as_4 = rope_of(path, raw.get("rope_theta"), usual, scaling)
    chosen = scaling or newer or {}
    as_5 = rope_of(path, chosen.get("rope_theta", raw.get("rope_theta")), usual, chosen)
    for key, inner in chosen.items():  # for models with several kinds of layers; in a Llama they are passed over
        if isinstance(inner, dict) and (nested := rope_of(path, inner.get("rope_theta"), usual, inner)) != as_5:
            raise CheckpointError(
                f"{path}: its rope settings stand under {key} ({described(*nested)}), where transformers does not look for a "
                f"Llama's and takes {described(*as_5)}; move them up one level, or remove them"
            )
    # Where only version 5's is there it was written by that version, which is who knows.
    if older and as_4 != as_5:
        said = [f"rope_parameters {newer}"] * bool(newer) + [f"{key} {value}" for key, value in older.items()]
        raise CheckpointError(
            f"{path}: {' beside '.join(said)}: transformers 4 takes {described(*as_4)}, transformers 5 "
            f"{described(*as_5)}; remove the one that the model was not trained with"
        )
    return as_5


def described(theta: float, scaling: RopeScaling | None) -> str:
    return f"theta {theta:g} {f'scaled by {scaling.factor:g}' if scaling else 'unscaled'}"


def rope_of(path: Path, theta: Any, usual: float, rope: dict[str, Any]) -> tuple[float, RopeScaling | None]:
    theta = usual if theta is None else theta
    if isinstance(theta, bool) or not isinstance(theta, (int, float)) or not 0 < theta < math.inf:
        raise CheckpointError(f"{path}: rope_theta is {theta!r}, a positive number is expected; download it again")
    return float(theta), read_rope_scaling(path, rope)


def read_rope_scaling(path: Path, rope: dict[str, Any]) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default" or (kind == "linear" and rope.get("factor") == 1):
        return None
    if kind != "llama3":
        raise CheckpointError(f"{path}: rope scaling {kind!r} is not supported, only llama3")

    def number(key: str) -> float:
        value = rope.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1 << 40:
            raise CheckpointError(f"{path}: rope_scaling: {key} is {value!r}, a positive number is expected; download it again")
        return float(value)

    low, high = number("low_freq_factor"), number("high_freq_factor")
    if high <= low:
        raise CheckpointError(f"{path}: rope_scaling: high_freq_factor {high} must be above low_freq_factor {low}")
    return RopeScaling(number("factor"), low, high, int(number("original_max_position_embeddings")))
