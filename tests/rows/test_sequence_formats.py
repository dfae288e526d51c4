"""Files of biology that are no list of sequences: read by their content, or refused in one line; never answered as proteins."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from logos_cli.chemistry.grammar import RowError, residues
from logos_cli.errors import InputError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row

EXAMPLES = Path(__file__).parents[2] / "examples"
ATOMS = """\
ATOM      1  N   MET A   1      11.104   6.134  -6.504  1.00  0.00           N
ATOM      2  CA  MET A   1      11.639   6.071  -5.147  1.00  0.00           C
ATOM      3  C   MET A   1      11.001   4.926  -4.363  1.00  0.00           C
ATOM      4  N   LYS A   2      10.600   5.300  -3.150  1.00  0.00           N
ATOM      5  CA  LYS A   2       9.900   4.400  -2.250  1.00  0.00           C
ATOM      6  C   LYS A   2      10.500   4.300  -0.850  1.00  0.00           C
"""


def read(tmp_path: Path, data: str | bytes, name: str = "piped", **options: Any) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(read_rows(str(path), Reading(**{"wants": "sequence", **options})))


@pytest.mark.parametrize(
    "before",
    [
        "MODEL 1\n", "MODEL        1\n", "TER\n", "PARENT N/A\n", "USER  MOD\n", "REMARK\n", "HEADER\n",
        "REMARK   1 REFERENCE\n", "HELIX    1   1 SER A    2  LYS A   10  1\n", "SHEET    1   A 2 LEU A  10\nDBREF  1ABC\n",
        "# by a script\n", "PFRMAT TS\nTARGET T1024\nMODEL  1\nPARENT N/A\n",
        "CRYST1   50.000\n", "SEQRES   1 A    2  MET LYS\n", "\n\n", "ROOT\n", "model 1\n",
    ],
)  # fmt: skip
def test_a_pdb_is_known_by_its_lines(tmp_path: Path, before: str) -> None:
    for text in (before + ATOMS + "END\n", (before + ATOMS).replace("\n", "\r\n"), (before + ATOMS).replace("\n", "\r")):
        assert [(row.value, row.error) for row in read(tmp_path, text)] == [("MK", None)]
    assert [row.value for row in read(tmp_path, gzip.compress((before + ATOMS).encode()))] == ["MK"]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("Stockholm", "# STOCKHOLM 1.0\n\nseq1  MKT-AY\n//\n"),
        ("Clustal", "CLUSTAL O(1.2.4) multiple sequence alignment\n\n\nseq1      MKTAY\n"),
        ("Clustal", "MUSCLE (3.8) multiple sequence alignment\n\nseq1      MKTAY\n"),
        ("GenBank", "LOCUS       NP_000509    147 aa    linear   PRI\nORIGIN\n        1 mvhltpeeks\n//\n"),
        ("EMBL or UniProt", "ID   HBB_HUMAN    Reviewed;   147 AA.\nAC   P68871;\nSQ   SEQUENCE\n     MVHLTPEEKS\n//\n"),
        ("PIR", ">P1;HBB\nhemoglobin\nMVHLTPEEKS*\n"),
        ("NEXUS", "#NEXUS\nbegin data;\nmatrix\nMKT\n"),
        ("GCG", "!!AA_MULTIPLE_ALIGNMENT 1.0\n\n  x.msf\n"),
        ("PHYLIP", " 2 5\nseq1      MKTAY\nseq2      MKTAF\n"),
        ("FASTQ", "@read1\nACGTACGT\n+\nIIIIIIII\n"),
        ("genomes", "##gff-version 3\nchr1\t.\tCDS\n"),
        ("profile", "HMMER3/f [3.3]\nNAME  x\n"),
        ("HHsearch", "Query         T1024\nMatch_columns 408\n"),
        ("Boltz", "version: 1\nsequences:\n  - protein:\n      id: A\n      sequence: MKTAY\n"),
        ("Boltz", "# mine\nsequences:\n- protein:\n    id: A\n"),
        ("AlphaFold 3", '{\n  "name": "x",\n  "modelSeeds": [1],\n  "sequences": [{"protein": {"id": "A"}}]\n}\n'),
        ("AlphaFold 3", '[{"name": "x", "sequences": [{"proteinChain": {"sequence": "MK", "count": 1}}]}]'),
        ("mol2", "@<TRIPOS>MOLECULE\nx\n"),
        ("headers begin with ;", ";LCBO - prolactin\nMDSKGSSQKGSR\n"),
        ("header at line 3", "MKTAY\nACD\n>second\nMKT\n"),
        ("PQR", ATOMS.replace("  1.00  0.00           ", "  -0.3000 1.5500").replace("500N", "500").replace("500C", "500")),
        ("PQR", "HEADER\nHEADER by fpocket\nATOM      1    O STP     1      -1.385  33.546   3.562    0.00     4.43\nTER\n"),
        ("MMTF", b"\xde\x00\x24\xabmmtfVersion\xa51.0.0\xacmmtfProducer\xa3abc"),
    ],
)  # fmt: skip
def test_formats_that_are_not_read_are_named(tmp_path: Path, told: str, text: str | bytes) -> None:
    for wants in ("sequence", "any", "smiles"):
        with pytest.raises(InputError, match="is not read") as error:
            read(tmp_path, text, wants=wants)
        assert told in str(error.value) and "\n" not in str(error.value)


def test_a_format_that_nobody_knows_is_refused_whole(tmp_path: Path) -> None:
    for text in ("12 34\n56 78\n90 12\n", "x=1\ny=2\nz=3\n", "<a>\n<b>\n<c>\n", "%!PS\n% one\n%% two\n"):
        with pytest.raises(InputError, match="no sequences and no format that is read: it begins with"):
            read(tmp_path, text)
    assert len(read(tmp_path, "M-K\nMKT\nM1\n")) == 3, "what cannot be used of a list is its row's error"


@pytest.mark.parametrize(
    "text", ["# comment\n; another\n>one\nMKT\nAY\n>two\nACD\n", ";old\n>one\nMKT\n;between\nAY\n>two\nACD\n"]
)
def test_remarks_before_fasta(tmp_path: Path, text: str) -> None:
    for one in (text, text.replace("\n", "\r")):
        assert [(row.id, row.value) for row in read(tmp_path, one)] == [("one", "MKTAY"), ("two", "ACD")]


def test_alignments_are_read_without_their_gaps(tmp_path: Path) -> None:
    found = read(tmp_path, ">query\nMKT-AY\n>two\nM-TWAY\n>three\n---WA.\n>four\n------\n")
    assert [row.value for row in found] == ["MKTAY", "MTWAY", "WA", None] and found[3].error == "nothing but gaps"
    found = read(tmp_path, ">query\nMKTAY\n>hit\t0.5\nM-TwwAY\n", "x.a3m")
    assert [row.value for row in found] == ["MKTAY", "MTWWAY"] and found[1].id == "hit"
    gapped = read(tmp_path, ">a\nMK-TAY\n>b\nACD\n")
    assert [row.value for row in gapped] == ["MK-TAY", "ACD"], "no alignment: what is missing there is not told"


def test_the_chains_of_a_colabfold_query(tmp_path: Path) -> None:
    text = "#4,3\t1,1\n>101\t102\nMKTAACD\n>first\nMkKT----\n>both\t12\nM-TAaAC-\n>u1\tu2\nMKTAA-D\n>wrong\nMK\n"
    found = read(tmp_path, text, "x.a3m")
    assert [(row.id, row.value) for row in found] == [
        ("101", "MKTA"), ("102", "ACD"), ("first/1", "MKKT"), ("both/1", "MTAA"), ("both/2", "AC"), ("u1", "MKTA"),
        ("u2", "AD"), ("wrong", None),
    ]  # fmt: skip
    assert [row.ordinal for row in found] == list(range(8)) and "the first line says 4 + 3" in (found[7].error or "")
    assert [row.value for row in read(tmp_path, "#5\t1\n>101\nMKTAY\n>x\nM-tTAY\n", "x.a3m")] == ["MKTAY", "MTTAY"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Met Gln Ile Phe", "three-letter"), ("MetGlnIlePhe", "three-letter"), ("METGLNILEPHEVALLYS", "three-letter"),
        ("MET-GLN-ILE", "three-letter"), ("CCCCN", "SMILES"), ("CCNCC", "SMILES"), ("ACGTRYSWKMACGTACGTACGT", "nucleic"),
        ("GGNTAYGARTGGATGN", "nucleic"), ("AUGGCUAACUGA", "nucleic"), ("MKX", "not one of"),
    ],
)  # fmt: skip
def test_letters_that_are_no_protein(text: str, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        residues(text)


def test_letters_that_are_a_protein() -> None:
    assert residues("MAYIAKKVUGTQ") == "MAYIAKKVCGTQ", "selenocysteine, as in structures"
    for peptide in ("GCCSNPVCHLEHSNLC", "ALAALAALAALA", "GGGGS", "PPPPP", "MKTayIAK*", "CSNLSTCVLGKLSQELHKLQTYPRTNTGSGTP"):
        assert residues(peptide) == peptide.upper().rstrip("*")


def test_records_that_say_what_else_they_are(tmp_path: Path) -> None:
    found = read(tmp_path, ">protein|name=A\nMKTAY\n>ligand|name=B\nCCCCN\n>B|smiles\nNCC\n>C|dna\nACGT\n>sp|P68871|HBB\nMVH\n")
    assert [row.error is None for row in found] == [True, False, False, False, True]
    assert "no protein but ligand" in (found[1].error or "")
    assert "three-letter" in (read(tmp_path, ">x\nMet Gln Ile\nPhe Val\n")[0].error or "")
    (row,) = read(tmp_path, "Met Gln Ile Phe\n")
    with pytest.raises(RowError, match="three-letter"):
        residues(str(row.value))


def test_a_crystals_cif_is_named(tmp_path: Path) -> None:
    text = "data_x\n_cell_length_a 10\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\nZn1 0.1 0.2\n"
    (row,) = read(tmp_path, text, "mof.cif")
    assert row.error and "fractional coordinates" in row.error


def test_lists_stay_lists(tmp_path: Path) -> None:
    assert [row.value for row in read(tmp_path, "MODELKT a\nTERRY b\nENDKT\n")] == ["MODELKT", "TERRY", "ENDKT"]
    for text in ("CCO ethanol\nCCN x\n", "[Na+].[Cl-] salt\n", "C#N\nCC\n"):
        assert len(read(tmp_path, text, wants="smiles")) == 2 - text.startswith("[")
