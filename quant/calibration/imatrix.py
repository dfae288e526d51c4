"""The importance matrix: how large, on the average of a text's tokens, the square of each input of each matrix is.

llama.cpp's quantizer weighs the error of each column of a matrix with it. Files are read and written as llama-imatrix
does: GGUF (tensors NAME.in_sum2 and NAME.counts), and its older format, which is only read (tools/imatrix and
common/imatrix-loader.cpp of llama.cpp).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.errors import ModelFileError
from logos_cli.models.gguf_header import MAGIC, GgufHeader, GgufTensor, read_header

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

SUMS, COUNTS = ".in_sum2", ".counts"
_KIND = "imatrix"  # what general.type says
_DATASETS, _CHUNKS, _CHUNK_SIZE = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"
_MOST_ENTRIES, _LONGEST_NAME = 1 << 20, 1 << 10


@dataclass(frozen=True)
class Imatrix:
    """`sums` [C] of squares of a matrix's inputs over `counts` tokens; `datasets` names the texts, read in chunks of
    `chunk` tokens."""

    sums: Mapping[str, Floats]
    counts: Mapping[str, int]
    datasets: tuple[str, ...] = ()
    chunk: int = 0

    @property
    def tokens(self) -> int:
        return max(self.counts.values(), default=0)

    def mean(self, name: str) -> Floats | None:
        """Mean squares [C] for the matrix `name`; ones if no token reached it, as llama-quantize has it; None if there is no
        entry for it."""
        import numpy as np

        if name not in self.sums:
            return None
        if not self.counts[name]:
            return np.ones(len(self.sums[name]), np.float32)
        found: Floats = self.sums[name] / np.float32(self.counts[name])
        return found

    def check(self, path: Path, model: GgufHeader) -> None:
        """Raise ModelFileError if this cannot be the importance of `model`'s matrices."""
        import numpy as np

        for tensor in model.tensors:
            if len(tensor.shape) < 2:
                continue
            mean = self.mean(tensor.name)
            if mean is None:
                if tensor.name.startswith("blk."):  # embedding and head may do without
                    raise ModelFileError(f"{path}: nothing about {tensor.name} of {model.path.name}; make one of this model")
            elif len(mean) != tensor.shape[0]:
                raise ModelFileError(
                    f"{path}: {len(mean):,} values for {tensor.name}, in {model.path.name} its rows have {tensor.shape[0]:,}; "
                    "make one of this model"
                )
            elif not np.isfinite(mean).all() or (mean < 0).any():
                raise ModelFileError(f"{path}: {tensor.name} has values that are no mean squares; make it again")


def is_imatrix(path: Path) -> bool:
    """Whether a file is an importance matrix rather than rows of text: a GGUF is never text, and what the older format
    begins with, the number of its entries, has a zero byte in it."""
    with path.open("rb") as stream:
        start = stream.read(8)
    return start[:4] == MAGIC or (len(start) == 8 and start[3] == 0 and start[7] == 0)


def read_imatrix(path: Path) -> Imatrix:
    """Raises ModelFileError for a file that is damaged or something else."""
    with path.open("rb") as stream:
        if stream.read(4) != MAGIC:
            return _read_legacy(path)
    header = read_header(path, kind=None)
    if header.text("general.type") != _KIND:
        raise ModelFileError(f"{path}: a GGUF file, but not an importance matrix; name one that logos or llama-imatrix wrote")
    tensors = {tensor.name: tensor for tensor in header.tensors}
    names = [name.removesuffix(SUMS) for name in tensors if name.endswith(SUMS)]
    lacking = [name for name in names if name + COUNTS not in tensors]
    if lacking or not names:
        raise ModelFileError(f"{path}: {lacking[0] + COUNTS if lacking else 'every sum'} is missing; make it again")
    sums, counts = {}, {}
    for name in names:
        several = tensors[name + COUNTS].elements
        if several != 1:
            raise ModelFileError(f"{path}: {name} has {several} experts; this tool knows dense models only")
        sums[name] = _values(header, tensors[name + SUMS])
        counts[name] = round(float(_values(header, tensors[name + COUNTS])[0]))
    datasets = header.keys.get(_DATASETS, [])
    named = tuple(str(one) for one in datasets) if isinstance(datasets, list) else ()
    return Imatrix(sums, counts, named, header.integer(_CHUNK_SIZE))


def _values(header: GgufHeader, tensor: GgufTensor) -> Floats:
    import numpy as np

    if tensor.type != "F32":
        raise ModelFileError(f"{header.path}: {tensor.name} is of type {tensor.type}, not F32; make it again")
    with header.path.open("rb") as stream:
        stream.seek(header.data_start + tensor.offset)
        return np.frombuffer(stream.read(tensor.nbytes), "<f4").astype(np.float32)


def _read_legacy(path: Path) -> Imatrix:
    """Entries of name, calls, values (their mean times calls), in which a call is a chunk of unknown length."""
    import numpy as np

    raw, at = path.read_bytes(), 0

    def take(size: int) -> bytes:
        nonlocal at
        if size < 0 or at + size > len(raw):
            raise ModelFileError(f"{path}: not an importance matrix, or cut short at byte {at:,}; make it again")
        at += size
        return raw[at - size : at]

    def integer() -> int:
        (found,) = struct.unpack("<i", take(4))
        return int(found)

    entries = integer()
    if not 0 < entries <= _MOST_ENTRIES:
        raise ModelFileError(f"{path}: not an importance matrix ({entries:,} entries); give one, or a file of rows")
    sums: dict[str, Floats] = {}
    counts: dict[str, int] = {}
    for _ in range(entries):
        length = integer()
        name = take(length if length <= _LONGEST_NAME else -1).decode("utf-8", "replace")
        calls, size = integer(), integer()
        sums[name] = np.frombuffer(take(4 * size), "<f4").astype(np.float32)
        counts[name] = max(calls, 1)
    datasets: tuple[str, ...] = ()
    if at + 8 <= len(raw):
        integer()  # calls of all entries
        datasets = (take(integer()).decode("utf-8", "replace"),)
    return Imatrix(sums, counts, datasets)


def write_imatrix(imatrix: Imatrix, path: Path) -> None:
    """Write `path` (a temporary one; the caller renames) as llama-imatrix would."""
    import gguf
    import numpy as np

    writer: Any = gguf.GGUFWriter(path, "")
    writer.add_type(_KIND)
    writer.add_array(_DATASETS, list(imatrix.datasets) or [""])
    size = imatrix.chunk or 1
    writer.add_uint32(_CHUNKS, -(-imatrix.tokens // size))
    writer.add_uint32(_CHUNK_SIZE, size)
    for name in sorted(imatrix.sums):
        writer.add_tensor(name + SUMS, np.asarray(imatrix.sums[name], np.float32).reshape(1, -1))
        writer.add_tensor(name + COUNTS, np.array([[imatrix.counts[name]]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
