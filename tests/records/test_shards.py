"""Shards of a run, merged, are the file of the run that was never parted; what does not belong together is refused by name."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_cli.errors import InputError, OutputError, UsageError
from logos_cli.pipeline.output import FileOutput
from logos_cli.records.merge import Shards
from logos_cli.records.record import Formatter, Record
from logos_cli.records.shard import Shard
from logos_cli.rows.row import Row
from logos_cli.system.lines import Blank

TEXTS = st.text(alphabet='aé"\n\r,\t; \u2028', max_size=4)
ANSWERS = st.builds(
    lambda smiles, props: {"answer": smiles, "valid": bool(smiles), "smiles": smiles, "props": props, "text": smiles},
    st.sampled_from(["", "CCO", "C.N"]), st.sampled_from([None, {"mw": 46.07}]),
)  # fmt: skip
IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # each run waits for the disk several times


@dataclass
class Run:
    """What a run writes: its rows, and the records of each, made up. `kept`: which of them."""

    rows: list[Row]
    records: list[list[Record]]
    form: str = "jsonl"
    valid_only: bool = False
    settings: dict[str, Any] = field(default_factory=lambda: {"seed": 0})

    def output(self, out: Path, shard: Shard | None) -> FileOutput:
        blank = Blank(lines=3, comments=1)
        blank.left_out.update({"query atoms": 2})
        formatter = Formatter(self.form, wanted=("mw",))
        return FileOutput(out, formatter, lambda one: one.valid or not self.valid_only, False, shard=shard, blank=blank)

    def write(self, out: Path, shard: Shard | None = None, killed_after: int | None = None) -> Path:
        """`killed_after` so many records the run ends, and is taken up again."""
        told = self.settings | {"format": self.form} | ({"shard": str(shard)} if shard else {})
        for most in (killed_after, None) if killed_after is not None else (None,):
            output = self.output(out, shard)
            assert output.open(told, resume=killed_after is not None)
            written = 0
            for row in output.watched(self.rows):
                for record in self.records[row.ordinal]:
                    before = (record.row, record.sample or 0) < (output.done.row, output.done.samples)
                    if not before and (most is None or written < most):
                        output.write(record)
                        written += 1
            if most is None:
                output.finish()
            output.close()
        return out


@st.composite
def runs(draw: Callable[..., Any]) -> Run:
    count = draw(st.integers(0, 9))
    names = [draw(TEXTS) for _ in range(draw(st.integers(0, 2)))]
    rows, records = [], []
    for ordinal in range(count):
        columns = dict.fromkeys(names, "") | {name: draw(TEXTS) for name in names}
        row = Row(ordinal, draw(TEXTS), "C", columns=columns)
        base = Record(ordinal, row.id, "retro", "C", "m", columns=columns)
        answers = draw(st.lists(ANSWERS, max_size=3))
        made = [replace(base, sample=number, **one) for number, one in enumerate(answers)]
        rows.append(row)
        records.append(made or [base])
    return Run(rows, records)


@pytest.mark.slow
@pytest.mark.parametrize("valid_only", [False, True])
@pytest.mark.parametrize("form", ["jsonl", "csv", "smi", "fasta"])
@settings(max_examples=50, deadline=None)
@given(run=runs(), count=st.integers(1, 5), kill=st.none() | st.integers(0, 4), order=st.randoms(use_true_random=False))
def test_shards_merged_are_the_whole_run(
    form: str, valid_only: bool, run: Run, count: int, kill: int | None, order: random.Random
) -> None:
    run.form, run.valid_only = form, valid_only
    with TemporaryDirectory(dir=IN_MEMORY) as name:
        folder = Path(name)
        whole = run.write(folder / "whole")
        shards = [run.write(folder / f"part.{index}", Shard(index, count), kill) for index in range(count)]
        order.shuffle(shards)
        found = Shards.read(shards)
        found.write(folder / "merged")
        assert (folder / "merged").read_bytes() == whole.read_bytes()
        assert (folder / "merged.run").read_bytes() == (folder / "whole.run").read_bytes()
    assert found.tally["rows"] == len(run.rows)
    assert found.tally["valid"] == sum(one.valid for records in run.records for one in records)
    assert (found.blank.lines, found.blank.comments, found.blank.left_out) == (3, 1, {"query atoms": 2})


def plain(rows: int = 7, **changes: Any) -> Run:
    """A run of `rows` rows with one answer each."""
    made = [Row(ordinal, f"r{ordinal}", "C") for ordinal in range(rows)]
    records = [[Record(row.ordinal, row.id, "retro", "C", "m", 0, "C", True, smiles="C")] for row in made]
    return Run(made, records, **changes)


def test_what_does_not_belong_together_is_refused_by_name(tmp_path: Path) -> None:
    def part(name: str, index: int, count: int = 3, run: Run | None = None) -> Path:
        return (run or plain()).write(tmp_path / name, Shard(index, count))

    a, b, c = (part(name, index) for index, name in enumerate("abc"))
    foreign = part("foreign", 0, run=plain(settings={"seed": 1}))
    others = part("others", 0, run=plain(rows=8))
    changed_rows = plain()
    changed_rows.rows[3] = Row(3, "r3", "N")
    swapped = part("swapped", 0, run=changed_rows)
    four = part("four", 0, 4)
    plain().write(tmp_path / "one")
    started = part("started", 0)
    started.rename(tmp_path / "started.partial")
    alone = shutil.copy(a, tmp_path / "alone")
    edited = part("edited", 0)
    edited.write_text(edited.read_text() + "\n")
    damaged = part("damaged", 0)
    (tmp_path / "damaged.run").write_text((tmp_path / "damaged.run").read_text().replace('"lines": "', '"lines": "A'))
    for paths, told in (
        ([a, c], "shard 1/3 is missing"),
        ([b], "2 of 3 shards, 0/3, 2/3, are missing"),
        ([a, b, c, a], "/a and .*/a are both shard 0/3"),
        ([foreign, b, c], "/foreign is no shard of the run that .*/b is of: seed was 0, is 1"),
        ([others, b, c], "/others is of another input than .*/b: its 8 rows are others"),
        ([swapped, b, c], "/swapped is of another input than .*/b: its rows are others"),
        ([four, b, c], "/four is no shard of .*/b is of: number of shards was 3, is 4"),
        ([tmp_path / "one", b, c], "/one is the output of a whole run, and no shard"),
        ([started, b, c], "started.partial is there: end its run with --resume"),
        ([tmp_path / "none", b, c], "none: no such file"),
        ([Path(alone), b, c], "alone: nothing says which shard it is; alone.run is missing"),
        ([edited, b, c], "edited was changed since its run wrote it; run shard 0/3 again"),
        ([damaged, b, c], "damaged.run is damaged"),
    ):
        with pytest.raises(InputError, match=told):
            Shards.read(paths)


def test_a_resumed_shard_reads_the_same_input(tmp_path: Path) -> None:
    shard, out = Shard(1, 3), tmp_path / "o"
    first = plain()
    output = first.output(out, shard)
    assert output.open({"shard": "1/3"}, resume=False)
    for row in output.watched(first.rows):
        if row.ordinal < 5:
            output.write(first.records[row.ordinal][0])
    output.close()
    for changed, told in ((3, r"row 5 \(r4\) of the input \(or one before it\) is not"), (None, "shard was '1/3', is '0/3'")):
        rows = [Row(row.ordinal, row.id, "N") if row.ordinal == changed else row for row in first.rows]
        again = first.output(out, shard)
        with pytest.raises(OutputError, match=told):
            again.open({"shard": "0/3" if changed is None else "1/3"}, resume=True)
            list(again.watched(rows))
        again.close()
    last = first.output(out, shard)
    assert last.open({"shard": "1/3"}, resume=True)
    assert [row.ordinal for row in last.watched(first.rows)] == [1, 4]
    assert last.done.row == 4
    last.close()


def test_equal_cards_of_one_machine_write_one_run(tmp_path: Path) -> None:
    """--device cuda:0 and cuda:1 give the same bits on cards of one kind; on other cards nobody promises that."""
    told = ("CUDA0 (NVIDIA H100)", "CUDA1 (NVIDIA H100)", "CUDA1 (NVIDIA A100)")
    runs = [plain(settings={"device": device}) for device in told]
    parts = [run.write(tmp_path / str(at), Shard(min(at, 1), 2)) for at, run in enumerate(runs)]
    assert Shards.read(parts[:2]).settings["device"] == told[0]
    with pytest.raises(InputError, match="device was"):
        Shards.read([parts[0], parts[2]])


@pytest.mark.parametrize("text, told", [
    ("3/3", "the shards of 3 are 0/3 to 2/3"), ("0/0", "no shards of 0"), ("1", "--shard 1 is none"), ("-1/3", "is none"),
])  # fmt: skip
def test_a_shard_that_is_none(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Shard.parse(text, {})


def slurm(task: int, first: int, count: int, last: int | None = None) -> dict[str, str]:
    found = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_COUNT": count}
    return {name: str(value) for name, value in (found | ({"SLURM_ARRAY_TASK_MAX": last} if last is not None else {})).items()}


def test_an_array_task_knows_its_shard() -> None:
    assert [Shard.parse("slurm", slurm(task, 1, 3, 3)) for task in (1, 2, 3)] == [Shard(0, 3), Shard(1, 3), Shard(2, 3)]
    assert Shard.parse("slurm", slurm(7, 5, 4)) == Shard(2, 4)
    for environment, told in (
        ({}, r"\$SLURM_ARRAY_TASK_ID is not set; submit with sbatch --array"),
        (slurm(3, 3, 2, 7), "2 tasks, 3 to 7, have gaps; give --shard I/N as it was"),
        (slurm(9, 3, 2), "have gaps"),
    ):
        with pytest.raises(UsageError, match=told):
            Shard.parse("slurm", environment)


@pytest.mark.slow
def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (45, hard))
        parts = [plain(rows=50).write(tmp_path / str(index), Shard(index, 40)) for index in range(40)]
        Shards.read(parts).write(tmp_path / "merged")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (tmp_path / "merged").read_bytes() == plain(rows=50).write(tmp_path / "whole").read_bytes()
    assert [json.loads(line)["row"] for line in (tmp_path / "merged").read_text().splitlines()] == list(range(50))
