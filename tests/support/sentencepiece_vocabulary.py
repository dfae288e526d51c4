"""SentencePiece BPE vocabularies as tokenizer.json has them: Llama 2's own out of llama.cpp's source, and a small one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from logos_cli.convert.verify import texts

UNKNOWN, START, END = SPECIAL = ("<unk>", "<s>", "</s>")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
BLANK = "▁"
# How blanks are treated: Llama 2's and the first Mistrals', and the ways of Metaspace.
KINDS = ("llama2", "first", "always", "never")


def tokenizer_of(pieces: Sequence[str], merges: Sequence[tuple[str, str]], kind: str, markers: Sequence[str] = ()) -> Tokenizer:
    """A tokenizer of `pieces` in the order of their ids, which the special and the byte tokens begin."""
    model = models.BPE(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=list(merges), byte_fallback=True, fuse_unk=True,
        unk_token=UNKNOWN,
    )  # fmt: skip
    tokenizer = Tokenizer(model)
    if kind == "llama2":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(BLANK, prepend_scheme=kind, split=False)
    strip = [decoders.Strip(" ", 1, 0)] if kind != "never" else []
    tokenizer.decoder = decoders.Sequence([decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in (*SPECIAL, *markers)])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A", special_tokens=[(START, 1)])
    return tokenizer


def merges_of(scores: Mapping[str, float]) -> list[tuple[str, str]]:
    """The merges of pieces by their scores, as transformers takes them from a tokenizer.model."""
    rank = {piece: at for at, piece in enumerate(scores)}
    found = []
    for piece, score in scores.items():
        halves = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        known = [(rank[one], rank[other], (one, other)) for one, other in halves if one in rank and other in rank]
        found += [(score, pair) for _, _, pair in sorted(known)]
    return [pair for _, pair in sorted(found, key=lambda one: -one[0])]


def small_tokenizer(kind: str, markers: Sequence[str] = ()) -> Tokenizer:
    """600 pieces learned from texts, numbered as SentencePiece does: merges in their order, then single characters."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", BLANK)
    learner.train_from_iterator(texts(300), trainers.BpeTrainer(vocab_size=600, show_progress=False, limit_alphabet=120))
    vocab = sorted((number, piece) for piece, number in learner.get_vocab().items() if "\n" not in piece)
    merged = [piece for _, piece in vocab if len(piece) > 1]
    single = [piece for _, piece in vocab if len(piece) == 1]
    pieces = [*SPECIAL, *BYTES, *merged, *([] if BLANK in single else [BLANK]), *single]
    merges = merges_of({piece: -float(at) for at, piece in enumerate([*merged, *single])})
    return tokenizer_of(pieces, merges, kind, markers)


def llama2(gguf: Path, kind: str) -> tuple[Tokenizer, Mapping[str, Any]]:
    """(Llama 2's tokenizer, the keys of the GGUF that it is from): `models/ggml-vocab-llama-spm.gguf` of llama.cpp's source."""
    from logos_cli.models.gguf_header import read_header

    keys = read_header(gguf).keys
    pieces, scores = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.scores"]
    assert isinstance(pieces, list) and isinstance(scores, list)
    first = len(SPECIAL) + len(BYTES)
    merges = merges_of(dict(zip(pieces[first:], scores[first:], strict=True)))
    return tokenizer_of(pieces, merges, kind), keys
