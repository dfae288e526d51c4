"""Properties and similarity: RDKit's values, on valid answers only."""

from __future__ import annotations

from pathlib import Path

import pytest

from logos_cli.chemistry.properties import PROPERTIES, names_of, parsed, properties_of
from logos_cli.errors import InputError, UsageError
from logos_cli.pipeline.annotation import Annotation, References
from logos_cli.records.record import Formatter, Record

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
EXAMPLES = Path(__file__).parents[2] / "examples"


def record(smiles: str, valid: bool = True) -> Record:
    return Record(0, "a", "molecule", "", "m", sample=0, answer=smiles, valid=valid, smiles=smiles)


def test_values_of_aspirin() -> None:
    """As PubChem (CID 2244) states them, but for logP, QED and SA, which are models; these as RDKit's papers' code gives."""
    found = properties_of(parsed(ASPIRIN), tuple(PROPERTIES))
    assert found["mw"] == pytest.approx(180.16, abs=0.01) and found["tpsa"] == pytest.approx(63.6, abs=0.05)
    assert (found["hbd"], found["hba"]) == (1, 3) and found["rotb"] in (2, 3)
    assert found["logp"] == pytest.approx(1.31, abs=0.01) and found["qed"] == pytest.approx(0.55, abs=0.01)
    assert found["sa"] is not None and 1 < found["sa"] < 2.5
    hard = properties_of(parsed("O=C1O[C@@H]2CC[C@]3(C)C1[C@@]23C4CC5CC(O4)C5"), ("sa",))
    assert hard["sa"] is not None and hard["sa"] > 4 > found["sa"]


def test_names() -> None:
    assert names_of("mw, LogP,mw") == ("mw", "logp") and names_of("") == ()
    with pytest.raises(UsageError, match="no property 'weight'; there are: mw, logp, qed, tpsa, sa, rotb, hbd, hba"):
        names_of("weight")


def test_the_nearest_reference() -> None:
    references = References.read(EXAMPLES / "drugs.smi")
    assert references.nearest(parsed("O=C(C)Oc1ccccc1C(=O)O")) == {"tanimoto": 1.0, "to": "aspirin"}
    assert references.nearest(parsed("CC(=O)Oc1ccccc1C(=O)OC"))["to"] == "aspirin"
    from_sdf = References.read(EXAMPLES / "drugs.sdf")
    assert from_sdf.nearest(parsed(ASPIRIN)) == {"tanimoto": 1.0, "to": "aspirin"}


def test_a_file_without_molecules(tmp_path: Path) -> None:
    (tmp_path / "x.smi").write_text("nonsense\n")
    with pytest.raises(InputError, match="no valid molecule"):
        References.read(tmp_path / "x.smi")


def test_only_valid_answers_have_them() -> None:
    annotation = Annotation(("mw", "hbd"), References.read(EXAMPLES / "drugs.smi"))
    good, bad = annotation.of(record(ASPIRIN)), annotation.of(record("nonsense", valid=False))
    assert good.props == {"mw": 180.16, "hbd": 1} and good.similarity == {"tanimoto": 1.0, "to": "aspirin"}
    assert bad.props is None and bad.similarity is None
    assert Formatter("smi").lines(good) == f"{ASPIRIN}\ta\t1\t1\t180.16\t1\t1.0\taspirin\n"
    csv = Formatter("csv", wanted=annotation.columns)
    lines = (csv.lines(bad) + csv.lines(good)).splitlines()
    assert lines[0].endswith(",mw,hbd,tanimoto,to") and lines[1].endswith(",,,,") and lines[2].endswith(",180.16,1,1.0,aspirin")
