"""Rows of `.smi` files and of lists of sequences in the same form: one input a line, and perhaps a name.

What no line says by itself is decided on the first lines, and told: in which column the SMILES are, whether they are
written as tokens with blanks between, whether their names merely look like SMILES.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logos_cli.chemistry.residue_text import three_letter
from logos_cli.chemistry.smiles_text import TOKENS_AT_LEAST, Written, is_molecule, only_tokens, parses, read_line, tokens_of
from logos_cli.rows import column_names
from logos_cli.rows.column_names import HEADER_WORDS, plain
from logos_cli.rows.row import Reading, Row, too_long
from logos_cli.system.lines import Blank, Line, filled

WIDEST = 20  # columns among which SMILES are looked for
DOUBTFUL = "a name that could be a SMILES"  # told once
SUFFIXES = (".smi", ".smiles", ".ism", ".can", ".cxsmi", ".cxsmiles", ".rsmi", ".rxnsmiles", ".src", ".tgt")


@dataclass(frozen=True)
class Layout:
    """`column` of the SMILES; `names`: a header's words; `tokens` and `named` as `read_line` takes them; `ranked`: the lines
    are those that `--format smi` writes."""

    column: int = 0
    names: tuple[str, ...] = ()
    tokens: bool = False
    named: bool = False
    ranked: bool = False


def smi_rows(lines: Iterator[Line], opening: Sequence[str], blank: Blank, reading: Reading) -> Iterator[Row]:
    """`opening`: the first lines, comments and blank ones left out."""
    sequence = reading.wants == "sequence"
    layout = layout_of(opening, reading, blank)
    ordinal = 0
    for number, text in filled(lines, blank):
        if text is None:
            yield too_long(ordinal, number)
        elif text.startswith("#"):
            blank.comments += 1
            continue
        elif ordinal == 0 and layout.names and text.split() == list(layout.names):
            continue
        elif sequence:
            value, _, name = text.strip().replace("\t", " ").partition(" ")
            if three_letter(text):
                value, name = text.strip(), ""  # which the task refuses
            yield Row(ordinal, name.strip() or str(number), value, kind="sequence", line=number)
        else:
            yield smi_row(ordinal, number, text, layout, blank, reading)
        ordinal += 1


def layout_of(opening: Sequence[str], reading: Reading, blank: Blank) -> Layout:
    names = header_of(opening[0]) if opening and reading.header else ()
    if reading.wants == "sequence":
        return Layout(names=names)
    lines = list(opening[1:] if names else opening)
    if names:
        at = next((place for place, name in enumerate(names) if plain(name) in HEADER_WORDS), 0)
    else:
        at = smiles_column(lines)
        if at:
            blank.note(f"the SMILES are in column {at + 1} of each line; what stands before them is the name")
    if at or not lines:
        return Layout(at, names)
    runs = [(tokens_of(line.split()), len(line.split())) for line in lines]
    if max(runs)[0] >= TOKENS_AT_LEAST and all(run >= min(TOKENS_AT_LEAST, count) for run, count in runs):
        blank.note("each line is a SMILES written as tokens; the blanks between them are left out")
        return Layout(0, names, tokens=True)
    cells = [line.split("\t") for line in lines]
    # Patents' reactions have numbers in these columns too.
    if all(len(line) >= 4 and line[2].isdigit() and line[3].isdigit() and ">" not in line[0] for line in cells):
        return Layout(0, names, ranked=True)
    # Blanks part them: what follows a tab is a name in any case.
    second = [line.partition("\t")[0].split()[1:2] for line in lines]
    if len(lines) > 1 and all(two and is_molecule(two[0]) for two in second):
        blank.note(f"the second word of each line, first {second[0][0]}, is a SMILES too; it is taken as the name of the first")
        return Layout(0, names, named=True)
    return Layout(0, names)


def header_of(line: str) -> tuple[str, ...]:
    """The words of a header such as `SMILES Name`; none at all if the line is no header."""
    words = tuple(line.split())
    if not words or parses(words[0]):
        return ()
    known = (*column_names.SMILES, *column_names.REACTION)
    first = plain(words[0])
    # A damaged SMILES may be named after what it is: `xyz smiles` is a row.
    titled = first in HEADER_WORDS or (first in column_names.ID and any(plain(word) in known for word in words[1:]))
    return words if titled else ()


def smiles_column(lines: Sequence[str]) -> int:
    """0, unless every line begins with what is no SMILES, and a later column holds one in each."""
    cells = [split(line) for line in lines]
    if not cells or any(parses(line[0]) for line in cells):
        return 0
    first = cells[0][0]
    if len(cells) == 1 and only_tokens(first) and not first.isdigit():
        return 0  # a damaged SMILES, and a name that happens to be one
    for at in range(1, min(max(map(len, cells)), WIDEST)):
        found = [line[at] for line in cells if len(line) > at]  # a short line is an error of its own
        if 2 * len(found) > len(cells) and all(map(parses, found)):
            return at
    return 0


def split(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()


def smi_row(ordinal: int, number: int, text: str, layout: Layout, blank: Blank, reading: Reading) -> Row:
    name, columns = "", dict[str, str]()
    if layout.column:
        cells = text.split("\t") if "\t" in text else text.split()
        if len(cells) <= layout.column:
            told = f"line {number} has {len(cells)} columns; the SMILES is column {layout.column + 1}"
            return Row(ordinal, text.split()[0], error=told, line=number)
        mark = "\t" if "\t" in text else " "
        found = read_line(mark.join(cells[layout.column :]), grouped=reading.side == "reactants")
        before = [cell.strip() for cell in cells[: layout.column]]
        name = " ".join(filter(None, before)) if len(before) == 1 or not layout.names else before[id_of(layout.names) or 0]
    else:
        found = read_line(text, layout.named, layout.tokens, reading.side == "reactants")
        name = found.rest
        if found.doubtful:
            word = name.split()[0]
            blank.note_once(DOUBTFUL, f"line {number}: {word}, after the SMILES, is taken as its name, though it reads as one")
        if layout.ranked:
            cells = text.split("\t")
            ours = len(cells) >= 4
            columns = {"rank": cells[2] if ours else "", "count": cells[3] if ours else ""}
            name = cells[1] if ours else found.rest
        elif len(layout.names) > 2 and len(found.rest.split()) == len(layout.names) - 1:
            place = id_of(layout.names[1:])
            name = found.rest.split()[place] if place is not None else found.rest
    blank.left_out.update(found.left_out)
    return row_of(found, ordinal, name or str(number), number, reading, columns)


def id_of(names: Sequence[str]) -> int | None:
    return column_names.first_of(names, column_names.ID)


def row_of(found: Written, ordinal: int, name: str, number: int, reading: Reading, columns: dict[str, str]) -> Row:
    """A row of what was written as its SMILES."""
    if found.error:
        return Row(ordinal, name, found.smiles, columns=columns, error=f"line {number}: {found.error}", line=number)
    if found.parts and ">" not in found.smiles.replace("->", ""):
        # Not a reaction: only reactants are a set of molecules.
        whole = found.parts if reading.side == "reactants" else found.smiles
        return Row(ordinal, name, whole, columns=columns, line=number)
    return Row(ordinal, name, found.smiles, reactants=found.parts, columns=columns, line=number)
