"""Mixtral: Llama's attention, and instead of one feed-forward part several experts, some of which each token is sent to.

llama.cpp has no name of its own for it: a Llama with experts, whose matrices are stacked into one tensor each.
"""

from __future__ import annotations

from logos_cli.models.architectures.architecture import Architecture, Config, layer_names
from logos_cli.models.architectures.llama import ATTENTION, NO_BIAS, TURNED, attention

ROUTER = "block_sparse_moe.gate.weight"
EXPERTS = {
    "block_sparse_moe.experts.{e}.w1.weight": "ffn_gate_exps.weight",
    "block_sparse_moe.experts.{e}.w2.weight": "ffn_down_exps.weight",
    "block_sparse_moe.experts.{e}.w3.weight": "ffn_up_exps.weight",
}


def layer(config: Config) -> dict[str, tuple[int, ...]]:
    found = attention(config) | {ROUTER: (config.experts, config.hidden)}
    for e in range(config.experts):
        one = f"block_sparse_moe.experts.{e}"
        found |= {f"{one}.w1.weight": (config.ffn, config.hidden), f"{one}.w2.weight": (config.hidden, config.ffn)}
        found[f"{one}.w3.weight"] = (config.ffn, config.hidden)
    return found


MIXTRAL = Architecture(
    hf_class="MixtralForCausalLM",
    body="MixtralModel",
    model_type="mixtral",
    gguf="llama",
    layer=layer,
    gguf_names=layer_names(ATTENTION | {ROUTER: "ffn_gate_inp.weight"} | EXPERTS),
    turned=TURNED,
    wide=frozenset({f"model.layers.{{i}}.{ROUTER}"}),
    sizes_written=True,
    defaults={"num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2},
    only=NO_BIAS | {"sliding_window": (None,)},
    rope_theta=1e6,
    onnx=False,
)
