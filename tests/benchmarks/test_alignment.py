"""Right answers and rows that belong together, and those that may not: never a figure from the wrong ones."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from builders import Run

from logos_cli.benchmarks.metrics.evaluation import judge_records
from logos_cli.benchmarks.metrics.metrics import figures_for
from logos_cli.errors import InputError
from logos_cli.records.record import Record, read_records

PRODUCTS = ["CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O", "CCOC(=O)c1ccc(N)cc1", "CCOCC"]
REACTANTS = ["CC(=O)Cl.Nc1ccc(O)cc1", "CC(=O)Cl.O=C(O)c1ccccc1O", "CCO.Nc1ccc(C(=O)O)cc1", "CCBr.CCO"]
REACTIONS = [f"{left}>>{right}" for left, right in zip(REACTANTS, PRODUCTS, strict=True)]
Logos = Callable[..., Run]


def answered(names: Sequence[str] = ("a", "b", "c", "d"), task: str = "retro") -> list[Record]:
    """All rows answered rightly."""
    questions, answers = (PRODUCTS, REACTANTS) if task == "retro" else (REACTANTS, PRODUCTS)
    pairs = zip(names, questions, answers, strict=False)
    return [
        Record(row, name, task, asked, "m", 0, answer.split(".") if task == "retro" else answer, True, text="t", line=row + 1)
        for row, (name, asked, answer) in enumerate(pairs)
    ]


def top1(records: Sequence[Record], truth: Path, **more: Any) -> tuple[float, int]:
    found = figures_for(judge_records(records, truth, None, "r.jsonl", **more)[records[0].task]).estimate("top", "1")
    assert found
    return found.value, found.n


def written(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def both_lines(records: Sequence[Record], truth: Path, *told: str, **more: Any) -> None:
    with pytest.raises(InputError) as error:
        judge_records(records, truth, None, "r.jsonl", **more)
    assert str(error.value).startswith(f"{truth}: ") and all(one in str(error.value) for one in told), error.value


FORMS: dict[str, tuple[str, Sequence[str]]] = {
    "reactions": ("t.smi", REACTIONS),
    "with agents": ("t.smi", [one.replace(">>", ">[Pd]>") for one in REACTIONS]),
    "sides": ("t.smi", REACTANTS),
    "mapped": ("t.smi", ["[CH3:1][C:2](=O)Cl.[NH2:3]c1ccc(O)cc1>>[CH3:1][C:2](=O)[NH:3]c1ccc(O)cc1", *REACTIONS[1:]]),
    "json": ("t.jsonl", [json.dumps({"product": p, "reactants": r.split(".")})
                         for p, r in zip(PRODUCTS, REACTANTS, strict=True)]),
    "JSON in capitals": ("t.jsonl", [json.dumps({"Reactants": r}) for r in REACTANTS]),
    "published": ("t.jsonl", [json.dumps({"test_input": f"<MoleculeS>{p}<MoleculeE><ReverseReact>",
                                          "groundtruth": "".join(f"<MoleculeS>{one}<MoleculeE>" for one in r.split("."))})
                              for p, r in zip(PRODUCTS, REACTANTS, strict=True)]),
    "table": ("t.csv", ["Product,yield,Reactants", *(f"{p},90,{r}" for p, r in zip(PRODUCTS, REACTANTS, strict=True))]),
    "semicolons": ("t.csv", ["nr;rxn_smiles", *(f"{i};{one}" for i, one in enumerate(REACTIONS))]),
    "tabs without a suffix": ("t.txt", ["reactants\tnote", *(f"{one}\tx" for one in REACTANTS)]),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_right_answers(form: str, tmp_path: Path) -> None:
    name, lines = FORMS[form]
    assert top1(answered(), written(tmp_path / name, lines)) == (1.0, 4)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["retro", "react"])
def test_right_answers_that_are_read_once(task: str, logos_here: Logos, tmp_path: Path) -> None:
    """A file, a packed one, stdin, a named pipe and the shell's <( ) give the same figures."""
    records = tmp_path / "r.jsonl"
    records.write_text("".join(record.to_line() for record in answered(task=task)))
    text = "".join(f"{one} x{i}\n" for i, one in enumerate(REACTIONS))
    plain, packed, pipe = tmp_path / "t.smi", tmp_path / "t.smi.gz", tmp_path / "pipe"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(text))
    writer.start()
    found = [logos_here("evaluate", records, "--truth", one) for one in (plain, packed, pipe)]
    writer.join()
    found.append(logos_here("evaluate", records, "--truth", "-", stdin=text))
    end, start = os.pipe()
    os.write(start, text.encode())
    os.close(start)
    found.append(logos_here("evaluate", records, "--truth", f"/dev/fd/{end}"))
    os.close(end)
    assert [one.code for one in found] == [0] * 5, [one.err for one in found]
    assert len({one.out for one in found}) == 1 and "top 1                    100.0%" in found[0].out
    wrong = logos_here("evaluate", records, "--truth", "-", stdin=text.replace(f"{REACTANTS[1]}>", f"{REACTANTS[1]}(>"))
    assert task == "react" or (wrong.code == 1 and wrong.err.startswith("logos: -: line 2 ")), wrong.err
    found_two = logos_here("evaluate", "-", "--truth", "-", stdin=text)
    assert found_two.code == 2 and "stdin (-) can be one of" in found_two.err


def test_what_is_known_may_come_through_a_pipe(logos_here: Logos, tmp_path: Path) -> None:
    records = tmp_path / "r.jsonl"
    records.write_text(Record(0, "1", "molecule", "", "m", 0, "CCO", True, text="t").to_line())
    found = logos_here("evaluate", records, "--novel-against", "-", "--json", stdin="OCC\n")
    assert json.loads(found.out)["tasks"]["molecule"]["novelty"]["value"] == 0


def test_rows_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    path, numbers = tmp_path / "t.smi", answered(("1", "2", "3", "4"))
    removed = written(path, [REACTIONS[0], *REACTIONS[2:], "CO.CC(=O)O>>COC(C)=O"])
    both_lines(numbers, removed, "line 2 is about", "row 2 (2, line 2 of r.jsonl")
    both_lines(numbers, written(path, REACTIONS[::-1]), "line 1 is about", "row 1 (1, line 1 of r.jsonl")
    both_lines(numbers, written(path, [*REACTANTS, "CO"]), "line 5 is one more", "row 4 (4, line 4 of r.jsonl")
    both_lines(numbers, written(path, REACTANTS[:3]), "3 right answers, but the records reach row 4 (4, line 4 of r.jsonl")
    both_lines(numbers, written(path, [REACTANTS[0], "", *REACTANTS[1:]]), "line 2 is blank", "line 3 may not be of row 2")
    sequences = [Record(0, "p", "pocket", "MKTAY", "m", 0, [2], True, text="t", line=1)]
    both_lines(numbers, written(path, [*REACTIONS[:3], "CCO>>notasmiles("]), "line 4 is about notasmiles(", "row 4 (4")
    both_lines(sequences, written(tmp_path / "p.jsonl", ['{"sequence": "MKTAW", "pocket": [2]}']), "line 1 is about MKTAW")


def test_more_right_answers_than_rows_are_fine_where_each_says_what_it_is_about(tmp_path: Path) -> None:
    """`--limit`: rows that were never asked are not wrong."""
    assert top1(answered()[:2], written(tmp_path / "t.smi", REACTIONS)) == (1.0, 2)
    failed = [*answered()[:2], Record(2, "c", "retro", "bad(", "m", error="not a valid SMILES: bad(", line=3)]
    assert top1(failed, written(tmp_path / "t.smi", REACTIONS)) == (2 / 3, 3)


def test_names_say_what_order_does_not(tmp_path: Path) -> None:
    names, shuffled = ("a", "b", "c", "d"), [2, 0, 3, 1]
    bare = written(tmp_path / "t.smi", [f"{REACTANTS[i]} {names[i]}" for i in shuffled])
    assert top1(answered(), bare) == (1.0, 4)
    some = written(tmp_path / "t.smi", [f"{REACTANTS[i]} {names[i]}" for i in shuffled[:2]])
    assert top1(answered(), some) == (1.0, 2), "of the others nothing is known"
    more = written(tmp_path / "t.csv", ["id,reactants", *(f"{names[i]},{REACTANTS[i]}" for i in shuffled), "e,CO"])
    assert top1(answered(), more) == (1.0, 4)
    blank = written(
        tmp_path / "t.jsonl", [json.dumps({"id": n, "truth": r}) + "\n" for n, r in zip(names, REACTANTS, strict=True)]
    )
    assert top1(answered(), blank) == (1.0, 4)
    wrong = written(tmp_path / "t.smi", [f"{one} {name}" for one, name in zip(REACTIONS, "bacd", strict=True)])
    assert top1(answered(), wrong) == (1.0, 4), "what a line is about counts more than its name"
    swapped = written(tmp_path / "t.smi", [f"{one} {name}" for one, name in zip(REACTANTS, "acbx", strict=True)])
    both_lines(answered(), swapped, "line 2 is named c", "row 2 (b")


def test_numbers_of_lines_are_no_names(tmp_path: Path) -> None:
    """Rows of a table count from line 2, right answers that are numbered by a column from 1."""
    rows = answered(("2", "3", "4", "5"))
    assert top1(
        rows, written(tmp_path / "t.csv", ["id,reactants", *(f"{i + 1},{one}" for i, one in enumerate(REACTANTS))])
    ) == (1.0, 4)
    counted = answered(("1", "2", "3", "4"))  # names or numbers of lines: both sides have the same
    mixed = ["id,reactants", *(f"{i + 1},{REACTANTS[i]}" for i in (0, 3, 2, 1))]
    assert top1(counted, written(tmp_path / "t.csv", mixed)) == (1.0, 4)
    twice = ["id,reactants", *(f"{i + 1},{REACTANTS[i]}" for i in (1, 2, 3, 3))]
    both_lines(counted, written(tmp_path / "t.csv", twice), "line 5 is named 4", "row 4 (4, line 4")
    skipped = answered(("1", "3", "4", "5"))  # the input had a blank line 2, and so has the file of right answers
    assert top1(skipped, written(tmp_path / "t.smi", [REACTANTS[0], "", *REACTANTS[1:]])) == (1.0, 4)
    compounds = answered(("2519", "2244", "1983", "702"))
    named = written(tmp_path / "t.smi", [f"{REACTANTS[i]} {name}" for i, name in ((1, 2244), (0, 2519), (3, 702), (2, 1983))])
    assert top1(compounds, named) == (1.0, 4)


def test_an_answer_left_empty_keeps_the_rows_where_they_are(tmp_path: Path) -> None:
    for name, lines in (
        ("t.smi", [REACTIONS[0], f">>{PRODUCTS[1]}", *REACTIONS[2:]]),
        ("t.smi", [REACTANTS[0], ">>", *REACTANTS[2:]]),
        ("t.csv", ["reactants,n", f"{REACTANTS[0]},1", ",2", *(f"{one},3" for one in REACTANTS[2:])]),
        (
            "t.jsonl",
            ['{"truth": "CC(=O)Cl.Nc1ccc(O)cc1"}', '{"truth": null}', *(json.dumps({"truth": r}) for r in REACTANTS[2:])],
        ),
    ):
        assert top1(answered(), written(tmp_path / name, lines)) == (1.0, 3), lines
    for lines in ([REACTIONS[0], "CC(=O)Cl.BAD(>>CCO"], [REACTIONS[0], "nonsense"]):
        both_lines(
            answered()[:2],
            written(tmp_path / "t.smi", lines),
            "line 2 holds no right answer for retro",
            "leave the answer empty",
        )
    both_lines(answered(), written(tmp_path / "t.smi", [">>"] * 4), "every right answer is left empty")


def test_lines_are_counted_as_in_the_file(tmp_path: Path) -> None:
    table = ["SMILES,id", *(f"{one},{i}" for i, one in enumerate(REACTIONS[:3], 1)), "notasmiles(>>CCOCC,4"]
    both_lines(answered(), written(tmp_path / "t.csv", table), "line 5 holds no right answer for retro")
    both_lines(answered(), written(tmp_path / "t.csv", [table[0], "", *table[1:]]), "line 6 holds no right answer")
    both_lines(answered(), written(tmp_path / "t.smi", ["", REACTIONS[0], "", "C("]), "line 4 holds no right answer")
    both_lines(
        answered(), written(tmp_path / "t.jsonl", ["", '{"truth": "CCO"}', '{"truth": 7}']), "line 3 holds no right answer"
    )


def test_a_table_says_which_column(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", ["id,educts,smiles_of", *(f"{i},{one},x" for i, one in enumerate(REACTANTS))])
    both_lines(answered(), path, "no column with right answers (reactants,", "it has: id, educts, smiles_of", "--truth-column")
    assert top1(answered(), path, truth_column="Educts") == (1.0, 4)
    both_lines(answered(), path, "no column 'product'", "it has: id, educts", truth_column="product")
    keys = written(tmp_path / "t.jsonl", [json.dumps({"educts": r, "truth": "C"}) for r in REACTANTS])
    assert top1(answered(), keys, truth_column="educts") == (1.0, 4)


def test_joined_runs(tmp_path: Path) -> None:
    """Each counts its rows from the first; names that are their own tell them apart."""
    second = [
        Record(one.row - 2, one.id, "retro", one.input, "m", 0, one.answer, True, text="t", line=one.line)
        for one in answered()[2:]
    ]
    joined = [*answered()[:2], *second]
    named = written(tmp_path / "t.smi", [f"{r} {n}" for r, n in zip(REACTANTS[::-1], "dcba", strict=True)])
    assert top1(joined, named) == (1.0, 4)
    assert figures_for(judge_records(joined, None, None)["retro"]).at("rows") == 4
    both_lines(joined, written(tmp_path / "t.smi", REACTANTS), "holds several runs")
    numbered = [
        *answered(("1", "2"))[:2],
        *(Record(i, str(i + 1), "retro", one.input, "m", line=i + 3) for i, one in enumerate(second)),
    ]
    with pytest.raises(InputError, match=r"r.jsonl: lines 1 and 3 are both of row 1, and ask CC\(=O\)Nc1ccc\(O\)cc1 and CCOC"):
        judge_records(numbered, None, None, "r.jsonl")


def test_two_runs_over_the_same_rows_are_not_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"r.jsonl: lines 1 and 1 are both sample 0 of row 1 \(a\): several runs were joined"):
        judge_records([*answered(), *answered()], None, None, "r.jsonl")


def test_records_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("\n" + answered()[0].to_line() + "\n" + answered()[1].to_line())
    assert [record.line for record in read_records(path)] == [2, 4]


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_done_to_right_answers_no_figure_is_wrong(seed: int, tmp_path: Path) -> None:
    """Lines deleted, doubled, shuffled, blank ones put in: all rows are right, or the file is refused."""
    rng = random.Random(seed)
    chosen = rng.sample(range(1, 30), rng.randint(1, 8))
    names = [f"n{i}" for i in chosen] if seed % 2 else [str(place + 1) for place in range(len(chosen))]
    rows = [
        Record(place, names[place], "retro", "C" * i + "O", "m", 0, ["C" * i + "Br", "O"], True, text="t", line=place + 1)
        for place, i in enumerate(chosen)
    ]
    form = ("t.smi", "t.jsonl", "t.csv")[seed % 3]
    lines = []
    for place, i in enumerate(chosen):
        answer, product = f"{'C' * i}Br.O", "C" * i + "O"
        told = json.dumps({"product": product, "reactants": answer})
        lines.append({"t.smi": f"{answer}>>{product}", "t.jsonl": told, "t.csv": f"{names[place]},{answer}"}[form])
    for _ in range(rng.randint(1, 3)):
        change = rng.choice(("delete", "double", "shuffle", "blank"))
        if change == "delete" and lines:
            lines.pop(rng.randrange(len(lines)))
        elif change == "double" and lines:
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
        elif change == "shuffle":
            rng.shuffle(lines)
        else:
            lines.insert(rng.randrange(len(lines) + 1), "")
    path = written(tmp_path / form, (["id,reactants"] if form == "t.csv" else []) + lines)
    with suppress(InputError):
        assert top1(rows, path)[0] == 1.0
