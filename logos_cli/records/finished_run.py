"""OUT.run: what wrote OUT, so that a later --resume can tell its own finished output from somebody else's.

It stands beside OUT and not in it: .smi, .csv and .fasta have no place for it, a first line of settings would be counted
by `wc -l` and read as a record by `jq`, and a model file is sealed before its name is known. Its name ends in neither
.json nor .jsonl, so that `*.jsonl` and `bench report *.json` do not meet it. It may be deleted; OUT can then be replaced,
but no longer be taken for complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logos_cli.errors import OutputError
from logos_cli.system.files import atomic

_SCHEMA = 1


def beside(out: Path) -> Path:
    """The path of OUT.run."""
    return out.with_name(out.name + ".run")


def sha256(path: Path) -> str:
    """Checksum of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sign(out: Path, settings: Mapping[str, Any], **more: Any) -> None:
    """Write OUT.run for the `out` that is there. Raises OutputError."""
    told = {"run": _SCHEMA, "out_sha256": sha256(out), "settings": dict(settings), **more}
    with atomic(beside(out)) as fresh:
        fresh.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def check_own(out: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What OUT.run says, if `settings` are those that wrote `out`. Raises OutputError, with the names of what differs."""
    path = beside(out)
    remedy = "run without --resume to replace it, or write elsewhere"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        before = dict[str, Any](found["settings"])
    except FileNotFoundError:
        raise OutputError(f"{out} is there, but nothing says which run wrote it ({path.name} is missing); {remedy}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise OutputError(f"{path} is damaged: nothing says which run wrote {out}; {remedy}") from None
    if told := differences(before, settings):
        raise OutputError(f"{out} is complete, but of another run: {told}; {remedy}")
    if found.get("out_sha256") != sha256(out):
        raise OutputError(f"{out} was changed since its run wrote it; {remedy}")
    return dict(found)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The settings that differ, each with both values; empty if none does."""
    plain = json.loads(json.dumps(dict(now)))
    changed = [key for key in sorted({*before, *plain}) if before.get(key) != plain.get(key)]
    return ", ".join(f"{key} was {_short(before.get(key))}, is {_short(plain.get(key))}" for key in changed)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
