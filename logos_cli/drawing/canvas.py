"""What a sheet is drawn on: one small protocol, as SVG elements and as pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from logos_cli.drawing.molecules import picture, raster
from logos_cli.drawing.sheet import INK, WHITE, Molecule

SANS = "Helvetica, Arial, 'Liberation Sans', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace"
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}  # Pillow's names, all on the baseline
_BOLD = 1.08  # how much wider bold text is


class Canvas(Protocol):
    """Places in pixels of the SVG from the top left; `y` of text is its baseline; `anchor` is start, middle or end.

    An empty colour means none.
    """

    def rectangle(
        self, x: float, y: float, width: float, height: float, fill: str, edge: str = "", round: float = 0
    ) -> None: ...

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> None: ...

    def text(
        self, x: float, y: float, text: str, size: float, colour: str = INK, anchor: str = "start", bold: bool = False
    ) -> None: ...

    def letters(self, x: float, y: float, text: str, advance: float, size: float, colour: str = INK) -> None:
        """Puts each letter in the middle of its own slot, `advance` wide."""

    def molecule(self, x: float, y: float, width: float, height: float, molecule: Molecule) -> None: ...


@dataclass(frozen=True)
class Block:
    """`paint` takes a canvas and the place of the left top corner."""

    height: float
    paint: Callable[[Canvas, float, float], None]


class SvgCanvas:
    def __init__(self, width: float, height: float, title: str = "") -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def rectangle(self, x: float, y: float, width: float, height: float, fill: str, edge: str = "", round: float = 0) -> None:
        line, curve = f' stroke="{edge}"' if edge else "", f' rx="{round:g}"' if round else ""
        fill = fill or "none"
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"{line}{curve}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> None:
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"/>'
        )

    def text(
        self, x: float, y: float, text: str, size: float, colour: str = INK, anchor: str = "start", bold: bool = False
    ) -> None:
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}"{place}{weight}>{escape(text)}</text>'
        )

    def letters(self, x: float, y: float, text: str, advance: float, size: float, colour: str = INK) -> None:
        places = " ".join(f"{x + (i + 0.5) * advance:.1f}" for i in range(len(text)))
        self.parts.append(
            f'<text x="{places}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" text-anchor="middle" '
            f'font-family="{MONO}">{escape(text)}</text>'
        )

    def molecule(self, x: float, y: float, width: float, height: float, molecule: Molecule) -> None:
        self.parts.append(nested(molecule, f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'))

    def document(self, standalone: bool = True) -> str:
        """Writes the whole file, or (not `standalone`) an element of a page."""
        head = '<?xml version="1.0" encoding="UTF-8"?>\n' if standalone else ""
        space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
        return (
            f'{head}<svg{space} width="{self.width:.0f}" height="{self.height:.0f}" '
            f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" font-family="{SANS}" role="img">'
            f"<title>{escape(self.title)}</title>\n" + "\n".join(self.parts) + "\n</svg>\n"
        )


def nested(molecule: Molecule, placed: str) -> str:
    """Writes a structure as an svg element with the attributes `placed`; nothing in it has an id that could clash."""
    found = picture(molecule)
    return (
        f'<svg class="molecule" {placed} viewBox="0 0 {found.width:.0f} {found.height:.0f}">'
        f"<title>{escape(molecule.smiles)}</title>{found.svg}</svg>"
    )


class PngCanvas:
    """Everything at `scale` times the size of the SVG."""

    def __init__(self, width: float, height: float, scale: int = 2) -> None:
        from PIL import Image, ImageDraw

        self.scale = scale
        self.image = Image.new("RGB", (round(width * scale), round(height * scale)), WHITE)
        self.pen: Any = ImageDraw.Draw(self.image)

    def rectangle(self, x: float, y: float, width: float, height: float, fill: str, edge: str = "", round: float = 0) -> None:
        s = self.scale
        box = (x * s, y * s, (x + width) * s, (y + height) * s)
        self.pen.rounded_rectangle(box, radius=round * s, fill=fill or None, outline=edge or None, width=s)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> None:
        s = self.scale
        self.pen.line((x1 * s, y1 * s, x2 * s, y2 * s), fill=colour, width=max(1, round(width * s)))

    def text(
        self, x: float, y: float, text: str, size: float, colour: str = INK, anchor: str = "start", bold: bool = False
    ) -> None:
        s = self.scale
        stroke = size * s * 0.018 if bold else 0  # the font has no bold
        self.pen.text(
            (x * s, y * s), text, fill=colour, font=_font(size * s), anchor=_ANCHORS[anchor], stroke_width=stroke,
            stroke_fill=colour,
        )  # fmt: skip

    def letters(self, x: float, y: float, text: str, advance: float, size: float, colour: str = INK) -> None:
        s = self.scale
        for i, letter in enumerate(text):
            # The font is proportional: W and M are made as narrow as their slot.
            mask, top = _letter(letter, size * s, advance * s * 0.94)
            left = (x + (i + 0.5) * advance) * s - mask.width / 2
            self.image.paste(colour, (round(left), round(y * s) + top), mask)

    def molecule(self, x: float, y: float, width: float, height: float, molecule: Molecule) -> None:
        from PIL import Image

        s, natural = self.scale, picture(molecule)
        # Less than a pixel is no image to RDKit.
        share = max(min(width / natural.width, height / natural.height), 2 / min(natural.width, natural.height) / s)
        with Image.open(BytesIO(raster(molecule, share * s))) as drawn:
            left = (x + width / 2) * s - drawn.width / 2
            top = (y + height / 2) * s - drawn.height / 2
            self.image.paste(drawn, (round(left), round(top)), drawn.convert("RGBA").getchannel("A"))

    def save(self, path: Path) -> None:
        self.image.save(path, format="PNG", dpi=(96 * self.scale, 96 * self.scale))


@cache
def _font(size: float) -> Any:
    """RDKit's wheels bring a Helvetica with Latin, Greek and Cyrillic letters; Pillow's own has little beyond ASCII."""
    import rdkit
    from PIL import ImageFont

    path = Path(rdkit.__file__).parent / "Chem" / "Draw" / "FreeSans.ttf"
    return ImageFont.truetype(str(path), size) if path.is_file() else ImageFont.load_default(size)


@cache
def _letter(letter: str, size: float, widest: float) -> tuple[Any, int]:
    """Draws the coverage of one letter as an image, and how far above the baseline it begins (negative)."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = _font(size).getbbox(letter, anchor="ls")
    mask = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))), 0)
    ImageDraw.Draw(mask).text((-left, -top), letter, fill=255, font=_font(size), anchor="ls")
    return (mask.resize((round(widest), mask.height)) if mask.width > widest else mask), int(top)


def measured(text: str, size: float, bold: bool = False) -> float:
    """Measures the width of `text` in pixels, in Helvetica's metrics, which most systems' fonts share."""
    return float(_font(100.0).getlength(text)) * size / 100 * (_BOLD if bold else 1)


def fitted(text: str, size: float, width: float, bold: bool = False) -> str:
    """Gives `text`, cut with an ellipsis if it is wider than `width`."""
    if measured(text, size, bold) <= width:
        return text
    low, high = 0, min(len(text), int(width))  # no letter is narrower than a pixel
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measured(text[:middle] + "…", size, bold) <= width else (low, middle - 1)
    return text[:low].rstrip() + "…"


def wrapped(text: str, size: float, width: float, most: int, anywhere: bool = False) -> list[str]:
    """Breaks `text` into at most `most` lines of `width`, the last one cut if more is left; words stay whole if they can."""
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < most - 1 and measured(rest[: int(width)], size) > width:
        line = fitted(rest, size, width)[:-1]
        blank = -1 if anywhere else rest.rfind(" ", 0, len(line) + 1)
        line = rest[:blank] if blank > 0 else line or rest[:1]
        lines.append(line)
        rest = rest[len(line) :].lstrip()
    return [*lines, fitted(rest, size, width)] if rest else lines
