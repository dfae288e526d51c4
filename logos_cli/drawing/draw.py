"""Records in, a picture or a page out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from logos_cli.drawing.groups import Chosen, choose, sheet_of
from logos_cli.drawing.sheet import Sheet
from logos_cli.drawing.stored_record import plain, read_stored
from logos_cli.errors import InputError, OutputError, UsageError
from logos_cli.records.record import Ending
from logos_cli.system.files import atomic, check_output

FORMATS = (".svg", ".png", ".html")
PNG_SCALE = 2
# What Pillow, and with it most of Python, opens without a warning; 270 MB while it is painted.
MOST_PIXELS = 89_000_000


@dataclass(frozen=True)
class Drawn:
    """What was drawn and what was not; `cut`: the input's last line was incomplete and is left out."""

    groups: int
    chosen: Chosen
    cut: bool


def format_of(out: Path) -> str:
    """Raises UsageError for a suffix that names none."""
    suffix = next((one for one in FORMATS if out.name.lower().endswith(one)), "")
    if not suffix:
        raise UsageError(f"{out}: the name must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return suffix


def draw_records(
    path: str, out: Path, columns: int = 4, limit: int = 200, valid_only: bool = False, title: str | None = None
) -> Drawn:
    """Draws the records of `path` (`-`: stdin) into `out`, in the format that its suffix names.

    Raises UsageError, InputError for lines that are no records or if there is nothing to draw, OutputError.
    """
    suffix = format_of(out)
    check_output(out)
    ending = Ending()
    chosen = choose(read_stored(path, ending), limit, valid_only)
    if not chosen.records:
        none = f"none of {chosen.invalid:,} records is valid" if chosen.invalid else "no records"
        raise InputError(f"{path}: {none}; nothing to draw")
    named = plain(title) if title is not None else "records" if path == "-" else plain(Path(path).name.split(".")[0])
    sheet = sheet_of(chosen.records, named, columns)
    if suffix == ".html":
        from logos_cli.drawing.page import page

        with atomic(out) as beside:
            beside.write_text(page(sheet), encoding="utf-8")
    else:
        write_picture(sheet, out, suffix, len(chosen.records))
    return Drawn(len(sheet.groups), chosen, ending.cut)


def write_picture(sheet: Sheet, out: Path, suffix: str, records: int) -> None:
    """Raises OutputError for a raster that would be too large."""
    from logos_cli.drawing.canvas import PngCanvas, SvgCanvas
    from logos_cli.drawing.layout import laid_out

    layout = laid_out(sheet)
    if suffix == ".svg":
        canvas = SvgCanvas(layout.width, layout.height, sheet.title)
        layout.paint(canvas)
        with atomic(out) as beside:
            beside.write_text(canvas.document(), encoding="utf-8")
        return
    pixels = layout.width * layout.height * PNG_SCALE**2
    if pixels > MOST_PIXELS:
        fitting = int(records * MOST_PIXELS / pixels * 0.9)
        fewer = f", or fewer records, about --limit {fitting}" if fitting else ""
        raise OutputError(
            f"{out}: {pixels / 1e6:,.0f} megapixels, at most {MOST_PIXELS / 1e6:.0f} go into a .png; write .svg or .html{fewer}"
        )
    painted = PngCanvas(layout.width, layout.height, PNG_SCALE)
    layout.paint(painted)
    with atomic(out) as beside:
        painted.save(beside)
