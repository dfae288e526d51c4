"""A stock: which molecules can be bought or lie on the shelf, as SMILES or InChIKeys, one a line.

Of each molecule 128 bits are kept, of a hash of its canonical SMILES or of its InChIKey: a million take 16 MB, and that two
of them are mistaken for each other is less likely than a fault of the memory they lie in.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from logos_cli.chemistry.smiles import ChemError, canonical_strict, rdkit
from logos_cli.errors import InputError, OutputError
from logos_cli.rows.foreign_format import refuse_foreign
from logos_cli.system.files import atomic, cache_folder
from logos_cli.system.lines import first_lines, lines_of, open_bytes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.uint64]

_KEY = re.compile(r"(?:InChIKey=)?([A-Z]{14}-[A-Z]{10}-[A-Z])", re.IGNORECASE)
_END = re.compile(r"[\s,;]")  # of the first cell of a line: no SMILES has any of these
SLOW = 10_000  # SMILES; making more canonical takes long enough to be told of
_SCHEMA = 1  # of the cache's files


def digest(text: str) -> tuple[int, int]:
    """128 bits of `text`, as two numbers."""
    found = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(found[:8]), int.from_bytes(found[8:])


@dataclass(frozen=True)
class Digests:
    """A set of texts by their digests: the first numbers [n] in order, and the second ones [n] that belong to them."""

    first: Numbers
    second: Numbers

    @classmethod
    def of(cls, numbers: array[int]) -> Digests:
        """From digests [2n], one after the other."""
        import numpy as np

        pairs: Numbers = np.frombuffer(numbers, dtype=np.uint64).reshape(-1, 2)
        order = np.argsort(pairs[:, 0], kind="stable")
        return cls(pairs[order, 0], pairs[order, 1])

    def __len__(self) -> int:
        return len(self.first)

    def __contains__(self, text: str) -> bool:
        first, second = digest(text)
        at = int(self.first.searchsorted(self.first.dtype.type(first)))
        while at < len(self.first) and int(self.first[at]) == first:
            if int(self.second[at]) == second:
                return True
            at += 1
        return False


@dataclass(frozen=True)
class Stock:
    """Molecules given as SMILES, and those given as InChIKeys. `refused` of its lines hold neither, the first of them is
    `line`."""

    smiles: Digests
    keys: Digests
    refused: int = 0
    line: int = 0
    sha256: str = ""
    _known: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The same reagents come again and again, and an InChIKey takes RDKit a third of a millisecond.
        object.__setattr__(self, "_known", lru_cache(maxsize=65_536)(self._look_up))

    def has(self, smiles: str) -> bool:
        """Whether a molecule, in canonical form, is in stock: the same salt, the same stereo."""
        return self._known(smiles)

    def _look_up(self, smiles: str) -> bool:
        return smiles in self.smiles or bool(len(self.keys) and (key := inchi_key(smiles)) and key in self.keys)


def inchi_key(smiles: str) -> str:
    """The standard InChIKey of a valid SMILES; empty where InChI has none for it."""
    from rdkit.Chem import inchi

    maker: Any = inchi  # rdkit has no types
    return str(maker.MolToInchiKey(rdkit().MolFromSmiles(smiles)))


def read_stock(path: Path, note: Callable[[str], None] = lambda _: None) -> Stock:
    """The molecules of a file, packed or not; what was read once is remembered in the cache. A first line that is neither
    SMILES nor InChIKey is a header. Raises InputError for a file without any molecule."""
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a file of SMILES or InChIKeys, one a line") from error
    from rdkit.rdBase import rdkitVersion

    place = cache_folder() / "stock" / f"{sha256[:32]}-rdkit{rdkitVersion}.npz"
    found = cached(place, sha256)
    if found is None:
        found = parsed_stock(path, sha256, note)
        remember(place, found)
    molecules = len(found.smiles) + len(found.keys)
    if not molecules:
        raise InputError(f"{path}: no SMILES and no InChIKey in it; give them one a line")
    note(f"stock: {molecules:,} lines of {path.name}")
    if found.refused:
        others = "1 line is" if found.refused == 1 else f"{found.refused:,} lines are"
        note(f"{path}: {others} neither SMILES nor InChIKey, the first is line {found.line}")
    return found


def parsed_stock(path: Path, sha256: str, note: Callable[[str], None]) -> Stock:
    smiles, keys = array("Q"), array("Q")
    refused = line = 0
    begun = False
    with open_bytes(str(path)) as raw:
        start, stream = first_lines(str(path), raw)
        refuse_foreign(str(path), start)
        for number, text in lines_of(str(path), stream):
            cell = _END.split((text or "").strip(), maxsplit=1)[0].strip('"')
            if text is not None and (not cell or text.startswith("#")):
                continue
            if match := _KEY.fullmatch(cell):
                keys.extend(digest(match[1].upper()))
            elif (form := canonical_or_none(cell)) is not None:
                smiles.extend(digest(form))
                if len(smiles) == 2 * SLOW:
                    note(f"{path}: SMILES are made canonical, some 3,000 a second; the result is remembered for the next run")
            elif begun:
                refused += 1
                line = line or number
            begun = True
    return Stock(Digests.of(smiles), Digests.of(keys), refused, line, sha256)


def canonical_or_none(smiles: str) -> str | None:
    # Not the function with a cache: a stock's molecules come once.
    try:
        return canonical_strict(smiles)
    except ChemError:
        return None


def cached(place: Path, sha256: str) -> Stock | None:
    """What `remember` wrote; None if it is not there, or damaged."""
    import numpy as np

    with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile):
        with place.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            schema, refused, line = map(int, found["told"])
            columns = [found[name] for name in ("smiles", "smiles2", "keys", "keys2")]
        sound = schema == _SCHEMA and all(one.dtype == np.uint64 and one.ndim == 1 for one in columns)
        if sound and len(columns[0]) == len(columns[1]) and len(columns[2]) == len(columns[3]):
            return Stock(Digests(columns[0], columns[1]), Digests(columns[2], columns[3]), refused, line, sha256)
    return None


def remember(place: Path, stock: Stock) -> None:
    """Keep a stock in the cache, if that can be written."""
    import numpy as np

    told: Any = np.array([_SCHEMA, stock.refused, stock.line])
    with suppress(OSError, OutputError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic(place) as fresh, fresh.open("wb") as target:
            np.savez(
                target, told=told, smiles=stock.smiles.first, smiles2=stock.smiles.second, keys=stock.keys.first,
                keys2=stock.keys.second,
            )  # fmt: skip
