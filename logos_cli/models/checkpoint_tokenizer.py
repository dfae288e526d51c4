"""What a checkpoint's files say about its tokenizer beside tokenizer.json: special tokens by name, ends, padding, BOS.

The rules are those of `AutoTokenizer` and `generate` of transformers 4.57 and 5; where the two differ for a folder, it is
refused with both readings.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from logos_cli.errors import TokenizerError
from logos_cli.models.checkpoint_config import read_json, read_text
from logos_cli.models.split_pattern import GPT2, QWEN2, split_pattern

# tokenizer_config.json's names of special tokens, in the order in which transformers adds them.
_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_MORE = "additional_special_tokens"
_LISTS = (_MORE, "extra_special_tokens")
_LLAMA = ("LlamaTokenizer", "LlamaTokenizerFast")
_QWEN = ("Qwen2Tokenizer", "Qwen2TokenizerFast")
# Classes that version 5 builds anew: their own split pattern and normalizer, whatever stands in tokenizer.json.
_BUILT_ANEW: dict[str, tuple[str, str, Any]] = {
    **dict.fromkeys(_QWEN, ("Qwen's", QWEN2, {"type": "NFC"})),
    **dict.fromkeys(("GPT2Tokenizer", "GPT2TokenizerFast"), ("GPT-2's", GPT2, None)),
}
# What version 4 takes for a model whose files name no class.
_USUAL = {"llama": _LLAMA[1], "qwen3": _QWEN[1]}


@dataclass(frozen=True)
class TokenizerFiles:
    """The JSON files of one folder; those that are not there are empty."""

    folder: Path
    config: Mapping[str, Any]
    generation: Mapping[str, Any]
    settings: Mapping[str, Any]  # tokenizer_config.json, with what special_tokens_map.json adds

    @classmethod
    def read(cls, folder: Path) -> TokenizerFiles:
        """Raises CheckpointError for a file that is no JSON object."""

        def document(name: str) -> dict[str, Any]:
            return read_json(folder / name) if (folder / name).is_file() else {}

        settings = document("tokenizer_config.json")
        # Where the added tokens are listed, the older file says nothing new and is not read.
        if "added_tokens_decoder" not in settings:
            older = {key: value for key, value in document("special_tokens_map.json").items() if value}
            both = [found[_MORE] for found in (settings, older) if isinstance(found.get(_MORE), list)]
            settings |= older | ({_MORE: [*chain(*both)]} if both else {})
        return cls(folder, document("config.json"), document("generation_config.json"), settings)

    def name(self, key: str) -> str | None:
        """The text of a special token such as `eos_token`: a string, or an AddedToken object of older files."""
        found = self.settings.get(key)
        text = found.get("content") if isinstance(found, dict) else found
        return text if isinstance(text, str) and text else None

    def chat_template(self) -> str:
        """That of tokenizer_config.json, else of chat_template.jinja; of several the default one. Empty without any."""
        found = self.settings.get("chat_template")
        if isinstance(found, list):
            named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
            found = named.get("default")
        beside = self.folder / "chat_template.jinja"
        if found is None and beside.is_file():
            found = read_text(beside)
        return found if isinstance(found, str) else ""

    def special(self) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
        """Every token that these files name: its text, its flags as of an AddedToken, and whether the flags count for one
        that the tokenizer has already."""
        listed = self.settings.get("added_tokens_decoder")
        for _, entry in sorted(listed.items(), key=_number) if isinstance(listed, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("content"), str):
                yield entry["content"], entry, True
        found: list[Any] = [self.settings.get(key) for key in _NAMES]
        for key in _LISTS:
            value = self.settings.get(key)
            found += list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        for one in found:
            if isinstance(one, str) and one:
                yield one, {"special": True}, False
            elif isinstance(one, dict) and isinstance(one.get("content"), str):
                yield one["content"], {**one, "special": True}, False

    def ids(self, key: str) -> tuple[int, ...]:
        """The ids that generation_config.json gives for `key`, else config.json; one or a list, -1 being none."""
        return _ids(self.generation.get(key)) or _ids(self.config.get(key))

    @property
    def kind(self) -> Any:
        """The tokenizer's class, as transformers would choose it where no file names one."""
        named = self.settings.get("tokenizer_class")
        unnamed = named is None and not self.settings.get("backend")
        return _USUAL.get(str(self.config.get("model_type"))) if unnamed else named

    def check_pieces(self, document: Callable[[], Mapping[str, Any]]) -> None:
        """Compare how transformers 4 and 5 cut texts into pieces, those of tokenizer.json as `document` gives it with those of
        a class that version 5 builds anew. Raises TokenizerError where that makes a difference."""
        if self.kind not in _BUILT_ANEW:
            return
        path = self.folder / "tokenizer.json"
        whose, pattern, normalizer = _BUILT_ANEW[self.kind]
        found = document()
        what = "split pattern or normalizer"
        same = split_pattern(path, found) == pattern and found.get("normalizer") == normalizer
        if same and found.get("model", {}).get("ignore_merges"):
            what, same = "ignore_merges", False
        if not same:
            raise TokenizerError(
                f"{path}: its {what} is not {whose}, which transformers 5 takes for the class {self.kind} "
                "all the same; if tokenizer.json is right, set tokenizer_class to PreTrainedTokenizerFast in "
                "tokenizer_config.json"
            )

    def check_flags(self, added: Mapping[str, Any]) -> None:
        """Compare the objects of additional_special_tokens with the `added` tokens of the same texts, which have attributes as
        an AddedToken: version 4 takes the objects' flags, version 5 the others. Raises TokenizerError where they differ."""
        listed = self.settings.get(_MORE)
        for one in listed if isinstance(listed, list) else ():
            token = added.get(str(one.get("content"))) if isinstance(one, dict) else None
            for flag in ("single_word", "lstrip", "rstrip") if token is not None else ():
                older, newer = bool(one.get(flag)), bool(getattr(token, flag))
                if older != newer:
                    raise TokenizerError(
                        f"{self.folder / 'tokenizer_config.json'}: {_MORE}: {one['content']} has {flag} {older}, which "
                        f"transformers 4 takes, elsewhere {newer}, which transformers 5 takes; make them equal"
                    )

    def check_prefix(self, pre_tokenizer: Mapping[str, Any]) -> None:
        """Raise TokenizerError for a `pre_tokenizer` that puts a blank before texts, which version 4 turns off where
        tokenizer_config.json does not ask for it."""
        if pre_tokenizer.get("add_prefix_space") and not self.settings.get("add_prefix_space"):
            raise TokenizerError(
                f"{self.folder / 'tokenizer.json'}: its pre_tokenizer puts a blank before every text (add_prefix_space), which "
                "transformers 5 does and transformers 4 does not; set it to false if the model was trained without"
            )

    def check_start(self, template: str | None, known: Container[str]) -> None:
        """Compare what transformers 4 and 5 put before a prompt: `template` is the token of tokenizer.json's template.

        Version 4 replaces the template of a class made for Llama 1 and 2 by what add_bos_token and add_eos_token say,
        version 5 never does. Raises TokenizerError where the two differ, but not where version 4 would take a token that is
        not among the `known` ones and that no model was trained with.
        """
        path = self.folder / "tokenizer_config.json"
        if self.settings.get("split_special_tokens"):
            raise TokenizerError(f"{path}: split_special_tokens: transformers would cut markers into pieces; remove it")
        if self.kind not in _LLAMA:
            return
        if self.settings.get("add_eos_token"):
            raise TokenizerError(f"{path}: add_eos_token: transformers 4 would end every prompt with the end token; remove it")
        added = self.settings.get("add_bos_token", True)
        older = (self.name("bos_token") or "<s>") if added else None
        if older != template and (older is None or older in known):
            what = f"tokenizer_class {self.kind}" if self.settings.get("tokenizer_class") else "no tokenizer_class"
            raise TokenizerError(
                f"{path}: {what}: transformers 4 begins a prompt with {older or 'nothing'}, transformers 5 with "
                f"{template or 'nothing'} (tokenizer.json's template); if that is right, set tokenizer_class to "
                "PreTrainedTokenizerFast, else change the template"
            )


def _number(item: tuple[str, Any]) -> int:
    return int(item[0]) if item[0].isdecimal() else -1


def _ids(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, int) and not isinstance(one, bool) and one >= 0)
