"""Formats that are not read are named in one line; packed files are read; a pipe's format does not depend on its pace."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from builders import Run

from logos_cli.errors import InputError
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Row
from logos_cli.system.lines import first_lines, open_bytes, plain_name

SDF = (Path(__file__).parents[2] / "examples" / "drugs.sdf").read_bytes()


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "CCO a\n")
    return stream.getvalue()


FOREIGN = [
    (b"$RXN\n\n      RDKit\n\n  1  1\n", "MDL RXN"), (b"$RDFILE 1\n$DATM 01/01/20\n", "MDL RD file"),
    (b"@<TRIPOS>MOLECULE\nx\n", "mol2"), (b"# made by x\n\n@<TRIPOS>MOLECULE\nx\n", "mol2"),
    (b"3\nwater\nO 0 0 0\nH 0 0 1\nH 0 1 0\n", "xyz"), (b"  2\r\n\r\nC  0.0 1.5e-3 -2\r\nH 1 1 1\r\n", "xyz"),
    (b"PAR1\x15\x04", "Parquet"), (zipped("[Content_Types].xml", "word/document.xml"), "Word or Excel"),
    (zipped("a.smi"), "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Word or Excel"), (b"%PDF-1.7\n", "PDF"), (b"{\\rtf1\\ansi", "RTF"),
    (b"VjCD0100\x04", "CDX"), (b'<?xml version="1.0"?>\n<!DOCTYPE CDXML>\n<CDXML>\n', "CDXML"),
    (b"<!doctype html>\n", "web page"),
    (b"\x28\xb5\x2f\xfd\x04", "zstdcat"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"GGUF\x03\0\0\0", "give it with -m"),
    (pickle.dumps({"smiles": ["CCO"]}), "pickle"), (b"InChI=1S/CH4/h1H4\n", "InChI"), (bytes(range(1, 32)) * 20, "binary"),
    (b"a.smi" + b"\0" * 252 + b"ustar  \0", "tar archive"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "Git LFS pointer.*git lfs pull"),
    (b'{\n  "smiles": "CCO"\n}\n', "over several lines; one object a line is read: jq -c"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "told"), FOREIGN)
def test_what_it_is_not_is_said(tmp_path: Path, data: bytes, told: str) -> None:
    for name, packed in (("in", data), ("in.smi", data), ("in.gz", gzip.compress(data))):
        path = tmp_path / name
        path.write_bytes(packed)
        with pytest.raises(InputError, match=told) as raised:
            list(read_rows(str(path)))
        assert str(raised.value).startswith(f"{path}: ") and "\n" not in str(raised.value)


def test_one_line_and_exit_1(logos_here: Callable[..., Run]) -> None:
    found = logos_here("generate", "retro", "-", "-m", "nano", stdin="$RXN\n\n\n\n  1  1\n")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1) and found.err.startswith("logos: -: an MDL RXN file")


def old_lzma(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE)


@pytest.mark.slow
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, old_lzma])
def test_packed_files_are_read_whatever_their_name(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    for name, data in (("x", b"CCO a\nCCN b\n"), ("x.csv.bz2", b"name,smiles\na,CCO\nb,CCN\n")):
        (tmp_path / name).write_bytes(pack(data))
        assert [(row.id, row.value) for row in read_rows(str(tmp_path / name))] == [("a", "CCO"), ("b", "CCN")]
    (tmp_path / "cut").write_bytes(pack(b"CCO a\n" * 9000)[:-9])
    with pytest.raises(InputError, match="cut: damaged packed data after line"):
        list(read_rows(str(tmp_path / "cut")))
    assert [plain_name(one) for one in ("A.SDF.gz", "b/x.csv.BZ2", "y.smi.xz", "z.smi")] == ["a.sdf", "x.csv", "y.smi", "z.smi"]


def trickled(pieces: Sequence[bytes]) -> list[Row]:
    """The rows of a pipe that brings its content piece by piece."""
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as stream:
            for piece in pieces:
                stream.write(piece)
                time.sleep(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return list(read_rows(f"/dev/fd/{reader}"))
    finally:
        thread.join()
        os.close(reader)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="needs /dev/fd")
@pytest.mark.parametrize(
    "data",
    [
        SDF, b"\n" + SDF.partition(b"\n")[2], b"# c\nid,smiles\n1,CCO\n2,CCN\n", b"2244 CCO\n2519 CCN\n", b"C C O\nC C N\n",
        gzip.compress(b"CCO a\nCCN b\n", mtime=0), bz2.compress(b"CCO a\n"), lzma.compress(b"CCO a\n"), b"CCO a", b"B",
    ],
)  # fmt: skip
def test_a_pipe_is_read_as_the_file_however_it_trickles_in(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    whole = list(read_rows(str(tmp_path / "x")))
    step = 1 if len(data) < 300 else 700
    assert trickled([data[:1], *(data[at : at + step] for at in range(1, len(data), step))]) == whole
    assert trickled(data.splitlines(keepends=True)) == whole


def test_four_lines_decide(tmp_path: Path) -> None:
    """Five lines are not waited for: whoever types rows gets an answer after four."""
    path = tmp_path / "x"
    path.write_bytes(b"# one\n# two\na\nb\nc\nd\ne\n")
    with open_bytes(str(path)) as stream:
        start, again = first_lines(str(path), stream)
        assert start == b"# one\n# two\na\nb\nc\nd\n" and again.read() == path.read_bytes()
    path.write_bytes(b'{"smiles": "CCO"}\n{"smiles": "CCN"}\n')
    with open_bytes(str(path)) as stream:
        assert first_lines(str(path), stream)[0] == b'{"smiles": "CCO"}\n', "a JSON object decides alone"
