"""A new input format is one line of the table of formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import Run

from logos_cli.rows import read_rows
from logos_cli.rows.read_rows import BY_BYTES, BY_LINES, Format, OpenFile
from logos_cli.rows.row import Row


def pairs(file: OpenFile) -> Iterator[Row]:
    """Lines such as `name = SMILES`."""
    for ordinal, (number, text) in enumerate(file.lines):
        name, _, smiles = (text or "").partition(" = ")
        yield Row(ordinal, name, smiles, line=number)


@pytest.mark.slow
def test_a_format_more(logos_here: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy = Format("pairs", lambda file: " = " in file.head, pairs, holds=("smiles", "molecules (pairs)"))
    monkeypatch.setattr(read_rows, "BY_LINES", (toy, *BY_LINES))
    path = tmp_path / "molecules.txt"
    path.write_text("# two alcohols\nethanol = OCC\nmethanol = CO\n")
    found = logos_here("generate", "retro", path, "-m", "nano", "--max-tokens", 4)
    assert [(one["id"], one["input"]) for one in found.lines] == [("ethanol", "OCC"), ("methanol", "CO")]
    for arguments, reason in (
        (("pocket", path), "holds molecules \\(pairs\\); this task takes sequences"),
        (("retro", path, "--id-column", "1"), "--id-column is for tables, and .* holds pairs"),
    ):
        assert re.search(reason, logos_here("generate", *arguments, "-m", "nano").err)


def test_every_file_is_of_some_format() -> None:
    names = [one.name for one in (*BY_BYTES, *BY_LINES)]
    assert len(set(names)) == len(names) and names[-1] == "a list"
