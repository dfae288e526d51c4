"""A sheet as one picture: cards in a grid, groups below one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from logos_cli.drawing.canvas import Block, Canvas, fitted, measured
from logos_cli.drawing.parts import block
from logos_cli.drawing.sheet import BLUE, GREY, INK, RULE, SOFT, WHITE, Card, Group, MoleculeLine, Sheet

MARGIN, GAP, PADDING, CELL = 24.0, 12.0, 12.0, 260.0
_NARROWEST = 2 * CELL + GAP  # of the whole grid: one column is as wide as two
_TONES = {"answer": (WHITE, RULE), "input": (WHITE, BLUE), "invalid": (GREY, RULE)}


@dataclass(frozen=True)
class Placed:
    """Where one thing goes; `paint` is given its left top corner."""

    x: float
    y: float
    paint: Callable[[Canvas, float, float], None]


@dataclass(frozen=True)
class Layout:
    width: float
    height: float
    placed: tuple[Placed, ...]

    def paint(self, canvas: Canvas) -> None:
        canvas.rectangle(0, 0, self.width, self.height, WHITE)
        for one in self.placed:
            one.paint(canvas, one.x, one.y)


def laid_out(sheet: Sheet) -> Layout:
    inner = max(_NARROWEST, sheet.columns * (CELL + GAP) - GAP)
    placed: list[Placed] = [Placed(MARGIN, MARGIN, heading(sheet.title, sheet.detail, inner))]
    y = MARGIN + 56
    for group in sheet.groups:
        placed.append(Placed(MARGIN, y, group_heading(group, inner)))
        y += 34
        for row in rows(group, sheet.columns):
            width = (inner - GAP * (row.places - 1)) / row.places
            cards = [CardLayout(card, width) for card in row.cards]
            height = max(card.height for card in cards)
            placed += [Placed(MARGIN + i * (width + GAP), y, card.painter(height)) for i, card in enumerate(cards)]
            y += height + GAP
        y += 12
    return Layout(inner + 2 * MARGIN, math.ceil(y - 12 - GAP + MARGIN), tuple(placed))


@dataclass(frozen=True)
class Row:
    """Cards side by side, with room for `places`."""

    cards: tuple[Card, ...]
    places: int


def rows(group: Group, columns: int) -> list[Row]:
    """Cards in their order; a row holds cards of one width."""
    found: list[Row] = []
    for card in group.cards:
        places = {"narrow": columns, "wide": max(1, columns // 2), "full": 1}[card.width]
        if found and found[-1].places == places and len(found[-1].cards) < places:
            found[-1] = Row((*found[-1].cards, card), places)
        else:
            found.append(Row((card,), places))
    return found


class CardLayout:
    """The blocks of a card below one another; what a row leaves over goes around the structures."""

    def __init__(self, card: Card, width: float) -> None:
        self.card, self.width = card, width
        self.blocks: Sequence[Block] = [block(part, width - 2 * PADDING) for part in card.parts]
        self.height = sum(one.height for one in self.blocks) + 6 * (len(self.blocks) - 1) + 2 * PADDING

    def painter(self, height: float) -> Callable[[Canvas, float, float], None]:
        def paint(canvas: Canvas, x: float, y: float) -> None:
            canvas.rectangle(x, y, self.width, height, *_TONES[self.card.tone], 6)
            over = height - self.height
            y += PADDING
            for part, one in zip(self.card.parts, self.blocks, strict=True):
                lead = over / 2 if isinstance(part, MoleculeLine) else 0.0
                one.paint(canvas, x + PADDING, y + lead)
                y += one.height + 2 * lead + 6
                over -= 2 * lead

        return paint


def heading(title: str, detail: str, width: float) -> Callable[[Canvas, float, float], None]:
    def paint(canvas: Canvas, x: float, y: float) -> None:
        canvas.text(x, y + 18, fitted(title, 22, width, bold=True), 22, INK, bold=True)
        canvas.text(x, y + 38, fitted(detail, 13, width), 13, SOFT)

    return paint


def group_heading(group: Group, width: float) -> Callable[[Canvas, float, float], None]:
    name = fitted(group.name, 16, width * 0.6, bold=True)
    after = measured(name, 16, bold=True) + 14

    def paint(canvas: Canvas, x: float, y: float) -> None:
        canvas.line(x, y, x + width, y, RULE, 1)
        canvas.text(x, y + 22, name, 16, INK, bold=True)
        canvas.text(x + after, y + 22, fitted(group.detail, 13, width - after), 13, SOFT)

    return paint
