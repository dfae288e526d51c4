"""Random damage to files of rows, against an independent count: `make fuzz`, and a short run of it in test_fuzz.py.

    python tests/stress/fuzz_rows.py [--count 2000] [--seed 0] [--first 0]

Tables, JSON lines, SMILES lines and SDF are wounded behind their first lines, which say what they are, and in one case of four
anywhere. A case fails if reading raises what is no error of ours, if rows are not numbered 0, 1, 2, …, if there are more
or fewer of them than records counted here without our reader, or if a record that was not touched is not one row as it was.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from logos_cli.chemistry.grammar import RowError
from logos_cli.errors import LogosError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import Blank
from logos_cli.tasks.table import TASKS

MOLECULES = (
    "CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Nc1ccc(O)cc1", "C[C@H](N)C(=O)O", "CCO", "[Na+].[Cl-]", "N->[Pt](<-N)(Cl)Cl", "C/C=C/C",
    "CC(=O)Cl.Nc1ccc(O)cc1>>CC(=O)Nc1ccc(O)cc1", "O=C(O)c1ccccc1", "c1ccc2[nH]ccc2c1", "[2H]C([2H])([2H])O", "CC#N",
)  # fmt: skip
SPLICED = (
    b'"', b",", b";", b"\t", b" ", b"|", b"|r|", b" |^1:0|", b" |f:0.1|", b"~", b">>", b" > ", b" . ", b"#", b"\n",
    b"\r", b"\r\n", b"\n\n", b"{", b"}", b"[", b"]", b"\0", b"\xff", b"\xe9", b"null", b"NaN", b"1e999", b"$$$$",
    b"\n$$$$\n", b"M  END", b"C C O", b"(", b"%", b"*", b":", b"\\", b"<MoleculeS>", b"C" * 5000, b"9" * 400, b"-1",
    b"\xef\xbb\xbf", b"\xc2\xa0", b"\x0b", b"\x85",
)  # fmt: skip
# No wound makes one of them from another.
NAMES = (
    "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima", "mike",
    "november",
)  # fmt: skip
OPENING = 5  # records that stay whole where the count is compared


@dataclass(frozen=True)
class Kind:
    """`name` of a file, how a record is written, what stands before all, and how many records bytes hold."""

    name: str
    record: Callable[[str, str], str]
    before: str
    count: Callable[[bytes], int]


def lines_of(data: bytes) -> list[bytes]:
    """What is between line ends, if it holds anything, a byte order mark aside: as an editor would count."""
    parts = (line.removeprefix(b"\xef\xbb\xbf") for line in re.split(rb"\r\n|\n|\r", data))
    return [line for line in parts if text_of(line).strip()]


def text_of(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def count_lines(data: bytes) -> int:
    return sum(not line.startswith(b"#") for line in lines_of(data))


def count_table(mark: bytes, first: bool) -> Callable[[bytes], int]:
    """Lines under a header of three columns; of those that begin with `#`, only those with as many cells are rows, and none
    where the SMILES come first."""

    def count(data: bytes) -> int:
        rows = lines_of(data)[1:]
        return sum(not line.startswith(b"#") or (not first and line.count(mark) == 2) for line in rows)

    return count


def count_sdf(data: bytes) -> int:
    lines = re.split(rb"\r\n|\n|\r", data)
    ends = [place for place, line in enumerate(lines) if text_of(line).rstrip() == "$$$$"]
    rest = lines[ends[-1] + 1 :] if ends else lines
    return len(ends) + any(text_of(line).strip() for line in rest)


def molblock(name: str, smiles: str) -> str:
    from rdkit import Chem

    mol = Chem.MolFromSmiles("CCO" if ">" in smiles else smiles)
    mol.SetProp("_Name", name)
    return f"{Chem.MolToMolBlock(mol)}> <NOTE>\n{name}\n\n$$$$\n"


KINDS = (
    Kind("x.smi", lambda name, smiles: f"{smiles} {name}\n", "", count_lines),
    Kind("x", lambda name, smiles: f"{smiles}\t{name}\n", "", count_lines),
    Kind("x.csv", lambda name, smiles: f"{name},{smiles},7.5\n", "id,smiles,note\n", count_table(b",", False)),
    Kind("y.csv", lambda name, smiles: f"{smiles};{name};7,5\n", "SMILES;Name;note\n", count_table(b";", True)),
    Kind("x.tsv", lambda name, smiles: f'{name}\t{smiles}\t5" pipe\n', "id\tsmiles\tnote\n", count_table(b"\t", False)),
    Kind("x.jsonl", lambda name, smiles: json.dumps({"id": name, "smiles": smiles}) + "\n", "", lambda d: len(lines_of(d))),
    Kind("x.sdf", molblock, "", count_sdf),
)


@dataclass(frozen=True)
class Case:
    """A damaged file, and name and SMILES of the records that the damage did not touch; None where their number may differ."""

    kind: Kind
    data: bytes
    whole: dict[str, str] | None


def damaged(kind: Kind, rng: random.Random) -> Case:
    chosen = [rng.choice(MOLECULES) for _ in NAMES]
    records = [kind.record(name, smiles).encode() for name, smiles in zip(NAMES, chosen, strict=True)]
    before = kind.before.encode()
    if rng.random() < 0.25:
        return Case(kind, wounded(before + b"".join(records), rng, kind), None)
    wounds = set(rng.sample(range(OPENING, len(records)), rng.choice((1, 1, 2, 4))))
    parts = [wounded(record, rng, kind) if place in wounds else record for place, record in enumerate(records)]
    # A wound that takes a line's end, or opens a record's, also touches the next one.
    touched = wounds | {place + 1 for place in wounds}
    whole = {NAMES[place]: smiles for place, smiles in enumerate(chosen) if place not in touched}
    return Case(kind, before + b"".join(parts), whole)


def wounded(data: bytes, rng: random.Random, kind: Kind) -> bytes:
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(found) + 1)
        length = rng.choice((1, 2, 4, 16))
        match rng.randrange(5):
            case 0:
                found[place : place + length] = rng.randbytes(length)
            case 1:
                del found[place : place + length]
            case 2:
                found[place:place] = found[place : place + length]
            case _:
                found[place:place] = rng.choice(SPLICED)
    # In a csv two stray quotes may well make one cell of what stands between: that has no other count.
    return bytes(found).replace(b'"', b"'") if kind.name.endswith(".csv") else bytes(found)


def complaint(case: Case, path: Path) -> str | None:
    """What is wrong with how a file was read, or None."""
    path.write_bytes(case.data)
    try:
        rows = list(read_rows(str(path), Reading(side="product"), Blank()))
        for row in rows:
            asked(row)
    except LogosError as error:
        return None if case.whole is None else f"refused: {error}"
    except Exception:  # noqa: BLE001  # that is what is looked for
        return traceback.format_exc()
    if [row.ordinal for row in rows] != list(range(len(rows))):
        return "rows are not numbered in order"
    if case.whole is None:
        return None
    if len(rows) != case.kind.count(case.data):
        return f"{len(rows)} rows; {case.kind.count(case.data)} records were counted"
    for name, smiles in case.whole.items():
        found = [row for row in rows if row.id == name]
        # An SDF's SMILES is RDKit's own.
        if len(found) != 1 or found[0].error or (case.kind.name != "x.sdf" and found[0].value != smiles):
            return f"{name} is not one row as it was"
    return None


def asked(row: Row) -> None:
    for task in ("retro", "react", "molecule"):
        try:
            TASKS[task].prompt(row)
        except RowError:
            continue


def fuzz(numbers: range, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """(how many of each kind, complaints)."""
    done: Counter[str] = Counter()
    complaints = []
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        case = damaged(KINDS[number % len(KINDS)], rng)
        done[f"{case.kind.name}{' (anywhere)' if case.whole is None else ''}"] += 1
        if wrong := complaint(case, folder / case.kind.name):
            complaints.append(f"seed {seed} case {number} ({case.kind.name}): {wrong}\n{case.data[:4000]!r}")
    return done, complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation, to repeat one")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="logos-fuzz-rows-") as name:
        done, complaints = fuzz(range(args.first, args.first + args.count), args.seed, Path(name))
    for kind, times in sorted(done.items()):
        sys.stdout.write(f"{times:>6}  {kind}\n")
    sys.stdout.write("".join(f"\n{text}\n" for text in complaints))
    sys.stdout.write(f"{args.count} mutations, {len(complaints)} complaints, {time.monotonic() - began:.0f} s\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
