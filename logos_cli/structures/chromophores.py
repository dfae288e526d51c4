"""Residues that are several of the chain, closed to a ring: the chromophores of fluorescent proteins, and a few others.

Source: the PDB's Chemical Component Dictionary, all entries whose one-letter code has several standard letters.
"""

from __future__ import annotations

_BY_LETTERS = {
    "AFG": "CLV X9Q",
    "AK": "HHK",
    "ASG": "175 CRW CRX MDO ZRF",
    "AYG": "AYG OHD PIA",
    "CYG": "CCY GYC",
    "DC": "SIC",
    "DG": "SUI",
    "DYG": "DYG XYG",
    "EYG": "CRU",
    "FCYG": "CFY",
    "GC": "F75",
    "GCS": "TOZ",
    "GS": "F6N",
    "GSC": "OTZ",
    "GWG": "IO8",
    "GYG": "4F3 CJO CQR CR2 CZO LKE MFC WCR",
    "HYG": "5SQ 7R0 7R6 CR8 IEY",
    "KYG": "CH7 CIV CR7",
    "LYG": "NRP VUB VYA",
    "MYG": "CH6 CRK NRQ Q2K QIP QYX",
    "NYG": "NYG",
    "QFG": "QFG",
    "QLG": "QLG",
    "QWG": "4M9",
    "QYG": "CRQ",
    "SHG": "CSH IIC",
    "SWG": "SWG",
    "SYG": "CSY GYS",
    "TFG": "C99",
    "THG": "CRG XXY",
    "TLG": "CR0",
    "TWG": "5ZA B2H CRF NYC",
    "TYG": "B2C C12 CRO FHE I1C MFV MHY MJ1 QC4 QCA QCD",
    "WS": "LT0",
    "YG": "0YG",
}
LETTERS = {name: letters for letters, names in _BY_LETTERS.items() for name in names.split()}
# Their backbone's first nitrogen and alpha carbon, and its last carbon, are named by where in the ring they stand.
NAMES = {"N": ("N1", "N2"), "CA": ("CA1", "CA2"), "C": ("C3", "C2")}


def letters_of(name: str) -> str:
    """The letters of a residue that is several; empty for any other."""
    return LETTERS.get(name, "")


def numbered(letters: str, number: str) -> list[str | None]:
    """The one number of such a residue stands at its middle letter, as its neighbours' numbers leave room for."""
    return [number if at == len(letters) // 2 else None for at in range(len(letters))]
