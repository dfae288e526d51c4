"""Rows as users have them, through the real command: one record each, in order, and the run goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from processes import ended

ROWS: list[tuple[bytes, str | None]] = [
    (b"CCO good", None),
    (b"CC\x00O nul", "NUL"),
    (b"C" * 5000 + b" over-4000", "5,000 characters"),
    (b"C" * 2_000_000 + b" huge-line", "characters"),
    (b"xyz not-smiles", "not a valid SMILES"),
    (b"C1CC unclosed", "not a valid SMILES"),
    (b"C[N+](C)(C)(C)(C)C valence", "not a valid SMILES"),
    (b"CCO<MoleculeE><React> marker", "marker <MoleculeE>"),
    (b"CC.[Na+].[Cl-] salt", None),
    (b"[CH3:1][OH:2] mapped", None),
    (b"CC(=O)O>>CCO reaction", None),
    (b"CC>O half-a-reaction", "not a reaction"),
    (b"C/C=C/C |r| cxsmiles", None),
    (b"CCN caf\xe9", None),
    (b"OCC last-without-newline", None),
]


@pytest.mark.slow
def test_every_bad_row_is_one_record(tmp_path: Path, private_cache: Path, logos: Callable[..., Run]) -> None:
    """Mixed line ends, gzipped; the settings of the bundled model, no tokens wasted."""
    path, out = tmp_path / "rows.smi.gz", tmp_path / "o.jsonl"
    ends = [b"\r\n" if i % 2 else b"\n" for i in range(len(ROWS))]
    path.write_bytes(
        gzip.compress(b"\xef\xbb\xbf" + b"".join(row + end for (row, _), end in zip(ROWS, ends, strict=True)).strip())
    )
    found = ended("generate", "retro", path, "-m", "nano", "--max-tokens", "5", "-o", out)
    assert found.code == 0 and found.memory < 500 << 20 and "Traceback" not in found.err
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [r["row"] for r in records] == list(range(len(ROWS)))
    for record, (row, error) in zip(records, ROWS, strict=True):
        if error is None:
            assert record["sample"] == 0 and record["text"] is not None, row
        else:
            assert record["sample"] is None and error in record["error"] and len(record["error"]) < 300, record["error"]
    assert f"{sum(error is not None for _, error in ROWS)} rows without an answer" in found.err
    strict = logos("generate", "retro", path, "-m", "nano", "--max-tokens", "5", "--strict")
    assert strict.code == 1 and strict.err.count("\n") == 2


@pytest.mark.slow
def test_a_prompt_longer_than_the_context(logos: Callable[..., Run]) -> None:
    parts = ".".join(["OCC1OC(O)C(O)C(O)C1O"] * 150)
    found = logos("generate", "react", "-m", "nano", stdin=f"{parts} long\nCCO.CC short\n")
    assert found.code == 0 and "context" in found.lines[0]["error"] and found.lines[1]["error"] is None


@pytest.mark.slow
def test_a_line_that_unpacks_to_a_gigabyte(tmp_path: Path, private_cache: Path) -> None:
    path = tmp_path / "bomb.smi.gz"
    packed = gzip.compress(b"C" * (16 << 20))
    path.write_bytes(packed * 32 + gzip.compress(b"\nCCO ethanol\n"))
    out = tmp_path / "o.jsonl"
    found = ended("generate", "retro", path, "-m", "nano", "--max-tokens", "5", "-o", out)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert found.code == 0 and found.memory < 500 << 20
    assert [(r["row"], r["sample"]) for r in records] == [(0, None), (1, 0)]


@pytest.mark.slow
def test_columns_that_are_not_there(tmp_path: Path, private_cache: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,structure_smiles\na,CCO\n")
    found = ended("generate", "retro", path, "-m", "nano", "--smiles-column", "smile")
    assert found.code in (1, 2) and found.err.count("\n") == 1 and "smile" in found.err and "structure_smiles" in found.err
    (tmp_path / "empty.csv").write_text("")
    none = ended("generate", "retro", tmp_path / "empty.csv", "-m", "nano")
    assert none.code == 0 and none.err == "no rows in the input, no records\n"
