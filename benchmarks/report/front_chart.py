"""The front as a picture: loss over size, and loss over speed, every file a point with its intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from logos_cli.benchmarks.report.charts import BOTTOM, LEFT, RIGHT, TOP, WIDTH, RatioScale, Scale, frame, svg, text
from logos_cli.benchmarks.report.front import File, Loss, front

HEIGHT = 360
_MARK = 5.0
_LETTER = 6.4  # pixels of a label's letter, about
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Mark:
    """A file in one panel: `x` and `y` as (value, low, high), or the value alone; `best` if it is on the front."""

    file: File
    x: tuple[float, ...]
    y: tuple[float, ...]
    best: bool


def front_panels(found: Sequence[File], loss: Loss, samples: int) -> Iterator[str]:
    """An SVG of loss over size, and where speeds were measured another of loss over speed."""
    best = front(found)
    unit, scale = ("GB", 1e9) if max(one.line.model.bytes for one in found) > 1e8 else ("MB", 1e6)
    marks = [Mark(one, (one.line.model.bytes / scale,), one.loss, one in best) for one in found]
    yield panel(marks, loss, f"file size, {unit}", larger_is_better=False)
    fast = [Mark(one, one.speed, one.loss, one in best) for one in found if one.speed]
    if fast:
        yield panel(fast, loss, f"tokens a second, {samples} answers at once", larger_is_better=True)


def panel(marks: Sequence[Mark], loss: Loss, x_title: str, larger_is_better: bool) -> str:
    x = RatioScale([end for mark in marks for end in mark.x], LEFT + 8, WIDTH - RIGHT - 8)
    ends = [end for mark in marks for end in mark.y]
    y = Scale([end for end in ends if end > 0] if loss.log else [*ends, 0.0], HEIGHT - BOTTOM, TOP, log=loss.log)
    parts = frame(x, y, x_title, loss.title, x.ticks(), HEIGHT)
    if not loss.log:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y.place(0):.1f}" y2="{y.place(0):.1f}" class="zero"/>')
    places = [(x.place(mark.x[0]), y.place(mark.y[0])) for mark in marks]
    corners = steps(places, larger_is_better)
    parts.append('<path d="M' + "L".join(f"{px:.1f} {py:.1f}" for px, py in corners) + '" class="front"/>')
    taken: list[Box] = [
        (min(ax, bx) - 2, min(ay, by) - 2, max(ax, bx) + 2, max(ay, by) + 2) for (ax, ay), (bx, by) in pairwise(corners)
    ]
    for mark, (px, py) in zip(marks, places, strict=True):
        colour = mark.file.place % 8
        if len(mark.x) > 1:
            low, high = x.place(mark.x[1]), x.place(mark.x[2])
            parts.append(whisker(colour, f"M{low:.1f} {py:.1f}H{high:.1f}M{low:.1f} {py - 3:.1f}v6M{high:.1f} {py - 3:.1f}v6"))
            taken.append((low, py - 3, high, py + 3))
        if len(mark.y) > 1:
            low, high = y.place(mark.y[1]), y.place(mark.y[2])
            parts.append(whisker(colour, f"M{px:.1f} {low:.1f}V{high:.1f}M{px - 3:.1f} {low:.1f}h6M{px - 3:.1f} {high:.1f}h6"))
            taken.append((px - 3, high, px + 3, low))
        kind = "s" if mark.best else "o"
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{_MARK}" class="{kind}{colour}"/>')
        taken.append((px - _MARK, py - _MARK, px + _MARK, py + _MARK))
    for mark, place in sorted(zip(marks, places, strict=True), key=lambda one: one[1]):
        parts.append(label(mark.file, place, taken))
    return svg(parts, f"{loss.title}, over {x_title}", HEIGHT)


def whisker(colour: int, path: str) -> str:
    return f'<path d="{path}" class="whisker l{colour}"/>'


def steps(places: Sequence[tuple[float, float]], larger_is_better: bool) -> list[tuple[float, float]]:
    """The corners of the front of one panel: a line through the marks that no other beats in it."""
    ordered = sorted(places, key=lambda one: (-one[0] if larger_is_better else one[0], -one[1]))
    corners: list[tuple[float, float]] = []
    for px, py in ordered:
        if not corners:
            corners.append((px, py))
        elif py > corners[-1][1]:  # further down: less is lost
            corners += [(px, corners[-1][1]), (px, py)]
    return corners


def label(file: File, place: tuple[float, float], taken: list[Box]) -> str:
    """A mark's name in its colour, near it where it covers least of what is `taken`, to which its box is added; a line leads
    to one that stands further off."""
    px, py = place
    wide = _LETTER * len(file.label)
    boxes = []
    for shift in range(-66, 67, 11):
        away = 9 + abs(shift) / 3
        for left in (px + away, px - away - wide):
            if left > LEFT and left + wide < WIDTH and TOP < py + shift < HEIGHT - BOTTOM - 6:
                boxes.append((left, py + shift - 6, left + wide, py + shift + 6))
    boxes = boxes or [(px + 9, py - 6, px + 9 + wide, py + 6)]
    best = min(boxes, key=lambda box: sum(overlap(box, other) for other in taken) + 0.6 * abs(box[1] + 6 - py))
    taken.append(best)
    colour, middle = file.place % 8, best[1] + 6
    line = ""
    if abs(middle - py) > 12:
        end = best[0] - 2 if best[0] > px else best[2] + 2
        line = f'<path d="M{px:.1f} {py:.1f}L{end:.1f} {middle:.1f}" class="lead l{colour}"/>'
    return line + text(best[0], best[1] + 10, file.label, "start", f"label t{colour}")


def overlap(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)
