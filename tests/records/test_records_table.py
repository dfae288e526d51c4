"""Records read back from --format csv and from what a table program made of them: the same records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import Run

from logos_cli.drawing.stored_record import read_stored
from logos_cli.errors import InputError
from logos_cli.records.record import CSV_COLUMNS, POCKET_COLUMNS, SITE_COLUMNS, Ending, Formatter, Record, read_records
from logos_cli.records.score_record import ScoreFormatter, ScoreRecord

Logos = Callable[..., Run]
RECORDS = {
    "retro": Record(
        3, "x", "retro", "OCC", "m@1", 0, ["C", "CO"], True, None, "<MoleculeS>C…", 9, -1.5, "stop", 1, 7,
        "C.CO>>CCO", asked="CCO",
    ),
    "invalid": Record(
        3, 'a "b", c', "retro", "CCO", "m@1", 1, None, False, "cut at the token limit", "<MoleculeS>", 9, -1.5, "length"
    ),
    "failed": Record(4, "two\nlines", "retro", "", "m@1", error="empty SMILES"),
    "react": Record(0, "1", "react", "CC.N", "m@1", 0, "CCN", True, None, "CCN<MoleculeE>", 4, -0.25, "stop", truth="C"),
    "molecule": Record(
        0, "1", "molecule", "", "m@1", 0, "CCO", True, None, "CCO", 3, -2.0, "stop",
        props={"mw": 46.07, "hbd": 1}, similarity={"tanimoto": 0.5, "to": "propanol"},
    ),
    "pocket": Record(
        0, "1", "pocket", "MKT", "m@1", 0, [1, 3], True, None, "t", 5, -1.0, "stop", 1, 7, residues=["A:5", "A:7B"],
        frequency=[0.5, 0.0, 1.0], samples=8, faithful=7, unfaithful={"cut": 1}, site={"chain": "A"}, truth=[1, 2],
    ),
    "an empty pocket": Record(0, "1", "pocket", "MKT", "m@1", 0, [], True, None, "t", 5, -1.0, "stop"),
    "protein": Record(0, "1", "protein", "MK", "m@1", 0, "MKT", True, None, "T<ProteinE>", 2, -1.0, "stop"),
    "material": Record(
        0, "1", "material", "", "m@1", 0, {"metal": "[Zn]", "linkers": ["CCO", "C"]}, True, None, "t", 5, -1.0, "stop"
    ),
}  # fmt: skip


def table(record: Record, columns: dict[str, str] | None = None) -> str:
    kind = {"pocket": POCKET_COLUMNS, "protein": SITE_COLUMNS}.get(record.task, CSV_COLUMNS)
    formatter = Formatter("csv", kind, (*(record.props or {}), *(record.similarity or {})))
    return formatter.lines(replace(record, columns=columns or {}))


def read(text: str, tmp_path: Path) -> list[Record]:
    path = tmp_path / "r.csv"
    path.write_text(text, newline="")
    return list(read_records(path))


@pytest.mark.parametrize("name", RECORDS)
def test_a_table_is_read_back_as_it_was(name: str, tmp_path: Path) -> None:
    record = RECORDS[name]
    (found,) = read(table(record, {"pIC50": "7,1", "input": "theirs"}), tmp_path)
    # A cell does not say whether a text that looks like a list was one; figures take both.
    assert replace(found, truth=record.truth) == record
    (drawn,) = read_stored(str(tmp_path / "r.csv"), Ending())
    assert (drawn.answer, drawn.valid, drawn.sample) == (record.answer, record.valid, record.sample)


@pytest.mark.parametrize("change", ["semicolons", "Excel", "tabs", "CRLF", "BOM"])
def test_what_spreadsheets_make_of_a_table(change: str, tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(table(RECORDS["retro"], {"note": 'a;b\tc, "d"\nnext line'}))))
    out = io.StringIO()
    mark = {"semicolons": ";", "tabs": "\t"}.get(change, ",")
    csv.writer(out, delimiter=mark, lineterminator="\r\n" if change == "CRLF" else "\n").writerows(rows)
    text = out.getvalue()
    text = text.replace("True", "TRUE") if change == "Excel" else "\ufeff" + text if change == "BOM" else text
    assert read(text, tmp_path) == [RECORDS["retro"]]


def by_pandas(found: dict[str, Any]) -> dict[str, Any]:
    """What `read_json` makes of a column of numbers with gaps, and of ids that are numbers."""
    numbers = ("sample", "tokens", "rank", "count")
    return {key: float(value) if key in numbers and value is not None else value for key, value in found.items()} | {"id": 7}


def test_what_pandas_makes_of_records(tmp_path: Path) -> None:
    """`to_json` and `to_csv` of a frame: 0.0 for 0, nulls and empty cells for what is missing, NaN, Python's lists."""
    whole = {key: None for key in ("rank", "count", "reaction", "asked")} | by_pandas(RECORDS["retro"].to_dict())
    gaps = dict.fromkeys(whole) | by_pandas(RECORDS["failed"].to_dict())
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(whole) + "\n" + json.dumps(gaps | {"logprob": float("nan"), "valid": 0.0}) + "\n")
    wanted = [replace(RECORDS["retro"], id="7"), replace(RECORDS["failed"], id="7")]
    assert list(read_records(path)) == wanted
    assert [entry.sample for entry in read_stored(str(path), Ending())] == [0, None]
    texts = [{**whole, "answer": form(whole["answer"])} for form in (json.dumps, str)]
    del texts[0]["model"]
    path.write_text("".join(json.dumps(one) + "\n" for one in texts))
    assert list(read_records(path)) == [replace(wanted[0], model=""), wanted[0]], "lists as texts, a column that was dropped"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(whole))
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in one.items()} for one in (whole, gaps))
    assert "\"['C', 'CO']\"" in out.getvalue() and read(out.getvalue(), tmp_path) == wanted


def test_a_cut_table_and_a_damaged_one(tmp_path: Path) -> None:
    text = table(RECORDS["react"])
    header, line = text.splitlines()
    ending = Ending()
    (tmp_path / "r.csv").write_text(f"{header}\n{line}\n{line[:30]}")
    assert list(read_records(tmp_path / "r.csv", ending)) == [RECORDS["react"]] and ending.cut
    for damaged, told in (
        (f"{header}\n{line[:30]}\n{line}\n", "line 2: fewer cells"),
        (f"{header}\n{line}\n{line},9\n", "line 3: .* cells, and the header has"),
        (f'{header}\n{line}\n0,"{line}\n{line}\n', "line 3 opens a quote that does not close"),
        (f"{header}\n{line.replace('1,0,', '1,x,', 1)}\n", 'line 2: not a record: row is "x"'),
        (f"{header}\n{line.replace('True', 'perhaps', 1)}\n", 'line 2: not a record: valid is "perhaps"'),
        ("smiles,id\nCCO,1\n", "line 1: not JSON .*; give the JSONL or csv of logos generate"),
    ):
        with pytest.raises(InputError, match=f"r.csv: {told}"):
            read(damaged, tmp_path)


def test_scores_of_a_table_are_drawn_and_are_no_answers(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        ScoreFormatter("csv").lines(ScoreRecord(0, "1", "molecule", "OCC", "m", logprob=-2.5, tokens=3, asked="CCO"))
    )
    (drawn,) = read_stored(str(path), Ending())
    assert drawn.scored and drawn.logprob == -2.5 and drawn.input == "OCC"
    with pytest.raises(InputError, match="line 2: these are scores"):
        list(read_records(path))


@pytest.mark.slow
def test_the_same_figures_and_the_same_picture(logos_here: Logos, tmp_path: Path) -> None:
    """From the JSONL of a run and from its csv, by the commands."""
    rows = "CC(=O)NC1=CC=C(O)C=C1 paracetamol\nbad( x\nCCOC(=O)c1ccc(N)cc1 benzocaine\n"
    for kind in ("jsonl", "csv"):
        (tmp_path / f"r.{kind}").write_text(logos_here("generate", "retro", "-", "-n", 3, "--format", kind, stdin=rows).out)
        logos_here("draw", tmp_path / f"r.{kind}", "-o", tmp_path / f"{kind}.svg", "--title", "t")
    found = [logos_here("evaluate", tmp_path / f"r.{kind}").out for kind in ("jsonl", "csv")]
    assert found[0] == found[1] and "rows                          3" in found[0]
    assert (tmp_path / "jsonl.svg").read_text() == (tmp_path / "csv.svg").read_text()
