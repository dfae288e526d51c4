"""Heavy and light chains, complexes and single-chain Fv as rows of their own: of tables, JSON lines, FASTA and Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logos_cli.chemistry.mutants import Mutations
from logos_cli.errors import InputError
from logos_cli.rows.from_python import rows_of
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row

H = "EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSRWGGDGFYAMDYWGQGTLVTVSS"
L = "DIQMTQSPSSLSASVGDRVTITCRASQDVNTAVAWYQQKPGKAPKLLIYSASFLYSGVPSRFSGSRSGTDFTLTISSLQPEDFATYYCQQHYTTPPTFGQGTKVEIK"
LINKER = "GGGGS" * 3


def rows(path: Path, text: str, antibodies: bool = True, **options: Any) -> list[Row]:
    path.write_text(text)
    asked: dict[str, Any] = {"wants": "sequence", "antibodies": antibodies, **options}
    found = list(read_rows(str(path), Reading(**asked)))
    assert [one.ordinal for one in found] == list(range(len(found)))
    return found


def told(found: list[Row]) -> list[tuple[str, str | None]]:
    return [(one.id, one.value if isinstance(one.value, str) else one.error) for one in found]


PAIR = [("t/H", H), ("t/L", L)]


NAMES = (
    "VH,VL", "heavy,light", "Heavy Chain,Light Chain", "HeavySequence,LightSequence", "H,L", "fv_heavy,fv_light",
    "sequence_alignment_aa_heavy,sequence_alignment_aa_light",
)  # fmt: skip


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("wants", ["sequence", "any"])
def test_two_columns(tmp_path: Path, names: str, wants: str) -> None:
    found = rows(tmp_path / "x.csv", f"Name,{names},kd\nt,{H},{L},7\n", wants=wants)
    assert told(found) == PAIR and [one.columns for one in found] == [{"kd": "7"}] * 2
    assert [one.part for one in found] == ["H", "L"] and found[1].site is not None
    assert found[1].site.own_numbers.runs() == "L:1-107"


def test_two_columns_by_option_and_absent_chains(tmp_path: Path) -> None:
    text = f"Name,A,B\nt,{H},{L}\nn,{H},na\ne,,\n"
    asked: list[tuple[str, str | None]] = [("t/A", H), ("t/B", L), ("n", H), ("e", "no sequence of any of its chains")]
    assert told(rows(tmp_path / "x.csv", text, sequence_column="A,B")) == asked
    nanobody = rows(tmp_path / "y.tsv", f"id\tVHH\nn\t{H}\n")
    assert told(nanobody) == [("n", H)] and nanobody[0].part == "H" and nanobody[0].site is None
    assert told(rows(tmp_path / "z.csv", f"id,sequence,heavy,light\nt,{L},{H},{L}\n")) == [("t", L)]
    with pytest.raises(InputError, match="no column named sequence; it has: pdb, Hchain, Lchain"):
        rows(tmp_path / "sabdab.csv", "pdb,Hchain,Lchain\n1n8z,B,A\n")


def test_keys_of_json_lines_and_mappings(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [
        {"id": "t", "heavy": H, "light": L}, {"id": "t", "H": H, "L": L}, {"id": "n", "VH": H, "VL": None},
        {"id": "x", "VH": 5},
    ]  # fmt: skip
    found = rows(tmp_path / "x.jsonl", "".join(json.dumps(one) + "\n" for one in items))
    assert told(found) == [*PAIR, *PAIR, ("n", H), ("x", "line 4: VH: not all of them are a text")]
    assert told(list(rows_of(items[:2], Reading("sequence", antibodies=True)))) == PAIR * 2
    molecule = rows(tmp_path / "y.jsonl", json.dumps({"smiles": "CCO", "h": 1.5, "l": 2}) + "\n", wants="any")
    assert told(molecule) == [("1", "CCO")], "single letters are also names of figures"


@pytest.mark.parametrize("mark", [":", "/", "|"])
def test_two_chains_of_one_record(tmp_path: Path, mark: str) -> None:
    text = f">t\n{H}{mark}{L}\n>u\n{L}{mark}{H}\n>v\n{H}\n"
    assert told(rows(tmp_path / "x.fasta", text)) == [*PAIR, ("u/L", L), ("u/H", H), ("v", H)]
    complexes = rows(tmp_path / "x.fasta", text, antibodies=False)
    assert told(complexes) == [("t/1", H), ("t/2", L), ("u/1", L), ("u/2", H), ("v", H)]


def test_a_single_chain_fv(tmp_path: Path) -> None:
    text = f">s\nMK{H}{LINKER}{L}HHHHHH\n>r\n{L}{LINKER}{H}\n>d\n{H}{LINKER}{H}\n>h\n{H}{'ASTKGPSVFPLAP' * 8}\n"
    found = rows(tmp_path / "x.fasta", text)
    assert told(found)[:6] == [("s/H", H), ("s/L", L), ("r/L", L), ("r/H", H), ("d/H1", H), ("d/H2", H)]
    assert found[6].id == "h" and len(found[6].value or "") > 200, "one domain and its constant part are one row"
    light = found[1]
    assert light.site is not None and light.site.own_numbers.runs() == "L:138-244"
    assert light.site.notes == ("variable domain 138-244 of 250 residues",)
    whole = rows(tmp_path / "x.fasta", text, antibodies=False)
    assert [one.id for one in whole] == ["s", "r", "d", "h"]


def test_mutations_of_a_pair_and_of_a_single_chain_fv(tmp_path: Path) -> None:
    heavy, light = rows(tmp_path / "x.fasta", f">s\n{H}{LINKER}{L}\n")
    assert heavy.site is not None and light.site is not None

    def names(spec: str, row: Row) -> list[tuple[str, str | None]]:
        assert isinstance(row.value, str) and row.site is not None
        found = Mutations.parse(spec).of(row.value, row.site.own_numbers, row.part)
        return [(one.name, one.error) for one in found]

    assert names("H:S97A", heavy) == [("S97A", None)] and names("H:S97A", light) == []
    assert len(names("CDRH3", heavy)) == 13 * 19 and names("CDRH3", light) == []
    assert names("D136A", light) == [("D136A", None)], "numbers are those of what was given"
    assert "H:136" in str(names("H:D136A", heavy)[0][1]) and len(names("CDR3", light)) == 9 * 19
