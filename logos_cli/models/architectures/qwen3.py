"""Qwen3, dense: LOGOS-8B. As Llama, but q and k are normalized head by head, and a head's size is a number of its own."""

from __future__ import annotations

from logos_cli.models.architectures.architecture import Architecture, Config, layer_names
from logos_cli.models.architectures.llama import ATTENTION, FEED_FORWARD, NO_BIAS, attention, dense

NORMS = {"self_attn.q_norm.weight": "attn_q_norm.weight", "self_attn.k_norm.weight": "attn_k_norm.weight"}


def layer(config: Config) -> dict[str, tuple[int, ...]]:
    return attention(config) | dict.fromkeys(NORMS, (config.head,)) | dense(config)


QWEN3 = Architecture(
    hf_class="Qwen3ForCausalLM",
    body="Qwen3Model",
    model_type="qwen3",
    gguf="qwen3",
    layer=layer,
    gguf_names=layer_names(ATTENTION | NORMS | FEED_FORWARD),
    # Qwen3Config of transformers; llama.cpp turns q and k as they lie in the checkpoint.
    defaults={"head_dim": 128, "num_key_value_heads": 32},
    only=NO_BIAS | {"use_sliding_window": (False, None)},
    qk_norm=True,
)
