"""A decoder's graph in ONNX Runtime's fused operators, without its weights.

Operators of the domain com.microsoft are documented in onnxruntime's docs/ContribOperators.md. Inputs and outputs are named
as onnxruntime-genai and optimum name them:

    input_ids [B, S] int64, attention_mask [B, total] int64: row b is `length` ones, then zeros (padding on the right)
    past_key_values.I.key|value, present.I.key|value [B, kv_heads, cells, head]: GroupQueryAttention writes into `present`,
        which may be the memory of `past` ("share buffer"), and then only the new tokens are written
    num_logits_to_keep [1] int64: logits of the last so many tokens only (all, if it is larger). No initializer gives it a
        default, as IO binding does not know inputs that have one
    logits [B, T, V] float32
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logos_cli.models.architectures.architecture import Config
from logos_cli.models.onnx_model import TABLES, load_onnx

OPSET = 21
_MOST = (1 << 63) - 1


class GraphBuilder:
    """`floats` is F32 or F16: the type of weights and activations alike."""

    def __init__(self, config: Config, floats: str) -> None:
        self.onnx = load_onnx()
        self.config = config
        self.kind = self.onnx.TensorProto.FLOAT if floats == "F32" else self.onnx.TensorProto.FLOAT16
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def node(self, op: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any) -> str:
        """Add a node named after its first output, which is returned."""
        self.nodes.append(self.onnx.helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def fused(self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> str:
        return self.node(op, inputs, outputs, "com.microsoft", **attributes)

    def weight(self, name: str, *dims: int) -> str:
        """Declare an initializer whose data is stored beside the graph."""
        self.initializers.append(self.onnx.TensorProto(name=name, data_type=self.kind, dims=dims))
        return name

    def constant(self, name: str, values: Any, dims: Sequence[int] = ()) -> str:
        """Declare integers whose data lies in the graph, once however often they are asked for."""
        if all(one.name != name for one in self.initializers):
            self.initializers.append(self.onnx.helper.make_tensor(name, self.onnx.TensorProto.INT64, dims, values))
        return name

    def linear(self, values: str, name: str, rows: int, width: int, out: str) -> str:
        """values · weightᵀ, the weight stored [rows, width] as in the checkpoint."""
        return self.fused("FusedMatMul", [values, self.weight(name, rows, width)], [out], transB=1)

    def lengths(self) -> tuple[str, str]:
        """What GroupQueryAttention asks: each row's length less one [B], and the longest, both int32."""
        int32 = self.onnx.TensorProto.INT32
        one, zero = self.constant("one", [1], [1]), self.constant("zero", [0], [1])
        lengths = self.node("ReduceSum", ["attention_mask", one], ["lengths"], keepdims=0)
        less = self.node("Sub", [lengths, one], ["lengths_less_one"])
        last = self.node("Cast", [less], ["seqlens_k"], to=int32)
        shape = self.node("Shape", ["attention_mask"], ["mask_shape"], start=1)
        total = self.node("Squeeze", [shape, zero], ["total"])
        return last, self.node("Cast", [total], ["total_sequence_length"], to=int32)

    def layer(self, i: int, normed: str, states: str, lengths: tuple[str, str], next_norm: str) -> tuple[str, str]:
        """One decoder layer: (normed, residual stream) in and out."""
        config, p = self.config, f"model.layers.{i}"
        width, key = config.heads * config.head, config.kv_heads * config.head
        packed = self.linear(normed, f"{p}.self_attn.qkv_proj.weight", width + 2 * key, config.hidden, f"{p}.qkv")
        asked = self.normed_heads(p, packed) if config.architecture.qk_norm else [packed, "", ""]
        cache = [f"past_key_values.{i}.key", f"past_key_values.{i}.value"]
        attended = self.fused(
            "GroupQueryAttention", [*asked, *cache, *lengths, *TABLES],
            [f"{p}.attention", f"present.{i}.key", f"present.{i}.value"],
            num_heads=config.heads, kv_num_heads=config.kv_heads, do_rotary=1, rotary_interleaved=0,
            scale=config.head**-0.5,
        )  # fmt: skip
        mixed = self.linear(attended, f"{p}.self_attn.o_proj.weight", config.hidden, width, f"{p}.mixed")
        normed, states = self.skip_norm(states, mixed, f"{p}.post_attention_layernorm.weight", f"{p}.ffn_in")
        both = self.linear(normed, f"{p}.mlp.gate_up_proj.weight", 2 * config.ffn, config.hidden, f"{p}.gate_up")
        self.node("Split", [both], [f"{p}.gate", f"{p}.up"], axis=-1, num_outputs=2)
        active = self.fused("QuickGelu", [f"{p}.gate"], [f"{p}.active"], alpha=1.0)  # x · sigmoid(x)
        product = self.node("Mul", [active, f"{p}.up"], [f"{p}.product"])
        down = self.linear(product, f"{p}.mlp.down_proj.weight", config.hidden, config.ffn, f"{p}.down")
        return self.skip_norm(states, down, next_norm, f"{p}.out")

    def normed_heads(self, p: str, packed: str) -> list[str]:
        """q, k and v out of `packed`, each head of q and k through the layer's RMS norm for it."""
        config = self.config
        sizes = self.constant("qkv_widths", [config.heads * config.head, *[config.kv_heads * config.head] * 2], [3])
        by_head, whole = self.constant("by_head", [0, 0, -1, config.head], [4]), self.constant("whole", [0, 0, -1], [3])
        self.node("Split", [packed, sizes], [f"{p}.q", f"{p}.k", f"{p}.v"], axis=-1)
        found = []
        for which in "qk":
            heads = self.node("Reshape", [f"{p}.{which}", by_head], [f"{p}.{which}.heads"])
            scale = self.weight(f"{p}.self_attn.{which}_norm.weight", config.head)
            inputs, outputs = [heads, scale], [f"{p}.{which}.normed_heads"]
            self.node("SimplifiedLayerNormalization", inputs, outputs, axis=-1, epsilon=config.epsilon, stash_type=1)
            found.append(self.node("Reshape", [outputs[0], whole], [f"{p}.{which}.normed"]))
        return [*found, f"{p}.v"]

    def skip_norm(self, states: str, added: str, weight: str, out: str) -> tuple[str, str]:
        """RMS norm of states + added; (normed, the sum)."""
        outputs = [f"{out}.normed", "", "", f"{out}.sum"]
        inputs = [states, added, self.weight(weight, self.config.hidden)]
        self.fused("SkipSimplifiedLayerNormalization", inputs, outputs, epsilon=self.config.epsilon)
        return outputs[0], outputs[3]

    def head(self, normed: str) -> None:
        config, onnx = self.config, self.onnx
        start = self.node("Neg", ["num_logits_to_keep"], ["first_logit"])
        ends, axes = self.constant("no_end", [_MOST], [1]), self.constant("tokens_axis", [1], [1])
        last = self.node("Slice", [normed, start, ends, axes], ["last_states"])
        full = self.kind == onnx.TensorProto.FLOAT
        out = "logits" if full else "logits_f16"
        if config.tied:
            self.fused("FusedMatMul", [last, "model.embed_tokens.weight"], [out], transB=1)
        else:
            self.linear(last, "lm_head.weight", config.vocabulary, config.hidden, out)
        if not full:
            self.node("Cast", [out], ["logits"], to=onnx.TensorProto.FLOAT)

    def build(self) -> Any:
        """The model; only a few integers have their data in it."""
        config, helper = self.config, self.onnx.helper
        lengths = self.lengths()
        for name in TABLES:
            self.weight(name, config.context, config.head // 2)
        embedding = self.weight("model.embed_tokens.weight", config.vocabulary, config.hidden)
        states = self.node("Gather", [embedding, "input_ids"], ["embedded"], axis=0)
        norms = [f"model.layers.{i}.input_layernorm.weight" for i in range(config.layers)] + ["model.norm.weight"]
        first = self.weight(norms[0], config.hidden)
        normed = self.node(
            "SimplifiedLayerNormalization", [states, first], ["first.normed"], axis=-1, epsilon=config.epsilon, stash_type=1
        )
        for i in range(config.layers):
            normed, states = self.layer(i, normed, states, lengths, norms[i + 1])
        self.head(normed)
        graph = helper.make_graph(self.nodes, config.architecture.model_type, self.inputs(), self.outputs(), self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="logos-cli")

    def inputs(self) -> list[Any]:
        info, int64 = self.onnx.helper.make_tensor_value_info, self.onnx.TensorProto.INT64
        found = [info("input_ids", int64, ["batch", "tokens"]), info("attention_mask", int64, ["batch", "total"])]
        found += self.caches("past_key_values.{}.{}", "past_cells")
        return [*found, info("num_logits_to_keep", int64, [1])]

    def outputs(self) -> list[Any]:
        shape = ["batch", "kept_tokens", self.config.vocabulary]
        logits = self.onnx.helper.make_tensor_value_info("logits", self.onnx.TensorProto.FLOAT, shape)
        return [logits, *self.caches("present.{}.{}", "present_cells")]

    def caches(self, pattern: str, cells: str) -> list[Any]:
        shape = ["batch", self.config.kv_heads, cells, self.config.head]
        return [
            self.onnx.helper.make_tensor_value_info(pattern.format(i, which), self.kind, shape)
            for i in range(self.config.layers)
            for which in ("key", "value")
        ]
