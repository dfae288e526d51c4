"""Llama: LOGOS-1B and 3B, nano."""

from __future__ import annotations

from logos_cli.models.architectures.architecture import Architecture, Config, layer_names

ATTENTION = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
}
FEED_FORWARD = {
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}
TURNED = {
    "model.layers.{i}.self_attn.q_proj.weight": lambda config: config.heads,
    "model.layers.{i}.self_attn.k_proj.weight": lambda config: config.kv_heads,
}
NO_BIAS = {"attention_bias": (False, None), "mlp_bias": (False, None), "hidden_act": ("silu", "swish")}


def attention(config: Config) -> dict[str, tuple[int, ...]]:
    """A layer's attention with its two norms."""
    q, kv, hidden = config.heads * config.head, config.kv_heads * config.head, config.hidden
    return {
        "input_layernorm.weight": (hidden,), "post_attention_layernorm.weight": (hidden,),
        "self_attn.q_proj.weight": (q, hidden), "self_attn.k_proj.weight": (kv, hidden),
        "self_attn.v_proj.weight": (kv, hidden), "self_attn.o_proj.weight": (hidden, q),
    }  # fmt: skip


def dense(config: Config) -> dict[str, tuple[int, ...]]:
    """A layer's feed-forward part."""
    wide = (config.ffn, config.hidden)
    return {"mlp.gate_proj.weight": wide, "mlp.up_proj.weight": wide, "mlp.down_proj.weight": (config.hidden, config.ffn)}


LLAMA = Architecture(
    hf_class="LlamaForCausalLM",
    body="LlamaModel",
    model_type="llama",
    gguf="llama",
    layer=lambda config: attention(config) | dense(config),
    gguf_names=layer_names(ATTENTION | FEED_FORWARD),
    turned=TURNED,
    sizes_written=True,
    scales_rope=True,
    only=NO_BIAS,
)
