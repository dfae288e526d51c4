"""Names of variants as people write them: `A23V`, several as `A23V+K45R` or `A23V:K45R`, HGVS's `p.Ala23Val`; and lists of
them in files. What is no substitution (`A23del`) is told apart from what is no name at all."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os.path import isdir

from logos_cli.chemistry.residue_names import STANDARD
from logos_cli.errors import UsageError
from logos_cli.system.lines import read_lines

MUTATION = re.compile(r"([A-Z])(\d{1,6})([A-Z])")
# In a structure's own numbers. A chain's name keeps its case, and may hold anything but what parts mutations.
CHAIN = r"(?:(?P<chain>[^:,+\s]*):)?"
NUMBER = r"(?:@\d{1,6}|-?\d{1,6}[A-Z]?)"
OWN = re.compile(rf"{CHAIN}(?P<old>[A-Z])(?P<at>{NUMBER})(?P<new>[A-Z])")
_PREFIX = re.compile(r"^([^:,+\s]*:)(.*)$")
SEPARATORS = re.compile(r"[+:]")
MUTATED = "mutated_sequence"  # ProteinGym's column of what a variant's name gives
COLUMNS = (
    "mutant", "mutants", "mutation", "mutations", "variant", "variants", "hgvs_pro", "hgvs", "substitution", "aa_change",
)  # fmt: skip
_THREE = "|".join(name.title() for name in STANDARD)
_LONG = re.compile(rf"({_THREE})(\d{{1,6}})({_THREE}|[A-Z])", re.IGNORECASE)
_RESIDUE = rf"(?:(?:{_THREE}|[A-Z])\d{{1,6}})"
# HGVS's other changes of a protein: https://hgvs-nomenclature.org, recommendations for protein variants.
_OTHER = re.compile(
    rf"{_RESIDUE}(?:_{_RESIDUE})?(?P<what>delins[A-Z*]*|del[A-Z]*|dup|ins[A-Z0-9*]*|fs.*|ext.*|Ter\d*|\*|=|\?|-)|(?P<wild>=|wt)",
    re.IGNORECASE,
)
_OTHERS = {
    "delins": "a deletion with an insertion", "del": "a deletion", "dup": "a duplication", "ins": "an insertion",
    "fs": "a shift of the reading frame", "ext": "an extension", "ter": "a stop", "*": "a stop", "-": "a deletion",
    "=": "no change", "?": "unknown", "wt": "no change",
}  # fmt: skip


def one_letter(name: str) -> str | None:
    """Write a variant's name as `A23V` or, joined as they were, several; None if it is no list of substitutions."""
    plain = name.strip()
    if plain[:2].lower() == "p.":
        plain = plain[2:].strip("()[]").replace(";", "+")
    parts = re.split(r"([+:])", plain)
    parts[::2] = [short(part) for part in parts[::2]]
    return "".join(parts) if all(MUTATION.fullmatch(part) for part in parts[::2]) else None


def written(name: str) -> str | None:
    """A variant's name as it is read, also in a structure's own numbers (`A:S195A+@7V`); None if it is none."""
    if plain := one_letter(name):
        return plain
    if other_change(name):
        return None  # A2fs is no S at 2F
    own = capitals(name)
    return own if all(OWN.fullmatch(part) for part in own.split("+")) else None


def parts_of(name: str) -> list[str]:
    """The single substitutions of what `written` gave: `:` parts them, or stands behind a chain."""
    parts = SEPARATORS.split(name)
    return parts if all(MUTATION.fullmatch(part) for part in parts) else name.split("+")


def capitals(name: str) -> str:
    """A mutation or a place in capitals, chains as they are written."""

    def one(text: str) -> str:
        match = _PREFIX.match(text)
        return match[1] + match[2].upper() if match else text.upper()

    return "+".join(one(text.strip()) for text in name.strip().split("+"))


def short(part: str) -> str:
    """One substitution in one-letter code; anything else in capitals."""
    found = _LONG.fullmatch(part.strip().removeprefix("p.").strip("()"))
    if found is None:
        return part.strip().upper()
    old, place, new = found.groups()
    return f"{STANDARD[old.upper()]}{int(place)}{STANDARD.get(new.upper(), new.upper())}"


def other_change(name: str) -> str:
    """What a variant is, one part of it at least, that is known by its name and no substitution; empty if none is."""
    plain = name.strip().removeprefix("p.").strip("()[]")
    for part in re.split(r"[+:;]", plain):
        if found := _OTHER.fullmatch(part.strip()):
            what = (found["what"] or found["wild"]).lower()
            return next(told for key, told in _OTHERS.items() if what.startswith(key))
    return ""


@dataclass(frozen=True)
class ListedNames:
    """The names and places of a file. `table`: each is a row's, so that none may be lost; `sequences` are what its rows say
    that they give, None where the table does not say it."""

    names: tuple[str, ...]
    table: bool = False
    sequences: tuple[str, ...] | None = None


def listed(path: str) -> ListedNames:
    """Reads the names and places of a file: a table's column of them, else one a line or several, `#` before remarks; what else
    stands on the line of a name (its score, its bin) is left alone."""
    lines = ((line or "").partition("#")[0].strip() for _, line in read_lines(path))
    found = [line for line in lines if line]
    mark = next((mark for mark in "\t,;" if found and mark in found[0]), ",")
    header = [name.strip().lower() for name in next(csv.reader(found[:1], delimiter=mark), [])]
    column = next((header.index(name) for name in COLUMNS if name in header), None)
    if column is not None:
        rows = list(csv.reader(found[1:], delimiter=mark))
        sequences = header.index(MUTATED) if MUTATED in header else None
        return ListedNames(
            cells_of(rows, column), True, None if sequences is None or sequences == column else cells_of(rows, sequences)
        )
    return ListedNames(tuple(name for line in found for name in names_in(line)))


def cells_of(rows: Sequence[Sequence[str]], column: int) -> tuple[str, ...]:
    """Gives a column of a table, empty where a row is too short."""
    return tuple(cells[column].strip() if column < len(cells) else "" for cells in rows)


def names_in(line: str) -> Iterator[str]:
    """Finds the names on a line that is of no table with a header."""
    fields = [field for field in re.split(r"[\s,]+", line) if field]
    named = written(fields[0]) or other_change(fields[0])
    if "\t" in line or ("," in line and any(re.fullmatch(r"-?\d*\.\d+(?:[eE][-+]?\d+)?", one) for one in fields[1:])):
        yield re.split(r"[\t,]", line)[0].strip()
    else:
        yield from (field for field in fields if not (named and re.fullmatch(r"-?[\d.]+(?:[eE][-+]?\d+)?", field)))


def refuse_missing(spec: str) -> None:
    """Raises UsageError for what looks like a file's name: there is no such file."""
    if isdir(spec):
        raise UsageError(f"--mutants {spec}: a folder; name the file in it")
    if re.search(r"[/\\]|\.(?:txt|csv|tsv|tab|dat|list|lst|mut|json|jsonl|gz|xlsx?)$", spec, re.IGNORECASE):
        raise UsageError(f"--mutants {spec}: no such file")
