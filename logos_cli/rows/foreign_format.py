"""Formats that are not read, recognised by their first bytes so that one line can say what to do instead."""

from __future__ import annotations

import re

from logos_cli.errors import InputError

_UNPACK = "unpack it"
_TABLE = "save it as .csv"
_EXPORT = "export SMILES (.smi, .csv) or SDF"
# First bytes -> (what it is, what to do).
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"GGUF", "a GGUF model file", "give it with -m, and rows as INPUT"),
    (b"PAR1", "a Parquet file", 'write its rows as .csv: pandas.read_parquet("FILE").to_csv("rows.csv")'),
    (b"ARROW1", "an Arrow file", _TABLE),
    (b"FEA1", "a Feather file", _TABLE),
    (b"\x93NUMPY", "a NumPy array", _TABLE),
    (b"\x89HDF", "an HDF5 file", _TABLE),
    (b"SQLite format 3\0", "an SQLite database", _TABLE),
    (b"\xd0\xcf\x11\xe0", "an old Word or Excel file", "save the table as .csv"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "pipe it: zstdcat FILE | logos …"),
    (b"\x04\x22\x4d\x18", "an LZ4 archive", "pipe it: lz4cat FILE | logos …"),
    (b"7z\xbc\xaf", "a 7-Zip archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\x80\x02", "a Python pickle, which could run any code", _TABLE),
    (b"\x80\x03", "a Python pickle, which could run any code", _TABLE),
    (b"\x80\x04", "a Python pickle, which could run any code", _TABLE),
    (b"\x80\x05", "a Python pickle, which could run any code", _TABLE),
    (b"\x89PNG", "a picture", "give structures as text"),
    (b"\xff\xd8\xff", "a picture", "give structures as text"),
    (b"%PDF", "a PDF", "give structures as text"),
    (b"{\\rtf", "an RTF document", "save it as plain text"),
    (b"VjCD0100", "a ChemDraw file (CDX)", _EXPORT),
    (b"$RXN", "an MDL RXN file", "convert it to a reaction SMILES"),
    (b"$RDFILE", "an MDL RD file (RDF)", "convert it to reaction SMILES"),
    (b"InChI=", "a list of InChI", "convert it to SMILES"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch it: git lfs pull"),
)
# What stands at the beginning of a text, comments aside.
_TEXT: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (re.compile(rb"@<TRIPOS>"), "a Tripos mol2 file", "convert it to SDF or SMILES: obabel FILE -O out.smi"),
    (re.compile(rb"(?s).{0,400}<CDXML"), "a ChemDraw file (CDXML)", _EXPORT),
    (re.compile(rb"(?is)<!DOCTYPE html|<html"), "a web page", "check what was downloaded"),
    (re.compile(rb"<\?xml|<cml|<svg"), "an XML file", _EXPORT),
    (re.compile(rb"\{\s*\n\s*s_m_m2io_version"), "a Maestro file", _EXPORT),
    (
        re.compile(rb"[ \t]*\d{1,7}[ \t]*\r?\n[^\n]*\n[ \t]*[A-Z][a-z]?([ \t]+-?\d+(\.\d*)?([eE][-+]?\d+)?){3}"),
        "an xyz file, without bonds",
        "convert it to SDF or SMILES: obabel FILE -O out.smi",
    ),
    (re.compile(rb"(?s)[^\n]*\n[ \t]*\d+[ \t]*\r?\n[ \t]*\d+[A-Z]{3}[ \t]"), "a GROMACS file", "convert it to PDB"),
)
_CONTROL = bytes({*range(9), *range(14, 27), *range(28, 32), 127})
_SAMPLE = 512  # bytes looked at for what no text holds
_TAR = slice(257, 262)


def refuse_foreign(path: str, start: bytes) -> None:
    """Raises InputError for a file, by its first bytes, of a format that is not read."""
    if found := foreign(start):
        what, remedy = found
        raise InputError(f"{path}: {what}, which is not read; {remedy if path == '-' else remedy.replace('FILE', path)}")


def foreign(start: bytes) -> tuple[str, str] | None:
    """(what it is, what to do), or None."""
    text = start.removeprefix(b"\xef\xbb\xbf")
    for magic, what, remedy in _MAGIC:
        if text.startswith(magic):
            return what, remedy
    if start.startswith(b"PK\x03\x04"):
        if re.search(rb"\[Content_Types\]\.xml|_rels/|docProps/|word/|xl/", start):
            return "a Word or Excel file", "save the table as .csv"
        return "a zip archive", "unzip it: unzip -p FILE | logos …"
    if start[_TAR] == b"ustar":
        return "a tar archive", "unpack it: tar -xf FILE"
    plain = re.sub(rb"\A(\s*#[^\n]*\n)+", b"", text).lstrip(b"\r\n")
    for pattern, what, remedy in _TEXT:
        if pattern.match(plain):
            return what, remedy
    sample = start[:_SAMPLE]
    # A stray NUL is its row's error; UTF-16 is told apart by whoever reads lines.
    if len(sample) > 64 and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        odd = len(sample) - len(sample.translate(None, _CONTROL))
        if odd * 8 > len(sample) and sample[1::2].count(0) * 3 < len(sample) // 2:
            return "binary data", "give a text file, or an SDF, PDB or mmCIF"
    return None
