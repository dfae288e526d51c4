"""The vocabulary keys of a GGUF for a tokenizer.json made of a SentencePiece BPE, as Llama 2, Mistral and Mixtral have: merges
become llama.cpp's scores, byte tokens stand for what has no piece, a blank is `▁`.

SentencePiece numbers pieces in the order in which they were merged and scores them by it, so that the scores of tokenizer.model
follow from tokenizer.json, which does not have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logos_cli.errors import TokenizerError
from logos_cli.models.gguf_header import BYTE, UNUSED

BLANK = "▁"
UNKNOWN, NORMAL = 2, 1
OF_ADDED, OF_UNUSED = -1000.0, -10000.0  # llama.cpp's scores of tokens that have none
OF_LAST = -1e9  # Llama's of runs of blanks, which are to be merged after all others
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}
_PREPEND = {"type": "Prepend", "prepend": BLANK}


@dataclass(frozen=True)
class Blanks:
    """`prefix`: llama.cpp puts a blank before a text and behind each special token. `metaspace` says that pieces which begin
    with one get none, and whether the text's beginning alone gets one (`first`) or each piece between special tokens
    (`always`)."""

    prefix: bool
    metaspace: str = ""


def is_sentencepiece(model: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.json's model is a BPE with a token for every byte."""
    return bool(model.get("byte_fallback"))


def blanks_of(path: Path, document: Mapping[str, Any]) -> Blanks:
    """What is done about blanks before BPE. Raises TokenizerError for any other normalizer and pre-tokenizer."""
    normalizer, before = document.get("normalizer"), document.get("pre_tokenizer")
    listed = [normalizer] if isinstance(normalizer, dict) else []
    if listed and listed[0].get("type") == "Sequence":
        listed = listed[0]["normalizers"]
    if before is None and listed in ([_PREPEND, _REPLACE], [_REPLACE]):
        return Blanks(len(listed) == 2)
    if not listed and isinstance(before, dict) and before.get("type") == "Metaspace" and before.get("replacement") == BLANK:
        scheme = before.get("prepend_scheme", "always" if before.get("add_prefix_space", True) else "never")
        if before.get("split") is False and scheme in ("first", "always", "never"):
            return Blanks(scheme != "never", "" if scheme == "never" else scheme)
    raise TokenizerError(
        f"{path}: a SentencePiece vocabulary with a normalizer or pre-tokenizer that is not known: {str(normalizer)[:100]}, "
        f"{str(before)[:100]}; take the published tokenizer.json"
    )


def check_pieces(path: Path, model: Mapping[str, Any]) -> None:
    """Raise TokenizerError for a vocabulary in which something has no token, or that is no BPE of SentencePiece's kind."""
    vocab = model["vocab"]
    missing = [one for one in (f"<0x{byte:02X}>" for byte in range(256)) if one not in vocab]
    if missing:
        raise TokenizerError(f"{path}: a BPE with byte fallback without a token for each byte, {missing[0]} is missing")
    if model.get("ignore_merges"):
        raise TokenizerError(f"{path}: a SentencePiece vocabulary with ignore_merges is not supported")
    if any("\n" in text for text in vocab):
        raise TokenizerError(f"{path}: a SentencePiece vocabulary with a line end within a token is not supported")


def types_and_scores(
    model: Mapping[str, Any], texts: Sequence[str], types: Sequence[int], listed: frozenset[int]
) -> tuple[list[int], list[float]]:
    """GGUF token types and scores [vocabulary]; `listed` are ids that tokenizer_config.json says were added."""
    kinds = list(types)
    for at, text in enumerate(texts):
        if types[at] == NORMAL and _BYTE.fullmatch(text):
            kinds[at] = BYTE
        elif text == model.get("unk_token") and at not in listed:
            kinds[at] = UNKNOWN
    normal = [at for at, kind in enumerate(kinds) if kind == NORMAL]
    of_pieces = scores_of(model, normal)
    scores = []
    for at, kind in enumerate(kinds):
        none = OF_ADDED if at in listed else OF_UNUSED if kind == UNUSED else 0.0
        scores.append(of_pieces[at] if kind == NORMAL else none)
    return kinds, scores


def scores_of(model: Mapping[str, Any], normal: Sequence[int]) -> dict[int, float]:
    """The score of each piece, higher for what is merged earlier: minus its number behind the first piece, if merges have the
    order of numbers, but for runs of blanks that come after all, as in Llama's; else minus its place among the merges. What
    nothing is merged to comes last, and its score decides nothing."""
    vocab = model["vocab"]
    merged: dict[int, str] = {}
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        if (number := vocab.get(left + right)) is not None:
            merged.setdefault(number, left + right)
    order = list(merged)
    runs: list[int] = []
    while order and not merged[order[-1]].strip(BLANK):
        runs.append(order.pop())
    if order != sorted(order):
        others = (one for one in normal if one not in merged)
        return {number: -float(place) for place, number in enumerate([*merged, *others])}
    found = {number: -float(number - normal[0]) for number in normal}
    after_all = bool(runs) and bool(order) and min(runs) < order[-1]
    blanks = [*runs, *([vocab[BLANK]] if BLANK in vocab else [])]
    return found | (dict.fromkeys(blanks, OF_LAST) if after_all else {})
