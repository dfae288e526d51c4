"""What --mutants asks for, and what a sequence allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.errors import UsageError
from logos_cli.mutants import Mutations
from logos_cli.own_numbers import NumberError, OwnNumbers
from logos_cli.residues import STANDARD


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
        ("S177A", "residue 177 is not in this structure's sequence"),
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
