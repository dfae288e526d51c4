"""Which token ends a text, for engines that read a checkpoint's own tokenizer files."""

from __future__ import annotations

import json
from pathlib import Path

from logos_cli.errors import TokenizerError
from logos_cli.tokens import Tokens, ids_named


def end_of_text(folder: Path, tokens: Tokens) -> int:
    """What tokenizer_config.json calls eos_token, else the lowest eos_token_id of config.json: the rule by which the
    `gguf` package chooses the one that a GGUF file of the same checkpoint names. Raises TokenizerError."""
    path = folder / "tokenizer_config.json"
    named = json.loads(path.read_text("utf-8")).get("eos_token") if path.exists() else None
    text = named.get("content") if isinstance(named, dict) else named
    found = tokens.tokenizer.token_to_id(text) if isinstance(text, str) else None
    found = min(ids_named(folder, "eos_token_id"), default=None) if found is None else found
    if found is None:
        raise TokenizerError(f"{folder}: neither tokenizer_config.json nor config.json names an end-of-text token")
    return int(found)
