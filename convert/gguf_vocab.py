"""tokenizer.json in, the vocabulary keys of a GGUF out; what cannot be reproduced is refused.

llama.cpp knows a tokenizer by a name for its pre-tokenizer. Its own converter finds the name by hashing a test text,
which fails for every vocabulary not on its list; here it is found from what the name stands for: the split pattern,
`ignore_merges` and the BOS rule. `verify` then compares the two tokenizers on real texts.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.checkpoint import Checkpoint
from logos_cli.checkpoint_config import read_json
from logos_cli.errors import TokenizerError
from logos_cli.grammar import MARKERS

if TYPE_CHECKING:
    import gguf

_TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
LLAMA3 = _WORDS + r"|\p{N}{1,3}" + _TAIL
QWEN2 = _WORDS + r"|\p{N}" + _TAIL
GPT2 = "ByteLevel"  # the pattern inside `tokenizers`' ByteLevel

# (split pattern, ignore_merges) -> llama.cpp's name (llama-vocab.cpp). llama-bpe also implies BOS unless a key says
# otherwise, so the key is always written.
PRE_TOKENIZERS = {
    (LLAMA3, True): "llama-bpe",
    (LLAMA3, False): "smaug-bpe",
    (QWEN2, False): "qwen2",
    (GPT2, False): "gpt-2",
}
_REMEDY = "take the tokenizer.json of a LOGOS checkpoint"
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5


@dataclass(frozen=True)
class GgufVocab:
    """`tokens` and `types` [vocabulary] in id order; `special` writes merges and special ids."""

    pre: str
    tokens: list[str]
    types: list[int]
    adds_bos: bool
    special: gguf.SpecialVocab

    def write(self, writer: gguf.GGUFWriter) -> None:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        # Always said, because a pre-tokenizer's name may imply something else.
        self.special.add_special_token["bos"] = self.adds_bos
        self.special.add_to_gguf(writer, quiet=True)


def read_vocab(checkpoint: Checkpoint) -> GgufVocab:
    """Raises TokenizerError for a vocabulary that llama.cpp would split differently, or that lacks a marker."""
    import gguf

    path = checkpoint.path / "tokenizer.json"
    document = read_json(path)
    model = document.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE" or not isinstance(model.get("vocab"), dict):
        raise TokenizerError(f"{path}: not a byte-level BPE vocabulary; {_REMEDY}")
    if model.get("byte_fallback") or model.get("unk_token") or not isinstance(model.get("merges"), list):
        raise TokenizerError(f"{path}: a BPE with byte fallback, an unknown token or no merges is not supported; {_REMEDY}")
    check_merges(path, model["merges"])
    pattern = split_pattern(path, document)
    pre = PRE_TOKENIZERS.get((pattern, bool(model.get("ignore_merges"))))
    if pre is None:
        merges = "with" if model.get("ignore_merges") else "without"
        raise TokenizerError(f"{path}: unknown pre-tokenizer {merges} ignore_merges, its pattern: {pattern}; {_REMEDY}")
    normalizer = document.get("normalizer")
    if normalizer is not None and not (pre == "qwen2" and normalizer == {"type": "NFC"}):
        raise TokenizerError(f"{path}: a normalizer is not supported: {str(normalizer)[:100]}; {_REMEDY}")
    tokens, types = token_table(path, model["vocab"], document.get("added_tokens") or [], checkpoint.config.vocabulary)
    check_markers(path, document.get("added_tokens") or [])
    # It warns about pair templates, which no prompt of ours uses.
    logging.getLogger("gguf.vocab").setLevel(logging.ERROR)
    try:
        special = gguf.SpecialVocab(checkpoint.path, load_merges=True)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TokenizerError(f"{path}: damaged tokenizer files ({error}); download them again") from None
    return GgufVocab(pre, tokens, types, bool(special.add_special_token.get("bos")), special)


def check_merges(path: Path, merges: list[Any]) -> None:
    """Each is a pair, all as `"a b"` or all as `["a", "b"]`: the `gguf` package trusts the first to tell the form."""
    if not merges:
        raise TokenizerError(f"{path}: a BPE without merges; {_REMEDY}")
    form = type(merges[0])
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if (
            type(merge) is not form
            or not isinstance(pair, list)
            or len(pair) != 2
            or not all(isinstance(p, str) and p for p in pair)
        ):
            raise TokenizerError(f"{path}: damaged merge {str(merge)[:60]!r}; {_REMEDY}")


def split_pattern(path: Path, document: dict[str, Any]) -> str:
    """The regular expression that cuts text before BPE, or GPT2 for ByteLevel's own."""
    found = document.get("pre_tokenizer")
    listed = found.get("pretokenizers") if isinstance(found, dict) and found.get("type") == "Sequence" else [found]
    listed = listed if isinstance(listed, list) else []
    steps: list[dict[str, Any]] = [step if isinstance(step, dict) else {} for step in listed]
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
        return GPT2
    if kinds == ["Split", "ByteLevel"] and not steps[1].get("use_regex", True) and not steps[1].get("add_prefix_space"):
        split = steps[0]
        pattern = split.get("pattern") or {}
        if split.get("behavior") == "Isolated" and not split.get("invert") and "Regex" in pattern:
            return str(pattern["Regex"])
    raise TokenizerError(f"{path}: unknown pre-tokenizer: {str(found)[:200]}; {_REMEDY}")


def token_table(path: Path, vocab: dict[str, int], added: list[Any], size: int) -> tuple[list[str], list[int]]:
    """Texts and GGUF token types in id order; ids that only the embedding has are unused padding."""
    tokens = [f"[PAD{i}]" for i in range(size)]
    types = [UNUSED] * size
    try:
        entries = [(text, number, NORMAL) for text, number in vocab.items()]
        for entry in added:
            text, number = entry["content"], entry["id"]
            entries.append((text, number, CONTROL if entry.get("special") or looks_special(text) else USER_DEFINED))
    except (KeyError, TypeError, AttributeError):
        raise TokenizerError(f"{path}: damaged vocabulary; download it again") from None
    for text, number, kind in entries:
        if not isinstance(text, str) or any("\ud800" <= c <= "\udfff" for c in text):
            raise TokenizerError(f"{path}: token {text!r} is no text; {_REMEDY}")
        if type(number) is not int or not 0 <= number < size:
            raise TokenizerError(
                f"{path}: token {text[:40]!r} has id {number}, config.json's vocab_size is {size:,}; {_REMEDY}"
            )
        if types[number] != UNUSED and tokens[number] != text:
            raise TokenizerError(f"{path}: tokens {tokens[number][:40]!r} and {text[:40]!r} share id {number}; {_REMEDY}")
        tokens[number], types[number] = text, kind
    return tokens, types


def looks_special(text: str) -> bool:
    """llama.cpp's rule for added tokens that a checkpoint forgot to call special (conversion/base.py)."""
    return (
        text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
        or (text.startswith(("<|", "<｜")) and text.endswith(("|>", "｜>")))
        or (text.startswith("<unused") and text.endswith(">"))
    )


def check_markers(path: Path, added: list[Any]) -> None:
    names = {entry["content"] for entry in added}
    for marker in MARKERS:
        if marker not in names:
            raise TokenizerError(f"{path}: marker {marker} is not one token here; {_REMEDY}")
