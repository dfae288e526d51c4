"""What tests are made of: a tiny random checkpoint with a tokenizer of its own, its GGUF, and what a command said."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.convert.gguf_vocab import read_vocab
from logos_cli.convert.to_gguf import to_gguf
from logos_cli.convert.verify import texts
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.split_pattern import LLAMA3
from logos_cli.models.tokens import Tokens

BOS, EOS, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"
# What `write_checkpoint` changes for the other families: heads wider than hidden / heads, experts.
QWEN3: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "num_attention_heads": 6, "rope_scaling": None,
    "rms_norm_eps": 1e-6, "rope_theta": 1e6, "attention_bias": False, "use_sliding_window": False,
}  # fmt: skip
MIXTRAL: dict[str, Any] = {
    "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2,
    "rope_scaling": None, "sliding_window": None, "rope_theta": 1e6,
}  # fmt: skip


def build_tokenizer(pattern: str | None = LLAMA3, ignore_merges: bool = True, markers: tuple[str, ...] = MARKERS) -> Tokenizer:
    """A byte-level BPE; `pattern` None is GPT-2's own.

    Its merges are learned without any split, so that they reach across every place where a pattern may cut: two
    patterns that cut differently then give different tokens.
    """
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator((re.sub("<[A-Za-z]+>", "", text) for text in texts(300)), trainer)
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(name, normalized=False, special=True) for name in (BOS, EOS, PAD, *markers)]
    tokenizer.add_special_tokens(special)
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS}:1 $B:1", special_tokens=[(BOS, bos)]
    )
    return tokenizer


def write_checkpoint(
    folder: Path, tokenizer: Tokenizer, dtype: str = "BF16", tied: bool = False, shards: int = 1, **changes: Any
) -> Path:
    """A random Llama, or with `QWEN3` or `MIXTRAL` as `changes` one of those: 2 layers, hidden 256, grouped-query attention,
    llama3 rope scaling, three spare embedding rows."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = tokenizer.get_vocab_size() + 3
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16", "vocab_size": vocabulary,
        "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": tied, "hidden_act": "silu",
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 256},
        "bos_token_id": tokenizer.token_to_id(BOS), "eos_token_id": tokenizer.token_to_id(EOS),
    } | changes  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD}
    (folder / "tokenizer_config.json").write_text(json.dumps({**names, "tokenizer_class": "PreTrainedTokenizerFast"}))
    tensors = random_tensors(config, tied)
    stored = {name: stored_as(array, dtype) for name, array in tensors.items()}
    if shards == 1:
        save_raw(folder / "model.safetensors", stored, dtype)
        return folder
    weight_map: dict[str, str] = {}
    for i in range(shards):
        shard = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(stored.items())[i::shards])
        save_raw(folder / shard, part, dtype)
        weight_map |= dict.fromkeys(part, shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def random_tensors(config: dict[str, Any], tied: bool) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    h, f, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], h), "model.norm.weight": (h,)}
    if not tied:
        shapes["lm_head.weight"] = (config["vocab_size"], h)
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes |= {p + "input_layernorm.weight": (h,), p + "post_attention_layernorm.weight": (h,)}
        shapes |= {p + f"self_attn.{n}_proj.weight": (d, h) for n, d in (("q", q), ("k", kv), ("v", kv))}
        shapes[p + "self_attn.o_proj.weight"] = (h, q)
        if config["model_type"] == "qwen3":
            shapes |= {p + f"self_attn.{n}_norm.weight": (head,) for n in "qk"}
        if config["model_type"] == "mixtral":
            moe = p + "block_sparse_moe."
            shapes[moe + "gate.weight"] = (config["num_local_experts"], h)
            for e in range(config["num_local_experts"]):
                shapes |= {f"{moe}experts.{e}.{n}.weight": s for n, s in (("w1", (f, h)), ("w2", (h, f)), ("w3", (f, h)))}
        else:
            shapes |= {p + "mlp.gate_proj.weight": (f, h), p + "mlp.up_proj.weight": (f, h), p + "mlp.down_proj.weight": (h, f)}
    # Wide enough that the logits have clear winners, so greedy texts can be compared.
    return {n: rng.normal(1.0 if len(s) == 1 else 0.0, 0.08, s).astype(np.float32) for n, s in shapes.items()}


def stored_as(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    if dtype == "BF16":
        return ((array.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)
    return array.astype(np.float16 if dtype == "F16" else np.float32)


def save_raw(path: Path, tensors: dict[str, np.ndarray[Any, Any]], dtype: str) -> None:
    """safetensors.numpy has no bfloat16, so its name is put into the header afterwards (U16 and BF16 are as long)."""
    if dtype != "BF16":
        save_file(tensors, str(path))
        return
    save_file(tensors, str(path))
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + size])
    for entry in table.values():
        entry["dtype"] = "BF16"
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])


def tokens_of(checkpoint: Path) -> Tokens:
    return Tokens(checkpoint, Checkpoint.open(checkpoint).config.vocabulary)


def convert(checkpoint: Path, out: Path, scheme: str) -> Path:
    opened = Checkpoint.open(checkpoint)
    to_gguf(opened, read_vocab(opened), out, scheme, lambda _: None)
    return out


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]
