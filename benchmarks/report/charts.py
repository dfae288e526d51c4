"""Small SVG charts that follow the page's colours, light or dark, and its width. No script, no fonts of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 60, 14, 14, 44


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


class RatioScale(Scale):
    """A logarithmic axis that begins and ends near the values, so that equal ratios are equally far apart."""

    def __init__(self, values: Sequence[float], start: float, stop: float) -> None:
        super().__init__(values, start, stop, log=True)
        known = [math.log10(v) for v in values if v > 0] or [0.0, 1.0]
        margin = 0.06 * (max(known) - min(known)) or 0.1
        self.low, self.high = min(known) - margin, max(known) + margin

    def ticks(self) -> list[float]:
        inside = [
            m * 10.0**n
            for n in range(math.floor(self.low), math.ceil(self.high) + 1)
            for m in (1, 1.5, 2, 3, 4, 5, 6, 8)
            if self.low <= math.log10(m * 10.0**n) <= self.high
        ]
        return inside if len(inside) <= 8 else inside[:: -(-len(inside) // 8)]


def number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0e}".replace("e-0", "e-") if abs(value) < 0.001 else f"{value:.3g}"


def text(x: float, y: float, content: str, anchor: str = "middle", style: str = "tick") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{escape(content)}</text>'


def frame(
    x: Scale, y: Scale, x_title: str, y_title: str, x_ticks: Sequence[float], height: float = HEIGHT
) -> list[str]:  # fmt: skip
    parts = []
    for value in y.ticks():
        at = y.place(value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        parts.append(text(LEFT - 6, at + 4, number(value), "end"))
    parts += [text(x.place(value), height - BOTTOM + 16, number(value)) for value in x_ticks]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, height - 6, x_title))
    middle = (TOP + height - BOTTOM) / 2
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


def lines(series: Sequence[tuple[int, Sequence[tuple[float, float]]]], title: str, x_title: str, y_title: str) -> str:
    """Draws (colour, points) of each line, over equally spaced x values; names are left to a legend."""
    values = sorted({px for _, points in series for px, _ in points})
    x = Scale([0, max(1, len(values) - 1)], LEFT + 20, WIDTH - RIGHT - 20)
    x.low, x.high = 0, max(1, len(values) - 1)
    y = Scale([py for _, points in series for _, py in points], HEIGHT - BOTTOM, TOP, zero=True)
    parts = frame(x, y, x_title, y_title, [])
    parts += [text(x.place(i), HEIGHT - BOTTOM + 16, number(value)) for i, value in enumerate(values)]
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
