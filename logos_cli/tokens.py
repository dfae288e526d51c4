"""A checkpoint's tokenizer.json through the `tokenizers` library: text to ids and back, markers, ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from logos_cli.errors import TokenizerError

# What Llama's vocabularies call the end of a text, a turn and a message.
END_NAMES = ("<|end_of_text|>", "<|eot_id|>", "<|eom_id|>")


class Tokens:
    """`vocabulary` is the number of rows of the embedding, which may be more than the tokenizer has texts for."""

    def __init__(self, folder: Path, vocabulary: int, ends: Iterable[int] = ()) -> None:
        """`ends`: ids at which generation stops, besides those of `END_NAMES`. Raises TokenizerError."""
        from tokenizers import Tokenizer

        self.path, self.vocabulary = folder / "tokenizer.json", vocabulary
        try:
            self.tokenizer: Any = Tokenizer.from_file(str(self.path))
        except Exception as error:  # noqa: BLE001  # the only type that tokenizers raises
            raise TokenizerError(f"{self.path}: cannot be read ({error}); download it again") from None
        added = {token.content: i for i, token in self.tokenizer.get_added_tokens_decoder().items()}
        self.added = frozenset(added)
        self.ends = frozenset({*ends, *(added[name] for name in END_NAMES if name in added)})

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of `text`, BOS first if the tokenizer prepends it; markers become their own ids."""
        ids = tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)
        bos = self.tokenizer.encode("", add_special_tokens=True).ids[:1]
        return (*bos, *ids)

    def marker(self, name: str) -> int:
        """Raises TokenizerError if it is not exactly one token."""
        found = self.tokenizer.encode(name, add_special_tokens=False).ids
        if len(found) != 1:
            raise TokenizerError(
                f"{self.path}: marker {name} is {len(found)} tokens in this model, not one; it does not speak this task's "
                "grammar"
            )
        return int(found[0])

    def texts(self) -> list[str]:
        """[V], as llama.cpp spells them: rows of the embedding without a token get a name of their own."""
        found = [self.tokenizer.id_to_token(i) for i in range(self.vocabulary)]
        return [f"[PAD{i}]" if text is None else text for i, text in enumerate(found)]

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of `tokens`, markers kept, ends left out."""
        return str(self.tokenizer.decode([t for t in tokens if t not in self.ends], skip_special_tokens=False))


def ids_named(folder: Path, key: str) -> frozenset[int]:
    """The ids that `key` of config.json names, one or a list of them; none if it names none."""
    value = json.loads((folder / "config.json").read_text("utf-8")).get(key)
    values = value if isinstance(value, list) else [value]
    return frozenset(one for one in values if isinstance(one, int) and not isinstance(one, bool) and one >= 0)
