"""Numbering of antibodies against AbNumber 0.4.4, which gave the CDRs below with ANARCI 2026.2.13 and HMMER 3.4,
allowed_species human and mouse: trastuzumab, adalimumab, rituximab, a humanized kappa chain, a lambda chain, a camelid's
domain, a bovine one with a CDR3 of 60 residues."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from logos_cli.chemistry.antibody import domains, numbering, region_places
from logos_cli.chemistry.grammar import RowError
from logos_cli.chemistry.mutants import Mutations
from logos_cli.commands.app import app
from logos_cli.errors import UsageError

FAB = {
    "trastuzumab H": "EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRY"
    "ADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSRWGGDGFYAMDYWGQGTLVTVSS",
    "trastuzumab L": "DIQMTQSPSSLSASVGDRVTITCRASQDVNTAVAWYQQKPGKAPKLLIYSASFLYSGVPS"
    "RFSGSRSGTDFTLTISSLQPEDFATYYCQQHYTTPPTFGQGTKVEIK",
    "adalimumab H": "EVQLVESGGGLVQPGRSLRLSCAASGFTFDDYAMHWVRQAPGKGLEWVSAITWNSGHIDY"
    "ADSVEGRFTISRDNAKNSLYLQMNSLRAEDTAVYYCAKVSYLSTASSLDYWGQGTLVTVSS",
    "adalimumab L": "DIQMTQSPSSLSASVGDRVTITCRASQGIRNYLAWYQQKPGKAPKLLIYAASTLQSGVPS"
    "RFSGSGSGTDFTLTISSLQPEDVATYYCQRYNRAPYTFGQGTKVEIK",
    "rituximab H": "QVQLQQPGAELVKPGASVKMSCKASGYTFTSYNMHWVKQTPGRGLEWIGAIYPGNGDTSY"
    "NQKFKGKATLTADKSSSTAYMQLSSLTSEDSAVYYCARSTYYGGDWYFNVWGAGTTVTVSA",
    "rituximab L": "QIVLSQSPAILSASPGEKVTMTCRASSSVSYIHWFQQKPGSSPKPWIYATSNLASGVPVR"
    "FSGSGSGTSYSLTISRVEAEDPATYYCQQWTSNPPTFGGGTKLEIK",
    "humanized K": "DIQMTQSPSSLSASVGDRVTITCRASSSVSYMHWYQQKPGKAPKPLIYAPSNLASGVPSR"
    "FSGSGSGTDFTLTISSLQPEDFATYYCQQWSFNPPTFGQGTKVEIK",
    "5dur L": "ALTQPPSVSGAPGQRVTIPCTGGSSNIGAGYSVHWYQQLPGTAPKLLIYGSNSRPSGVPD"
    "RFSGSKSGTSASLAITGLRPEDEADYYCQSYDSSLSGSQVFGAGTRVTVL",
    "caplacizumab H": "EVQLVESGGGLVQPGGSLRLSCAASGRTFSYNPMGWFRQAPGKGRELVAAISRTGGSTYY"
    "PDSVEGRFTISRDNAKRMVYLQMNSLRAEDTAVYYCAAAGVRAEDGRVRTLPSEYTFWGQGTQVTVSS",
    "bovine H": "QVQLRESGPSLVKPSQTLSLTCTASGFSLSDKAVGWVRQAPGKALEWLGGIDTGGSTGYN"
    "PGLKSRLSITKDNSKSQVSLSVSSVTTEDSATYYCTTVHQETRKTCSDGYIAVDSCGRGQSDGCVNDCNSCYYGWRNCRRQPAIHSYEFHVDAWGRGLLVTVSS",
}  # fmt: skip
PUBLISHED = {
    ("trastuzumab H", "imgt"): ("GFNIKDTY", "IYPTNGYT", "SRWGGDGFYAMDY"),
    ("trastuzumab L", "imgt"): ("QDVNTA", "SAS", "QQHYTTPPT"),
    ("adalimumab H", "imgt"): ("GFTFDDYA", "ITWNSGHI", "AKVSYLSTASSLDY"),
    ("adalimumab L", "imgt"): ("QGIRNY", "AAS", "QRYNRAPYT"),
    ("rituximab H", "imgt"): ("GYTFTSYN", "IYPGNGDT", "ARSTYYGGDWYFNV"),
    ("rituximab L", "imgt"): ("SSVSY", "ATS", "QQWTSNPPT"),
    ("trastuzumab H", "kabat"): ("DTYIH", "RIYPTNGYTRYADSVKG", "WGGDGFYAMDY"),
    ("trastuzumab L", "kabat"): ("RASQDVNTAVA", "SASFLYS", "QQHYTTPPT"),
    ("adalimumab H", "kabat"): ("DYAMH", "AITWNSGHIDYADSVEG", "VSYLSTASSLDY"),
    ("adalimumab L", "kabat"): ("RASQGIRNYLA", "AASTLQS", "QRYNRAPYT"),
    ("rituximab H", "kabat"): ("SYNMH", "AIYPGNGDTSYNQKFKG", "STYYGGDWYFNV"),
    ("rituximab L", "kabat"): ("RASSSVSYIH", "ATSNLAS", "QQWTSNPPT"),
    ("trastuzumab H", "chothia"): ("GFNIKDT", "YPTNGY", "WGGDGFYAMDY"),
    ("rituximab H", "chothia"): ("GYTFTSY", "YPGNGD", "STYYGGDWYFNV"),
    ("trastuzumab L", "chothia"): ("RASQDVNTAVA", "SASFLYS", "QQHYTTPPT"),
    ("adalimumab H", "chothia"): ("GFTFDDY", "TWNSGH", "VSYLSTASSLDY"),
    ("adalimumab L", "chothia"): ("RASQGIRNYLA", "AASTLQS", "QRYNRAPYT"),
    ("rituximab L", "chothia"): ("RASSSVSYIH", "ATSNLAS", "QQWTSNPPT"),
    ("humanized K", "imgt"): ("SSVSY", "APS", "QQWSFNPPT"),
    ("humanized K", "kabat"): ("RASSSVSYMH", "APSNLAS", "QQWSFNPPT"),
    ("humanized K", "chothia"): ("RASSSVSYMH", "APSNLAS", "QQWSFNPPT"),
    ("5dur L", "imgt"): ("SSNIGAGYS", "GSN", "QSYDSSLSGSQV"),
    ("5dur L", "kabat"): ("TGGSSNIGAGYSVH", "GSNSRPS", "QSYDSSLSGSQV"),
    ("caplacizumab H", "imgt"): ("GRTFSYNP", "ISRTGGST", "AAAGVRAEDGRVRTLPSEYTF"),
    ("caplacizumab H", "kabat"): ("YNPMG", "AISRTGGSTYYPDSVEG", "AGVRAEDGRVRTLPSEYTF"),
    ("caplacizumab H", "chothia"): ("GRTFSYN", "SRTGGS", "AGVRAEDGRVRTLPSEYTF"),
    ("bovine H", "imgt"): ("GFSLSDKA", "IDTGGST", "TTVHQETRKTCSDGYIAVDSCGRGQSDGCVNDCNSCYYGWRNCRRQPAIHSYEFHVDA"),
}


@pytest.mark.parametrize(("name", "scheme"), PUBLISHED)
def test_published_cdrs(name: str, scheme: str) -> None:
    (domain,) = numbering(FAB[name], scheme)["domains"]
    assert (domain["CDR1"], domain["CDR2"], domain["CDR3"]) == PUBLISHED[name, scheme]
    assert len(domain["numbers"]) == len(FAB[name]) and domain["first"] == 1


@pytest.mark.parametrize("name", FAB)
def test_conserved_residues(name: str) -> None:
    """IMGT's 1st-CYS 23, CONSERVED-TRP 41, 2nd-CYS 104, J-TRP or J-PHE 118, whichever species' profile is the nearest."""
    (found,) = domains(FAB[name], "imgt")
    at = dict(zip(found.numbers, FAB[name][found.first - 1 :], strict=False))
    assert [at[number] for number in ("23", "41", "104")] == ["C", "W", "C"] and at["118"] in "WF"


def test_every_number_is_there_once() -> None:
    for name, sequence in FAB.items():
        for scheme in ("imgt", "kabat", "chothia"):
            if (name, scheme) in PUBLISHED:
                (found,) = domains(sequence, scheme)
                assert len(set(found.numbers)) == len(found.numbers)


def test_a_loop_too_long_for_a_scheme() -> None:
    with pytest.raises(RowError, match="a variable domain that kabat has no numbers for"):
        numbering(FAB["bovine H"], "kabat")


def test_anchors_and_insertions_of_trastuzumab() -> None:
    sequence = FAB["trastuzumab H"]
    (imgt,), (kabat,) = domains(sequence, "imgt"), domains(sequence, "kabat")
    at = dict(zip(imgt.numbers, sequence, strict=True))
    # IMGT's conserved residues: 1st-CYS 23, CONSERVED-TRP 41, hydrophobic 89, 2nd-CYS 104, J-TRP 118.
    assert "".join(at[number] for number in ("23", "41", "89", "104", "118")) == "CWLCW"
    coded = [number for number in kabat.numbers if number[-1].isalpha()]
    assert coded == ["52A", "82A", "82B", "82C", "100A", "100B", "100C"]


def test_both_domains_of_a_single_chain_fv() -> None:
    heavy, light = FAB["trastuzumab H"], FAB["trastuzumab L"]
    sequence = heavy + "GGGGS" * 3 + light
    one, other = domains(sequence, "imgt")
    assert (one.chain, one.first, other.chain, other.first) == ("H", 1, "K", len(heavy) + 16)
    picked = [
        "".join(sequence[at - 1] for at in region_places(sequence, "kabat", name)) for name in ("CDRH3", "cdr-l3", "CDR3")
    ]
    assert picked == ["WGGDGFYAMDY", "QQHYTTPPT", "WGGDGFYAMDYQQHYTTPPT"]


def test_mutants_of_a_region() -> None:
    sequence = FAB["trastuzumab H"]
    found = list(Mutations.parse("CDR3", "imgt").of(sequence))
    assert len(found) == 13 * 19 and found[0].name == "S97A" and not any(one.error for one in found)
    assert len(list(Mutations.parse("CDRH3,S97A", "kabat").of(sequence))) == 11 * 19 + 1
    (wrong,) = Mutations.parse("CDRL3").of(sequence)
    assert wrong.error == "no CDRL3 in this sequence by imgt: H at 1-120"
    (none,) = Mutations.parse("CDR3").of("MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEG")
    assert none.error == "no variable domain of an antibody found in this sequence"
    with pytest.raises(RowError):
        numbering("MKT", "imgt")


@pytest.mark.slow
def test_a_score_carries_the_numbering(nano_bf16: Path, tmp_path: Path) -> None:
    sequence, rows = FAB["rituximab L"], tmp_path / "rows.fasta"
    rows.write_text(f">L\n{sequence}\n>no\nMQIFVKTLTGKTITLEVEPSDT\n")
    asked = ["score", str(rows), "-m", str(nano_bf16), "--threads", "1"]
    for scheme, more, records in (("kabat", [], 2), ("imgt", ["--mutants", "CDR2"], 1 + 3 * 19 + 1)):
        result = CliRunner().invoke(app, [*asked, "--scheme", scheme, "--task", "antibody", *more])
        assert result.exit_code == 0
        found = [json.loads(line) for line in result.stdout.splitlines()]
        assert found[0]["numbering"] == numbering(sequence, scheme) and found[0]["mutant"] is None
        assert len(found) == records and "numbering" not in found[1] and "no variable domain" in found[-1]["error"]
    for more in (["--task", "retro"], []):
        assert isinstance(CliRunner().invoke(app, [*asked, "--scheme", "imgt", *more]).exception, UsageError)
