"""A sheet as an HTML page that needs no network: structures as SVG, everything else as text that can be selected."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from logos_cli.drawing.canvas import SvgCanvas, nested
from logos_cli.drawing.molecule_line import TALLEST
from logos_cli.drawing.molecules import Undrawn, picture
from logos_cli.drawing.parts import HEAT_LEFT, HEAT_WIDTH, LONGEST, block
from logos_cli.drawing.sheet import (
    Card,
    Group,
    HeatMap,
    Legend,
    Lines,
    Mark,
    Molecule,
    MoleculeLine,
    Part,
    Ranking,
    Residues,
    Sheet,
)

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c2230; --soft: #5a6478; --rule: #d9dee8; --card: #f5f7fa;
  --blue: #2f6fde; --red: #c2413b; --faint: #7b8598; --grey: #e9ecf2; }
@media (prefers-color-scheme: dark) { :root { --ground: #12151c; --ink: #e8ebf2; --soft: #9aa4b8; --rule: #2c3342;
  --card: #1a1f2a; --blue: #6ea2ff; --red: #ff8078; --faint: #76809a; --grey: #262c39; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1440px; padding: 24px 16px 48px; background: var(--ground); color: var(--ink);
  font: 14px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 0 0 10px; } p { margin: 0; }
h2 span, .soft { color: var(--soft); font-size: 13px; font-weight: normal; } h2 span { margin-left: 8px; }
section { border-top: 1px solid var(--rule); margin-top: 22px; padding-top: 14px; }
.cards { display: grid; gap: 12px; grid-template-columns:
  repeat(auto-fill, minmax(min(100%, max(var(--least), (100% - 12px * (var(--n) - 1)) / var(--n))), 1fr)); }
.narrow { --n: var(--columns); --least: 230px; } .wide { --n: var(--pairs); --least: 440px; } .full { --n: 1; --least: 100%; }
.cards + .cards { margin-top: 12px; }
article { display: flex; flex-direction: column; gap: 8px; min-width: 0; padding: 12px; border: 1px solid var(--rule);
  border-radius: 6px; background: var(--card); }
article.input { border-color: var(--blue); } article.invalid { background: var(--grey); }
.scheme { flex: 1; display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: 8px 14px;
  min-height: 60px; padding: 10px; background: #fff; color: #1c2230; border-radius: 4px; }
.scheme svg { display: block; max-width: 100%; height: auto; } .scheme figure { margin: 0; text-align: center; min-width: 0; }
.scheme figcaption { color: #5a6478; font-size: 12px; margin-top: 4px; } .sign { color: #5a6478; font-size: 28px; }
.undrawn { color: #c2413b; font-size: 12px; } .undrawn code { display: block; color: #5a6478; }
.error { color: var(--red); } .strong { font-weight: 600; }
code, .residues { font: 12px/1.4 ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; }
code { color: var(--soft); max-height: 8.4em; overflow-y: auto; } .copy { user-select: all; cursor: copy; }
.residues { font-size: 14px; line-height: 1.3; display: flex; flex-wrap: wrap; gap: 6px 12px;
  letter-spacing: 1px; }
.residues span { white-space: nowrap; } .residues span::after { content: attr(data-n); display: block; text-align: right;
  color: var(--faint);
  font-size: 10px; letter-spacing: 0; }
.residues b { font-weight: normal; color: #1c2230; } .residues b.strong { outline: 1px solid #5a6478; outline-offset: -1px; }
.residues i { font-style: normal; color: var(--faint); }
.scale { display: inline-block; width: 140px; height: 11px; border: 1px solid var(--rule); margin: 0 8px;
  vertical-align: -1px; }
.heat { overflow-x: auto; background: #fff; border-radius: 4px; padding: 4px; } .heat svg { display: block; }
ol { list-style: none; margin: 0; padding: 0; columns: 210px; column-gap: 24px; font-size: 13px;
  font-variant-numeric: tabular-nums; }
li { display: grid; grid-template-columns: 2em 1fr 4.5em 5.5em; gap: 6px; text-align: right; break-inside: avoid;
  border-bottom: 1px solid var(--rule); overflow-wrap: normal; }
li span:nth-child(2) { text-align: left; overflow-wrap: anywhere; }
li b { font-weight: normal; color: #1c2230; padding: 0 4px; }
summary { color: var(--soft); font-size: 12px; cursor: pointer; }
@media print { article { break-inside: avoid; } }
"""


def page(sheet: Sheet) -> str:
    """The whole document."""
    counts = f"--columns: {sheet.columns}; --pairs: {max(1, sheet.columns // 2)}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(sheet.title)}</title><style>{_STYLE}</style></head>"
        f'<body style="{counts}"><h1>{escape(sheet.title)}</h1><p class="soft">{escape(sheet.detail)}</p>\n'
        + "\n".join(section(group) for group in sheet.groups)
        + "\n</body></html>\n"
    )


def section(group: Group) -> str:
    head = f"<h2>{escape(group.name)} <span>{escape(group.detail)}</span></h2>"
    grids = (
        f'<div class="cards {width}">{"".join(article(card) for card in cards)}</div>'
        for width, cards in groupby(group.cards, key=lambda card: card.width)
    )
    return f"<section>{head}{''.join(grids)}</section>"


def article(card: Card) -> str:
    body = "".join(shown(part) for part in card.parts)
    sequence = any(isinstance(part, Residues) for part in card.parts)
    copies = "".join(f'<code class="copy">{escape(one)}</code>' for one in card.copies)
    if copies and sequence:
        copies = f"<details><summary>as plain text</summary>{copies}</details>"
    return f'<article class="{card.tone}">{body}{copies}</article>\n'


def shown(part: Part) -> str:
    if isinstance(part, MoleculeLine):
        return f'<div class="scheme">{"".join(map(item, part.items))}</div>'
    if isinstance(part, Residues):
        return residues(part)
    if isinstance(part, Lines):
        tag = "code" if part.style == "code" else "p"
        return "".join(f'<{tag} class="{part.style}">{escape(line)}</{tag}>' for line in part.lines)
    if isinstance(part, Legend):
        stops = ", ".join(part.stops)
        return (
            f'<p class="soft">{escape(part.low)}<span class="scale" style="background: linear-gradient(90deg, {stops})"></span>'
            f"{escape(part.high)} · {escape(part.text)}</p>"
        )
    return heat(part) if isinstance(part, HeatMap) else ranking(part)


def item(one: Molecule | str) -> str:
    if isinstance(one, str):
        return f'<span class="sign">{one}</span>'
    label = f"<figcaption>{escape(one.label)}</figcaption>" if one.label else ""
    try:
        found = picture(one)
    except Undrawn as error:
        return f'<figure class="undrawn">{escape(str(error))}<code>{escape(one.smiles)}</code>{label}</figure>'
    scale = min(1.0, TALLEST * 1.2 / found.height)
    size = f'width="{found.width * scale:.0f}" height="{found.height * scale:.0f}"'
    return f"<figure>{nested(one, size)}{label}</figure>"


def residues(part: Residues) -> str:
    """Blocks of ten that wrap as the window is wide, each with the number of its last residue below it."""
    letters = part.letters[:LONGEST]
    blocks = []
    for start in range(0, len(letters), 10):
        ten = range(start, min(start + 10, len(letters)))
        inner = "".join(stretch(part, letters, run) for run in stretches(part, ten))
        blocks.append(f'<span data-n="{ten[-1] + 1}">{inner}</span>')
    more = len(part.letters) - len(letters)
    blocks += [f"… and {more:,} residues more"] if more else []
    return f'<div class="residues">{"".join(blocks)}</div>'


def stretches(part: Residues, places: range) -> Iterator[list[int]]:
    """Neighbours that look the same; each marked residue alone, for it has a title of its own."""

    def look(at: int) -> tuple[Mark | None, bool, int]:
        mark = part.marks.get(at + 1)
        return mark, at < part.given, at if mark else -1

    return (list(run) for _, run in groupby(places, key=look))


def stretch(part: Residues, letters: str, run: list[int]) -> str:
    text = escape(letters[run[0] : run[-1] + 1])
    if mark := part.marks.get(run[0] + 1):
        title = f' title="{escape(mark.title)}"' if mark.title else ""
        return f'<b{" class=strong" if mark.strong else ""} style="background:{mark.fill}"{title}>{text}</b>'
    return f"<i>{text}</i>" if run[0] < part.given else text


def heat(part: HeatMap) -> str:
    """As in a picture, at its own size, in a box that scrolls."""
    width = min(1000.0, HEAT_LEFT + HEAT_WIDTH * len(part.positions))
    drawn = block(part, width + 1)
    canvas = SvgCanvas(width + 8, drawn.height, "mutants by position and residue")
    drawn.paint(canvas, 0, 0)
    return f'<div class="heat">{canvas.document(standalone=False)}</div>'


def ranking(part: Ranking) -> str:
    rows = []
    for cells, colour in part.rows:
        place, name, delta, *others = map(escape, cells)
        rest = "".join(f"<span>{one}</span>" for one in others)
        rows.append(f'<li><span>{place}</span><span>{name}</span><b style="background:{colour}">{delta}</b>{rest}</li>')
    columns = escape(", ".join(part.columns))
    return f'<p class="soft">{columns}</p><ol>{"".join(rows)}</ol>'
