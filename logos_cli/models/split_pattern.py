"""How a tokenizer.json cuts a text into pieces before BPE: the pattern by which vocabularies are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logos_cli.errors import TokenizerError

_TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
LLAMA3 = _WORDS + r"|\p{N}{1,3}" + _TAIL
QWEN2 = _WORDS + r"|\p{N}" + _TAIL
GPT2 = "ByteLevel"  # the pattern inside `tokenizers`' ByteLevel
DIGITS = "Digits, ByteLevel"  # each digit by itself, then the same


def split_pattern(path: Path, document: Mapping[str, Any]) -> str:
    """The regular expression that cuts text before BPE, or GPT2 for ByteLevel's own, DIGITS for that behind single digits.
    Raises TokenizerError for a pre-tokenizer of another kind."""
    found = document.get("pre_tokenizer")
    listed = found.get("pretokenizers") if isinstance(found, dict) and found.get("type") == "Sequence" else [found]
    listed = listed if isinstance(listed, list) else []
    steps: list[dict[str, Any]] = [step if isinstance(step, dict) else {} for step in listed]
    kinds = [step.get("type") for step in steps]
    own = bool(steps) and steps[-1].get("use_regex", True) and not steps[-1].get("add_prefix_space")
    if kinds == ["ByteLevel"] and own:
        return GPT2
    if kinds == ["Digits", "ByteLevel"] and own and steps[0].get("individual_digits"):
        return DIGITS
    if kinds == ["Split", "ByteLevel"] and not steps[1].get("use_regex", True) and not steps[1].get("add_prefix_space"):
        split = steps[0]
        pattern = split.get("pattern") or {}
        if split.get("behavior") == "Isolated" and not split.get("invert") and "Regex" in pattern:
            return str(pattern["Regex"])
    raise TokenizerError(f"{path}: unknown pre-tokenizer: {str(found)[:200]}; take the tokenizer.json of a LOGOS checkpoint")
