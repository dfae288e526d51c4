"""Which key, column or data field a row is read from: by the task's side of a reaction, in any case, or as the user says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run

from logos_cli.chemistry.grammar import RowError
from logos_cli.errors import InputError, LogosError, UsageError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import Blank
from logos_cli.tasks.table import TASKS

AMIDE, ACYL, AMINE = "CC(=O)Nc1ccc(O)cc1", "CC(=O)Cl", "Nc1ccc(O)cc1"
PAIR = f"{ACYL}.{AMINE}"
MOLECULE = (Path(__file__).parents[2] / "examples" / "drugs.sdf").read_text().split("M  END")[0] + "M  END\n"


def read(
    folder: Path, content: str, name: str = "in.jsonl", task: str = "retro", **options: Any
) -> tuple[list[Row], list[str]]:
    """(rows, what was noted) as `task` reads the file."""
    path, notes = folder / name, list[str]()
    path.write_text(content, encoding="utf-8")
    reading = Reading(TASKS[task].wants, side=TASKS[task].side, **options)
    return list(read_rows(str(path), reading, Blank(note=notes.append))), notes


def asked(folder: Path, line: dict[str, Any], task: str, **options: Any) -> str:
    """The molecules of the prompt of one JSON line, or why it has none."""
    (row,), _ = read(folder, json.dumps(line), task=task, **options)
    if row.error:
        return row.error
    try:
        return TASKS[task].prompt(row).text.replace("<MoleculeS>", "").replace("<MoleculeE>", " ").rpartition("<")[0].strip()
    except RowError as error:
        return str(error)


BOTH = f"{ACYL} {AMINE}"


@pytest.mark.parametrize(
    ("line", "retro", "react"),
    [
        ({"product": AMIDE, "reactants": PAIR}, AMIDE, BOTH),
        ({"products": AMIDE, "reactants": PAIR}, AMIDE, BOTH),
        ({"products": [AMIDE], "reactants": [ACYL, AMINE]}, AMIDE, BOTH),
        ({"Product": AMIDE, "REACTANTS": [ACYL, AMINE]}, AMIDE, BOTH),
        ({"product": AMIDE}, AMIDE, "line 1 has product and no reactants"),
        ({"reactants": PAIR}, "line 1 has reactants and no product", BOTH),
        ({"reactants": [ACYL, AMINE]}, "line 1 has reactants and no product", BOTH),
        ({"reactants": None, "product": AMIDE}, AMIDE, "line 1 has product and no reactants"),
        ({"reactants": "", "product": AMIDE}, AMIDE, "empty SMILES"),
        ({"reactants": [1], "product": AMIDE}, "line 1: expected SMILES or lists", "line 1: expected SMILES or lists"),
        ({"smiles": AMIDE, "reactants": PAIR}, AMIDE, BOTH),
        ({"reaction": f"{PAIR}>>{AMIDE}"}, AMIDE, BOTH),
        ({"rxn_smiles": f"{PAIR}>O>{AMIDE}"}, AMIDE, BOTH),
        ({"SMILES": AMIDE, "text": "a remark"}, AMIDE, AMIDE),
        ({"input": AMIDE}, AMIDE, AMIDE),
        ({"product": AMIDE, "reactants": [ACYL, "[Na+].[OH-]"]}, AMIDE, f"{ACYL} [Na+].[OH-]"),
        ({"product": AMIDE, "reactants": f"{ACYL}.[Na+]~[OH-]"}, AMIDE, f"{ACYL} [Na+].[OH-]"),
    ],
)
def test_the_side_of_a_reaction_follows_the_task(tmp_path: Path, line: dict[str, Any], retro: str, react: str) -> None:
    assert asked(tmp_path, line, "retro").startswith(retro) and asked(tmp_path, line, "react").startswith(react)


def test_columns_follow_the_task_as_keys_do(tmp_path: Path) -> None:
    table = f"id,Reactants,Products\n1,{PAIR},{AMIDE}\n"
    (row,), _ = read(tmp_path, table, "in.csv", "retro")
    assert (row.id, TASKS["retro"].prompt(row).shown, TASKS["react"].prompt(row).shown) == ("1", AMIDE, PAIR)
    with pytest.raises(InputError, match="reactants is the other side of the reaction; no column named product"):
        read(tmp_path, f"id,reactants\n1,{PAIR}\n", "in.csv", "retro")
    (row,), _ = read(tmp_path, f"id,class,reactants>reagents>production\n1,3,{PAIR}>>{AMIDE}\n", "in", "retro")
    assert TASKS["retro"].prompt(row).shown == AMIDE and row.columns == {"class": "3"}


def test_options_name_keys_and_data_fields_too(tmp_path: Path) -> None:
    line = {"smiles": "CCO", "product_smiles": AMIDE, "Cmpd": "X9"}
    (row,), _ = read(tmp_path, json.dumps(line), smiles_column="Product_SMILES", id_column="cmpd")
    assert (row.id, row.value) == ("X9", AMIDE)
    ours = {"schema": 1, "id": "a", "task": "retro", "input": "CCO", "answer": ["CC"], "valid": True}
    (row,), _ = read(tmp_path, json.dumps(ours), smiles_column="input")
    assert row.value == "CCO" and row.recorded is None, "a named key is taken, whatever else the line is"
    (row,), _ = read(tmp_path, '{"seq": "MKT", "chain2": "ACD"}', task="protein", sequence_column="Chain2")
    assert row.value == "ACD"
    fields = MOLECULE + "> <Code>\nX 9\n\n> <Parent>\nCCN\n\n$$$$\n" + MOLECULE + "$$$$\n"
    (first, second), _ = read(tmp_path, fields, "in.sdf", smiles_column="parent", id_column="code")
    assert (first.id, first.value) == ("X 9", "CCN") and "no data field 'parent'" in (second.error or "")


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ('{"smiles": "CCO", "cmpd": 1}', "in.jsonl", "no key 'nope'; it has: smiles, cmpd"),
        ("smiles,cmpd\nCCO,1\n", "in.csv", "no column 'nope'; it has: smiles, cmpd"),
        (MOLECULE + "> <Code>\n9\n\n$$$$\n", "in.sdf", "no data field 'nope'; it has: Code"),
    ],
)
@pytest.mark.parametrize("option", ["smiles_column", "id_column"])
def test_an_unknown_name_lists_what_there_is(tmp_path: Path, content: str, name: str, told: str, option: str) -> None:
    with pytest.raises(UsageError, match=told):
        read(tmp_path, content, name, **{option: "nope"})


def test_a_key_that_a_later_line_lacks_is_its_rows_error(tmp_path: Path) -> None:
    (first, second), _ = read(tmp_path, '{"a": "CCO"}\n{"b": "CCN"}\n', smiles_column="a")
    assert first.value == "CCO" and second.error == "line 2: no key 'a'; it has: b"


@pytest.mark.parametrize(
    ("header", "id"),
    [
        ("chembl_id", "A"), ("ChEMBL ID", "A"), ("Molecule ChEMBL ID", "A"), ("CID", "A"), ("PUBCHEM_COMPOUND_CID", "A"),
        ("zinc_id", "A"), ("Catalog ID", "A"), ("catalog number", "A"), ("DrugBank ID", "A"), ("DATABASE_ID", "A"),
        ("version_id", "A"), ("emol_id", "A"), ("MolPort ID", "A"), ("Name", "A"), ("batch", "2"),
    ],
)  # fmt: skip
def test_ids_of_well_known_origin(tmp_path: Path, header: str, id: str) -> None:
    (row,), notes = read(tmp_path, f"SMILES\t{header}\tMW\nCCO\tA\t46\n", "in.txt")
    assert row.id == id and any("lines are numbered" in one for one in notes) == (id == "2")
    (row,), _ = read(tmp_path, json.dumps({"smiles": "CCO", header: "A"}))
    assert row.id == ("A" if id == "A" else "1")


def test_isomeric_before_canonical(tmp_path: Path) -> None:
    flat, stereo = "CC(N)C(=O)O", "C[C@H](N)C(=O)O"
    (row,), notes = read(tmp_path, f"CID,canonical_smiles,isomeric_smiles\n1,{flat},{stereo}\n", "in.csv")
    assert row.value == stereo and "isomeric_smiles, not from canonical_smiles" in notes[0]
    (row,), notes = read(tmp_path, json.dumps({"CanonicalSMILES": flat, "IsomericSMILES": stereo}))
    assert row.value == stereo and "IsomericSMILES, not from CanonicalSMILES" in notes[0]
    (row,), notes = read(tmp_path, "id,docked_smiles_pH7\n1,CCO\n", "in.csv")
    assert row.value == "CCO" and "docked_smiles_pH7" in notes[0]
    with pytest.raises(LogosError, match="name one with --smiles-column"):
        read(tmp_path, "id,smiles_1,smiles_2\n1,CCO,CCN\n", "in.csv")


def test_sdf_titles_and_known_fields_are_ids(tmp_path: Path) -> None:
    untitled = "\n" + MOLECULE.partition("\n")[2]
    fields = "> <zinc_id>\nZ1\n\n$$$$\n"
    rows, _ = read(tmp_path, MOLECULE + fields + untitled + fields + untitled + "$$$$\n", "in.sdf")
    assert [row.id for row in rows][:2] == ["aspirin", "Z1"] and rows[2].id.isdigit()


@pytest.mark.slow
def test_no_header_is_for_tables(tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    for content, name in (('{"smiles": "CCO"}', "in.jsonl"), (MOLECULE, "in.sdf"), (">a\nMKT\n", "in.fasta")):
        (tmp_path / name).write_text(content)
        found = logos_here(
            "generate", "retro" if name != "in.fasta" else "pocket", tmp_path / name, "--no-header", "-m", "nano"
        )
        assert (found.code, found.out) == (2, "") and "--no-header is for tables" in found.err


def test_options_of_columns_are_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--id-column is for tables, and .* holds FASTA"):
        read(tmp_path, ">a\nMKT\n", "in.fasta", task="protein", id_column="x")
    with pytest.raises(UsageError, match=r"--sequence-column is for tables, and .* holds an SDF"):
        read(tmp_path, MOLECULE + "$$$$\n", "in.sdf", task="retro", sequence_column="x", smiles_column=None)
