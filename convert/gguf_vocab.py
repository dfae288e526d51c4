"""tokenizer.json in, the vocabulary keys of a GGUF out; what cannot be reproduced is refused.

llama.cpp knows a tokenizer by a name for its pre-tokenizer. Its own converter finds the name by hashing a test text,
which fails for every vocabulary not on its list; here it is found from what the name stands for: the split pattern,
`ignore_merges`. `verify` then compares the two tokenizers on real texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.convert.sentencepiece_vocab import blanks_of, check_pieces, is_sentencepiece, types_and_scores
from logos_cli.engines.llamacpp.tokens import TextRules
from logos_cli.errors import TokenizerError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.gguf_header import CONTROL, ENDS, TEXT_RULES, UNUSED, USER_DEFINED
from logos_cli.models.split_pattern import DIGITS, GPT2, LLAMA3, QWEN2, split_pattern
from logos_cli.models.tokens import Tokens, byte_of

if TYPE_CHECKING:
    import gguf

# (split pattern, ignore_merges) -> llama.cpp's name (llama-vocab.cpp). llama-bpe also implies BOS unless a key says
# otherwise, so the key is always written.
PRE_TOKENIZERS = {
    (LLAMA3, True): "llama-bpe",
    (LLAMA3, False): "smaug-bpe",
    (QWEN2, False): "qwen2",
    (GPT2, False): "gpt-2",
    (DIGITS, False): "smollm",
}
_REMEDY = "take the tokenizer.json of a LOGOS checkpoint"
NORMAL = 1


@dataclass(frozen=True)
class GgufVocab:
    """`texts` and `types` [vocabulary] in id order; `tokens` is the contract that all other keys follow from. `scores`
    [vocabulary] are those of a SentencePiece vocabulary, which has no merges; `prefix`: a blank stands before its texts."""

    pre: str
    texts: list[str]
    types: list[int]
    merges: list[str]
    tokens: Tokens
    rules: TextRules
    scores: list[float] | None = None
    prefix: bool = False

    def write(self, writer: gguf.GGUFWriter) -> None:
        tokens = self.tokens
        writer.add_tokenizer_model("gpt2" if self.scores is None else "llama")
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.texts)
        writer.add_token_types(self.types)
        if self.scores is None:
            writer.add_token_merges(self.merges)
        else:
            writer.add_token_scores(self.scores)
            writer.add_add_space_prefix(self.prefix)
            if tokens.unknown is not None:
                writer.add_unk_token_id(tokens.unknown)
        if tokens.named_bos is not None:
            writer.add_bos_token_id(tokens.named_bos)
        if tokens.end is not None:
            writer.add_eos_token_id(tokens.end)
        if tokens.pad is not None:
            writer.add_pad_token_id(tokens.pad)
        # Always said, because a pre-tokenizer's name may imply something else.
        writer.add_add_bos_token(tokens.bos is not None)
        # Nothing is ever put behind a text; llama.cpp's converter says so by one key for a template, by another without.
        (writer.add_add_eos_token if tokens.bos is None else writer.add_add_sep_token)(False)
        if tokens.chat_template:
            writer.add_chat_template(tokens.chat_template)
        writer.add_array(ENDS, sorted(tokens.ends))
        if rules := self.rules.key():
            writer.add_string(TEXT_RULES, rules)


def read_vocab(checkpoint: Checkpoint) -> GgufVocab:
    """Raises TokenizerError for a vocabulary that llama.cpp would split differently."""
    tokens = Tokens(checkpoint.path, checkpoint.config.vocabulary)
    path, document = tokens.path, tokens.document()
    model, added = document["model"], document["added_tokens"]
    if model.get("type", "BPE") != "BPE" or not isinstance(model.get("vocab"), dict):
        raise TokenizerError(f"{path}: a vocabulary of the kind {model.get('type', 'BPE')}, not a BPE; {_REMEDY}")
    # With a token for every byte nothing is unknown, whatever an unknown token is called.
    if not is_sentencepiece(model) and model.get("unk_token") and not model["vocab"].keys() >= byte_of().keys():
        raise TokenizerError(f"{path}: a BPE with an unknown token and no byte fallback is not supported; {_REMEDY}")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise TokenizerError(f"{path}: a BPE with a prefix or suffix for parts of words is not supported; {_REMEDY}")
    if not model.get("merges"):
        raise TokenizerError(f"{path}: a BPE without merges; {_REMEDY}")
    if is_sentencepiece(model):
        return of_sentencepiece(tokens, document)
    pattern = split_pattern(path, document)
    pre = PRE_TOKENIZERS.get((pattern, bool(model.get("ignore_merges"))))
    if pre is None:
        merges = "with" if model.get("ignore_merges") else "without"
        raise TokenizerError(f"{path}: unknown pre-tokenizer {merges} ignore_merges, its pattern: {pattern}; {_REMEDY}")
    texts, types = token_table(path, model["vocab"], added, checkpoint.config.vocabulary)
    tokens.check_markers()
    merges_written = [" ".join(merge) if isinstance(merge, list) else merge for merge in model["merges"]]
    return GgufVocab(pre, texts, types, merges_written, tokens, text_rules(path, document))


def of_sentencepiece(tokens: Tokens, document: dict[str, Any]) -> GgufVocab:
    """The vocabulary of a SentencePiece BPE. Raises TokenizerError."""
    path, model, added = tokens.path, document["model"], document["added_tokens"]
    check_pieces(path, model)
    blanks = blanks_of(path, document)
    texts, types = token_table(path, model["vocab"], added, tokens.vocabulary)
    tokens.check_markers()
    decoder = tokens.files.settings.get("added_tokens_decoder")
    listed = frozenset(int(number) for number in decoder if number.isdecimal()) if isinstance(decoder, dict) else frozenset()
    types, scores = types_and_scores(model, texts, types, listed)
    rules = text_rules(path, {**document, "normalizer": None}, blanks.metaspace)
    return GgufVocab("default", texts, types, [], tokens, rules, scores, blanks.prefix)


def text_rules(path: Path, document: dict[str, Any], metaspace: str = "") -> TextRules:
    """What llama.cpp does not know of, and the engine does before it; `metaspace` as of `Blanks`. Raises TokenizerError for a
    normalizer but NFC."""
    normalizer, added = document.get("normalizer"), document["added_tokens"]
    if isinstance(normalizer, dict) and normalizer.get("type") == "Sequence" and len(normalizer["normalizers"]) == 1:
        (normalizer,) = normalizer["normalizers"]
    if normalizer not in (None, {"type": "NFC"}):
        raise TokenizerError(f"{path}: a normalizer is not supported: {str(normalizer)[:100]}; {_REMEDY}")
    names = {flag: [entry["content"] for entry in added if entry.get(flag)] for flag in ("lstrip", "rstrip")}
    whole = [entry["content"] for entry in added if not entry.get("normalized")]
    return TextRules(normalizer is not None, whole=whole, metaspace=metaspace, **names)


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
