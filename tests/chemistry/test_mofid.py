"""MOFs by their MOFid and as QMOF's table has them: what is node and what is linker."""

from __future__ import annotations

from pathlib import Path

import pytest

from logos_cli.benchmarks.metrics.truths import read_answers
from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.mofid import building_blocks, is_mofid, organic
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.tasks.table import TASKS, task_for

BDC, ZN4O = "[O-]C(=O)c1ccc(cc1)C(=O)[O-]", "[Zn][O]([Zn])([Zn])[Zn]"
MATERIAL = TASKS["material"]


@pytest.mark.parametrize(
    ("smiles", "node", "linkers"),
    [
        ("[Co].[O-]C(=O)c1ccncc1", "[Co]", ("[O-]C(=O)c1ccncc1",)),
        (f"{BDC}.{ZN4O} MOFid-v1.pcu.cat1;MOF-5", ZN4O, (BDC,)),
        ("[Cu][Cu].[O-]C(=O)c1cc(cc(c1)C(=O)[O-])C(=O)[O-]", "[Cu][Cu]", ("[O-]C(=O)c1cc(cc(c1)C(=O)[O-])C(=O)[O-]",)),
        ("Cc1ncc[n-]1.[Zn]", "[Zn]", ("Cc1ncc[n-]1",)),
        ("[Zn].[Cu].c1cc(ccn1)c1ccncc1.F[Si](F)(F)(F)(F)F", "[Zn].[Cu]", ("c1cc(ccn1)c1ccncc1", "F[Si](F)(F)(F)(F)F")),
        ("[O-]C(=O)C(=O)[O-].[60Ni+2]", "[60Ni+2]", ("[O-]C(=O)C(=O)[O-]",)),
        ("[OH2][Mg].[CH3][O-]", "[OH2][Mg]", ("[CH3][O-]",)),
        ("O[Zr]123(O)[OH][Zr]3([OH]1)[OH]2.OC(=O)/C=C/C(=O)O", "O[Zr]123(O)[OH][Zr]3([OH]1)[OH]2", ("OC(=O)/C=C/C(=O)O",)),
        ("[Sc].[se]1cccc1", "[Sc]", ("[se]1cccc1",)), ("[Zn]", "[Zn]", ()), (BDC, "", (BDC,)),
        ("* MOFid-v1.NA.no_mof", "", ("*",)),
    ],
)  # fmt: skip
def test_parts_with_a_metal_are_the_node(smiles: str, node: str, linkers: tuple[str, ...]) -> None:
    assert building_blocks(smiles) == (node, linkers)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [("CO", True), ("c1ccccc1", True), ("[CH3-]", True), ("Cl", False), ("[Cl-]", False), ("O", False), ("[Co]C", False)],
)
def test_what_is_organic(smiles: str, expected: bool) -> None:
    assert organic(smiles) is expected


def rows(path: Path, text: str, name: str, **options: str) -> list[Row]:
    (path / name).write_text(text)
    return list(read_rows(str(path / name), Reading(**{"wants": "smiles", **options})))  # type: ignore[arg-type]


QMOF = (
    "qmof_id,name,info.mofid.mofid,info.mofid.smiles_nodes,info.mofid.smiles_linkers,info.mofid.smiles\n"
    f"""q1,MOF-5,"{BDC}.{ZN4O} MOFid-v1.pcu.cat1","['{ZN4O}']","['{BDC}']",{BDC}.{ZN4O}\n"""
)


def test_mofids_and_qmof_are_read_by_every_command(tmp_path: Path) -> None:
    found = rows(tmp_path, f"{BDC}.{ZN4O} MOFid-v1.pcu.cat1;MOF-5\n", "mofid.smi")
    found += rows(tmp_path, QMOF, "qmof.csv") + rows(tmp_path, QMOF, "qmof.csv", smiles_column="info.mofid.smiles")
    assert len(found) == 3
    for row in found:
        assert MATERIAL.prompt(row).text == f"<MaterialS><MetalS>{ZN4O}<MetalE>"
        example = MATERIAL.example(row)
        assert example and example.prompt.text == "<MaterialS>"
        assert example.text == f"<MetalS>{ZN4O}<MetalE><MoleculeS>{BDC}<MoleculeE><MaterialE>"
    assert [task_for(row).name for row in found[:2]] == ["material", "material"]
    known = read_answers(tmp_path / "mofid.smi", MATERIAL)
    assert known == read_answers(tmp_path / "qmof.csv", MATERIAL) and len(known) == 1


def test_a_linker_that_holds_a_metal_is_what_qmof_says() -> None:
    columns = {"info.mofid.smiles_nodes": "['[Zr]']", "info.mofid.smiles_linkers": "['[Co]N1C=CC=C1']"}
    assert building_blocks("[Zr].[Co]N1C=CC=C1", columns) == ("[Zr]", ("[Co]N1C=CC=C1",))
    for cell in ("", "[", "[]", "{}", "__import__('os')", "[1]"):
        assert building_blocks("[Zr].CO", columns | {"info.mofid.smiles_linkers": cell}) == ("[Zr]", ("CO",))


def test_a_node_is_no_linker() -> None:
    with pytest.raises(RowError, match="no metal in"):
        MATERIAL.prompt(Row(0, "x", BDC))
    for asked in (MATERIAL.prompt, MATERIAL.example):
        with pytest.raises(RowError, match="a part of the node is organic"):
            asked(Row(0, "x", material=(f"[Zn].{BDC}", ("CO",))))
    example = MATERIAL.example(Row(0, "x", "[Zn]"))
    assert example and example.text is None and MATERIAL.prompt(Row(0, "x", "[Zn]")).shown == "[Zn]"
    assert MATERIAL.prompt(Row(0, "x", value="")).text == "<MaterialS>"


def test_other_names_are_no_mofid() -> None:
    assert is_mofid("CC", "MOFid-v1.pcu.cat0;X") and is_mofid("CC.[Zn] MOFid-v1.pcu.cat0")
    assert not is_mofid("CC", "MOF-5") and not is_mofid("CC", None)
