"""Molecules in a line, with plus signs and an arrow, laid out for a width."""

from __future__ import annotations

from dataclasses import dataclass

from logos_cli.drawing.canvas import Block, Canvas, measured, wrapped
from logos_cli.drawing.molecules import Undrawn, picture
from logos_cli.drawing.sheet import INK, RED, SOFT, Molecule, MoleculeLine

TALLEST = 190.0  # of one molecule
_SMALLEST = 0.62  # below this share of its natural size a scheme breaks into lines instead
_IN_LINES = 0.8  # … at this share, or less where one alone is too large
_SIGNS = {"+": 26.0, "→": 62.0}
_BESIDE = 14.0  # between two molecules without a sign


@dataclass(frozen=True)
class Box:
    """One item of a line, at its final size; `words` are shown where the structure cannot be."""

    item: Molecule | str
    width: float
    height: float
    words: tuple[str, ...] = ()


def boxes(part: MoleculeLine, width: float) -> list[Box]:
    """Sizes the molecules at one scale, as near to their natural size as the width allows; what is still too large is
    smaller."""
    found: list[Box] = []
    for item in part.items:
        if isinstance(item, str):
            found.append(Box(item, _SIGNS[item], 20))
            continue
        try:
            natural = picture(item)
            found.append(Box(item, natural.width, natural.height))
        except Undrawn as error:
            lines = wrapped(item.smiles, 12, min(width, 200), 4, anywhere=True)
            wide = max([measured(one, 12) for one in (*lines, str(error))]) + 8
            found.append(Box(item, min(width, wide), 17.0 * len(lines) + 19, (str(error), *lines)))
    drawings = [one for one in found if isinstance(one.item, Molecule) and not one.words]
    rigid = sum(one.width for one in found) - sum(one.width for one in drawings) + _BESIDE * len(found)
    scale = 1.0
    if drawings:
        together = (width - rigid) / sum(one.width for one in drawings)
        scale = min(scale, together if together >= _SMALLEST else _IN_LINES)
    sized = []
    for one in found:
        share = min(scale, width / one.width, TALLEST / one.height) if one in drawings else 1.0
        sized.append(Box(one.item, one.width * share, one.height * share, one.words))
    return sized


def molecule_line(part: MoleculeLine, width: float) -> Block:
    rows: list[list[Box]] = [[]]
    for box in boxes(part, width):
        if rows[-1] and sum(one.width + _BESIDE for one in rows[-1]) + box.width > width + 0.5:
            rows.append([])
        rows[-1].append(box)
    labels = 17.0 if any(isinstance(one, Molecule) and one.label for one in part.items) else 0.0
    heights = [max([34.0, *(one.height for one in row)]) + labels for row in rows]

    def paint(canvas: Canvas, x: float, y: float) -> None:
        for row, height in zip(rows, heights, strict=True):
            at = x + (width - sum(one.width + _BESIDE for one in row) + _BESIDE) / 2
            for box in row:
                item(canvas, box, at, y, height - labels)
                at += box.width + _BESIDE
            y += height + 10

    return Block(sum(heights) + 10 * (len(rows) - 1), paint)


def item(canvas: Canvas, box: Box, x: float, y: float, height: float) -> None:
    """Paints one box in a line that is `height` high, its label below that."""
    middle = y + height / 2
    if box.item == "→":
        end = x + box.width
        canvas.line(x, middle, end, middle, INK, 1.6)
        canvas.line(end - 9, middle - 5, end, middle, INK, 1.6)
        canvas.line(end - 9, middle + 5, end, middle, INK, 1.6)
    elif isinstance(box.item, str):
        canvas.text(x + box.width / 2, middle + 7, box.item, 22, SOFT, "middle")
    else:
        if box.words:
            for i, line in enumerate(box.words):
                top = middle - 17 * len(box.words) / 2
                canvas.text(x + box.width / 2, top + 13 + 17 * i, line, 12, SOFT if i else RED, "middle")
        else:
            canvas.molecule(x, middle - box.height / 2, box.width, box.height, box.item)
        if box.item.label:
            canvas.text(x + box.width / 2, y + height + 14, box.item.label, 12, SOFT, "middle")
