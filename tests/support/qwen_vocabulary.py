"""Qwen's vocabulary as Qwen3's checkpoints have it, with LOGOS's markers behind it, from the file `qwen.tiktoken`.

That file ships inside dashscope 1.20.0 on PyPI (dashscope/resources/qwen.tiktoken); nothing of it is kept here.
"""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.models.split_pattern import QWEN2
from logos_cli.models.tokens import byte_of

END, TURN_END = "<|endoftext|>", "<|im_end|>"
ROWS = 151_936  # of Qwen3-8B's embedding
# Ids 151,643 to 151,668 of Qwen3, in order.
_SPECIAL = (
    END, "<|im_start|>", TURN_END, "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
_PLAIN = (
    "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)  # fmt: skip


def ranks_of(path: Path) -> dict[bytes, int]:
    """Token bytes -> merge rank, of a tiktoken file."""
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def halves(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens whose merge makes `token`: what byte pair encoding comes to with all earlier merges."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        joined = [(ranks.get(a + b, len(ranks)), i) for i, (a, b) in enumerate(pairwise(parts))]
        _, at = min(joined)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def write_qwen_tokenizer(folder: Path, source: Path) -> None:
    """tokenizer.json and tokenizer_config.json as Qwen3's, markers included."""
    spelled = {byte: character for character, byte in byte_of().items()}
    ranks = ranks_of(source)
    text = {token: "".join(spelled[byte] for byte in token) for token in ranks}
    merges = [halves(token, ranks) for token in sorted(ranks, key=lambda one: ranks[one]) if len(token) > 1]
    bpe = models.BPE({text[token]: rank for token, rank in ranks.items()}, [(text[a], text[b]) for a, b in merges])
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in _SPECIAL])
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in _PLAIN])
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in MARKERS])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "add_bos_token": False, "add_prefix_space": False, "bos_token": None, "eos_token": END, "pad_token": END,
        "unk_token": None, "tokenizer_class": "Qwen2Tokenizer", "model_max_length": 131072, "split_special_tokens": False,
        "clean_up_tokenization_spaces": False, "errors": "replace",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
