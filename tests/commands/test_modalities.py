"""Each task from a real file to records, on nano."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from processes import lines_in, running, wait_until

from logos_cli.chemistry.residues import STANDARD
from logos_cli.chemistry.smiles import canonical, lenient, written
from logos_cli.commands.pocket_files import PocketFiles
from logos_cli.rows.row import Row
from logos_cli.structures.chains import Site

EXAMPLES = Path(__file__).parents[2] / "examples"
BRD = EXAMPLES / "4cup.cif.gz"
Logos = Callable[..., Run]


@pytest.mark.slow
def test_proteins_and_antibodies_from_nothing(logos_here: Logos) -> None:
    for task in ("protein", "antibody"):
        found = logos_here("generate", task, "-m", "nano", "-n", 3, "--max-tokens", 300)
        assert found.code == 0 and len(found.lines) == 3
        for record in found.lines:
            assert record["task"] == task and record["input"] == ""
            assert not record["valid"] or set(record["answer"]) <= set(STANDARD)
    fasta = logos_here("generate", "antibody", "-m", "nano", "-n", 4, "--format", "fasta").out
    assert fasta.startswith(">1/") and max(map(len, fasta.splitlines())) <= 60


@pytest.mark.slow
def test_an_antibody_goes_on_from_its_first_residues(logos_here: Logos, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix.fasta"
    prefix.write_text(">vh trastuzumab, framework 1\r\nEVQLVESGGGLVQPGGSLRLSCAAS\r\n>bad\r\nEVQX\r\n")
    good, also, bad = logos_here("generate", "antibody", prefix, "-m", "nano", "-n", 2).lines[:3]
    for record in (good, also):
        assert record["input"] == "EVQLVESGGGLVQPGGSLRLSCAAS" and record["id"] == "vh"
        assert not record["valid"] or record["answer"].startswith(record["input"])
    assert bad["id"] == "bad" and "'X' at residue 4" in bad["error"]


def test_a_resumed_run_names_its_bfactor_files_as_the_first_did(tmp_path: Path) -> None:
    """Structures of one name keep apart, and those of rows that are done are not held."""
    site = Site("A", ("1",), (), None)
    rows = [Row(number, "same" if number < 3 else "other", "M", kind="sequence", site=site) for number in range(4)]
    whole, resumed = PocketFiles(tmp_path), PocketFiles(tmp_path)
    assert list(whole.kept(rows)) == rows and list(resumed.kept(rows, done=2)) == rows
    assert [name for _, name in whole.rows.values()] == ["same", "same_2", "same_3", "other"]
    assert resumed.rows == {number: whole.rows[number] for number in (2, 3)}


@pytest.mark.slow
def test_binding_sites_of_a_structure_and_its_bfactors(logos_here: Logos, tmp_path: Path) -> None:
    found = logos_here(
        "generate", "pocket", BRD, "-m", "nano", "-n", 8, "--top", 1, "--consensus", 0.1, "--bfactors", tmp_path / "b"
    )
    (record,) = found.lines
    assert found.code == 0 and record["samples"] == 8 and len(record["frequency"]) == len(record["input"]) == 115
    assert record["answer"] == [i for i, f in enumerate(record["frequency"], 1) if f >= 0.1]
    assert record["faithful"] + sum((record.get("unfaithful") or {}).values()) == 8
    assert len(record["residues"]) == len(record["answer"]) and all(one.startswith("A:") for one in record["residues"])
    lines = (tmp_path / "b" / "4cup_pocket.pdb").read_text().splitlines()
    factors = {int(line[22:26]): float(line[60:66]) for line in lines if line.startswith("ATOM")}
    for own, place in zip(record["residues"], record["answer"], strict=True):
        assert factors[int(own.removeprefix("A:"))] == pytest.approx(100 * record["frequency"][place - 1], abs=0.01)
    assert "B-factors" in found.err and "chain A, 115 residues" in found.err


@pytest.mark.slow
def test_single_binding_site_answers(logos_here: Logos) -> None:
    records = logos_here("generate", "pocket", EXAMPLES / "proteins.fasta", "-m", "nano", "-n", 2, "--limit", 1).lines
    assert [record["sample"] for record in records] == [0, 1]
    for record in records:
        repeated = record["text"].replace("<PocketS>", "").replace("<PocketE>", "") == record["input"] + "<ProteinE>"
        assert record["valid"] == repeated and (record["answer"] is not None) == repeated


@pytest.mark.slow
@pytest.mark.parametrize("form", ["wrapped", "protein", "smiles"])
def test_ligands_for_a_pocket(logos_here: Logos, form: str) -> None:
    arguments = ("--pocket-from", "ZYB", "--form", form, "--props", "mw,sa", "--similar-to", EXAMPLES / "drugs.smi")
    records = logos_here("generate", "ligand", BRD, "-m", "nano", "-n", 3, *arguments).lines
    assert len(records) == 3
    for record in records:
        assert record["site"]["chain"] == "A" and len(record["site"]["residues"]) == len(record["site"]["pocket"]) == 6
        if record["valid"]:
            assert canonical(record["answer"]) == record["answer"] and record["props"]["mw"] > 0
            assert 0 <= record["similarity"]["tanimoto"] <= 1
        else:
            assert "props" not in record


def test_a_form_that_changed_is_told_as_it_was_typed(logos_here: Logos, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    (tmp_path / "o.jsonl.partial").touch()
    (tmp_path / "o.jsonl.partial.json").write_text('{"form": "smiles"}')
    given = ("generate", "ligand", BRD, "-m", "nano", "--pocket-from", "ZYB", "-o", out, "--resume")
    assert "form was 'smiles', is 'wrapped'" in logos_here(*given, "--form", "wrapped").err
    assert "form was 'smiles', is None" in logos_here(*given).err


def test_a_pocket_answer_is_the_next_tasks_input(logos_here: Logos) -> None:
    line = json.dumps(
        {"schema": 1, "row": 0, "id": "p", "task": "pocket", "input": "MKTAYIAKQR", "answer": [2, 5], "valid": True}
    )
    (record,) = logos_here("generate", "ligand", "-", "-m", "nano", "--max-tokens", 60, stdin=line).lines
    assert record["site"] == {"pocket": [2, 5]} and record["input"] == "MKTAYIAKQR"


@pytest.mark.slow
def test_expanded_pockets(logos_here: Logos) -> None:
    found = logos_here(
        "generate", "expand", EXAMPLES / "proteins.fasta", "-m", "nano", "--pocket-from", "8,44,68", "--limit", 1
    )
    (record,) = found.lines
    assert record["site"]["pocket"] == [8, 44, 68] and record["valid"] == (record["error"] is None)


@pytest.mark.slow
def test_materials(logos_here: Logos) -> None:
    records = logos_here("generate", "material", "-m", "nano", "-n", 12).lines
    valid = [record["answer"] for record in records if record["valid"]]
    assert valid and all(written(one["metal"]) and all(lenient(linker) == linker for linker in one["linkers"]) for one in valid)
    node = logos_here("generate", "material", "-", "-m", "nano", stdin="[Cu][Cu] paddlewheel\n").lines[0]
    assert node["id"] == "paddlewheel" and (not node["valid"] or node["answer"]["metal"] == "[Cu][Cu]")


@pytest.mark.slow
def test_molecules_from_a_prefix_and_from_sdf(logos_here: Logos) -> None:
    record = logos_here("generate", "molecule", "-", "-m", "nano", stdin="O=C(O)c1ccc\n").lines[0]
    assert record["input"] == "O=C(O)c1ccc" and (
        not record["valid"] or "C(=O)O" in record["answer"] or "O=C(O)" in record["answer"]
    )
    found = logos_here("generate", "retro", EXAMPLES / "drugs.sdf", "-m", "nano", "--top", 1, "-n", 4)
    assert [record["id"] for record in found.lines] == ["aspirin", "paracetamol", "ibuprofen", "naproxen"]


@pytest.mark.slow
def test_a_cut_is_said_before_it_happens(logos_here: Logos) -> None:
    long = ">long\n" + "MKTAYIAKQR" * 60 + "\n>short\nMKTAYIAKQR\n"
    found = logos_here("generate", "pocket", "-", "-m", "nano", stdin=long)
    first, second = found.lines
    assert first["sample"] is None and "would be cut: the prompt leaves" in first["error"] and second["sample"] == 0
    short = logos_here("generate", "pocket", "-", "-m", "nano", "--max-tokens", 5, stdin=">a\nMKTAYIAKQR\n")
    assert "give --max-tokens" in short.lines[0]["error"]
    both = logos_here("generate", "pocket", "-", "-m", "nano", "--max-tokens", 20, "--limit", 1, stdin=long)
    assert re.search(
        r"and would be cut: the prompt leaves \d+ of the model's 1,024 tokens; give a shorter part of it$",
        both.lines[0]["error"],
    )
    tight = logos_here("generate", "pocket", "-", "-m", "nano", "--max-tokens", 12, stdin=">a\nMKTAYIAKQR\n")
    assert "row 1 (a): the answer repeats the protein" in tight.err and tight.lines[0]["sample"] == 0
    ligand = logos_here(
        "generate", "ligand", "-", "-m", "nano", "--form", "protein", "-n", 1, stdin=">a\n" + "MKTAYIAKQR" * 95 + "\n"
    )
    assert "answers may be cut" in ligand.err


BAD: list[tuple[str, str, str, str]] = [
    ("pocket", ">a\nATGGCCATTGTAATGGGC\n", "", "nucleic acid"),
    ("pocket", ">a\n>b\nMKTAYIAKQR\n", "", "no sequence follows"),
    ("ligand", '{"sequence": "MKT", "pocket": [9]}\n', "", "pocket residue 9 is out of range"),
    ("ligand", ">a\nMKT\n", "--pocket-from=STI", "needs a structure"),
    ("pocket", "HEADER    X\nATOM      1  N   ALA", "", "not a readable PDB file"),
    ("material", "(((\n", "", "no metal in ((("),
    ("expand", ">a\nMKT\n", "", "no pocket in this row"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "text", "option", "reason"), BAD)
def test_bad_input_is_an_error_record(logos_here: Logos, task: str, text: str, option: str, reason: str) -> None:
    found = logos_here("generate", task, "-", "-m", "nano", *([option] if option else []), stdin=text)
    assert found.code == (len(found.lines) == 1) and "Traceback" not in found.err
    assert reason in found.lines[0]["error"] and found.lines[0]["sample"] is None
    assert "1 row without an answer (see error)" in found.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("pocket", BRD, "--format", "smi"), "--format smi holds molecules"),
        (("molecule", "--format", "fasta"), "--format fasta holds sequences"),
        (("pocket", BRD, "--props", "mw"), "of single molecules"),
        (("molecule", "--props", "weight"), "no property 'weight'"),
        (("pocket", BRD, "--bfactors", "x"), "add --top"),
        (("pocket", BRD, "--form", "smiles"), "pocket has one form"),
        (("pocket", BRD, "--consensus", 0.5), "add --top"),
        (("ligand", BRD, "--top", 2, "--consensus", 0.5), "ligand finds no pocket"),
        (("retro", EXAMPLES / "drugs.smi", "--chain", "A"), "--chain says how a protein is read, and retro takes none"),
        (("molecule", "--pocket-from", "ZYB"), "--pocket-from says how a protein is read, and molecule takes none"),
        (("material", "--cutoff", 4.5), "--cutoff says how a protein is read, and material takes none"),
        (("protein", "--chain", "A"), "give INPUT, a structure"),
        (("ligand", BRD, "--cutoff", 6), "--cutoff is the distance from what --pocket-from names"),
        (("retro", EXAMPLES / "proteins.fasta"), "holds sequences (FASTA)"),
        (("protein", EXAMPLES / "drugs.sdf"), "holds molecules (SDF)"),
    ],
)
def test_what_does_not_fit_together_is_one_line(logos_here: Logos, arguments: Any, reason: str) -> None:
    found = logos_here("generate", *arguments, "-m", "nano")
    assert found.code in (1, 2) and reason in found.err and found.out == "" and found.err.count("\n") == 1


@pytest.mark.parametrize("option", [("--chain", "A"), ("--pocket-from", "ZYB"), ("--cutoff", 5)])
def test_what_no_molecule_has_is_refused_for_scores(logos_here: Logos, option: tuple[Any, ...]) -> None:
    found = logos_here("score", EXAMPLES / "drugs.smi", "--task", "molecule", *option, "-m", "nano")
    assert found.code == 2 and f"{option[0]} says how a protein is read, and molecule takes none" in found.err


@pytest.mark.slow
def test_options_of_structures_are_read_where_there_is_one(logos_here: Logos) -> None:
    options = ("--chain", "A", "--pocket-from", "ZYB", "--cutoff", 8, "-m", "nano")
    (record,) = logos_here("generate", "ligand", BRD, *options, "--max-tokens", 20).lines
    assert len(record["site"]["residues"]) > 6
    assert logos_here("score", BRD, *options[:2], "-m", "nano").lines[0]["logprob"] < 0


@pytest.mark.slow
def test_what_was_done_to_structures_is_told_of_all(logos_here: Logos, tmp_path: Path) -> None:
    """Chain and length of the first three only: a folder may hold thousands."""
    for name in ("a", "b", "c", "e"):
        (tmp_path / f"{name}.pdb.gz").write_bytes((EXAMPLES / "1a8o.pdb.gz").read_bytes())
    plain = gzip.decompress((EXAMPLES / "1a8o.pdb.gz").read_bytes()).replace(b"MSE", b"MET")
    (tmp_path / "d.pdb").write_bytes(plain)
    told = logos_here("generate", "protein", tmp_path, "-m", "nano", "--max-tokens", 1).err
    assert [f"{name}: chain A, 70 residues" in told for name in "abcde"] == [True, True, True, False, True]
    assert told.count("4 × MSE as M") == 4


@pytest.mark.slow
def test_resuming_merged_pockets(logos_here: Logos, tmp_path: Path) -> None:
    """Killed in the middle and resumed, the file is the same as that of an uninterrupted run."""
    rows = tmp_path / "rows.fasta"
    rows.write_text("".join(f">{i}\nMKTAYIAKQR{'ACDEFGHIKL'[i]}\n" for i in range(8)))
    options = ("-m", "nano", "--top", "1", "-n", "4")
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    assert logos_here("generate", "pocket", rows, *options, "-o", whole).code == 0
    with running("generate", "pocket", rows, *options, "-o", cut, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: lines_in(tmp_path / "cut.jsonl.partial") >= 2, child)
        child.kill()
    assert logos_here("generate", "pocket", rows, *options, "-o", cut, "--resume").code == 0
    assert cut.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_resuming_structures_with_bfactors(logos_here: Logos, tmp_path: Path) -> None:
    """Files of rows that are done stay as they are, the others are named and filled as an undisturbed run does. Of the last
    record nobody knows whether its row had more; its file is written again."""
    structures, whole, cut = tmp_path / "structures", tmp_path / "whole", tmp_path / "cut"
    structures.mkdir()
    for name in "abcd":
        (structures / f"{name}.pdb.gz").write_bytes((EXAMPLES / "1a8o.pdb.gz").read_bytes())
    asked = ("generate", "pocket", structures, "-m", "nano", "--top", "1", "-n", "4", "--consensus", "0.1")
    assert logos_here(*asked, "-o", tmp_path / "whole.jsonl", "--bfactors", whole).code == 0
    rest = ("-o", tmp_path / "cut.jsonl", "--bfactors", cut)
    with running(*asked, *rest, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: lines_in(tmp_path / "cut.jsonl.partial") >= 2, child)
        child.kill()
        child.wait()
    *lines, _ = (tmp_path / "cut.jsonl.partial").read_text().rpartition("\n")[0].splitlines()
    done = [json.loads(line)["id"] for line in lines]
    before = {name: (cut / f"{name}_pocket.pdb").stat() for name in done}
    assert 0 < len(before) < 3
    assert logos_here(*asked, *rest, "--resume").code == 0
    after = {name: (cut / f"{name}_pocket.pdb").stat() for name in done}
    assert [(s.st_ino, s.st_mtime_ns) for s in after.values()] == [(s.st_ino, s.st_mtime_ns) for s in before.values()]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (whole, cut)]
    assert files[0] == files[1] and len(files[0]) == 4
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
