"""--stock: which reactants can be had, by canonical SMILES or InChIKey, in little memory."""

from __future__ import annotations

import gzip
import random
import string
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_cli.chemistry.smiles import canonical_strict
from logos_cli.errors import InputError
from logos_cli.pipeline.annotation import Annotation
from logos_cli.pipeline.stock import Digests, Stock, digest, inchi_key, read_stock
from logos_cli.records.record import Formatter, Record, read_records

ASPIRIN_KEY = "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"  # PubChem CID 2244
WORDS = ("", "C", "CC", "CCO", "é", "N", "O", "OC")
PRODUCTS = "CC(=O)Oc1ccccc1C(=O)O aspirin\nxx bad\nCC(=O)Nc1ccc(O)cc1 paracetamol\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def stock(tmp_path: Path, text: str, name: str = "stock.txt") -> tuple[Stock, list[str]]:
    path, notes = tmp_path / name, list[str]()
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return read_stock(path, notes.append), notes


def has(found: Stock, smiles: str) -> bool:
    return found.has(canonical_strict(smiles))


@pytest.mark.parametrize("name", ["stock.smi", "stock.txt.gz"])
def test_molecules_are_told_by_what_they_are(tmp_path: Path, name: str) -> None:
    text = f"""SMILES Name
OC(=O)c1ccccc1O salicylic acid
# a remark

C(C)O\tethanol\t9.99
N[C@@H](C)C(=O)O,L-alanine
"[Na+].[OH-]"
{ASPIRIN_KEY}
InChIKey=LFQSCWFLJHTTHZ-UHFFFAOYSA-N,again ethanol
nonsense
rubbish(
"""
    found, notes = stock(tmp_path, text, name)
    assert (len(found.smiles), len(found.keys)) == (4, 2)
    for smiles in ("O=C(O)c1ccccc1O", "CCO", "C[C@H](N)C(=O)O", "[OH-].[Na+]", "CC(=O)Oc1ccccc1C(O)=O", "[CH3:1]CO"):
        assert has(found, smiles), smiles
    # Another stereo, none, half a salt, the name of a header, and what could not be read.
    for smiles in ("C[C@@H](N)C(=O)O", "CC(N)C(=O)O", "[Na+]", "CCCO"):
        assert not has(found, smiles), smiles
    assert (found.refused, found.line) == (2, 10)
    assert notes[0] == f"stock: 6 lines of {name}"
    assert notes[1].endswith("2 lines are neither SMILES nor InChIKey, the first is line 10")


def test_keys_are_those_of_the_tables() -> None:
    assert inchi_key("CC(=O)Oc1ccccc1C(=O)O") == ASPIRIN_KEY


def test_what_was_read_once_is_remembered(tmp_path: Path) -> None:
    text = f"CCO\nxx(\n{ASPIRIN_KEY}\n"
    first, _ = stock(tmp_path, text)
    (kept,) = (tmp_path / "cache" / "logos-cli" / "stock").iterdir()
    before = kept.stat().st_mtime_ns
    again, notes = stock(tmp_path, text)
    assert kept.stat().st_mtime_ns == before and notes[0] == "stock: 2 lines of stock.txt" and len(notes) == 2
    assert has(again, "OCC") and has(again, "CC(=O)Oc1ccccc1C(=O)O") and again.sha256 == first.sha256
    whole = kept.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], b"PK" + whole[2:-40]):
        kept.write_bytes(damage)
        assert has(stock(tmp_path, text)[0], "OCC") and kept.read_bytes() == whole
    other, _ = stock(tmp_path, "CCN\n")
    assert not has(other, "CCO"), "another content is another stock"
    kept.parent.rename(tmp_path / "moved")
    (tmp_path / "cache" / "logos-cli" / "stock").write_text("no folder")
    assert has(stock(tmp_path, text)[0], "CCO"), "a cache that cannot be written does no harm"


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "no SMILES and no InChIKey"),
        ("nothing here\n", "no SMILES"),
        ("\x89HDF\r\n\x1a\nrest", "an HDF5 file, which is not read"),
    ],
)
def test_a_file_without_molecules(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=told):
        read_stock(path)
    with pytest.raises(InputError, match="No such file or directory; give a file of SMILES"):
        read_stock(tmp_path / "none")


@settings(deadline=None)
@given(st.sets(st.sampled_from(WORDS)), st.sets(st.sampled_from(WORDS)))
def test_a_set_is_a_set(inside: set[str], asked: set[str]) -> None:
    numbers = array("Q")
    for text in inside:
        numbers.extend(digest(text))
    found = Digests.of(numbers)
    assert {text for text in inside | asked if text in found} == inside


def test_texts_that_share_the_first_half_are_told_apart() -> None:
    first, second = digest("CCO")
    found = Digests.of(array("Q", [first, second ^ 1, first, second ^ 2, first + 1, second]))
    assert "CCO" not in found
    assert "CCO" in Digests.of(array("Q", [first, second ^ 1, first, second, first - 1, second]))


@pytest.mark.slow
def test_memory(tmp_path: Path) -> None:
    """200,000 keys add less than 30 MB to a process, so a million stay under 200."""
    rng = random.Random(0)
    letters = string.ascii_uppercase
    keys = ("".join(rng.choices(letters, k=22)) for _ in range(200_000))
    (tmp_path / "keys").write_text("".join(f"{key[:14]}-{key[14:]}SA-N\n" for key in keys))
    code = (
        "import sys; from pathlib import Path; import numpy; from logos_cli.pipeline.stock import read_stock\n"
        "from logos_cli.chemistry.smiles import canonical_strict; from logos_cli.system.memory import peak_bytes\n"
        "canonical_strict('CCO'); before = peak_bytes()\n"
        "found = read_stock(Path(sys.argv[1])); print(len(found.keys), peak_bytes() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "keys"], capture_output=True, text=True, check=True)
    count, grown = map(int, done.stdout.split())
    assert count == 200_000 and grown < 30e6


def test_only_valid_answers_have_it(tmp_path: Path) -> None:
    found, _ = stock(tmp_path, "CCO\n")
    annotation = Annotation(stock=found)
    good = annotation.of(Record(0, "a", "retro", "P", "m", 0, ["CC=O", "CCO"], True, smiles="CC=O.CCO"))
    bad = annotation.of(Record(1, "b", "retro", "P", "m", 0, ["xx"], False))
    assert good.in_stock == [False, True] and bad.in_stock is None
    assert Formatter("smi").lines(good) == "CC=O.CCO\ta\t1\t1\tfalse true\n"


@pytest.mark.slow
def test_the_ranking_stays(logos_here: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> None:
    (tmp_path / "products.smi").write_text(PRODUCTS)
    (tmp_path / "stock.smi").write_text("CC(=O)OC(C)=O\nOC(=O)c1ccccc1O\nNc1ccc(O)cc1\n")
    given = ("generate", "retro", tmp_path / "products.smi", "-m", nano_int4, "--threads", "1", "--top", "3", "-n", "8", "-o")
    plain, told, table = (tmp_path / name for name in ("plain.jsonl", "told.jsonl", "table.csv"))
    asked = ("--stock", tmp_path / "stock.smi")
    assert logos_here(*given, plain).code == 0
    assert logos_here(*given, told, *asked).code == 0
    assert logos_here(*given, table, *asked, "--format", "csv").code == 0
    before, after, read_back = (list(read_records(path)) for path in (plain, told, table))
    answers = [(one.row, one.rank, one.count, one.answer, one.logprob) for one in before]
    assert [(one.row, one.rank, one.count, one.answer, one.logprob) for one in after] == answers
    having = {"CC(=O)OC(C)=O", "O=C(O)c1ccccc1O", "Nc1ccc(O)cc1"}
    for one in after:
        assert one.in_stock == ([part in having for part in one.answer] if one.valid else None)
    assert any(one.in_stock and all(one.in_stock) for one in after) and any(one.failed for one in after)
    assert [one.in_stock for one in read_back] == [one.in_stock for one in after]
    changed = logos_here(*given, told, "--resume", "--stock", tmp_path / "products.smi")
    assert changed.code == 1 and "stock_sha256 was" in changed.err
    refused = logos_here("generate", "react", tmp_path / "products.smi", *asked, "-m", nano_int4)
    assert refused.code == 2 and "react answers with none" in refused.err


@pytest.mark.slow
def test_a_column_of_the_input_with_that_name(logos_here: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> None:
    """It says what it likes, and is read back without harm."""
    (tmp_path / "rows.csv").write_text("smiles,in_stock\nCCOC(C)=O,perhaps\n")
    given = ("generate", "retro", tmp_path / "rows.csv", "-m", nano_int4, "--threads", "1", "--format", "csv", "-o")
    assert logos_here(*given, tmp_path / "o.csv").code == 0
    (one,) = read_records(tmp_path / "o.csv")
    assert one.in_stock is None and "perhaps" in (tmp_path / "o.csv").read_text()
