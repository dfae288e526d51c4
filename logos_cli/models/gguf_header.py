"""The header of a GGUF file, read with every count checked against the file's size.

Both the `gguf` package and llama.cpp's loader trust more than they should, so a file passes here before either sees it.
Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import json
import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from logos_cli.errors import ModelFileError
from logos_cli.models.checkpoint_kind import elsewhere
from logos_cli.models.gguf_fingerprint import fingerprint
from logos_cli.models.gguf_seal import HEADER, header_sha256
from logos_cli.system.files import is_lfs_pointer

MAGIC = b"GGUF"
# Key-value types: number -> (struct code, bytes); 8 is a string, 9 an array.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
CONTROL, USER_DEFINED = 3, 4  # types of added tokens
UNUSED = 5  # type of a row of the embedding that no token belongs to
BYTE = 6  # type of a token that is a byte, of a SentencePiece vocabulary
TRIM_IDS = "logos.trim.ids"  # key of a trimmed vocabulary: each token's id in the whole one
ENDS = "logos.tokenizer.ends"  # key: the ids at which a generation stops
GUESSED = "names no pre-tokenizer (tokenizer.ggml.pre), so texts may be cut otherwise than in training; convert it again"
TEXT_RULES = "logos.tokenizer.text"  # key: what is done to a text before it is split, as JSON
# What a GGUF can hold beside a model (general.type; gguf-py, constants.py).
_OTHER_KINDS = {
    "imatrix": "an importance matrix, made while calibrating",
    "adapter": "a LoRA adapter, not a whole model: merge it into its base",
    "mmproj": "the part of a model that reads images",
}
_MOST_KEYS, _MOST_TENSORS, _MOST_DIMS = 100_000, 1_000_000, 4
_LONGEST = (
    64 << 20
)  # bytes of header; that of a Llama-3 vocabulary has 10 MB, and as Python objects it takes several times that
_MOST_ITEMS = 1 << 22  # of all arrays together: many times what any vocabulary has of tokens, types, scores and merges


@dataclass(frozen=True)
class GgufTensor:
    """`shape` in GGUF's order: the row length first. `offset` counts from the start of the data section."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    nbytes: int

    @property
    def elements(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class GgufHeader:
    """`sha256` is that of everything before the data (see `models.gguf_seal.header_sha256`)."""

    path: Path
    size: int
    keys: Mapping[str, Any]
    tensors: tuple[GgufTensor, ...]
    data_start: int
    sha256: str

    def text(self, key: str, default: str = "") -> str:
        value = self.keys.get(key, default)
        return value if isinstance(value, str) else default

    def integer(self, key: str, default: int = 0) -> int:
        value = self.keys.get(key, default)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    @property
    def context(self) -> int:
        return self.integer(f"{self.text('general.architecture')}.context_length")

    @property
    def added_tokens(self) -> frozenset[str] | None:
        """Texts that are matched whole, before any splitting; None for a damaged vocabulary."""
        tokens, types = self.keys.get("tokenizer.ggml.tokens"), self.keys.get("tokenizer.ggml.token_type")
        if not isinstance(tokens, list) or not isinstance(types, list) or len(tokens) != len(types):
            return None
        return frozenset(text for text, kind in zip(tokens, types, strict=True) if kind in (CONTROL, USER_DEFINED))

    @property
    def guesses_pieces(self) -> bool:
        """Whether no key says how text is cut before BPE: files of before 2024 have none, and llama.cpp takes a default."""
        return self.text("tokenizer.ggml.model") == "gpt2" and not self.text("tokenizer.ggml.pre")

    @property
    def elements(self) -> int:
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        return 8 * sum(tensor.nbytes for tensor in self.tensors) / max(1, self.elements)

    @property
    def sealed(self) -> bool:
        """Whether this tool wrote the file and its header is still what it was, so that our own keys tell the truth:
        other programs copy them into files they make from ours."""
        return self.text(HEADER) == self.sha256

    @cached_property
    def fingerprint(self) -> str:
        """Written at convert; of a foreign file the hash of header and data. Raises ModelFileError."""
        if self.sealed:
            return self.text("logos.fingerprint")
        return fingerprint(self.path, self.sha256, self.data_start, self.tensors)

    @property
    def scheme(self) -> str:
        """The scheme it was written in; of a foreign file the commonest type among its matrices."""
        if self.sealed:
            return self.text("logos.scheme")
        sizes: dict[str, int] = {}
        for tensor in self.tensors:
            if len(tensor.shape) > 1:
                sizes[tensor.type] = sizes.get(tensor.type, 0) + tensor.elements
        return max(sizes, key=lambda name: sizes[name]).lower() if sizes else "unknown"

    @property
    def sampling(self) -> dict[str, Any]:
        """The model's own sampling table, task name -> settings; empty if it has none."""
        try:
            found = json.loads(self.text("logos.sampling", "{}"))
        except ValueError as error:
            raise ModelFileError(f"{self.path}: key logos.sampling is not JSON; convert the model again") from error
        if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
            raise ModelFileError(f"{self.path}: key logos.sampling is not a table; convert the model again")
        return found


class _Cursor:
    """Reads little-endian values and never past the end of the file, or of what a header may take."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.at, self.end = path, data, 0, min(len(data), _LONGEST)
        self.items = 0

    def damaged(self, what: str) -> ModelFileError:
        return ModelFileError(f"{self.path}: damaged GGUF header at byte {self.at:,} ({what}); copy or convert it again")

    def take(self, code: str) -> Any:
        size = struct.calcsize("<" + code)
        if self.at + size > self.end:
            raise self.damaged("the file ends here" if self.end == len(self.data) else "a header without end")
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += size
        return value

    def string(self, most: int = 1 << 26) -> str:
        length = self.take("Q")
        if length > most or self.at + length > self.end:
            raise self.damaged(f"a string of {length:,} bytes")
        raw = self.data[self.at : self.at + length]
        self.at += length
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.damaged("a string that is not UTF-8") from None

    def array(self) -> list[Any]:
        kind, count = self.take("I"), self.take("Q")
        self.items += count
        if self.items > _MOST_ITEMS:
            raise self.damaged(f"an array of {count:,} items")
        if kind == _STRING:
            if count * 8 > self.end - self.at:
                raise self.damaged(f"an array of {count:,} strings")
            return [self.string() for _ in range(count)]
        code = _SCALARS.get(kind)
        if code is None:
            raise self.damaged(f"an array of type {kind}")
        size = struct.calcsize(code) * count
        if size > self.end - self.at:
            raise self.damaged(f"an array of {count:,} numbers")
        values = list(struct.unpack_from(f"<{count}{code}", self.data, self.at))
        self.at += size
        return values

    def value(self) -> Any:
        kind = self.take("I")
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        code = _SCALARS.get(kind)
        if code is None:
            raise self.damaged(f"a value of type {kind}")
        return self.take(code)


def read_header(path: Path, kind: str | None = "model") -> GgufHeader:
    """Parse and check the header of a file whose general.type is `kind`, if that is given. Raises ModelFileError."""
    check_no_folder(path)
    if str(path) == "-" or (path.exists() and not path.is_file()):
        raise ModelFileError(f"{path}: a model is read at many places, not as a stream; save it to a file and name that")
    try:
        with path.open("rb") as stream:
            if stream.read(4) != MAGIC:
                if is_lfs_pointer(path):
                    raise ModelFileError(f"{path}: a Git LFS pointer, not the model; run: git lfs pull")
                raise ModelFileError(f"{path}: not a GGUF file; make one with: logos convert CHECKPOINT -o model.gguf")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(path, data, kind)
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}; give a GGUF file, or the word nano") from error


def check_no_folder(path: Path) -> None:
    """Raise ModelFileError for a folder and a repository's name, with what leads from it to a model file."""
    if path.suffix != ".gguf" and (found := elsewhere(path)):
        raise ModelFileError(found)
    if path.is_dir():
        raise ModelFileError(f"{path}: a folder is not a model file; run: logos convert {path} -o model.gguf --type int4")


def check_purpose(path: Path, keys: Mapping[str, Any], wanted: str | None) -> None:
    """Raise ModelFileError for a file of another kind than `wanted`, and for a part of a model."""
    kind = str(keys.get("general.type", "model"))
    if wanted and kind != wanted:
        what = _OTHER_KINDS.get(kind, f"its general.type is {kind[:40]!r}")
        raise ModelFileError(f"{path}: {what}; give the GGUF of the {wanted} itself")
    parts = keys.get("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        first = re.sub(r"-\d{5}-of-(\d{5})\.gguf$", r"-00001-of-\1.gguf", str(path))
        raise ModelFileError(
            f"{path}: one of {parts} parts of a model; join them: llama-gguf-split --merge {first} "
            f"{re.sub(r'-00001-of-[0-9]{5}[.]gguf$', '', first)}-whole.gguf"
        )


def _parse(path: Path, data: mmap.mmap, wanted: str | None) -> GgufHeader:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    at = _Cursor(path, data)
    at.at = 4
    version = at.take("I")
    if int.from_bytes(version.to_bytes(4, "big"), "little") in (2, 3):
        raise ModelFileError(
            f"{path}: a big-endian GGUF, for other machines; convert the checkpoint here, or take its other file"
        )
    if version not in (2, 3):
        raise ModelFileError(f"{path}: GGUF version {version}; this tool reads 2 and 3: convert it again")
    size_of_file = len(data)
    n_tensors, n_keys = at.take("Q"), at.take("Q")
    # A tensor's entry takes at least 32 bytes, a key's at least 13.
    if n_tensors > min(_MOST_TENSORS, size_of_file // 32) or n_keys > min(_MOST_KEYS, size_of_file // 13):
        raise at.damaged(f"{n_tensors:,} tensors and {n_keys:,} keys")
    keys: dict[str, Any] = {}
    for _ in range(n_keys):
        name = at.string(65_535)
        if name in keys:
            raise at.damaged(f"key {name[:60]!r} twice")
        keys[name] = at.value()
    check_purpose(path, keys, wanted)
    entries = []
    for _ in range(n_tensors):
        name, dims = at.string(1024), at.take("I")
        if not 1 <= dims <= _MOST_DIMS:
            raise at.damaged(f"tensor {name[:60]!r} with {dims} dimensions")
        shape = tuple(at.take("Q") for _ in range(dims))
        entries.append((name, shape, at.take("I"), at.take("Q")))
    alignment = keys.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1) or alignment > 1 << 20:
        raise at.damaged(f"alignment {alignment!r}")
    start = -(-at.at // alignment) * alignment
    tensors = []
    for name, shape, number, offset in entries:
        try:
            kind = GGMLQuantizationType(number)
        except ValueError:
            raise at.damaged(f"tensor {name[:60]!r} of type {number}") from None
        block, block_bytes = GGML_QUANT_SIZES[kind]
        count = 1
        for size in shape:
            count *= size
        if shape[0] % block or not 0 < count < 1 << 48:
            raise at.damaged(f"tensor {name[:60]!r} of shape {shape}")
        nbytes = count // block * block_bytes
        if offset % alignment or start + offset + nbytes > size_of_file:
            raise ModelFileError(f"{path}: tensor {name[:60]!r} lies outside the file; it is cut short: copy it again")
        tensors.append(GgufTensor(name, shape, kind.name, offset, nbytes))
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise at.damaged("two tensors of one name")
    return GgufHeader(path, size_of_file, keys, tuple(tensors), start, header_sha256(data[:start]))
