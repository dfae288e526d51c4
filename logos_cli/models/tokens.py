"""The prompt contract: from a checkpoint's files to the ids of a text with its specials, the ends, the padding.

Converters, both engines, the torch reference, trimming and verification all take it from `Tokens`; the keys of a GGUF are
written from it. It is what `AutoTokenizer` of transformers 4.57 and 5 gives: state that training left in tokenizer.json
(truncation, padding, BPE dropout) is not vocabulary and is ignored, the template decides about BOS.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.errors import TokenizerError
from logos_cli.models.checkpoint_config import read_raw
from logos_cli.models.checkpoint_tokenizer import TokenizerFiles

# What Llama's vocabularies call the end of a text, a turn and a message, and Qwen's that of a text and a turn.
END_NAMES = ("<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|im_end|>")
_REMEDY = "take the tokenizer.json of a LOGOS checkpoint"


class Tokens:
    """`vocabulary` is the number of rows of the embedding, which may be more than the tokenizer has texts for.

    `bos`: the id before every prompt, None without one. `ends`: ids at which a generation stops, never a marker.
    `end`: the one that a text ends with. `notes`: what a user should know of what was ignored.
    """

    def __init__(self, folder: Path, vocabulary: int) -> None:
        """Raises TokenizerError for files whose prompts no engine of ours can reproduce."""
        self.path, self.vocabulary = folder / "tokenizer.json", vocabulary
        self.files = TokenizerFiles.read(folder)
        self.notes: list[str] = []
        raw = read_raw(self.path)
        self.tokenizer: Any = self._parsed(raw)
        self._add_special()
        self.files.check_flags({token.content: token for token in self.tokenizer.get_added_tokens_decoder().values()})
        self._leave_out()
        self._check_order(json.loads(raw))
        self.added = frozenset(self._added().values())
        self.bos = self._start()
        self.files.check_start(None if self.bos is None else self.tokenizer.id_to_token(self.bos), self.added)
        self.files.check_pieces(self.document)
        before = self.tokenizer.pre_tokenizer
        self.files.check_prefix(json.loads(before.__getstate__()) if before is not None else {})

    def _parsed(self, raw: bytes) -> Any:
        """The tokenizer of `raw` without the state that training left in it."""
        from tokenizers import Tokenizer, models, normalizers

        try:
            found: Any = Tokenizer.from_buffer(raw)
        except Exception as error:  # noqa: BLE001  # the only type that tokenizers raises
            raise TokenizerError(f"{self.path}: cannot be read ({error}); download it again") from None
        found.no_truncation()
        found.no_padding()
        if isinstance(found.model, models.BPE) and found.model.dropout is not None:
            found.model.dropout = None
            self.notes.append("BPE dropout is for training, and off here: each text has one reading")
        if isinstance(found.normalizer, normalizers.Sequence) and not json.loads(found.to_str())["normalizer"]["normalizers"]:
            found.normalizer = None
        return found

    def _add_special(self) -> None:
        """Tokens that the other files name, as transformers adds them: flags of their own, new ids at the end."""
        from tokenizers import AddedToken

        known = set(self._added().values())
        flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
        for text, entry, counts in self.files.special():
            if text not in known or counts:
                given = {flag: entry[flag] for flag in flags if isinstance(entry.get(flag), bool)}
                token = AddedToken(text, **{"normalized": not given.get("special"), **given})
                (self.tokenizer.add_special_tokens if token.special else self.tokenizer.add_tokens)([token])
                known.add(text)

    def _leave_out(self) -> None:
        """Tokens past the embedding's rows: added ones that nothing uses go. Raises TokenizerError for others."""
        if max(self.tokenizer.get_vocab().values(), default=0) < self.vocabulary:
            return
        document = self.document()
        past = {text: i for text, i in document["model"].get("vocab", {}).items() if i >= self.vocabulary}
        added = {text: i for i, text in self._added().items() if i >= self.vocabulary}
        names = {*MARKERS, *END_NAMES, self.files.name("bos_token"), self.files.name("eos_token")}
        ids = {*self.files.ids("bos_token_id"), *self.files.ids("eos_token_id")}
        past |= {text: i for text, i in added.items() if text in names or i in ids}
        for text, i in past.items():
            raise TokenizerError(
                f"{self.path}: token {text[:40]!r} has id {i}, but the embedding has {self.vocabulary:,} rows (vocab_size in "
                f"config.json); {_REMEDY}, or the weights that belong to this one"
            )
        document["added_tokens"] = [entry for entry in document["added_tokens"] if entry["id"] < self.vocabulary]
        self.tokenizer = self._parsed(json.dumps(document, ensure_ascii=False).encode())
        self.notes += [f"{text} is left out: the embedding has no row for it, and nothing uses it" for text in added]

    def _check_order(self, document: dict[str, Any]) -> None:
        """Raise TokenizerError for an added token of tokenizer.json that tokenizers gives another id than stands there: those
        that the vocabulary lacks it numbers from the vocabulary's end, in the order of the list. Ends named by id would then
        be other tokens than those named by text."""
        for entry in document.get("added_tokens") or ():
            number = self.tokenizer.token_to_id(entry["content"])
            if number not in (None, entry["id"]):
                raise TokenizerError(
                    f"{self.path}: {entry['content']} has id {entry['id']} in added_tokens, but tokenizers reads it as {number}"
                    "; sort added_tokens by id, without a gap"
                )

    def _added(self) -> dict[int, str]:
        return {i: token.content for i, token in self.tokenizer.get_added_tokens_decoder().items()}

    def _start(self) -> int | None:
        """What the template puts before a text. Raises TokenizerError for more than one token, or for one behind it."""
        probe = "C"
        plain = self.tokenizer.encode(probe, add_special_tokens=False).ids
        whole = self.tokenizer.encode(probe).ids
        for at in range(len(whole) - len(plain) + 1):
            if whole[at : at + len(plain)] == plain:
                before, behind = whole[:at], whole[at + len(plain) :]
                break
        else:
            raise TokenizerError(f"{self.path}: its post-processor changes the text's own tokens; {_REMEDY}")
        if behind:
            name = self.tokenizer.id_to_token(behind[0])
            raise TokenizerError(f"{self.path}: its template (post_processor) appends {name} to every prompt; remove it there")
        if len(before) > 1:
            names = " ".join(str(self.tokenizer.id_to_token(i)) for i in before)
            raise TokenizerError(f"{self.path}: its template begins prompts with {names}, not with one token; {_REMEDY}")
        return int(before[0]) if before else None

    def _named(self, key: str) -> int | None:
        """The id of a special token: by its name, else by its id; None for one the embedding has no row for."""
        name = self.files.name(key)
        found = self.tokenizer.token_to_id(name) if name else next(iter(self.files.ids(f"{key}_id")), None)
        return int(found) if found is not None and found < self.vocabulary else None

    @property
    def named_bos(self) -> int | None:
        """`bos`, or where no prompt begins with one the token that the files call so."""
        return self.bos if self.bos is not None else self._named("bos_token")

    @cached_property
    def chat_template(self) -> str:
        """The Jinja text that other programs make prompts of a conversation with; empty without one."""
        return self.files.chat_template()

    @cached_property
    def pad(self) -> int | None:
        return self._named("pad_token")

    @cached_property
    def unknown(self) -> int | None:
        """The token that the files call unknown; None without any."""
        return self._named("unk_token")

    @cached_property
    def ends(self) -> frozenset[int]:
        """End tokens of generation_config.json, else config.json; the tokenizer's own, those of Llama and Qwen, and padding."""
        ids = {self.tokenizer.token_to_id(name) for name in (*END_NAMES, self.files.name("eos_token")) if name}
        ids |= {*self.files.ids("eos_token_id")}
        # A padding token that is part of texts ends none: an ordinary token, or a marker.
        if self.pad is not None and self.tokenizer.id_to_token(self.pad) in self.added:
            ids.add(self.pad)
        return frozenset(i for i in ids if i is not None and i < self.vocabulary and not self._is_marker(i))

    def _is_marker(self, number: int) -> bool:
        return self.tokenizer.id_to_token(number) in MARKERS

    @cached_property
    def end(self) -> int | None:
        """What tokenizer_config.json calls eos_token, else the lowest that the other files name; None without any."""
        named = self._named("eos_token")
        others = sorted(i for i in self.files.ids("eos_token_id") if i in self.ends)
        return named if named in self.ends else next(iter(others or sorted(self.ends)), None)

    def end_of_text(self) -> int:
        """`end`. Raises TokenizerError if there is none."""
        if self.end is None:
            raise TokenizerError(
                f"{self.path.parent}: neither tokenizer_config.json nor config.json names an end-of-text token"
            )
        return self.end

    @cached_property
    def without_text(self) -> tuple[int, ...]:
        """Rows of the embedding that no token belongs to: never drawn, whatever numbers they hold."""
        return tuple(i for i in range(self.vocabulary) if self.tokenizer.id_to_token(i) is None and i not in self.ends)

    def document(self) -> dict[str, Any]:
        """tokenizer.json as it is read here."""
        found: dict[str, Any] = json.loads(self.tokenizer.to_str())
        return found

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of `text`, BOS first if the template prepends it; markers become their own ids."""
        return tuple(self.tokenizer.encode(text).ids)

    def encode_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        return [tuple(found.ids) for found in self.tokenizer.encode_batch(list(texts))]

    def marker(self, name: str) -> int:
        """Raises TokenizerError if it is not exactly one token."""
        found = self.tokenizer.encode(name, add_special_tokens=False).ids
        if len(found) != 1:
            raise TokenizerError(
                f"{self.path}: marker {name} is {len(found)} tokens in this model, not one; it does not speak this task's "
                "grammar"
            )
        return int(found[0])

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Markers of the grammar that this vocabulary does not have."""
        return tuple(marker for marker in MARKERS if marker not in self.added)

    def check_markers(self) -> None:
        """Note the markers that are not there; raise TokenizerError for one that is not one token wherever it stands."""
        if self.missing:
            which = "none of LOGOS's markers" if len(self.missing) == len(MARKERS) else f"no {', '.join(self.missing)}"
            self.notes.append(f"{which}: tasks that ask with them will be refused; raw, score and bench work without")
        for marker in MARKERS:
            if marker in self.missing:
                continue
            if self.tokenizer.token_to_id(marker) not in self.tokenizer.encode(f"C{marker}C", add_special_tokens=False).ids:
                raise TokenizerError(
                    f"{self.path}: marker {marker} is not found between letters (single_word); set single_word to false"
                )

    def texts(self) -> list[str]:
        """[V], as llama.cpp spells them: rows of the embedding without a token get a name of their own."""
        found = [self.tokenizer.id_to_token(i) for i in range(self.vocabulary)]
        return [f"[PAD{i}]" if text is None else text for i, text in enumerate(found)]

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of `tokens`, markers kept, ends left out. A blank that they begin with is kept, which SentencePiece's decoders
        take for the one that they put before every text."""
        kept = [t for t in tokens if t not in self.ends]
        if self._letter is None:
            return str(self.tokenizer.decode(kept, skip_special_tokens=False))
        before = str(self.tokenizer.decode([self._letter]))
        return str(self.tokenizer.decode([self._letter, *kept], skip_special_tokens=False)).removeprefix(before)

    @cached_property
    def _letter(self) -> int | None:
        """A token that is a letter by itself, if what follows one is decoded otherwise than what stands first."""
        blank = self.tokenizer.token_to_id("▁")
        letter = self.tokenizer.token_to_id("a")
        if blank is None or letter is None:
            return None
        return int(letter) if self.tokenizer.decode([blank, letter]) != f" {self.tokenizer.decode([letter])}" else None


def byte_of() -> dict[str, int]:
    """Character -> byte of the table that byte-level BPE vocabularies are written in (GPT-2's)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in plain)
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}
