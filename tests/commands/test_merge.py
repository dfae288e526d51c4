"""`--shard` of generate and score with the real engine, and `logos merge`: the file and the last line of one run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Run
from processes import lines_in, running, wait_until

DRUGS = Path(__file__).parents[2] / "examples" / "drugs.smi"
# Rows that cannot be used, lines that are none, and what CXSMILES says beside a SMILES: each shard reads all of it.
ROWS = """# products
CC(=O)Oc1ccccc1C(=O)O aspirin
xx bad

CC(=O)Nc1ccc(O)cc1 paracetamol
CCO |$R1;;$| ethanol
C(C broken
CCOC(=O)c1ccc(N)cc1 benzocaine
"""
SEQUENCES = ">a\nEVQLVESGGG\n>b\nXX1\n>c\nMQIFVKTLTG\n>d\nMKVL\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words, text, count",
    [
        (("generate", "retro", "--top", "2", "-n", "4", "--format", "csv"), ROWS, 3),
        (("generate", "retro", "-n", "2", "--format", "smi"), ROWS, 2),
        (("generate", "retro", "-n", "2", "--valid-only", "--limit", "4"), ROWS, 5),
        (("generate", "molecule", "--props", "mw,qed", "--format", "csv"), "CCO\nc1ccccc1\nxx\nN\n", 2),
        (("generate", "protein", "--format", "fasta", "--max-tokens", "40"), SEQUENCES, 3),
        (("score", "--mutants", "Q2A,3", "--format", "csv", "--each-token"), SEQUENCES, 3),
        (("score", "--task", "retro"), "CC(=O)O.OCC>>CCOC(C)=O ester\nxx\nCO>>CN x\n", 4),
        (("generate", "retro", "-n", "1"), "CCO alone\n", 3),
        (("generate", "retro"), "", 2),
    ],
)
def test_shards_merged_are_one_run(
    logos_here: Callable[..., Run], nano_int4: Path, tmp_path: Path, words: tuple[str, ...], text: str, count: int
) -> None:
    rows = tmp_path / "rows"
    rows.write_text(text)
    suffix = next((word for word in words if word in ("csv", "smi", "fasta")), "jsonl")
    given = (*words, rows, "-m", nano_int4, "--threads", "1", "-o")
    whole = logos_here(*given, tmp_path / f"whole.{suffix}")
    for index in range(count):
        made = logos_here(*given, tmp_path / f"{index}.{suffix}", "--shard", f"{index}/{count}")
        assert made.code == 0, made.err
    parts = sorted(tmp_path.glob(f"[0-9].{suffix}"), reverse=True)
    merged = logos_here("merge", *parts, "-o", tmp_path / f"merged.{suffix}")
    assert merged.code == whole.code, merged.err
    assert (tmp_path / f"merged.{suffix}").read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()
    # The last line is the run's, but for its seconds.
    counted = re.sub(r"; \d+\.\d s.*", "", next(line for line in whole.err.splitlines()[::-1] if not line.startswith("logos:")))
    assert merged.err.splitlines()[0] == f"{counted}; {count} shards"
    to_stdout = logos_here("merge", *parts)
    assert to_stdout.out.encode() == (tmp_path / f"whole.{suffix}").read_bytes()
    again = logos_here(*given, tmp_path / f"merged.{suffix}", "--resume")
    assert again.code == 0 and "is complete; nothing to resume" in again.err
    shard = logos_here(*given, parts[-1], "--shard", f"0/{count}", "--resume")
    assert shard.code == 0 and "is complete; nothing to resume" in shard.err


@pytest.mark.slow
def test_a_killed_shard_goes_on(logos_here: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> None:
    given = ("generate", "retro", DRUGS, "-m", nano_int4, "--threads", "1", "-n", "4", "--shard", "1/2", "-o")
    assert logos_here(*given, tmp_path / "whole.jsonl").code == 0
    out, partial = tmp_path / "o.jsonl", tmp_path / "o.jsonl.partial"
    with running(*given, out, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: lines_in(partial), child)
        child.kill()
    assert partial.exists(), "killed in the middle"
    changed = logos_here(*given[:-2], "0/2", "-o", out, "--resume")
    assert changed.code == 1 and "shard was '1/2', is '0/2'" in changed.err
    assert logos_here(*given, out, "--resume").code == 0
    assert out.read_text() == (tmp_path / "whole.jsonl").read_text()


@pytest.mark.slow
def test_what_a_shard_needs(logos_here: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> None:
    for words, told in (
        (("generate", "retro", "x.smi", "--shard", "0/2"), "--shard needs -o OUT"),
        (("score", "x.smi", "--shard", "0/2"), "--shard needs -o OUT"),
        (("generate", "molecule", "--shard", "0/2", "-o", "x.jsonl"), "without INPUT there is one"),
        (("generate", "retro", "x.smi", "--shard", "2", "-o", "x.jsonl"), "--shard 2 is none; give I/N"),
        (("generate", "retro", "x.smi", "--shard", "slurm", "-o", "x.jsonl"), "$SLURM_ARRAY_TASK_ID is not set"),
    ):
        done = logos_here(*words, "-m", nano_int4)
        assert done.code == 2 and told in done.err
    one = logos_here("merge", tmp_path / "a.jsonl")
    assert one.code == 1 and "a.jsonl: no such file; give the shards' files" in one.err
    same = logos_here("merge", __file__, "-o", __file__)
    assert same.code == 2 and "is an input" in same.err
