"""Hugging Face's tensor names and GGUF's, in one literal table. A name that is not here is an error."""

from __future__ import annotations

from logos_cli.errors import CheckpointError

# {i} is the layer. The order is the order in the file.
GGUF_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.layers.{i}.input_layernorm.weight": "blk.{i}.attn_norm.weight",
    "model.layers.{i}.mlp.down_proj.weight": "blk.{i}.ffn_down.weight",
    "model.layers.{i}.mlp.gate_proj.weight": "blk.{i}.ffn_gate.weight",
    "model.layers.{i}.mlp.up_proj.weight": "blk.{i}.ffn_up.weight",
    "model.layers.{i}.post_attention_layernorm.weight": "blk.{i}.ffn_norm.weight",
    "model.layers.{i}.self_attn.k_proj.weight": "blk.{i}.attn_k.weight",
    "model.layers.{i}.self_attn.o_proj.weight": "blk.{i}.attn_output.weight",
    "model.layers.{i}.self_attn.q_proj.weight": "blk.{i}.attn_q.weight",
    "model.layers.{i}.self_attn.v_proj.weight": "blk.{i}.attn_v.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def gguf_name(name: str) -> str:
    """The GGUF name of a Hugging Face tensor. Raises CheckpointError for one the table does not have."""
    parts = name.split(".")
    layer = next((part for part in parts if part.isdigit()), "")
    pattern = ".".join("{i}" if part.isdigit() else part for part in parts)
    if pattern not in GGUF_NAMES:
        raise CheckpointError(f"tensor {name} has no place in a Llama GGUF")
    return GGUF_NAMES[pattern].replace("{i}", layer)
