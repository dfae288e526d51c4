"""Random damage to PDB and mmCIF files, against an independent count of atoms: `make fuzz`, and a short run in test_fuzz.py.

    python tests/stress/fuzz_structures.py [--count 2000] [--seed 0] [--first 0]

A case fails if reading raises what is no error of ours, or if a file that is read has more lines of atoms, counted here without
our reader, than atoms that were read and atoms that a note says were not.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from logos_cli.errors import LogosError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading

EXAMPLES = Path(__file__).parents[2] / "examples"
KEPT = 220  # atoms of a file; what goes wrong does not need thousands
# Three numbers with decimals beside each other: coordinates, of any form.
_COORDINATES = re.compile(r"(?:(?<=[\s'\"])|^|(?<=\d))-?\d+\.\d{1,3}['\"]?\s*['\"]?-?\d+\.\d{1,3}['\"]?\s*['\"]?-?\d+\.\d{1,3}")
_TOLD = re.compile(r"(\d+) (?:of \d+ )?(?:atoms|lines)[^;]*?not read")
PDB_LINES = (
    "END",
    "TER",
    "MODEL        1",
    "MODEL        2",
    "ENDMDL",
    "ATOM",
    "",
    "REMARK x",
    "CONECT    1    2",
    "HETATM",
    "CRYST1",
)
CIF_LINES = ("loop_", "data_y", "#", "", ";", "_cell.length_a 5", "'", "_atom_site.id", "save_x", "? ? ?", "stop_", "_a.b")
LETTERS = "X 0'\"?.#;_-*\t\0\xe9"


def lines_of(name: str) -> list[str]:
    """The lines of an example, its atoms cut to the first ones and those of ligands."""
    lines = gzip.decompress((EXAMPLES / name).read_bytes()).decode().splitlines()
    atoms = [at for at, line in enumerate(lines) if line.startswith(("ATOM", "HETATM"))]
    dropped = set(atoms[KEPT:-20])
    return [line for at, line in enumerate(lines) if at not in dropped and not line.startswith(("REMARK", "ANISOU"))]


def short(lines: Sequence[str]) -> list[str]:
    """A mmCIF's loop of atoms, and what comes before it only where it tells of the polymer."""
    first = next(at for at, line in enumerate(lines) if line.startswith("_atom_site."))
    rest = [line for line in lines[first - 1 :] if line.startswith(("loop_", "_atom_site.", "ATOM", "HETATM"))]
    last = max(at for at, line in enumerate(rest) if line.startswith(("ATOM", "HETATM")))
    return ["data_X", "#", *rest[: last + 1], "#"]


def damaged(lines: list[str], rng: random.Random, cif: bool) -> str:
    found = list(lines)
    # A few atoms, most of the time, or the lines before them.
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at = rng.randrange(len(found))
        line, place = found[at], rng.randrange(len(found[at]) + 1)
        match rng.randrange(9):
            case 0:
                found[at] = line[:place] + rng.choice(LETTERS) + line[place + 1 :]
            case 1:
                found[at] = line[:place]
            case 2:
                found[at] = line[:place] + " " + line[place:]
            case 3:
                del found[at]
            case 4:
                found.insert(at, line)
            case 5:
                found.insert(at, rng.choice(CIF_LINES if cif else PDB_LINES))
            case 6:
                other = rng.randrange(len(found))
                found[at], found[other] = found[other], found[at]
            case 7:
                found[at : at + 1] = [line[:place], line[place:]]
            case 8:
                found[at] = line.replace(rng.choice("ABC1. "), rng.choice("ABZ2. "), 1)
        if not found:
            found = [""]
    return rng.choice(("\n", "\n", "\n", "\r\n", "\r")).join(found) + rng.choice(("\n", ""))


def complaint(path: Path, text: str, rng: random.Random) -> str | None:
    """What is wrong with how a file was read, or None."""
    path.write_text(text, encoding="latin-1", newline="")
    asked = rng.choice((None, "auto", "A:160", "ZYB", "chain:A"))
    options = {
        "pocket_from": asked,
        "chain": rng.choice((None, None, "A", "all")),
        "each_copy": asked == "auto" and rng.random() < 0.5,
    }
    try:
        rows = list(read_rows(str(path), Reading(wants="sequence", **options)))  # type: ignore[arg-type]
    except LogosError:
        return None
    except Exception:  # noqa: BLE001  # that is what is looked for
        return traceback.format_exc()
    if not rows:
        return "no row"
    for row in rows:
        if row.error is None and (row.site is None or row.site.structure is None):
            return f"read as something else than a structure: {row.value!r:.80}"
    row = rows[0]
    if row.error is not None or row.site is None:
        return None
    read = row.site.structure[0].count_atom_sites()
    told = sum(map(int, _TOLD.findall("; ".join(row.site.notes))))
    counted = sum(bool(_COORDINATES.search(line)) for line in re.split(r"\r\n|\n|\r", text) if not line.startswith("CRYST1"))
    return f"{counted} lines of atoms, {read} read, {told} told: {row.site.notes}" if read + told < counted else None


def fuzz(numbers: range, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """(how many of each kind, complaints)."""
    kinds = [("x.pdb", lines_of("1a8o.pdb.gz")), ("x.cif", short(lines_of("4cup.cif.gz"))), ("x.ent", lines_of("1a8o.pdb.gz")),
             ("y.cif", short(lines_of("1gbt.cif.gz")))]  # fmt: skip
    done: Counter[str] = Counter()
    complaints = []
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        name, lines = kinds[number % len(kinds)]
        text = damaged(lines, rng, name.endswith(".cif"))
        done[name] += 1
        if wrong := complaint(folder / name, text, rng):
            complaints.append(f"seed {seed} case {number} ({name}): {wrong}\n{text[:3000]!r}")
    return done, complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation, to repeat one")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="logos-fuzz-structures-") as name:
        done, complaints = fuzz(range(args.first, args.first + args.count), args.seed, Path(name))
    for kind, times in sorted(done.items()):
        sys.stdout.write(f"{times:>6}  {kind}\n")
    sys.stdout.write("".join(f"\n{text}\n" for text in complaints))
    sys.stdout.write(f"{args.count} mutations, {len(complaints)} complaints, {time.monotonic() - began:.0f} s\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
