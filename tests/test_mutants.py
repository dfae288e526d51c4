"""What --mutants asks for, and what a sequence allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_cli.errors import UsageError
from logos_cli.mutants import Mutations
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


@pytest.mark.parametrize("spec", ["", ",", "A2", "A2V;K3R", "2..3", "2A", "V", "A-2V"])
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
