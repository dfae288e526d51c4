"""Small SVG charts that follow the page's colours, light or dark, and its width. No script, no fonts of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 14, 44


@dataclass(frozen=True)
class Point:
    """One mark: `label` beside it, `size` its radius in pixels."""

    x: float
    y: float
    label: str
    size: float = 5.0


@dataclass(frozen=True)
class Bar:
    """A value with its interval; `series` picks the colour."""

    label: str
    value: float
    low: float
    high: float
    series: int = 0


class Scale:
    """A linear or logarithmic axis onto pixels from `start` to `stop`."""

    def __init__(self, values: Sequence[float], start: float, stop: float, log: bool = False, zero: bool = False) -> None:
        self.log, self.start, self.stop = log, start, stop
        known = [v for v in values if math.isfinite(v) and (v > 0 or not log)] or [1.0]
        low, high = min(known), max(known)
        self.low, self.high = float(low), float(high)
        if log:
            self.low = float(math.floor(math.log10(low)))
            self.high = max(float(math.ceil(math.log10(high))), self.low + 1)
        else:
            self.low = 0.0 if zero and low > 0 else self.low
            if self.high == self.low:
                self.high = self.low + (abs(self.low) or 1.0)
            # A round distance that gives about five ticks.
            rough = (self.high - self.low) / 5
            power = 10 ** math.floor(math.log10(rough))
            self.step = float(min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - rough)))
            self.low = math.floor(self.low / self.step) * self.step
            self.high = math.ceil(self.high / self.step) * self.step

    def place(self, value: float) -> float:
        at = math.log10(max(value, 10**self.low)) if self.log else value
        return self.start + (at - self.low) / (self.high - self.low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            return [10.0**n for n in range(int(self.low), int(self.high) + 1)]
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


def number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0e}".replace("e-0", "e-") if abs(value) < 0.001 else f"{value:.3g}"


def text(x: float, y: float, content: str, anchor: str = "middle", style: str = "tick") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{escape(content)}</text>'


def frame(x: Scale, y: Scale, x_title: str, y_title: str, x_ticks: Sequence[float]) -> list[str]:
    parts = []
    for value in y.ticks():
        at = y.place(value)
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        parts.append(text(_LEFT - 6, at + 4, number(value), "end"))
    parts += [text(x.place(value), HEIGHT - _BOTTOM + 16, number(value)) for value in x_ticks]
    parts.append(text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 6, x_title))
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle" class="tick">{escape(y_title)}</text>'
    )
    return parts


def svg(parts: Sequence[str], title: str, height: float = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        + "".join(parts)
        + "</svg>"
    )


def scatter(points: Sequence[Point], title: str, x_title: str, y_title: str) -> str:
    """Draws marks over a linear x and a logarithmic y; labels are set where they do not lie on one another."""
    x = Scale([p.x for p in points], _LEFT, WIDTH - _RIGHT, zero=True)
    y = Scale([p.y for p in points], HEIGHT - _BOTTOM, _TOP, log=True)
    parts = frame(x, y, x_title, y_title, x.ticks())
    taken: list[tuple[float, float, float]] = []  # left end, right end, height of each label
    for point in sorted(points, key=lambda p: (p.x, p.y)):
        px, py = x.place(point.x), y.place(point.y)
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{point.size:.1f}" class="s0"/>')
        wide = 6.2 * len(point.label)
        right = px + point.size + 5 + wide < WIDTH
        left_end = px + point.size + 5 if right else px - point.size - 5 - wide
        at = py + 4
        for shift in (0, -13, 13, -26, 26, -39, 39):
            at = py + 4 + shift
            if _TOP < at < HEIGHT - _BOTTOM and not any(
                left_end < r and left < left_end + wide and abs(at - h) < 12 for left, r, h in taken
            ):
                break
        taken.append((left_end, left_end + wide, at))
        parts.append(text(left_end, at, point.label, "start", "label"))
    return svg(parts, title)


def lines(series: Sequence[tuple[int, Sequence[tuple[float, float]]]], title: str, x_title: str, y_title: str) -> str:
    """Draws (colour, points) of each line, over equally spaced x values; names are left to a legend."""
    values = sorted({px for _, points in series for px, _ in points})
    x = Scale([0, max(1, len(values) - 1)], _LEFT + 20, WIDTH - _RIGHT - 20)
    x.low, x.high = 0, max(1, len(values) - 1)
    y = Scale([py for _, points in series for _, py in points], HEIGHT - _BOTTOM, _TOP, zero=True)
    parts = frame(x, y, x_title, y_title, [])
    parts += [text(x.place(i), HEIGHT - _BOTTOM + 16, number(value)) for i, value in enumerate(values)]
    for i, points in series:
        places = [(x.place(values.index(px)), y.place(py)) for px, py in points]
        path = " ".join(f"{'L' if j else 'M'}{px:.1f} {py:.1f}" for j, (px, py) in enumerate(places))
        parts.append(f'<path d="{path}" class="line l{i % 8}"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" class="s{i % 8}"/>' for px, py in places]
    return svg(parts, title)


def bars(groups: Sequence[tuple[str, Sequence[Bar]]], title: str, x_title: str) -> str:
    """Draws horizontal bars in named groups, intervals as whiskers, on one linear axis from 0."""
    left, row, gap = 86, 15, 10
    ends = [end for _, group in groups for bar in group for end in (bar.value, bar.high, bar.low)]
    x = Scale([*ends, 0.0], left, WIDTH - 56)
    height = 40 + sum(row * len(group) + gap for _, group in groups)
    parts, at = [], 6.0
    for value in x.ticks():
        px = x.place(value)
        parts.append(f'<line x1="{px:.1f}" x2="{px:.1f}" y1="4" y2="{height - 36:.0f}" class="grid"/>')
        parts.append(text(px, height - 22, number(value)))
    parts.append(text((left + WIDTH - 56) / 2, height - 6, x_title))
    for name, group in groups:
        parts.append(text(left - 8, at + row * len(group) / 2 + 4, name, "end", "label"))
        for bar in group:
            a, b = sorted((x.place(0.0), x.place(bar.value)))
            parts.append(
                f'<rect x="{a:.1f}" y="{at + 2:.1f}" width="{max(b - a, 1):.1f}" height="{row - 4}" class="s{bar.series % 8}"/>'
            )
            low, high, middle = x.place(bar.low), x.place(bar.high), at + row / 2
            ends_at = "".join(f"M{end:.1f} {middle - 3:.1f}v6" for end in (low, high))
            parts.append(f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}{ends_at}" class="whisker"/>')
            parts.append(text(max(b, high) + 5, middle + 4, number(bar.value), "start"))
            at += row
        at += gap
    return svg(parts, title, height)
