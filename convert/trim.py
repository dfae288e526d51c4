"""A checkpoint with its vocabulary cut to LOGOS's grammar: a third of LOGOS-1B's weights are rows for tokens that can stand
in no SMILES and no sequence of residues.

Kept are the added tokens (all markers, known or not, beginning and ends; not those named as reserved), and every token that is
a substring of lexable SMILES or of residues (`logos_cli.chemistry.alphabet`). **Every valid input then becomes the same tokens
in the same order.** For the text between two markers is valid V (a substring of such a text), and:

1. The split pattern cuts V into pieces as before: it does not know the vocabulary. Each piece is a substring of V.
2. BPE starts from the piece's bytes and joins neighbours by the merge of lowest rank. Whatever stands in its list at any time
   is a substring of the piece, so of V, so it is kept; and with a token both halves of any merge that makes it are kept,
   being substrings of it. So every merge that can apply to V in the full list is in the cut one, in the same relative order,
   and no others are: both take the same steps. With `ignore_merges` a whole piece that is a token is taken as it is: it is
   kept for the same reason.
3. Added tokens are found in the text before all this, the same ones.

So too every valid output: the model writes it as some sequence of tokens, each a substring of it, each kept. Of a text that is
not valid neither holds; an engine refuses it (`foreign`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from logos_cli.chemistry.alphabet import in_grammar
from logos_cli.errors import TokenizerError
from logos_cli.models.checkpoint import PIECE, Checkpoint, Tensor
from logos_cli.models.hub.manifest import MANIFEST
from logos_cli.models.tokens import Tokens, byte_of

_RESERVED = re.compile(r"<\|reserved_special_token_\d+\|>|<\|?(?:unused|reserved|extra)_?\d+\|?>")
_ROWS_OF = ("model.embed_tokens.weight", "lm_head.weight")
# Kernels take up to 16 rows of a matrix at a time and the rest by themselves, which rounds otherwise: the cut vocabulary gets
# the same remainder as the whole one, and the same last tokens in it, so that its logits stay the same bits.
TOGETHER = 16
COPIED = ("special_tokens_map.json", "logos_sampling.json")


@dataclass(frozen=True)
class Gathered(Tensor):
    """The rows `ids` of a tensor; everything else as of a stored one."""

    source: Tensor
    ids: tuple[int, ...]

    @classmethod
    def of(cls, source: Tensor, ids: tuple[int, ...]) -> Gathered:
        width = source.nbytes // source.shape[0]
        shape = (len(ids), *source.shape[1:])
        return cls(source.name, shape, source.dtype, source.path, source.offset, width * len(ids), source, ids)

    def rows(self, start: int, stop: int) -> bytes:
        """Neighbours are read together: kept ids come in runs."""
        return b"".join(self.source.rows(first, last) for first, last in runs(self.ids[start:stop], self._most))

    @property
    def _most(self) -> int:
        return max(1, PIECE // (self.source.nbytes // self.source.shape[0]))


def runs(ids: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Ascending ids as ranges of at most `most`."""
    start = 0
    for place in range(1, len(ids) + 1):
        if place == len(ids) or ids[place] != ids[place - 1] + 1 or place - start == most:
            yield ids[start], ids[place - 1] + 1
            start = place


def kept_ids(path: Path, document: dict[str, Any], ends: Iterable[int], size: int) -> tuple[int, ...]:
    """Ids of `size` to keep, ascending, those in `ends` among them. Raises TokenizerError for a vocabulary we do not know."""
    model = document.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict):
        raise TokenizerError(f"{path}: not a byte-level BPE vocabulary; take the tokenizer.json of a LOGOS checkpoint")
    if model.get("byte_fallback"):
        raise TokenizerError(f"{path}: --trim-vocab cuts byte-level vocabularies, not SentencePiece's; convert without it")
    table = byte_of()
    kept = set(ends)
    added = {entry["id"]: entry["content"] for entry in document.get("added_tokens") or []}
    reserved = sorted(number for number, text in added.items() if _RESERVED.fullmatch(text) and number not in kept)
    kept |= added.keys() - set(reserved)
    for text, number in model["vocab"].items():
        raw = bytes(table.get(character, 255) for character in text)
        if number not in added and raw.isascii() and raw and in_grammar(raw.decode("ascii")):
            kept.add(number)
    kept |= set(range(size - size % TOGETHER, size))
    # Filled up by reserved tokens first: like all the others they can stand in no valid text.
    others = (number for number in range(size) if number not in reserved)
    fill = (number for number in (*reserved, *others) if number not in kept)
    return tuple(sorted(kept | set(islice(fill, (size - len(kept)) % TOGETHER))))


def trimmed_tokenizer(path: Path, document: dict[str, Any], ids: Sequence[int]) -> dict[str, Any]:
    """tokenizer.json with the tokens `ids`, numbered anew in their order."""
    new = {old: number for number, old in enumerate(ids)}
    model = document["model"]
    vocab = {text: new[number] for text, number in model["vocab"].items() if number in new}
    merges = []
    for merge in model.get("merges") or []:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        # Both halves of a kept token are kept; what joins two of them into one that is not kept goes.
        if left + right in vocab:
            merges.append(merge)
    added = [{**entry, "id": new[entry["id"]]} for entry in document.get("added_tokens") or [] if entry["id"] in new]
    found = {**document, "model": {**model, "vocab": vocab, "merges": merges}, "added_tokens": added}
    if document.get("post_processor") is not None:
        found["post_processor"] = renumbered(path, document["post_processor"], new)
    return found


def renumbered(path: Path, processor: Any, new: dict[int, int]) -> Any:
    """A post-processor with new ids. Raises TokenizerError for a kind whose ids stand where nobody looks."""
    kind = processor.get("type") if isinstance(processor, dict) else None
    if kind == "Sequence":
        return {**processor, "processors": [renumbered(path, one, new) for one in processor["processors"]]}
    if kind == "TemplateProcessing":
        special = {
            name: {**entry, "ids": [new[number] for number in entry["ids"]]}
            for name, entry in processor["special_tokens"].items()
        }
        return {**processor, "special_tokens": special}
    if kind == "ByteLevel":
        return processor
    raise TokenizerError(f"{path}: post-processor {kind!r} is not supported by --trim-vocab; convert without it")


def renumbered_ids(value: Any, new: dict[int, int]) -> Any:
    """An id of config.json, or a list of them; those that are not kept go."""
    if isinstance(value, list):
        return [new[one] for one in value if one in new]
    return new.get(value) if isinstance(value, int) else value


def named_ids(*documents: dict[str, Any]) -> set[int]:
    """Every id that config.json or generation_config.json names: beginning, ends, padding."""
    found: set[int] = set()
    for document in documents:
        for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
            value = document.get(key)
            found |= {one for one in (value if isinstance(value, list) else [value]) if type(one) is int and one >= 0}
    return found


@contextmanager
def trimmed(checkpoint: Checkpoint) -> Iterator[Checkpoint]:
    """`checkpoint` with its vocabulary cut, as one that converters read like any other: small files of its own in a
    temporary folder of the same name, tensors read from the original. Its `kept` are the old ids."""
    folder = checkpoint.path
    config, generation = checkpoint.document("config.json"), checkpoint.document("generation_config.json")
    vocabulary = checkpoint.config.vocabulary
    tokens = Tokens(folder, vocabulary)
    if tokens.missing:
        raise TokenizerError(
            f"{tokens.path}: --trim-vocab keeps the tokens of LOGOS's grammar, and this vocabulary has no {tokens.missing[0]}; "
            "convert without it"
        )
    tokenizer = tokens.document()
    ends = {number for number in named_ids(config, generation) if number < vocabulary}
    ids = kept_ids(folder / "tokenizer.json", tokenizer, ends, vocabulary)
    if ids and ids[-1] >= vocabulary:
        raise TokenizerError(
            f"{folder / 'tokenizer.json'}: id {ids[-1]}, but config.json's vocab_size is {vocabulary:,}; download it again"
        )
    new = {old: number for number, old in enumerate(ids)}
    with TemporaryDirectory() as parent:
        view = Path(parent) / folder.resolve().name
        view.mkdir()

        def write(name: str, document: dict[str, Any]) -> None:
            (view / name).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")

        write("tokenizer.json", trimmed_tokenizer(folder / "tokenizer.json", tokenizer, ids))
        settings = checkpoint.document("tokenizer_config.json")
        if "added_tokens_decoder" in settings:
            entries = settings["added_tokens_decoder"].items()
            settings["added_tokens_decoder"] = {str(new[int(i)]): entry for i, entry in entries if int(i) in new}
        if settings:
            write("tokenizer_config.json", settings)
        for name, document in (("config.json", config), ("generation_config.json", generation)):
            if document:
                changed = {key: renumbered_ids(value, new) for key, value in document.items() if key.endswith("_token_id")}
                write(name, document | changed | ({"vocab_size": len(ids)} if name == "config.json" else {}))
        for name in COPIED:
            if document := checkpoint.document(name):
                write(name, document)
        if (folder / MANIFEST).is_file():
            (view / MANIFEST).write_bytes((folder / MANIFEST).read_bytes())
        tensors = {
            name: Gathered.of(tensor, ids) if name in _ROWS_OF else tensor for name, tensor in checkpoint.tensors.items()
        }
        yield replace(checkpoint, path=view, tensors=tensors, config=replace(checkpoint.config, vocabulary=len(ids)), kept=ids)
