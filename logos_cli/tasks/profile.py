"""Profiles: what another family of models is asked, and how it answers, as data beside LOGOS's own grammar.

A profile's task is one of `TASKS` with another prompt around the same question, whose answers are brought into LOGOS's grammar
and read by the task itself: so records, figures and pictures are the same for all families.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from logos_cli.chemistry.grammar import RowError
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import InputError, LogosError, UsageError
from logos_cli.tasks.table import TASKS
from logos_cli.tasks.task import Answer, Input, Prompt, Style, Task, invalid

LOGOS = "logos"  # the grammar of TASKS, which needs no file
FOLDER = Path(__file__).parent / "profiles"
_QUESTION, _PREFIX, _PART = "{question}", "{prefix}", "{part}"


@dataclass(frozen=True)
class ProfileTask:
    """`prompt` holds `{question}`, the row as LOGOS's prompt would show it, or `{prefix}`, the beginning of an answer. The
    answer stands between `opens` and `closes`, without the texts of `remove`; cut at `split`, each `{part}` becomes `each` in
    LOGOS's grammar. `stops` end an answer, as the end token does; `needs` are tokens that a model must know."""

    prompt: str
    each: str
    opens: str = ""
    closes: str = ""
    split: str = ""
    stops: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    unpublished: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def grammar(self, text: str) -> str | None:
        """What a model wrote, in LOGOS's grammar; None without an answer in it."""
        for piece in self.remove:
            text = text.replace(piece, "")
        start = text.find(self.opens)
        end = text.find(self.closes, start + len(self.opens)) if self.closes else len(text)
        if start < 0 or end < 0:
            return None
        body = text[start + len(self.opens) : end].strip()
        return "".join(self.each.replace(_PART, part) for part in (body.split(self.split) if self.split else [body]))


@dataclass(frozen=True)
class Profile:
    """`tasks` by name; those that are not there cannot be asked. `source` says where the prompts are from."""

    name: str
    source: str
    tasks: Mapping[str, ProfileTask]

    @property
    def digest(self) -> str:
        """Of all that changes an answer."""
        return hashlib.sha256(repr([(name, asdict(task)) for name, task in sorted(self.tasks.items())]).encode()).hexdigest()

    def of(self, task: Task) -> Task:
        """`task` as this family is asked it. Raises UsageError for one that has no prompt here."""
        if task.name not in self.tasks:
            raise UsageError(
                f"profile {self.name} has no prompt for {task.name}, only for {', '.join(self.tasks)}; none is published, or "
                "none was found: write one into a copy of it and give that, --profile FILE.toml"
            )
        own = self.tasks[task.name]

        def build(row: Input, style: Style) -> Prompt:
            asked = task.build(row, style)
            text = own.prompt.replace(_QUESTION, asked.question).replace(_PREFIX, asked.prefix)
            return replace(asked, text=text, least="", usual="", rebuildable=False)

        def read(text: str, finish: str, prompt: Prompt) -> Answer:
            found = own.grammar(text)
            if found is not None:
                return task.read(found, "stop", prompt)
            if finish == "length":
                return invalid("cut at the token limit")
            return invalid(f"no {own.opens}…{own.closes}")

        def example(row: Input, style: Style) -> None:
            raise RowError(f"profile {self.name} says how {task.name} is asked, not how answers are scored")

        settings: dict[str, Any] = dict(own.sampling)
        return replace(
            task, build=build, read=read, example_of=example, form=own.prompt, stops=own.stops, needs=own.needs,
            sampling=replace(Sampling(), **settings), sampling_source=self.source, unpublished=own.unpublished, forms=(),
        )  # fmt: skip


def profile_named(word: str) -> Profile | None:
    """The profile of a word or of a .toml file; None for LOGOS's own grammar. Raises UsageError and InputError."""
    if word == LOGOS:
        return None
    built_in = sorted(path.stem for path in FOLDER.glob("*.toml"))
    path = Path(word) if word.endswith(".toml") else FOLDER / f"{word}.toml"
    if path.parent == FOLDER and word not in built_in:
        raise UsageError(f"no profile {word!r}; one of: {', '.join((LOGOS, *built_in))}, or a FILE.toml")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a profile, or a file like it") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no TOML ({error})") from None
    return _profile(path, found)


def _profile(path: Path, found: dict[str, Any]) -> Profile:
    unknown = found.keys() - {"name", "source", "remove", "tasks"}
    tasks = found.get("tasks")
    if unknown or not isinstance(tasks, dict) or not tasks:
        raise InputError(
            f"{path}: {f'no such key: {min(unknown)}' if unknown else 'no [tasks.NAME]'}; see: logos tasks --profile"
        )
    name, source = (_text(path, key, found.get(key, path.stem)) for key in ("name", "source"))
    remove = _texts(path, "remove", found.get("remove", []))
    return Profile(name, source, {key: _task(path, key, one, remove) for key, one in tasks.items()})


def _task(path: Path, name: str, found: Any, remove: tuple[str, ...]) -> ProfileTask:
    where = f"tasks.{name}"
    if name not in TASKS or not isinstance(found, dict):
        raise InputError(f"{path}: [{where}] is no task; one of: {', '.join(TASKS)}")
    known = {one.name for one in fields(ProfileTask)}
    if unknown := found.keys() - known:
        raise InputError(f"{path}: [{where}] has no key {min(unknown)!r}; there are: {', '.join(sorted(known))}")
    values: dict[str, Any] = {"remove": remove}
    for key, value in found.items():
        place = f"{where}.{key}"
        if key in ("stops", "needs", "remove"):
            values[key] = _texts(path, place, value)
        elif key == "sampling":
            values[key] = _sampling(path, place, value)
        else:
            values[key] = _text(path, place, value)
    wanted = _QUESTION if TASKS[name].needs_input else _PREFIX
    for key, piece in (("prompt", wanted), ("each", _PART)):
        if piece not in values.get(key, ""):
            raise InputError(f"{path}: {where}.{key} must hold {piece}")
    return ProfileTask(**values)


def _sampling(path: Path, place: str, value: Any) -> dict[str, Any]:
    """Raises InputError for settings that there are not, or that are out of range."""
    try:
        replace(Sampling(), **value)
    except (TypeError, LogosError) as error:
        raise InputError(f"{path}: {place}: {error}") from None
    return dict(value)


def _text(path: Path, place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{path}: {place} is {value!r}, a text is expected")
    return value


def _texts(path: Path, place: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise InputError(f"{path}: {place} is {value!r}, a list of texts is expected")
    return tuple(value)
