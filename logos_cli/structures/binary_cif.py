"""BinaryCIF, the packed form of mmCIF: recognised, and written out as the text that everything else reads.

The encodings are those of the BinaryCIF specification, version 0.3 (https://github.com/molstar/BinaryCIF).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from logos_cli.errors import MissingDependency
from logos_cli.structures.gemmi_library import StructureError, gemmi

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

_TYPES = {1: "<i1", 2: "<i2", 3: "<i4", 4: "<u1", 5: "<u2", 6: "<u4", 32: "<f4", 33: "<f8"}
# A msgpack map whose first key is one of the file's own.
_START = re.compile(rb"[\x81-\x8f](?:\xa7encoder|\xa7version|\xaadataBlocks)")
_ABSENT = {1: ".", 2: "?"}  # values of a column's mask


def looks_like_binary_cif(start: bytes) -> bool:
    return bool(_START.match(start))


def mmcif_text(data: bytes) -> bytes:
    """Write the content of a BinaryCIF file as mmCIF. Raises StructureError for damaged data, MissingDependency."""
    try:
        import msgpack
    except ImportError:
        raise MissingDependency(
            "BinaryCIF is unpacked by msgpack, which is not installed: pip install 'logos-cli[structure]'"
        ) from None
    cif = gemmi().cif
    document = cif.Document()
    try:
        for packed in msgpack.unpackb(data, strict_map_key=False)["dataBlocks"]:
            block = document.add_new_block(str(packed["header"]) or "unnamed")
            for category in packed["categories"]:
                columns = {one["name"]: column_values(one) for one in category["columns"]}
                if columns:
                    block.set_mmcif_category(f"{category['name'].rstrip('.')}.", columns, raw=True)
        return bytes(document.as_string().encode())
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, msgpack.exceptions.UnpackException) as error:
        raise StructureError(f"damaged BinaryCIF: {type(error).__name__}: {' '.join(str(error).split())[:120]}") from None


def column_values(column: Mapping[str, Any]) -> list[str]:
    """Give a column's values as CIF writes them: quoted where needed, `.` and `?` by its mask."""
    quote = gemmi().cif.quote
    values = unpacked(column["data"])
    texts = values if isinstance(values, list) else [written(one) for one in values.tolist()]
    mask = unpacked(column["mask"]) if column.get("mask") else None
    absent = [int(one) for one in mask] if mask is not None else [0] * len(texts)
    return [_ABSENT.get(gone) or str(quote(text)) for text, gone in zip(texts, absent, strict=True)]


def written(number: float) -> str:
    """Write a number without the noise of its binary form: coordinates have three decimals, or come as 32-bit floats."""
    return f"{number:.7g}" if isinstance(number, float) else str(number)


def unpacked(encoded: Mapping[str, Any]) -> Any:
    """Undo the encodings of one array, the last first: a list of texts, or an array of numbers."""
    data: Any = encoded["data"]
    for encoding in reversed(encoded["encoding"]):
        data = _DECODERS[encoding["kind"]](data, encoding)
    return data


def byte_array(data: bytes, encoding: Mapping[str, Any]) -> Numbers:
    import numpy as np

    return np.frombuffer(data, _TYPES[encoding["type"]])


def fixed_point(data: Numbers, encoding: Mapping[str, Any]) -> Numbers:
    found: Numbers = data.astype("f8") / encoding["factor"]
    return found


def interval_quantization(data: Numbers, encoding: Mapping[str, Any]) -> Numbers:
    low, high, steps = encoding["min"], encoding["max"], encoding["numSteps"]
    found: Numbers = low + data.astype("f8") * ((high - low) / (steps - 1))
    return found


def run_length(data: Numbers, encoding: Mapping[str, Any]) -> Numbers:
    import numpy as np

    if int(data[1::2].sum()) != encoding["srcSize"]:
        raise ValueError("runs of another length than stated")  # before a crafted count takes all memory
    return np.repeat(data[::2], data[1::2])


def delta(data: Numbers, encoding: Mapping[str, Any]) -> Numbers:
    import numpy as np

    found: Numbers = np.cumsum(data, dtype="i8") + encoding["origin"]
    return found


def integer_packing(data: Numbers, encoding: Mapping[str, Any]) -> Numbers:
    """Join what was cut into bytes or 16-bit numbers: one at the limit goes on with the next."""
    import numpy as np

    bits = 8 * encoding["byteCount"]
    wide = data.astype("i8")
    signed = not encoding["isUnsigned"]
    most = 2 ** (bits - signed) - 1
    goes_on = (wide == most) | (signed & (wide == -most - 1))
    if not len(wide):
        return wide
    first = np.concatenate(([0], np.flatnonzero(~goes_on)[:-1] + 1))
    found: Numbers = np.add.reduceat(wide, first)
    if len(found) != encoding["srcSize"]:
        raise ValueError("packed integers of another number than stated")
    return found


def string_array(data: bytes, encoding: Mapping[str, Any]) -> list[str]:
    offsets = unpacked({"data": encoding["offsets"], "encoding": encoding["offsetEncoding"]}).tolist()
    whole: str = encoding["stringData"]
    texts = [whole[one:other] for one, other in pairwise(offsets)]
    places: Sequence[int] = unpacked({"data": data, "encoding": encoding["dataEncoding"]}).tolist()
    return [texts[place] if place >= 0 else "" for place in places]


_DECODERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "ByteArray": byte_array,
    "FixedPoint": fixed_point,
    "IntervalQuantization": interval_quantization,
    "RunLength": run_length,
    "Delta": delta,
    "IntegerPacking": integer_packing,
    "StringArray": string_array,
}
