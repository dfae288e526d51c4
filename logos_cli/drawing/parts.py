"""The parts of a card laid out for a width: how high each becomes, and how it is painted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from logos_cli.drawing.canvas import Block, Canvas, fitted, measured, wrapped
from logos_cli.drawing.molecule_line import molecule_line
from logos_cli.drawing.sheet import (
    GREY,
    INK,
    RED,
    RULE,
    SOFT,
    WHITE,
    HeatMap,
    Legend,
    Lines,
    MoleculeLine,
    Part,
    Ranking,
    Residues,
)

_SLOT, _TEN, _ROW = 9.4, 7.0, 21.0  # a residue's width, the gap after ten, the height of a line
LONGEST = 20_000  # residues of a sequence that are drawn
STYLES = {"strong": (13.0, INK), "soft": (12.5, SOFT), "error": (12.5, RED), "code": (12.0, SOFT)}
MOST_LINES = {"strong": 2, "soft": 12, "error": 4, "code": 5}
HEAT_WIDTH, HEAT_HEIGHT, HEAT_LEFT = 20.0, 15.0, 18.0


def block(part: Part, width: float) -> Block:
    if isinstance(part, MoleculeLine):
        return molecule_line(part, width)
    if isinstance(part, Residues):
        return residues(part, width)
    if isinstance(part, Lines):
        return text_lines(part, width)
    if isinstance(part, Legend):
        return legend(part, width)
    return heat_map(part, width) if isinstance(part, HeatMap) else ranking(part, width)


def text_lines(part: Lines, width: float) -> Block:
    size, colour = STYLES[part.style]
    most = MOST_LINES[part.style]
    lines = [one for text in part.lines for one in wrapped(text, size, width, most, part.style == "code")]

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for i, line in enumerate(lines):
            canvas.text(x, y + 13 + 17 * i, line, size, colour, bold=part.style == "strong")

    return Block(17.0 * len(lines) + 2, paint)


def residues(part: Residues, width: float) -> Block:
    letters = part.letters[:LONGEST]
    tens = max(1, min(10, int((width - 44 + _TEN) / (10 * _SLOT + _TEN))))
    rows = [letters[i : i + 10 * tens] for i in range(0, len(letters), 10 * tens)]
    more = len(part.letters) - len(letters)

    def left(place: int) -> float:
        return place * _SLOT + place // 10 * _TEN

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for number, row in enumerate(rows):
            start, base = number * 10 * tens, y + number * _ROW + 15
            for i in range(len(row)):
                if mark := part.marks.get(start + i + 1):
                    edge = SOFT if mark.strong else ""
                    canvas.rectangle(x + left(i), base - 13, _SLOT, 17, mark.fill, edge)
            for i, letter_run in runs(row, start, part.given):
                colour = SOFT if start + i < part.given else INK
                canvas.letters(x + left(i), base, letter_run, _SLOT, 13, faint(colour))
            canvas.text(x + left(len(row) - 1) + _SLOT + 8, base, f"{start + len(row)}", 11, SOFT)
        if more:
            canvas.text(x, y + len(rows) * _ROW + 14, f"… and {more:,} residues more", 12, SOFT)

    return Block(_ROW * (len(rows) + bool(more)) + 4, paint)


def faint(colour: str) -> str:
    return "#9aa4b8" if colour == SOFT else colour


def runs(row: str, start: int, given: int) -> list[tuple[int, str]]:
    """Cuts a row into (place in the row, letters) without a gap or a change of colour inside."""
    parts = groupby(range(len(row)), key=lambda i: (i // 10, start + i < given))
    return [(found[0], row[found[0] : found[-1] + 1]) for _, group in parts if (found := list(group))]


def legend(part: Legend, width: float) -> Block:
    wide = 20.0
    text = fitted(f"{part.text}", 12, width)

    def paint(canvas: Canvas, x: float, y: float) -> None:
        canvas.text(x, y + 14, part.low, 12, SOFT)
        at = x + measured(part.low, 12) + 8
        for i, colour in enumerate(part.stops):
            canvas.rectangle(at + i * wide, y + 4, wide, 12, colour)
        canvas.rectangle(at, y + 4, wide * len(part.stops), 12, "", RULE)
        at += wide * len(part.stops) + 8
        canvas.text(at, y + 14, part.high, 12, SOFT)
        after = at + measured(part.high, 12) + 12
        beside = after + measured(text, 12) <= x + width
        canvas.text(after if beside else x, y + 14 + (0 if beside else 18), text, 12, SOFT)

    used = measured(part.low + part.high + text, 12) + 28 + wide * len(part.stops)
    return Block(22.0 if used <= width else 40.0, paint)


def heat_map(part: HeatMap, width: float) -> Block:
    """Positions from left to right in as many bands as they need, residues from top to bottom."""
    across = max(1, int((width - HEAT_LEFT) / HEAT_WIDTH))
    bands = [part.positions[i : i + across] for i in range(0, len(part.positions), across)]
    band = 34 + HEAT_HEIGHT * len(part.residues) + 12

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for number, places in enumerate(bands):
            top = y + number * band
            for j, residue in enumerate(part.residues):
                canvas.text(x + 8, top + 34 + HEAT_HEIGHT * j + 11.5, residue, 11, SOFT, "middle")
            for i, (at, wild) in enumerate(places):
                left = x + HEAT_LEFT + i * HEAT_WIDTH
                canvas.text(left + HEAT_WIDTH / 2, top + 15, wild, 12, INK, "middle", bold=True)
                canvas.text(left + HEAT_WIDTH / 2, top + 28, f"{at}", 9.5 if at < 1000 else 7.5, SOFT, "middle")
                for j, residue in enumerate(part.residues):
                    cell(canvas, part, at, wild, residue, left, top + 34 + HEAT_HEIGHT * j)

    return Block(band * len(bands), paint)


def cell(canvas: Canvas, part: HeatMap, at: int, wild: str, residue: str, x: float, y: float) -> None:
    mark = part.fills.get((at, residue))
    if mark:
        canvas.rectangle(x + 0.5, y + 0.5, HEAT_WIDTH - 1, HEAT_HEIGHT - 1, mark.fill, RULE)
    elif residue == wild:
        canvas.rectangle(x + HEAT_WIDTH / 2 - 2, y + HEAT_HEIGHT / 2 - 2, 4, 4, SOFT, round=2)
    else:
        canvas.rectangle(x + 0.5, y + 0.5, HEAT_WIDTH - 1, HEAT_HEIGHT - 1, GREY, WHITE)


def ranking(part: Ranking, width: float) -> Block:
    """Lays a list out in columns that are read downwards."""
    ends = column_ends(part)
    columns = max(1, int((width + 24) / (ends[-1] + 24)))
    high = -(-len(part.rows) // columns)

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for column in range(min(columns, -(-len(part.rows) // high))):
            left = x + column * (ends[-1] + 24)
            for name, end in zip(part.columns, ends, strict=True):
                canvas.text(left + end, y + 13, name, 11.5, SOFT, "end")
            for i, (cells, colour) in enumerate(part.rows[column * high : (column + 1) * high]):
                base = y + 13 + 18 * (i + 1)
                canvas.rectangle(left + ends[1] + 6, base - 13, ends[2] - ends[1] - 2, 17, colour)
                for content, end in zip(cells, ends, strict=True):
                    canvas.text(left + end, base, content, 12, INK, "end")

    return Block(18.0 * (high + 1) + 6, paint)


def column_ends(part: Ranking) -> list[float]:
    """Measures the right ends of right-aligned columns, each as wide as its widest cell."""
    ends: list[float] = []
    for place, name in enumerate(part.columns):
        cells: Sequence[str] = [name, *(cells[place] for cells, _ in part.rows)]
        ends.append((ends[-1] + 16 if ends else 0.0) + max(measured(one, 12) for one in cells))
    return ends
