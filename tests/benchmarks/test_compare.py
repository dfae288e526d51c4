"""Two files of records over the same rows, against counts made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import Run

from logos_cli.records.record import Record

Logos = Callable[..., Run]
PRODUCTS = ("CCO", "CCN", "CCC", "CCCl", "CCBr", "CCF")


def answers(model: str, given: dict[int, tuple[str, ...]]) -> list[Record]:
    """One record a row of PRODUCTS; a row that is not in `given` has an invalid answer."""
    found = []
    for row, product in enumerate(PRODUCTS):
        value = list(given[row]) if row in given else None
        text = "".join(f"<MoleculeS>{one}<MoleculeE>" for one in value or ("x",))
        record = Record(row, str(row), "retro", product, f"{model}@0", 0, value, value is not None, text=text, finish="stop")
        found.append(record if value else replace(record, error="not a valid SMILES: x"))
    return found


def write(path: Path, records: list[Record]) -> Path:
    path.write_text("".join(record.to_line() for record in records))
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Right answers are C and the rest. The first has rows 0, 1 and 2 right, 3 wrong, 4 and 5 invalid; the second 0, 3, 4 and
    5 right, 1 wrong, 2 invalid."""
    truth = tmp_path / "truth.smi"
    truth.write_text("".join(f"C.{one[1:]} {row}\n" for row, one in enumerate(PRODUCTS)))
    right = {row: ("C", one[1:]) for row, one in enumerate(PRODUCTS)}
    first = answers("ours", {0: right[0], 1: right[1], 2: right[2], 3: ("N",)})
    second = answers("theirs", {0: right[0], 1: ("N",), 3: right[3], 4: right[4], 5: right[5]})
    return write(tmp_path / "first.jsonl", first), write(tmp_path / "second.jsonl", second), truth


def test_counts_by_hand(files: tuple[Path, Path, Path], logos_here: Logos) -> None:
    first, second, truth = files
    done = logos_here("bench", "compare", first, second, "--truth", truth, "--seconds", "6,60", "--cost", ",3")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    task = found["tasks"]["retro"]
    assert task["rows"] == 6 and task["rows_of_one_only"] == 0
    assert task["first"]["top"]["1"]["value"] == pytest.approx(3 / 6) and task["second"]["top"]["1"]["value"] == pytest.approx(
        4 / 6
    )
    top = task["change"]["top"]["1"]
    counted = {"both": 1, "lost": 2, "gained": 3, "neither": 0, "mcnemar_p": 1.0}  # 5 flips, 2 : 3, is as even as it gets
    assert top["flips"] == pytest.approx(counted) and top["change"]["value"] == pytest.approx(1 / 6)
    assert task["change"]["validity"]["flips"]["lost"] == 1 and task["change"]["validity"]["flips"]["gained"] == 2
    assert task["change"]["same_text"]["value"] == pytest.approx(1 / 6)
    assert (found["first"]["seconds_per_row"], found["second"]["seconds_per_row"]) == (1, 10)
    assert "cost_per_row" not in found["first"] and found["second"]["cost_per_row"] == 0.5
    assert found["first"]["model"] == "ours@0"
    assert "retro top-1: +16.7 points" in done.err and "2 lost, 3 gained, McNemar p 1: no difference shown." in done.err


def test_rows_are_paired_by_what_they_ask(files: tuple[Path, Path, Path], logos_here: Logos, tmp_path: Path) -> None:
    """The second file in another order, without one row and with one of its own."""
    first, second, truth = files
    lines = [json.loads(line) for line in second.read_text().splitlines()]
    extra = {**lines[0], "row": 6, "id": "six", "input": "CCI"}
    moved: list[Any] = [{**line, "row": row} for row, line in enumerate([*reversed(lines[1:]), extra])]
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(line) + "\n" for line in moved))
    done = logos_here("bench", "compare", first, other, "--truth", truth)
    assert done.code == 0, done.err
    task = json.loads(done.out)["tasks"]["retro"]
    assert task["rows"] == 5 and task["rows_of_one_only"] == 2 and "2 rows are in one of the files only" in done.err
    flips = task["change"]["top"]["1"]["flips"]
    assert (flips["both"], flips["lost"], flips["gained"]) == (0, 2, 3)


def test_pages(files: tuple[Path, Path, Path], logos_here: Logos, tmp_path: Path) -> None:
    first, second, truth = files
    for name in ("page.html", "page.md"):
        done = logos_here("bench", "compare", first, second, "--truth", truth, "-o", tmp_path / name)
        assert (done.code, done.out) == (0, ""), done.err
        text = (tmp_path / name).read_text()
        assert "top 1" in text and "+16.7 points" in text and "ours@0" in text and "33.3%" not in text.split("top 1")[0][-5:]
        assert "50.0%" in text and "66.7%" in text
    assert (tmp_path / "page.html").read_text().endswith("</body></html>\n")


@pytest.mark.slow
def test_what_cannot_be_compared(files: tuple[Path, Path, Path], logos_here: Logos, tmp_path: Path) -> None:
    first, second, _ = files
    strangers = write(tmp_path / "s.jsonl", [replace(one, input="CCCCCC", id="x") for one in answers("m", {0: ("C",)})[:1]])
    for arguments, code, said in (
        ((first, strangers), 1, "row 1 (0) asks CCO in the first and something else in the second"),
        ((first, second, "--seconds", "3"), 2, "--seconds 3: two numbers"),
        ((first, second, "-o", tmp_path / "x.pdf"), 2, "the page is .html, .md or .json"),
        (("-", "-"), 2, "stdin (-) can be one of the two"),
    ):
        done = logos_here("bench", "compare", *arguments)
        assert done.code == code and said in done.err, done.err
