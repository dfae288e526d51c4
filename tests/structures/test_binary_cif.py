"""BinaryCIF: each encoding by its definition, and a whole file against the mmCIF that it was packed from."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading
from logos_cli.structures.binary_cif import mmcif_text, unpacked
from logos_cli.structures.gemmi_library import StructureError, gemmi

EXAMPLES = Path(__file__).parents[2] / "examples"
BYTES = {"kind": "ByteArray", "type": 3}


def ints(values: list[int], code: int = 3) -> bytes:
    return np.array(values, {1: "<i1", 3: "<i4", 4: "<u1"}[code]).tobytes()


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (ints([1, 2, 3]), [BYTES], [1, 2, 3]),
        (ints([1500, -25]), [{"kind": "FixedPoint", "factor": 100}, BYTES], [15.0, -0.25]),
        (ints([0, 1, 4]), [{"kind": "IntervalQuantization", "min": 2.0, "max": 4.0, "numSteps": 5}, BYTES], [2.0, 2.5, 4.0]),
        (ints([7, 3, 1, 1]), [{"kind": "RunLength", "srcSize": 4}, BYTES], [7, 7, 7, 1]),
        (ints([0, 2, -5]), [{"kind": "Delta", "origin": 10}, BYTES], [10, 12, 7]),
        (
            ints([127, 3, -128, -2, 5, 127, 127, 0], 1),
            [{"kind": "IntegerPacking", "byteCount": 1, "isUnsigned": False, "srcSize": 4}, {"kind": "ByteArray", "type": 1}],
            [130, -130, 5, 254],
        ),
        (
            ints([255, 0, 7], 4),
            [{"kind": "IntegerPacking", "byteCount": 1, "isUnsigned": True, "srcSize": 2}, {"kind": "ByteArray", "type": 4}],
            [255, 7],
        ),
    ],
)
def test_encodings(data: bytes, encoding: list[dict[str, Any]], expected: list[float]) -> None:
    assert unpacked({"data": data, "encoding": encoding}).tolist() == expected


def packed(text: str, **changes: Any) -> bytes:
    """An mmCIF packed with texts alone, as the simplest writer does."""
    (block,) = gemmi().cif.read_string(text)
    categories = []
    for name in block.get_mmcif_category_names():
        columns = []
        for key, values in block.get_mmcif_category(name).items():
            texts = ["" if one in (None, False) else one for one in values]
            known = sorted(set(texts))
            offsets = np.cumsum([0, *map(len, known)]).tolist()
            mask = [2 if one is None else 1 if one is False else 0 for one in values]
            encoding = {
                "kind": "StringArray", "stringData": "".join(known), "offsets": ints(offsets), "offsetEncoding": [BYTES],
                "dataEncoding": [BYTES],
            }  # fmt: skip
            data = {"data": ints([known.index(one) for one in texts]), "encoding": [encoding]}
            columns.append({"name": key, "data": data, "mask": {"data": ints(mask), "encoding": [BYTES]}})
        categories.append({"name": name.rstrip("."), "rowCount": len(columns[0]), "columns": columns})
    whole = {"encoder": "a test", "version": "0.3.0", "dataBlocks": [{"header": block.name, "categories": categories}]}
    return bytes(msgpack.packb(whole | changes))


@pytest.mark.slow
def test_a_file_reads_as_the_mmcif_it_was(tmp_path: Path) -> None:
    source = EXAMPLES / "1gbt.cif.gz"
    text = gzip.decompress(source.read_bytes()).decode()
    (before,), (after,) = gemmi().cif.read_string(text), gemmi().cif.read_string(mmcif_text(packed(text)).decode())
    for name in before.get_mmcif_category_names():
        assert after.get_mmcif_category(name) == before.get_mmcif_category(name)
    (tmp_path / "piped").write_bytes(packed(text))
    reading = Reading(wants="sequence")
    (expected,), (found,) = read_rows(str(source), reading), read_rows(str(tmp_path / "piped"), reading)
    assert expected.error is None and found.value == expected.value
    assert found.site and expected.site and found.site.numbers == expected.site.numbers


@pytest.mark.parametrize("change", [{"dataBlocks": [{"header": "x"}]}, {"dataBlocks": 3}])
def test_damaged_files_are_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    whole = packed("data_x\n_entry.id x\n", **change)
    for data in (whole, whole[:-3]):
        with pytest.raises(StructureError, match="damaged BinaryCIF"):
            mmcif_text(data)
