"""The text of a PDB file as its writer meant it: what stands behind END, models, entry ids in columns 73-80.

gemmi stops at END, and whoever joins a receptor and a ligand leaves one between them. Every atom line is either in the text
that gemmi gets or counted in a note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ATOMS = ("ATOM", "HETA")  # a serial number of six digits begins in column 6
# What a PDB may have besides atoms where three numbers could stand in the columns of coordinates.
_OTHER = re.compile(
    r"REMARK|SIG|ANISOU|CRYST|ORIGX|SCALE|MTRIX|TVECT|USER|#|HELIX|SHEET|HEADER|TITLE|COMPND|JRNL|CONECT", re.IGNORECASE
)
_COORDINATES = re.compile(r"(?<![\d.])-?\d+\.\d{3}\s*(?:-?\d+\.\d{3}\s*){2}")
_BOXED = re.compile(r"^.{72}(\S{4}) *\d+ *$")


@dataclass
class _Parts:
    """The lines of a file by where they stand: the first model, what stands in no model, the others."""

    first: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    models: int = 0
    atoms_of_others: int = 0
    notes: list[str] = field(default_factory=list)
    unread: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class PdbText:
    """`text` has one model and no END; `models` counts those of the file, `atoms` the atom lines of `text`."""

    text: str
    notes: tuple[str, ...]
    models: int
    atoms: int


def read_text(text: str) -> PdbText:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = without_entry_ids([kept(line) for line in lines])
    parts = _Parts()
    inside, over, ended = False, False, False
    seen: set[str] = set()
    for at, line in enumerate(lines):
        name = line[:6]
        if name[:4] in ATOMS:
            if over and not parts.notes[-1].startswith("read on"):
                parts.atoms_of_others += 1
            elif inside:
                if parts.models == 1:
                    parts.first.append(line)
                else:
                    parts.atoms_of_others += 1
            elif ended and line[12:27] in seen:  # frames that are parted by ENDMDL alone
                parts.atoms_of_others += 1
            else:
                parts.loose.append(line)
            if not over:
                seen.add(line[12:27])
        elif name == "MODEL " or line.rstrip() == "MODEL":
            inside, parts.models = True, parts.models + 1
        elif name == "ENDMDL":
            inside, ended = False, True
        elif line.rstrip() == "END":
            rest = lines[at + 1 :]
            atoms = [one for one in rest if one[:4] in ATOMS]
            if not over and atoms:
                over, inside = True, False
                again = any(one[:6] in ("HEADER", "MODEL ", "SEQRES") for one in rest) or any(a[12:27] in seen for a in atoms)
                told = f"read on after END in line {at + 1}" if not again else f"after END in line {at + 1} another structure"
                parts.notes.append(told)
                parts.loose.append("TER")
        elif name.startswith("TER"):
            (parts.first if inside and parts.models == 1 else parts.loose if not inside else []).append(line)
        elif looks_unread(line):
            parts.unread.append((at + 1, line))
        elif not over and (not inside or parts.models == 1):
            (parts.first if inside else parts.loose).append(line)
    return put_together(parts)


def kept(line: str) -> str:
    """A line with the name of its record in capitals, six columns of it."""
    name = line[:6].upper()
    return name + line[6:] if name[:4] in ATOMS or name in ("MODEL ", "ENDMDL", "SEQRES") else line


def looks_unread(line: str) -> bool:
    """Whether a line that is no record of a PDB has the coordinates of an atom."""
    return len(line) > 40 and not _OTHER.match(line) and bool(_COORDINATES.search(line[20:64]))


def without_entry_ids(lines: list[str]) -> list[str]:
    """Lines without columns 73-80 if they are as before 1996, the entry's id and the line's number: not segment, element
    and charge."""
    atoms = [line for line in lines if line[:4] in ATOMS]
    found = {match[1] if (match := _BOXED.match(line)) else "" for line in atoms}
    if len(found) != 1 or "" in found:
        return lines
    return [line[:72] for line in lines]


def put_together(parts: _Parts) -> PdbText:
    notes = list(parts.notes)
    loose = sum(line[:4] in ATOMS for line in parts.loose)
    if parts.models > 1:
        notes.insert(0, f"model 1 of {parts.models}")
    if parts.models and loose and any(line[:4] in ATOMS for line in parts.first):
        notes.append(f"{loose} atoms that stand in no model, read with the first")
    if parts.atoms_of_others:
        notes.append(f"{parts.atoms_of_others} atoms of what comes after the first not read")
    if parts.unread:
        number, line = parts.unread[0]
        notes.append(
            f"{len(parts.unread)} lines with coordinates, of no record of a PDB, not read: line {number}, {line[:20]!r}"
        )
    # Records before the first atom stand outside models; an atom outside, as a ligand, comes after the model.
    first_atom = next(
        (i for i, line in enumerate(parts.loose) if line[:4] in ATOMS or line.startswith("TER")), len(parts.loose)
    )
    lines = [*parts.loose[:first_atom], *parts.first, *parts.loose[first_atom:], "END", ""]
    atoms = sum(line[:4] in ATOMS for line in lines)
    return PdbText("\n".join(lines), tuple(notes), parts.models, atoms)
