"""What is drawn, before it is known on what: a sheet of groups of cards; and the colours of our pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# The light colours of benchmarks/report/html.py.
INK, SOFT, RULE, WHITE = "#1c2230", "#5a6478", "#d9dee8", "#ffffff"
BLUE, ORANGE, RED, GREY = "#2f6fde", "#d9730d", "#c2413b", "#e9ecf2"


@dataclass(frozen=True)
class Molecule:
    """A structure with a word below it. `lenient` ones need not have the valences that RDKit knows: nodes of frameworks."""

    smiles: str
    label: str = ""
    lenient: bool = False


@dataclass(frozen=True)
class MoleculeLine:
    """Molecules in a line; the strings among them are signs, `+` and `→`."""

    items: tuple[Molecule | str, ...]


@dataclass(frozen=True)
class Mark:
    """How one residue is shown; `strong` ones are also framed, `title` is told where a page can."""

    fill: str
    strong: bool = False
    title: str = ""


@dataclass(frozen=True)
class Residues:
    """A sequence with marks by 1-based position; its first `given` letters were the question, not the answer."""

    letters: str
    marks: Mapping[int, Mark]
    given: int = 0


@dataclass(frozen=True)
class Legend:
    """A scale of colours with what its two ends mean."""

    text: str
    low: str
    high: str
    stops: tuple[str, ...]


@dataclass(frozen=True)
class HeatMap:
    """Colours by (position, residue) for the `positions` that have any; the wild type's letter stands beside each."""

    positions: tuple[tuple[int, str], ...]
    residues: str
    fills: Mapping[tuple[int, str], Mark]


@dataclass(frozen=True)
class Ranking:
    """A list of (cells, colour), best first, under the names of its columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True)
class Lines:
    """Text: a `strong` caption, a `soft` remark, an `error`, or `code`, which breaks anywhere."""

    lines: tuple[str, ...]
    style: Literal["strong", "soft", "error", "code"] = "soft"


Width = Literal["narrow", "wide", "full"]
Part = MoleculeLine | Residues | Legend | HeatMap | Ranking | Lines


@dataclass(frozen=True)
class Card:
    """One answer, question or failure; `copies` are its SMILES or sequences, for pages that text can be copied from."""

    parts: tuple[Part, ...]
    width: Width = "narrow"
    tone: Literal["answer", "input", "invalid"] = "answer"
    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """The cards of one row of the input."""

    name: str
    detail: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Sheet:
    title: str
    detail: str
    groups: tuple[Group, ...]
    columns: int


def mixed(start: str, end: str, share: float) -> str:
    """Mixes the colour that is `share` of the way from `start` to `end`."""
    pairs = zip(bytes.fromhex(start[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * min(1.0, max(0.0, share))) for a, b in pairs).hex()


def shade(share: float) -> str:
    """Shows 0 to 1 as white to orange, dark letters readable on all of it."""
    return mixed(WHITE, ORANGE, 0.08 + 0.72 * share) if share > 0 else WHITE


def diverging(share: float) -> str:
    """Shows -1 to 1 as orange over white to blue: a pair that the colour-blind tell apart."""
    return mixed(WHITE, BLUE if share > 0 else ORANGE, 0.75 * abs(share))


def signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def number(value: float) -> str:
    """Writes a property or a log-probability: two decimals, one where there are hundreds."""
    return f"{value:.{0 if isinstance(value, int) else 1 if abs(value) >= 100 else 2}f}".replace("-", "−")


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
