"""Write docs/cli.md from the commands themselves: python docs/make_cli.py (make docs)."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import typer

from logos_cli.commands.app import app

_VALUES = {str: "TEXT", int: "N", float: "X", Path: "PATH"}
TARGET = Path(__file__).parent / "cli.md"
HEAD = """# Commands

Made by `make docs` from the commands; `logos COMMAND --help` says the same. Data goes to stdout, everything else to
stderr. Exit codes: 0 done, 1 failed, 2 usage, 130 Ctrl-C, 141 closed pipe.
"""


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def kind_of(annotation: Any) -> Any:
    """The plain type of `X | None`."""
    return next((arg for arg in get_args(annotation) if arg is not type(None)), annotation)


def spelled(name: str, kind: Any, info: Any) -> str:
    """`-o, --out PATH` for an option, `INPUT` for an argument."""
    if isinstance(info, typer.models.ArgumentInfo):
        return f"`{info.metavar or name.upper()}`"
    # In Annotated[...] the first name given stands in the place of the default.
    given = [text for text in (info.default, *(info.param_decls or ())) if isinstance(text, str)]
    names = ", ".join(sorted(given or [f"--{name.replace('_', '-')}"], key=len))
    if kind is bool:
        return f"`{names}`"
    choices = "|".join(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else ""
    return cell(f"`{names} {info.metavar or choices or _VALUES[kind]}`")


def default(value: Any) -> str:
    """Defaults that depend on something are told in the help text instead."""
    if value is inspect.Parameter.empty:
        return "required"
    return "" if value in (None, False) else f"`{value}`"


def commands() -> Iterator[tuple[str, Callable[..., None]]]:
    """(words after `logos`, function), groups opened."""
    for command in app.registered_commands:
        assert command.callback
        yield command.callback.__name__, command.callback
    for group in app.registered_groups:
        assert group.typer_instance
        for command in group.typer_instance.registered_commands:
            assert command.callback
            yield f"{group.typer_instance.info.name} {command.callback.__name__}", command.callback


def section(name: str, callback: Callable[..., None]) -> Iterator[str]:
    yield f"## logos {name}\n"
    text = inspect.cleandoc(callback.__doc__ or "").replace("\b\n", "")
    for paragraph in text.split("\n\n"):
        example = paragraph.removeprefix("Example: ")
        yield f"    {example}\n" if example != paragraph else f"{' '.join(paragraph.split())}\n"
    yield "| | default | |\n|---|---|---|"
    for option, parameter in inspect.signature(callback, eval_str=True).parameters.items():
        annotation, info = get_args(parameter.annotation)
        shown = spelled(option, kind_of(annotation), info)
        yield f"| {shown} | {default(parameter.default)} | {cell(info.help or '')} |"
    yield ""


def document() -> str:
    parts = [HEAD]
    for name, callback in commands():
        parts.extend(section(name, callback))
    return "\n".join(parts).rstrip("\n") + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"{TARGET}\n")
