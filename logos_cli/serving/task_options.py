"""The options of a task's request: those of `logos generate`, by their names, from JSON or from an address."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from logos_cli.serving.api_error import ApiError
from logos_cli.serving.request_body import kind_of

_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_BOOLEANS = {"true": True, "1": True, "": True, "false": False, "0": False}


@dataclass(frozen=True)
class TaskOptions:
    """Each means what the flag of its name means (docs/cli.md); `stream` sends records one a line, as they are ready."""

    n: int | None = None
    top: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    decode: str | None = None
    beam_width: int | None = None
    max_tokens: int | None = None
    seed: int | None = None
    limit: int | None = None
    valid_only: bool = False
    as_written: bool = False
    keep_identity: bool = False
    form: str | None = None
    consensus: float | None = None
    props: str | None = None
    chain: str | None = None
    pocket_from: str | None = None
    cutoff: float | None = None
    each_copy: bool = False
    smiles_column: str | None = None
    sequence_column: str | None = None
    id_column: str | None = None
    no_header: bool = False
    stream: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> TaskOptions:
        """Raises ApiError for an unknown name, and for a value of another kind; in an address all values are texts."""
        hints = get_type_hints(cls)
        known = [field.name for field in fields(cls)]
        found = {}
        for name, value in given.items():
            if name not in known:
                raise ApiError(400, f"no option {name[:80]!r}; there are: {', '.join(known)}", name[:80])
            kind = next(one for one in (bool, int, float, str) if one in (hints[name], *getattr(hints[name], "__args__", ())))
            if value is not None:
                found[name] = value_of(name, value, kind)
        return cls(**found)

    @classmethod
    def of_query(cls, given: Mapping[str, str]) -> TaskOptions:
        """Those of an address."""
        hints = get_type_hints(cls)
        return cls.of({name: from_text(name, text, str(hints.get(name))) for name, text in given.items()})


def value_of(name: str, value: Any, kind: type) -> Any:
    wrong = isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float) if kind is float else kind)
    if wrong or (kind is float and not math.isfinite(value)):
        raise ApiError(400, f"{name} is {kind_of(value)}; it takes {_NAMES[kind]}", name)
    return value


def from_text(name: str, text: str, hint: str) -> Any:
    """The value of an option in an address; the text itself where it can be none, for `value_of` to say so."""
    try:
        if "int" in hint:
            return int(text[:20])
        if "float" in hint:
            return float(text[:40])
    except ValueError:
        return text
    return _BOOLEANS.get(text.lower(), text) if "bool" in hint else text
