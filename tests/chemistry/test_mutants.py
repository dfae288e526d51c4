"""What --mutants asks for, and what a sequence allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.chemistry.mutants import Mutations
from logos_cli.chemistry.own_numbers import NumberError, OwnNumbers
from logos_cli.chemistry.residues import STANDARD
from logos_cli.errors import UsageError


def variants(spec: str, sequence: str) -> dict[str, str]:
    return {one.name: one.error or one.sequence for one in Mutations.parse(spec).of(sequence)}


def test_named_mutants() -> None:
    assert variants("a2v, T3R,A2V", "MATAY") == {"A2V": "MVTAY", "T3R": "MARAY"}
    assert variants("A2V+Y5F", "MATAY") == {"A2V+Y5F": "MVTAF"}


def test_all_at_places() -> None:
    found = variants("2-3", "MAT")
    assert len(found) == 38 and found["A2V"] == "MVT" and found["T3Y"] == "MAY" and "A2A" not in found
    assert len(variants("2,2", "MAT")) == 19 and len(variants("A2V,2", "MAT")) == 19


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("A9V", "out of range: the sequence has 3"), ("M2V", "residue 2 is A, not M"),
        ("A2X", "X is not one"), ("A2A", "changes nothing"),
        ("A2V+A2G", "changes residue 2 twice"), ("3-9", "place 3-9 is out of range"), ("0", "out of range"),
    ],
)  # fmt: skip
def test_mutants_that_do_not_fit(spec: str, reason: str) -> None:
    (told,) = variants(spec, "MAT").values()
    assert reason in told


@pytest.mark.parametrize("spec", ["", ",", "A2", "A2V;K3R", "2..3", "V"])
def test_what_is_no_mutation(spec: str) -> None:
    with pytest.raises(UsageError, match="--mutants"):
        Mutations.parse(spec)


def test_a_file_of_them(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# framework 1\n\nA2V\r\n  # CDR\nT3R  # said twice: A2V\n\n")
    assert list(variants(str(tmp_path / "list.txt"), "MAT")) == ["A2V", "T3R"]
    (tmp_path / "list.txt").write_text("# nothing\n")
    with pytest.raises(UsageError, match="--mutants is empty"):
        Mutations.parse(str(tmp_path / "list.txt"))


def test_notations() -> None:
    assert variants("p.Ala2Val,p.(Thr3Arg),Met1Leu,p.A4G", "MATAY") == {
        "A2V": "MVTAY", "T3R": "MARAY", "M1L": "LATAY", "A4G": "MATGY",
    }  # fmt: skip
    assert variants("A2V:Y5F,p.[Ala2Val;Tyr5Phe]", "MATAY") == {"A2V:Y5F": "MVTAF", "A2V+Y5F": "MVTAF"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("A2del", "a deletion"), ("p.Ala2del", "a deletion"), ("A2_T3del", "a deletion"), ("A2_T3insGG", "an insertion"),
        ("A2delinsGG", "a deletion with an insertion"), ("A2dup", "a duplication"), ("A2fs", "a shift"),
        ("p.Ala2Ter", "a stop"),
        ("A2*", "a stop"), ("p.Ala2=", "no change"), ("A2V:T3del", "a deletion"), ("WT", "no change"), ("A2-", "a deletion"),
    ],
)  # fmt: skip
def test_what_is_no_substitution_costs_only_itself(name: str, told: str) -> None:
    found = variants(f"{name},T3R", "MATAY")
    assert list(found) == [name, "T3R"] and found["T3R"] == "MARAY"
    assert found[name] == f"{told}, no substitution such as A23V" or found[name].startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        "A2V\t1\nT3R\t0\n", "A2V 1\nT3R 0\n", "A2V,-1.5,0\nT3R,0.25,1\n", "mutant\tDMS_score_bin\nA2V\t1\nT3R\t0\n",
        "mutant,mutated_sequence,DMS_score\nA2V,MVTAY,-1\nT3R,MARAY,2\n", "id;mutation\n1;A2V\n2;T3R\n", "A2V T3R\n",
        "score,hgvs_pro\n1,p.Ala2Val\n2,p.Thr3Arg\n", "p.Ala2Val 0.5\np.Thr3Arg 1e-3\n", "\n# x\nmutation\nA2V\nT3R\n",
    ],
)  # fmt: skip
def test_lists_with_other_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "list").write_text(text)
    assert variants(str(tmp_path / "list"), "MATAY") == {"A2V": "MVTAY", "T3R": "MARAY"}


def test_a_line_that_cannot_be_read_is_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("A2V\nQ?\nA4del\nT3R\n")
    found = variants(str(tmp_path / "list"), "MATAY")
    assert list(found) == ["A2V", "Q?", "A4del", "T3R"]
    assert found["Q?"] == "no mutation such as A23V" and found["A4del"].startswith("a deletion")
    (tmp_path / "list").write_text("once upon\na time\n")
    with pytest.raises(UsageError, match="no mutation such as A23V in it, but 'once'"):
        Mutations.parse(str(tmp_path / "list"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("nosuchfile.txt", str(tmp_path / "no"), "dms.csv.gz"):
        with pytest.raises(UsageError, match="no such file"):
            Mutations.parse(name)
    with pytest.raises(UsageError, match="a folder"):
        Mutations.parse(str(tmp_path))


def test_a_range_that_runs_backwards() -> None:
    with pytest.raises(UsageError, match="--mutants 5-3: the range runs backwards; give 3-5"):
        Mutations.parse("5-3")


def test_a_list_longer_than_a_files_name_may_be() -> None:
    assert len(variants(",".join(["A2V"] * 5000), "MAT")) == 1


@given(st.text(STANDARD, min_size=1, max_size=30), st.data())
def test_every_single_mutant_differs_in_its_place(sequence: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(sequence)))
    found = variants(str(place), sequence)
    assert len(found) == len(set(found.values())) == 19
    for name, mutant in found.items():
        assert [i for i, (a, b) in enumerate(zip(sequence, mutant, strict=True), 1) if a != b] == [place]
        assert name == f"{sequence[place - 1]}{place}{mutant[place - 1]}"


TRYPSIN = OwnNumbers(("A:16", "A:17", None, "A:184A", "A:184", "A:195", "B:16"))


@pytest.mark.parametrize(
    ("spec", "name", "place"),
    [
        ("A:I16V", "A:I16V", 1), ("g184av", "A:G184AV", 4), ("Y184V", "A:Y184V", 5), ("S195A", "A:S195A", 6),
        ("S@6A", "A:S195A", 6), ("@6", "A:S195A", 6), ("195", "A:S195A", 6), ("A:184A", "A:G184AA", 4), ("B:T16A", "B:T16A", 7),
        ("A@3V", "A@3V", 3),
    ],
)  # fmt: skip
def test_a_structures_own_numbers(spec: str, name: str, place: int) -> None:
    found = next(one for one in Mutations.parse(spec).of("IVAGYST", TRYPSIN) if one.name == name)
    assert found.error is None and found.places == (place,) and found.sequence[place - 1] == name[-1]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("I16V", "residue 16 may be A:16 or B:16; name the chain"),
        ("S177A", "residue 177 is not in this sequence"),
        ("D195A", "residue 195, place 6 is S, not D"), ("C:I16V", "which has A:16 to A:195, B:16 to B:16"),
    ],
)  # fmt: skip
def test_numbers_that_a_structure_does_not_have(spec: str, reason: str) -> None:
    (found,) = Mutations.parse(spec).of("IVAGYST", TRYPSIN)
    assert found.error and reason in found.error


@pytest.mark.parametrize("spec", ["A:V1A", "2A", "M-2V", "G184AV"])
def test_a_structures_number_of_a_plain_sequence(spec: str) -> None:
    assert all(one.error for one in Mutations.parse(spec).of("MAT"))


def test_runs_of_numbers_are_read_back() -> None:
    assert TRYPSIN.runs() == "A:16-17 ?1 A:184A A:184 A:195 B:16"
    for numbers in (TRYPSIN, OwnNumbers((":-2", ":-1", ":0", ":1", None, "A/P1:7", "A.2:7"))):
        assert OwnNumbers.from_runs(numbers.runs()) == numbers
    with pytest.raises(NumberError):
        OwnNumbers.from_runs("A:1-9999999999")


def test_the_scores_of_a_list_are_no_places(tmp_path: Path) -> None:
    path = tmp_path / "dms.tsv"
    path.write_text("M1V\t1\nA2V\t0 -3.5e-2\n")
    assert [one.name for one in Mutations.parse(str(path)).of("MAT")] == ["M1V", "A2V"]
