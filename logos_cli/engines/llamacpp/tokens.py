"""The prompt contract of a GGUF: its vocabulary through llama.cpp, and what llama.cpp's vocabularies cannot say."""

from __future__ import annotations

import ctypes
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.errors import TokenizerError
from logos_cli.models.gguf_header import BYTE, CONTROL, ENDS, TEXT_RULES, UNUSED, GgufHeader

# What Unicode calls White_Space, which `tokenizers` strips; Python's \s has four more.
_SPACE = r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"


class TextRules:
    """What `tokenizers` does to a text before it looks for pieces: spaces beside some added tokens go, the rest is NFC."""

    def __init__(
        self, nfc: bool = False, lstrip: Iterable[str] = (), rstrip: Iterable[str] = (), whole: Iterable[str] = (),
        metaspace: str = "",
    ):  # fmt: skip
        """`whole`: the added tokens that are found before any normalization. `metaspace`: of a SentencePiece vocabulary, which
        parts of a text between those get a blank before them, the `first` or `always` each, unless they begin with one."""
        self.nfc, self.lstrip, self.rstrip, self.whole = nfc, tuple(lstrip), tuple(rstrip), tuple(whole)
        self.metaspace = metaspace
        self._before = re.compile(f"{_SPACE}({_any_of(self.lstrip)})") if self.lstrip else None
        self._behind = re.compile(f"({_any_of(self.rstrip)}){_SPACE}") if self.rstrip else None
        self._whole = re.compile(f"({_any_of(self.whole)})") if self.whole else None

    @classmethod
    def of_key(cls, text: str) -> TextRules:
        """Of the GGUF key; none for an empty one. Raises TokenizerError."""
        try:
            return cls(**json.loads(text)) if text else cls()
        except (ValueError, TypeError):
            raise TokenizerError(f"key {TEXT_RULES} is damaged: {text[:60]}; convert the model again") from None

    def key(self) -> str:
        """Empty if nothing is done."""
        if not (self.nfc or self.lstrip or self.rstrip or self.metaspace):
            return ""
        whole = self.whole if self.nfc or self.metaspace else ()
        more = {"metaspace": self.metaspace} if self.metaspace else {}
        return json.dumps({"nfc": self.nfc, "lstrip": self.lstrip, "rstrip": self.rstrip, "whole": whole, **more})

    def parts(self, text: str) -> list[str]:
        """A text parted at the `whole` tokens, which are every second one."""
        return self._whole.split(text) if self._whole else [text]

    def __call__(self, text: str) -> str:
        for pattern in (self._before, self._behind):
            if pattern is not None:
                text = pattern.sub(r"\1", text)
        if self.nfc and not text.isascii():
            text = "".join(part if i % 2 else unicodedata.normalize("NFC", part) for i, part in enumerate(self.parts(text)))
        return text


def is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


class LlamaTokens:
    """Of a loaded model, which must outlive it; the meanings are those of `logos_cli.models.tokens.Tokens`."""

    def __init__(self, binding: Any, model: Any, header: GgufHeader) -> None:
        self.binding, self.header, self.path = binding, header, header.path
        self.vocab = binding.llama_model_get_vocab(model)
        self.vocabulary = int(binding.llama_vocab_n_tokens(self.vocab))
        self.rules = TextRules.of_key(header.text(TEXT_RULES))
        self._pieces: dict[int, bytes] = {}

    def _plain(self, text: str) -> tuple[int, ...]:
        text = self.rules(text)
        if not self.rules.metaspace:
            return self._tokenized(text)
        found: list[int] = []
        for at, part in enumerate(self.rules.parts(text)):
            blank = at == 0 or self.rules.metaspace == "always"
            if at % 2 or not part or (blank and part[0] not in " ▁"):
                found += self._tokenized(part)  # llama.cpp puts a blank before it
            else:
                # No piece holds a line end, so that what stands behind one is tokenized as if it stood alone, without a blank.
                found += self._tokenized(f"\n{part}")[len(self._tokenized("\n")) :]
        return tuple(found)

    def _tokenized(self, text: str) -> tuple[int, ...]:
        raw = text.encode("utf-8")
        buffer = (ctypes.c_int32 * (len(raw) + 2))()
        count = self.binding.llama_tokenize(self.vocab, raw, len(raw), buffer, len(buffer), False, True)
        if count < 0:
            raise TokenizerError(f"{self.path}: cannot tokenize {text[:60]!r}")
        return tuple(buffer[:count])

    @cached_property
    def bos(self) -> int | None:
        return int(self.binding.llama_vocab_bos(self.vocab)) if self.binding.llama_vocab_get_add_bos(self.vocab) else None

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of `text`, BOS first if the file says so; markers become their own ids."""
        return (*(() if self.bos is None else (self.bos,)), *self._plain(text))

    def marker(self, name: str) -> int:
        """Raises TokenizerError if it is not exactly one token."""
        found = self._plain(name)
        if len(found) != 1:
            raise TokenizerError(
                f"{self.path}: marker {name} is {len(found)} tokens in this model, not one; it does not speak this task's "
                "grammar"
            )
        return found[0]

    @cached_property
    def ends(self) -> frozenset[int]:
        """Those that converting wrote; of other programs' files what llama.cpp takes for ends, and padding. No markers."""
        written = self.header.keys.get(ENDS)
        if isinstance(written, list) and all(isinstance(i, int) and 0 <= i < self.vocabulary for i in written):
            return frozenset(written)
        found = {i for i in range(self.vocabulary) if self.binding.llama_vocab_is_eog(self.vocab, i)}
        pad = int(self.binding.llama_vocab_pad(self.vocab))
        if pad >= 0 and self._types[pad : pad + 1] == [CONTROL]:
            found.add(pad)
        return frozenset(i for i in found if self.texts[i] not in MARKERS)

    def end_of_text(self) -> int:
        """Raises TokenizerError if the vocabulary names none."""
        found = int(self.binding.llama_vocab_eos(self.vocab))
        if found < 0:
            raise TokenizerError(f"{self.path}: its vocabulary names no end-of-text token; convert it again")
        return found

    @cached_property
    def texts(self) -> list[str]:
        """The text of each id as the vocabulary spells it, which is another for each."""
        get = self.binding.llama_vocab_get_text
        return [get(self.vocab, i).decode("utf-8", "replace") for i in range(self.vocabulary)]

    @property
    def _types(self) -> list[Any]:
        found = self.header.keys.get("tokenizer.ggml.token_type")
        return found if isinstance(found, list) else []

    @cached_property
    def without_text(self) -> tuple[int, ...]:
        """Rows of the embedding that no token belongs to."""
        return tuple(i for i, kind in enumerate(self._types) if kind == UNUSED and i not in self.ends)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of `tokens`, markers kept, ends left out. Byte tokens that make no text are a � each, as in `tokenizers`."""
        found = b""
        for bytewise, run in groupby((one for one in tokens if one not in self.ends), self._bytes.__contains__):
            raw = b"".join(map(self._piece, run))
            found += "�".encode() * len(raw) if bytewise and not is_text(raw) else raw
        return found.decode("utf-8", "replace")

    @cached_property
    def _bytes(self) -> frozenset[int]:
        """Tokens of a SentencePiece vocabulary that are a byte each."""
        return frozenset(i for i, kind in enumerate(self._types) if kind == BYTE)

    def _piece(self, token: int) -> bytes:
        if token not in self._pieces:
            buffer = ctypes.create_string_buffer(512)
            size = self.binding.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, True)
            self._pieces[token] = buffer.raw[: max(0, size)]
        return self._pieces[token]
