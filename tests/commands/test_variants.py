"""ProteinGym's tables: their variants scored, and the scores judged by what was measured."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from processes import lines_in, running, wait_until
from schemas import check_records

from logos_cli.chemistry.residues import STANDARD

Logos = Callable[..., Run]
WILD = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQL"


def mutated(name: str, first: int = 1) -> str:
    letters = list(WILD)
    for part in name.split(":"):
        letters[int(part[1:-1]) - first] = part[-1]
    return "".join(letters)


def table(path: Path, names: list[str], first: int = 1, **columns: list[str]) -> Path:
    """A table as ProteinGym's, with a score of each variant that says nothing but its place."""
    given = {"mutant": names, "mutated_sequence": [mutated(name, first) for name in names],
             "DMS_score": [str(at / 2 - 1) for at in range(len(names))],
             "DMS_score_bin": [str(int(at > 2)) for at in range(len(names))]} | columns  # fmt: skip
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([list(given), *zip(*given.values(), strict=True)])
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target.fa"
    path.write_text(f">ubiquitin\n{WILD}\n")
    return path


NAMES = ["Q2A", "I3V", "F4L:V5A", "K6R", "K6R", "T7S", "L8I:T9S:G10A", "K11R"]


@pytest.mark.slow
def test_the_variants_of_a_table(tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos) -> None:
    """In their order, each row's own record, and as the mutated sequence scores by itself."""
    dms = table(tmp_path / "dms.csv", NAMES)
    found = logos_here("score", target, "-m", nano_int4, "--mutants", dms, "--task", "protein").lines
    assert [one["mutant"] for one in found] == [None, *NAMES] and not any(one["error"] for one in found)
    check_records(found, "score")
    alone = logos_here("score", dms, "-m", nano_int4, "--task", "protein", "--id-column", "mutant").lines
    assert [one["logprob"] for one in alone] == [one["logprob"] for one in found[1:]]
    assert found[4]["delta"] == found[5]["delta"] and found[4]["rank"] == found[5]["rank"]


def test_lines_that_do_not_fit(tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos) -> None:
    dms = table(tmp_path / "dms.csv", ["Q2A", "I3V"])
    with dms.open("a") as stream:
        stream.write(f"A4G,{WILD},0,0\nQ2C,{mutated('Q2D')},0,0\n,{WILD},0,0\nI3*,{WILD},0,0\nI3G,{WILD[:-1]},0,0\nI3L,,0,0\n")
    done = logos_here("score", target, "-m", nano_int4, "--mutants", dms)
    assert done.code == 0 and "4 sequences scored; 5 could not be" in done.err
    errors = {one["mutant"]: one["error"] for one in done.lines if one["error"]}
    assert errors["A4G"] == "residue 4 is F, not A"
    assert "has C at place 2, mutated_sequence D" in errors["Q2C"] and "a stop" in errors["I3*"]
    assert "has 50 residues, mutated_sequence 49" in errors["I3G"] and "no mutation" in errors["(no name)"]


@pytest.mark.slow
def test_numbers_that_do_not_begin_at_one(tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos) -> None:
    names = ["Q25A", "I26V", "F27L:V28A", "K29R", "T30S"]
    dms = table(tmp_path / "dms.csv", names, first=24)
    wrong = logos_here("score", target, "-m", nano_int4, "--mutants", dms).lines
    assert wrong[1]["error"] == "residue 25 is N, not Q; all of them fit with --numbered-from 24"
    assert all(one["error"] for one in wrong[1:])
    right = logos_here("score", target, "-m", nano_int4, "--mutants", dms, "--numbered-from", 24).lines
    assert [one["mutant"] for one in right[1:]] == [name.replace(":", "+") for name in names]
    check_records(right, "score")
    plain = table(tmp_path / "plain.csv", ["Q2A", "I3V", "F4L:V5A", "K6R", "T7S"])
    same = logos_here("score", target, "-m", nano_int4, "--mutants", plain).lines
    assert [one["logprob"] for one in same] == [one["logprob"] for one in right]
    assert right[3]["site"]["places"] == [4, 5] and right[3]["site"]["numbers"] == ":24-73"
    again = logos_here("score", "-", "-m", nano_int4, stdin=json.dumps(right[3])).lines
    assert again[0]["logprob"] == right[3]["logprob"], "a record is read again in its own numbers"
    few = logos_here("score", target, "-m", nano_int4, "--mutants", "Q25A,I26V", "--numbered-from", 20).lines
    assert few[1]["error"] == "residue 25, place 6 is K, not Q"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--numbered-from", "5"), "--numbered-from says how --mutants count"),
        (("--each-residue", "--task", "molecule"), "--each-residue is for protein and antibody"),
        (("--resume",), "--resume needs -o OUT"),
    ],
)
def test_options_that_do_not_fit(target: Path, logos_here: Logos, options: tuple[str, ...], reason: str) -> None:
    found = logos_here("score", target, *options)
    assert found.code == 2 and reason in found.err and found.err.count("\n") == 1


def test_log_probabilities_of_residues(target: Path, nano_int4: Path, logos_here: Logos) -> None:
    options = ("--mutants", "Q2A", "--each-residue", "--each-token")
    found = logos_here("score", target, "-m", nano_int4, *options)
    check_records(found.lines, "score")
    for one in found.lines:
        assert one["residue_logprobs"] == [value for text, value in one["each"] if text != "<ProteinE>"]
        assert len(one["residue_logprobs"]) == len(WILD)
        end = one["each"][-1][1]
        assert sum(one["residue_logprobs"]) + end == pytest.approx(one["logprob"], abs=0.01)
    wild, mutant = (one["residue_logprobs"] for one in found.lines)
    assert wild[0] == mutant[0] and wild[1] != mutant[1], "what stands before a mutation is read the same"
    rows = list(csv.DictReader(io.StringIO(logos_here("score", target, "-m", nano_int4, *options, "--format", "csv").out)))
    assert json.loads(rows[1]["residue_logprobs"]) == mutant and rows[0]["each"].startswith("[[")


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos) -> None:
    given = ("score", target, "-m", nano_int4, "--threads", "1", "--mutants", "2-50", "--format", "csv", "-o")
    assert logos_here(*given, tmp_path / "whole.csv").code == 0
    out, partial = tmp_path / "o.csv", tmp_path / "o.csv.partial"
    with running(*given, out, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: lines_in(partial) > 20, child)
        child.kill()
    assert partial.exists() and not out.exists(), "killed in the middle"
    refused = logos_here(*given, out)
    assert refused.code == 1 and "holds an unfinished run; add --resume" in refused.err
    assert logos_here(*given, out, "--resume").code == 0
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes() and not partial.exists()
    other = logos_here(*given[:-3], "--format", "jsonl", "-o", out, "--resume")
    assert other.code == 2 or "format was 'csv', is 'jsonl'" in other.err


@pytest.mark.slow
def test_what_is_known_is_not_asked_again(tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos) -> None:
    """A figure that an earlier run left is taken as it is: one that no model gives comes out again."""
    given = ("score", target, "-m", nano_int4, "--threads", "1", "--mutants", "2-50", "-o")
    out, partial = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial"
    with running(*given, out, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: lines_in(partial) > 1, child)
        child.kill()
    assert partial.exists(), "killed in the middle"
    settings, first = partial.read_text().splitlines()[:2]
    entry = json.loads(first)
    entry["value"][0] = 1234.5
    partial.write_text(f"{settings}\n{json.dumps(entry)}\n")
    assert logos_here(*given, out, "--resume").code == 0
    assert 1234.5 in [json.loads(line)["logprob"] for line in out.read_text().splitlines()]


@pytest.fixture
def scored(tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos) -> tuple[Path, Path]:
    """(scores, table) of forty variants."""
    names = [f"{old}{at}{new}" for at, old in enumerate(WILD, 1) for new in STANDARD if new != old][::23][:40]
    dms = table(tmp_path / "dms.csv", names)
    scores = tmp_path / "scores.jsonl"
    assert logos_here("score", target, "-m", nano_int4, "--mutants", dms, "-o", scores).code == 0
    return scores, dms


@pytest.mark.slow
def test_judged_by_an_assay(tmp_path: Path, scored: tuple[Path, Path], nano_int4: Path, logos_here: Logos) -> None:
    scores, dms = scored
    found = json.loads(logos_here("evaluate", scores, "--truth", dms, "--json").out)["tasks"]["protein"]
    assert found["variants"] == 40 and found["without_score"] == found["not_measured"] == 0
    assert all(found[name]["ci95"] for name in ("spearman", "auc", "mcc", "top_recall"))
    shown = logos_here("evaluate", scores, "--truth", dms).out
    assert f"spearman {found['spearman']['value']:>8.3f}".split() == shown.splitlines()[4].split()[:2]
    # The same from the table's own sequences, from a csv, and with the rows in another order.
    alone = tmp_path / "alone.csv"
    logos_here("score", dms, "-m", nano_int4, "--task", "protein", "--id-column", "mutant", "--format", "csv", "-o", alone)
    head, *rows = dms.read_text().splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([head, *rows[::-1]]) + "\n")
    for records, truth in ((alone, dms), (scores, turned)):
        other = json.loads(logos_here("evaluate", records, "--truth", truth, "--json").out)["tasks"]["protein"]
        assert other["spearman"]["value"] == pytest.approx(found["spearman"]["value"])


@pytest.mark.slow
def test_beside_another_program(tmp_path: Path, scored: tuple[Path, Path], logos_here: Logos) -> None:
    """The measured numbers themselves as the other's scores: right about all, and the difference is to 1."""
    scores, dms = scored
    rows = list(csv.DictReader(io.StringIO(dms.read_text())))
    esm = tmp_path / "esm.csv"
    esm.write_text("mutant,DMS_score,ESM1v\n" + "".join(f"{row['mutant']},0,{row['DMS_score']}\n" for row in rows[:30]))
    found = json.loads(logos_here("evaluate", scores, "--truth", dms, "--against", esm, "--json").out)["tasks"]["protein"]
    assert found["variants"] == 30 and found["without_score_against"] == 10
    assert found["against"]["spearman"]["value"] == pytest.approx(1)
    assert found["difference"]["spearman"]["value"] == pytest.approx(found["spearman"]["value"] - 1)
    low, high = found["difference"]["spearman"]["ci95"]
    assert low < found["difference"]["spearman"]["value"] < high <= 0
    text = logos_here("evaluate", scores, "--truth", dms, "--against", esm).out
    assert "against spearman" in text and "difference spearman" in text
    esm.write_text("mutant,a,b\n" + "".join(f"{row['mutant']},1,{row['DMS_score']}\n" for row in rows))
    several = logos_here("evaluate", scores, "--truth", dms, "--against", esm)
    assert several.code == 2 and "2 columns of numbers; name one with --against-column: a, b" in several.err
    named = logos_here("evaluate", scores, "--truth", dms, "--against", esm, "--against-column", "b", "--json")
    assert json.loads(named.out)["tasks"]["protein"]["against"]["spearman"]["value"] == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mutant,score\nQ2A,1\n", "no column 'DMS_score'; it has: mutant, score"), ("a,b\n1,2\n", "no column mutant"),
        ("mutant,DMS_score\nQ2A,high\n", "line 2: DMS_score is 'high', no number"), ("", "no rows"),
        ("mutant,DMS_score\nA99G,1\n", "no variant in common"), ("mutant,DMS_score\nQ2A\n", "line 2 has 1 cells"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit(
    tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos, text: str, reason: str
) -> None:
    scores, dms = tmp_path / "s.jsonl", tmp_path / "dms.csv"
    logos_here("score", target, "-m", nano_int4, "--mutants", "Q2A,I3V", "-o", scores)
    dms.write_text(text)
    found = logos_here("evaluate", scores, "--truth", dms)
    assert found.code == 1 and reason in found.err and found.err.count("\n") == 1


@pytest.mark.slow
def test_scores_need_a_table_and_answers_none(tmp_path: Path, target: Path, nano_int4: Path, logos_here: Logos) -> None:
    scores = tmp_path / "s.jsonl"
    logos_here("score", target, "-m", nano_int4, "--mutants", "Q2A", "-o", scores)
    assert "give it with --truth" in logos_here("evaluate", scores).err
    answers = logos_here("generate", "molecule", "-m", nano_int4, "-n", "1").out
    assert "is for two files of answers" in logos_here("evaluate", "-", "--against", scores, stdin=answers).err
    assert "in one file" in logos_here("evaluate", "-", stdin=answers + scores.read_text()).err
