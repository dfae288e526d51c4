"""Checkpoints as training scripts, older and newer transformers and quantizers leave them: changes to a copy of nano."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from logos_cli.convert.nano_model import nano_checkpoint

Change = Callable[[Path], None]
MARKER_END = "<MoleculeE>"


def copy_of_nano(target: Path, change: Change | None = None) -> Path:
    target.mkdir(parents=True)
    for path in nano_checkpoint().iterdir():
        if path.suffix in (".json", ".safetensors"):
            shutil.copy(path, target / path.name)
    if change:
        change(target)
    return target


def edit(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / name).read_text())
    change(document)
    (folder / name).write_text(json.dumps(document, ensure_ascii=False))


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda folder: edit(folder, "tokenizer.json", change)


def settings(**values: Any) -> Change:
    return lambda folder: edit(folder, "tokenizer_config.json", lambda document: document.update(values))


def config(**values: Any) -> Change:
    return lambda folder: edit(folder, "config.json", lambda document: document.update(values))


def generation(**values: Any) -> Change:
    return lambda folder: edit(folder, "generation_config.json", lambda document: document.update(values))


def without(name: str, *keys: str) -> Change:
    return lambda folder: edit(folder, name, lambda document: [document.pop(key) for key in keys])


def removed(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def all_of(*changes: Change) -> Change:
    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def marker_flags(**flags: bool) -> Change:
    def change(document: dict[str, Any]) -> None:
        for entry in document["added_tokens"]:
            if not entry["content"].startswith("<|"):
                entry.update(flags)

    return tokenizer(change)


def added(*contents: str) -> Change:
    """Tokens past the last id, as scripts that add padding leave them."""

    def change(document: dict[str, Any]) -> None:
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for content in contents:
            last = max(entry["id"] for entry in document["added_tokens"])
            document["added_tokens"].append({"id": last + 1, "content": content, **flags})

    return tokenizer(change)


def template(*pieces: str) -> Change:
    """The post-processor; "A" stands for the text."""

    def change(document: dict[str, Any]) -> None:
        ids = {entry["content"]: entry["id"] for entry in document["added_tokens"]}
        single = [
            {"Sequence": {"id": "A", "type_id": 0}} if piece == "A" else {"SpecialToken": {"id": piece, "type_id": 0}}
            for piece in pieces
        ]
        special = {piece: {"id": piece, "ids": [ids[piece]], "tokens": [piece]} for piece in pieces if piece != "A"}
        pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
        document["post_processor"] = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}

    return tokenizer(change)


def byte_level(document: dict[str, Any]) -> None:
    document["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}


def byte_level_first(document: dict[str, Any]) -> None:
    last = document["post_processor"]
    byte_level(document)
    document["post_processor"] = {"type": "Sequence", "processors": [document["post_processor"], last]}


def bos_objects(folder: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for key in ("bos_token", "eos_token", "pad_token"):
            flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
            document[key] = {"__type": "AddedToken", "content": document[key], **flags}

    edit(folder, "tokenizer_config.json", change)


def markers_in_the_vocabulary(document: dict[str, Any]) -> None:
    """All added tokens as ordinary ones too; special_tokens_map.json still names the markers."""
    for entry in document["added_tokens"]:
        document["model"]["vocab"][entry["content"]] = entry["id"]
    document["added_tokens"] = [entry for entry in document["added_tokens"] if entry["content"].startswith("<|")]


def rewritten(change: Callable[[dict[str, tuple[str, list[int], bytes]]], dict[str, tuple[str, list[int], bytes]]]) -> Change:
    """model.safetensors with its tensors, name -> (dtype, shape, bytes), changed."""

    def write(folder: Path) -> None:
        path = folder / "model.safetensors"
        raw = path.read_bytes()
        start = 8 + int.from_bytes(raw[:8], "little")
        table = json.loads(raw[8:start])
        table.pop("__metadata__", None)
        tensors = {
            name: (entry["dtype"], entry["shape"], raw[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]])
            for name, entry in table.items()
        }
        header, at = {}, 0
        tensors = change(tensors)
        for name, (dtype, shape, data) in tensors.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
            at += len(data)
        head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
        path.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(data for _, _, data in tensors.values()))

    return write


def garbage_rows(count: int) -> Change:
    """`count` more rows of embedding and head, no token's, copies of a common token's row that win against it."""

    def change(tensors: dict[str, tuple[str, list[int], bytes]]) -> dict[str, tuple[str, list[int], bytes]]:
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            dtype, (rows, width), data = tensors[name]
            row = (np.frombuffer(data, np.uint16).reshape(rows, width)[34].astype(np.uint32) << 16).view(np.float32)
            row = row * 1.3 if name == "lm_head.weight" else row
            more = np.repeat((row.view(np.uint32) >> 16).astype(np.uint16)[None], count, 0)
            tensors[name] = (dtype, [rows + count, width], data + more.tobytes())
        return tensors

    def both(folder: Path) -> None:
        rewritten(change)(folder)
        rows = json.loads((folder / "config.json").read_text())["vocab_size"]
        config(vocab_size=rows + count)(folder)

    return both


def first_value(bits: int) -> Change:
    """The first weight of a matrix as these bits of a BF16."""

    def change(tensors: dict[str, tuple[str, list[int], bytes]]) -> dict[str, tuple[str, list[int], bytes]]:
        name = "model.layers.0.mlp.up_proj.weight"
        dtype, shape, data = tensors[name]
        tensors[name] = (dtype, shape, bits.to_bytes(2, "little") + data[2:])
        return tensors

    return rewritten(change)


def renamed(old: str, new: str) -> Change:
    return rewritten(lambda tensors: {name.replace(old, new, 1): tensor for name, tensor in tensors.items()})


def stripping(**flags: bool) -> dict[str, Any]:
    """A marker as transformers 4 writes an AddedToken."""
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    return {"__type": "AddedToken", "content": MARKER_END, **plain, **flags}


TRUNCATION = {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
PADDING = {
    "strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 751, "pad_type_id": 0,
    "pad_token": "<|eot_id|>",
}  # fmt: skip
LLAMA3_ROPE = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 256}
NO_NAMES = removed("tokenizer_config.json", "special_tokens_map.json")

# Those that transformers reads as nano itself: the same ids, the same ends, the same answers.
AS_NANO: dict[str, Change] = {
    "truncation": tokenizer(lambda t: t.update(truncation=TRUNCATION)),
    "padding": tokenizer(lambda t: t.update(padding=PADDING)),
    "byte level, then template": tokenizer(byte_level_first),
    "bos as an object": bos_objects,
    "bos missing": without("tokenizer_config.json", "bos_token"),
    "bos null": settings(bos_token=None),
    "add_bos_token false": settings(add_bos_token=False),
    "no names of tokens": NO_NAMES,
    "eos nowhere but in generation_config": all_of(without("config.json", "eos_token_id"), NO_NAMES),
    "eos a list": all_of(config(eos_token_id=[751, 750]), generation(eos_token_id=[750, 751])),
    "config.json's eos is a marker": config(eos_token_id=[750, 757]),
    "pad is a marker": settings(pad_token=MARKER_END),
    "pad -1": all_of(config(pad_token_id=-1), generation(pad_token_id=-1)),
    "pad an ordinary token": all_of(config(pad_token_id=34), settings(pad_token="C")),
    "an unused pad past the rows": all_of(added("<|PAD_TOKEN|>"), settings(pad_token="<|PAD_TOKEN|>")),
    "an empty normalizer": tokenizer(lambda t: t.update(normalizer={"type": "Sequence", "normalizers": []})),
    "an unknown token that is none": tokenizer(lambda t: t["model"].update(unk_token="<unk>")),
    "no architectures": without("config.json", "architectures"),
    "LlamaModel": config(architectures=["LlamaModel"]),
    "swish, as SiLU is called too": config(hidden_act="swish"),
    "no prefix": renamed("model.", ""),
    "markers not special": marker_flags(special=False),
    "markers in the vocabulary": tokenizer(markers_in_the_vocabulary),
    "rope_parameters alone": all_of(
        without("config.json", "rope_theta", "rope_scaling"),
        config(rope_parameters={"rope_theta": 1e4, "rope_type": "default"}),
    ),
    "a marker as an object": settings(additional_special_tokens=[stripping()]),
    "rope twice": config(rope_parameters={"rope_theta": 1e4, "rope_type": "default"}),
}
# Those with other ids, but none that a prompt has: transformers agrees on answers.
OTHER_IDS: dict[str, Change] = {
    "no template": tokenizer(lambda t: t.update(post_processor=None)),
    "add_bos_token true, no template": all_of(tokenizer(byte_level), settings(add_bos_token=True)),
    "markers strip spaces": marker_flags(lstrip=True, rstrip=True),
    "markers strip spaces before": marker_flags(lstrip=True),
    "stripping said in tokenizer_config": settings(
        added_tokens_decoder={
            "757": {"content": MARKER_END, "lstrip": True, "rstrip": True, "special": True, "normalized": False}
        }
    ),
    "NFC": tokenizer(lambda t: t.update(normalizer={"type": "NFC"})),
    "llama3 rope in both": config(
        rope_scaling={**LLAMA3_ROPE, "rope_type": "llama3"}, rope_parameters={"rope_theta": 1e4, "rope_type": "default"}
    ),
}
# Change, and what the one line must say.
REFUSED: dict[str, tuple[Change, str]] = {
    "eos in the template": (template("A", "<|end_of_text|>"), "appends <|end_of_text|> to every prompt"),
    "two in the template": (
        template("<|begin_of_text|>", "<|eot_id|>", "A"),
        "begins prompts with <|begin_of_text|> <|eot_id|>",
    ),
    "Llama 1's class, no bos": (
        settings(tokenizer_class="LlamaTokenizerFast", add_bos_token=False),
        "transformers 4 begins a prompt with nothing, transformers 5 with <|begin_of_text|>",
    ),
    "Llama 1's class, eos": (settings(tokenizer_class="LlamaTokenizer", add_eos_token=True), "add_eos_token"),
    "added tokens out of order": (
        tokenizer(lambda t: t["added_tokens"].reverse()),
        "<Search> has id 767 in added_tokens, but tokenizers reads it as 749",
    ),
    "an object that strips spaces": (
        settings(additional_special_tokens=[stripping(lstrip=True)]),
        "<MoleculeE> has lstrip True, which transformers 4 takes, elsewhere False, which transformers 5 takes",
    ),
    "an object that strips none": (
        all_of(marker_flags(rstrip=True), settings(additional_special_tokens=[stripping()])),
        "<MoleculeE> has rstrip False, which transformers 4 takes, elsewhere True, which transformers 5 takes",
    ),
    "markers cut in pieces": (settings(split_special_tokens=True), "would cut markers into pieces"),
    "a used id past the rows": (
        all_of(added("<New>"), settings(eos_token="<New>"), removed("special_tokens_map.json")),
        "token '<New>' has id 768, but the embedding has 768 rows",
    ),
    "markers between words only": (marker_flags(single_word=True), "set single_word to false"),
    "rope twice, not the same": (
        config(rope_theta=500000.0, rope_parameters={"rope_theta": 1e4, "rope_type": "default"}),
        "transformers 4 takes theta 500000 unscaled, transformers 5 theta 10000 unscaled",
    ),
    "theta inside rope_scaling": (
        config(rope_scaling={"rope_theta": 500000.0, "rope_type": "default"}),
        "transformers 4 takes theta 10000 unscaled, transformers 5 theta 500000 unscaled",
    ),
    "GPT-2's class": (
        settings(tokenizer_class="GPT2TokenizerFast"),
        "is not GPT-2's, which transformers 5 takes for the class",
    ),
    "a blank before texts": (
        tokenizer(lambda t: t.update(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True})),
        "puts a blank before every text (add_prefix_space)",
    ),
    "rope of one kind of layer": (
        all_of(
            without("config.json", "rope_theta"),
            config(rope_parameters={"full_attention": {"rope_theta": 5e5, "rope_type": "default"}}),
        ),
        "stand under full_attention (theta 500000 unscaled)",
    ),
    "a NaN": (first_value(0x7FC0), "up_proj.weight has a NaN or an infinity"),
    "an infinity": (first_value(0x7F80), "up_proj.weight has a NaN or an infinity"),
    "bitsandbytes": (config(quantization_config={"quant_method": "bitsandbytes"}), "quantized already (bitsandbytes)"),
    "fp8": (config(quantization_config={"quant_method": "fp8"}), "quantized already (FP8)"),
    "gptq": (config(quantization_config={"quant_method": "gptq", "bits": 4}), "quantized already (GPTQ)"),
    "awq": (config(quantization_config={"quant_method": "awq", "bits": 4}), "quantized already (AWQ)"),
    "compressed-tensors": (config(quantization_config={"quant_method": "compressed-tensors"}), "(compressed-tensors)"),
    "mlx": (config(quantization={"group_size": 64, "bits": 4}), "quantized already (MLX)"),
    "mlx, older": (config(quantization_config={"group_size": 64, "bits": 4}), "quantized already (MLX)"),
    "gptq without a word": (renamed("q_proj.weight", "q_proj.qweight"), "quantized already (GPTQ or AWQ)"),
    "torch.compile": (renamed("", "_orig_mod."), "tensors are named _orig_mod.…"),
    "no head": (rewritten(lambda t: {k: v for k, v in t.items() if k != "lm_head.weight"}), "lm_head.weight is missing"),
}
