"""A Hugging Face checkpoint folder: its config, its tensors read by offset, and everything wrong with it in one line.

Only safetensors are read: pickles (`.bin`, `.pt`) can run code. Shard names may not leave the folder. Tensor data is
read in pieces, never mapped: a memory map counts as resident and would break the promise on memory.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from logos_cli.errors import CheckpointError
from logos_cli.models.architectures.architecture import EMBEDDING, HEAD, Config
from logos_cli.models.checkpoint_config import read_config, read_json
from logos_cli.models.checkpoint_kind import check_folder, check_names, check_unquantized
from logos_cli.system.files import is_lfs_pointer

PIECE = 64 << 20  # most bytes of a tensor read at once
_DTYPES = {"BF16": 2, "F16": 2, "F32": 4}
# The format allows headers of 100 MB; those of real models are under 1 MB, and a table takes many times its text in memory.
_LONGEST_HEADER = 16 << 20


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: `shape` row-major as in torch, `offset` from the start of `path`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    path: Path
    offset: int
    nbytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def rows(self, start: int, stop: int) -> bytes:
        """The raw little-endian bytes of rows start … stop of the first dimension."""
        width = self.nbytes // self.shape[0]
        with self.path.open("rb") as stream:
            stream.seek(self.offset + start * width)
            data = stream.read((stop - start) * width)
        if len(data) != (stop - start) * width:
            raise CheckpointError(f"{self.path}: tensor {self.name} is cut short; download this file again")
        return data

    def numbers(self, start: int, stop: int) -> bytes:
        """`rows`, all of them numbers. Raises CheckpointError for a NaN or an infinity."""
        from logos_cli.models.tensor_values import all_finite

        raw = self.rows(start, stop)
        if not all_finite(raw, self.dtype):
            raise CheckpointError(
                f"{self.path}: tensor {self.name} has a NaN or an infinity among rows {start:,} to {stop - 1:,}; "
                "the training diverged or the file is damaged: take an earlier checkpoint, or download it again"
            )
        return raw

    def pieces(self, multiple: int = 1) -> Iterator[tuple[int, int]]:
        """Row ranges of at most `PIECE` bytes, each starting at a multiple of `multiple` rows."""
        width = self.nbytes // self.shape[0]
        step = max(1, PIECE // width // multiple) * multiple
        for start in range(0, self.shape[0], step):
            yield start, min(start + step, self.shape[0])


@dataclass(frozen=True)
class Checkpoint:
    """`kept` are the ids of the original vocabulary that a trimmed one has, None for a whole one."""

    path: Path
    config: Config
    tensors: Mapping[str, Tensor]
    kept: tuple[int, ...] | None = None

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Read and check the folder. Raises CheckpointError naming the file, the value and the remedy."""
        check_folder(path)
        check_unquantized(path, read_json(path / "config.json"))
        config = read_config(path / "config.json")
        tensors = with_prefix(read_tensors(path))
        check_shapes(path, config, tensors)
        for name in ("tokenizer.json",):
            if not (path / name).is_file():
                remedy = "download it with the weights"
                if name == "tokenizer.json" and (path / "tokenizer.model").is_file():
                    remedy = (
                        "of tokenizer.model alone, SentencePiece's, transformers makes it: "
                        "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
                    )
                raise CheckpointError(f"{path}: {name} is missing; {remedy}")
        return cls(path, config, tensors)

    def check_tied_head(self) -> None:
        """Raise CheckpointError if config.json says that the head is the embedding and a saved head says otherwise."""
        head = self.tensors.get(HEAD)
        if not self.config.tied or head is None:
            return
        embedding = self.tensors[EMBEDDING]
        same = (head.shape, head.dtype) == (embedding.shape, embedding.dtype)
        if not same or any(head.rows(*span) != embedding.rows(*span) for span in head.pieces()):
            raise CheckpointError(
                f"{self.path}: config.json ties the head to the embedding, but lm_head.weight differs from it; "
                "set tie_word_embeddings to false if the head is meant"
            )

    def check_numbers(self) -> None:
        """Read all weights; raise CheckpointError for a NaN or an infinity."""
        for tensor in self.tensors.values():
            for span in tensor.pieces():
                tensor.numbers(*span)

    def document(self, name: str) -> dict[str, Any]:
        """A JSON side file, empty if it is not there."""
        return read_json(self.path / name) if (self.path / name).is_file() else {}


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of the folder, from model.safetensors or from the shards its index names."""
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if single.is_file():  # as transformers does, whatever index may lie beside it
        return read_safetensors(single)
    if index.is_file():
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not all(isinstance(v, str) for v in weight_map.values()):
            raise CheckpointError(f"{index}: no weight_map of names; download it again")
        shards = sorted(set(weight_map.values()))
        for shard in shards:
            if Path(shard).name != shard or shard in ("", ".", ".."):
                raise CheckpointError(f"{index}: shard {shard!r} lies outside the checkpoint folder; download it again")
        missing = [shard for shard in shards if not (folder / shard).is_file()]
        if missing:
            raise CheckpointError(f"{folder}: missing shard {', '.join(missing)}; download it again")
        found: dict[str, Tensor] = {}
        for shard in shards:
            for name, tensor in read_safetensors(folder / shard).items():
                if weight_map.get(name) != shard:
                    raise CheckpointError(f"{folder / shard}: tensor {name} is not what {index.name} says; download both again")
                found[name] = tensor
        lost = sorted(set(weight_map) - set(found))
        if lost:
            raise CheckpointError(f"{folder / weight_map[lost[0]]}: tensor {lost[0]} is not in this shard; download it again")
        return found
    pickles = [p.name for pattern in ("*.bin", "*.pt", "*.pth") for p in sorted(folder.glob(pattern))]
    if pickles:
        raise CheckpointError(
            f"{folder / pickles[0]}: pickled weights can run code and are never loaded; save the model as safetensors"
        )
    raise CheckpointError(f"{folder}: no model.safetensors and no index of shards; download the whole folder, with logos pull")


def with_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a model saved without its head (`LlamaModel`), named as in the whole one."""
    if "embed_tokens.weight" not in tensors:
        return tensors
    names = {name: name if name.startswith(("lm_head.", "model.")) else f"model.{name}" for name in tensors}
    return {names[name]: replace(tensor, name=names[name]) for name, tensor in tensors.items()}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensor table of one file, checked against its size. Format: huggingface.co/docs/safetensors."""
    try:
        size = os.path.getsize(path)
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
                if is_lfs_pointer(path):
                    raise CheckpointError(f"{path}: a Git LFS pointer, not the weights; run: git lfs pull, or: logos pull")
                raise CheckpointError(f"{path}: not a safetensors file, or cut short; download it again")
            table = json.loads(stream.read(length))
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}; make it readable, or download it again") from error
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path}: damaged safetensors header; download it again") from None
    if not isinstance(table, dict):
        raise CheckpointError(f"{path}: damaged safetensors header; download it again")
    found: dict[str, Tensor] = {}
    data = 8 + length
    for name, entry in table.items():
        if name != "__metadata__":
            found[name] = read_entry(path, name, entry, data, size)
    at = data
    for tensor in sorted(found.values(), key=lambda t: t.offset):
        if tensor.offset != at:
            raise CheckpointError(f"{path}: tensor {tensor.name} overlaps another or leaves a hole; download it again")
        at += tensor.nbytes
    if at != size:
        raise CheckpointError(f"{path}: {size:,} bytes, but its tensors end at {at:,}; download it again")
    return found


def read_entry(path: Path, name: str, entry: Any, data: int, size: int) -> Tensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [begin, end, *shape]
        if not all(type(value) is int and value >= 0 for value in numbers) or not 1 <= len(shape) <= 4:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(f"{path}: damaged entry of tensor {name[:80]!r}; download it again") from None
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        what = "" if dtype == "F64" else ", quantized: take the checkpoint it was made from"
        raise CheckpointError(f"{path}: tensor {name[:80]} is {dtype}; only BF16, F16 and F32 are supported{what}")
    if math.prod(shape) * _DTYPES[dtype] != end - begin or end - begin == 0:
        raise CheckpointError(
            f"{path}: tensor {name[:80]} of {dtype} {shape} does not take {end - begin:,} bytes; download it again"
        )
    if data + end > size:
        raise CheckpointError(
            f"{path}: cut short: tensor {name[:80]} ends at {data + end:,} of {size:,} bytes; download it again"
        )
    return Tensor(name, tuple(shape), dtype, path, data + begin, end - begin)


def check_shapes(folder: Path, config: Config, tensors: Mapping[str, Tensor]) -> None:
    if config.layers * max(1, config.experts) > 10_000:
        experts = f" with num_local_experts {config.experts:,}" if config.experts else ""
        raise CheckpointError(f"{folder / 'config.json'}: num_hidden_layers is {config.layers:,}{experts}; download it again")
    check_names(folder, tensors)
    expected = config.shapes()
    for name, shape in expected.items():
        if name == HEAD and name not in tensors:
            raise CheckpointError(
                f"{folder}: lm_head.weight is missing, and config.json does not tie the head to the embedding; "
                "set tie_word_embeddings to true if the model was trained so, else save it with its head"
            )
        if name not in tensors:
            raise CheckpointError(f"{folder}: tensor {name} is missing; config.json and the weights do not belong together")
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"{folder}: tensor {name} has shape {list(tensors[name].shape)}, config.json asks for {list(shape)}"
            )
    # Buffers that old exporters saved carry nothing of their own; a tied head saved all the same is compared at convert.
    extra = [n for n in tensors if n not in expected and not is_rotary_buffer(n) and n != HEAD]
    if extra:
        raise CheckpointError(f"{folder}: unknown tensor {min(extra)}; config.json and the weights do not belong together")


def is_rotary_buffer(name: str) -> bool:
    """Whether a tensor is one of the tables that some versions saved: config.json says all that is in it."""
    return name.endswith(("rotary_emb.inv_freq", "rotary_emb.original_inv_freq"))


def too_wide(tensor: Tensor, kind: str) -> CheckpointError:
    """For values that a type cannot hold."""
    return CheckpointError(f"{tensor.path}: tensor {tensor.name} has values that {kind.lower()} cannot hold; take --type f32")
