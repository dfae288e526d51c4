"""Checkpoint to GGUF, streaming: no torch, no transformers, never a whole tensor in memory.

The file equals what llama.cpp's convert_hf_to_gguf.py writes for the same checkpoint (tensors bit for bit, the same
hyperparameter, rope and tokenizer keys); keys of our own begin with `logos.`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.convert.gguf_vocab import GgufVocab
from logos_cli.convert.rotary import rope_factors
from logos_cli.errors import CheckpointError, OutputError
from logos_cli.models.architectures.architecture import Config
from logos_cli.models.checkpoint import Checkpoint, Tensor, too_wide
from logos_cli.models.gguf_header import TRIM_IDS
from logos_cli.models.gguf_seal import DATA, HEADER, UNKNOWN, seal
from logos_cli.models.hub.manifest import read_manifest
from logos_cli.models.tensor_values import all_finite, as_float32

if TYPE_CHECKING:
    import gguf
    import numpy as np
    import numpy.typing as npt

Progress = Callable[[int], None]
FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16"}
FINGERPRINT = "logos.fingerprint"
# Keys that change no answer: equal weights from two folders are one model.
PROVENANCE = ("general.name", "general.license", "logos.source", FINGERPRINT, DATA, HEADER)


@dataclass(frozen=True)
class PlannedTensor:
    """One tensor of the output: `kind` is its GGML type, `shape` row-major."""

    name: str
    shape: tuple[int, ...]
    kind: str
    sources: tuple[Tensor, ...]  # one, or those of all experts; none for a tensor that is computed
    heads: int | None  # q and k: how many heads to permute

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * {"F32": 4, "F16": 2, "BF16": 2}[self.kind]


def plan(checkpoint: Checkpoint, scheme: str) -> list[PlannedTensor]:
    """Every tensor that will be written, in file order: vectors and routers stay f32, as in llama.cpp; the matrices of all
    experts follow each other in one tensor."""
    config = checkpoint.config
    family = config.architecture
    parts: dict[str, list[Tensor]] = {}
    for name in config.shapes():  # in the order of the experts
        parts.setdefault(family.gguf_name(name), []).append(checkpoint.tensors[name])
    planned = []
    if config.rope_scaling:
        planned.append(PlannedTensor("rope_freqs.weight", (config.head // 2,), "F32", (), None))
    for gguf, tensors in parts.items():
        first = tensors[0]
        shape = (len(tensors), *first.shape) if family.is_stacked(first.name) else first.shape
        kind = "F32" if len(shape) == 1 or family.is_wide(first.name) else scheme.upper()
        planned.append(PlannedTensor(gguf, shape, kind, tuple(tensors), family.heads_of(first.name, config)))
    return sorted(planned, key=lambda p: _file_order(p.name))


def _file_order(name: str) -> tuple[int, int, str]:
    layer = next((int(part) for part in name.split(".") if part.isdigit()), -1)
    return (0 if name.startswith(("token", "rope")) else 1 if layer >= 0 else 2, layer, name)


def permuted(rows: npt.NDArray[np.generic], head: int) -> npt.NDArray[np.generic]:
    """Rows of q or k from Hugging Face's half-split rotary order to llama.cpp's interleaved one, head by head."""
    shape = rows.shape
    moved: npt.NDArray[np.generic] = rows.reshape(-1, 2, head // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
    return moved


def converted(raw: bytes, dtype: str, kind: str) -> npt.NDArray[Any]:
    """Values of `dtype` as `kind`: equal types stay bits, all others go through float32."""
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    if dtype == kind:
        return np.frombuffer(raw, np.uint32 if dtype == "F32" else np.uint16)
    values = as_float32(raw, dtype)
    if kind == "F32":
        return values
    with np.errstate(over="ignore"):
        if kind == "F16":
            return values.astype(np.float16)
        rounded: npt.NDArray[np.uint16] = quants.quantize(values, GGMLQuantizationType.BF16).view(np.uint16)
        return rounded


def data_of(tensor: PlannedTensor, config: Config) -> Iterator[bytes]:
    """The tensor's bytes in the output, piece by piece."""
    import numpy as np

    if not tensor.sources:
        assert config.rope_scaling is not None
        yield rope_factors(config.rope_theta, config.head, config.rope_scaling).tobytes()
    for source in tensor.sources:
        width = math.prod(source.shape[1:])
        for start, stop in source.pieces(config.head if tensor.heads else 1):
            raw = source.numbers(start, stop)
            if tensor.heads:
                item = np.uint32 if source.dtype == "F32" else np.uint16
                rows = np.frombuffer(raw, item).reshape(stop - start, width)
                raw = permuted(rows, config.head).tobytes()
            if source.dtype != tensor.kind:
                raw = converted(raw, source.dtype, tensor.kind).tobytes()
                if not all_finite(raw, tensor.kind):
                    raise too_wide(source, tensor.kind)
            yield raw


def write_keys(writer: gguf.GGUFWriter, checkpoint: Checkpoint, vocab: GgufVocab, scheme: str, sampling: str) -> None:
    import gguf

    config = checkpoint.config
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(checkpoint.path.resolve().name)
    writer.add_block_count(config.layers)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.hidden)
    writer.add_feed_forward_length(config.ffn)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.epsilon)
    if config.explicit_head:
        writer.add_key_length(config.head)
        writer.add_value_length(config.head)
    writer.add_file_type(gguf.LlamaFileType[FILE_TYPES[scheme]])
    if config.architecture.sizes_written:
        writer.add_vocab_size(config.vocabulary)
        writer.add_rope_dimension_count(config.head)
    if config.experts:
        writer.add_expert_count(config.experts)
        writer.add_expert_used_count(config.experts_used)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    vocab.write(writer)
    if manifest := read_manifest(checkpoint.path):
        writer.add_string("logos.source", f"{manifest.repo}@{manifest.commit}")
        if manifest.license:
            writer.add_license(manifest.license)
    writer.add_string("logos.scheme", scheme)
    for key in (FINGERPRINT, DATA, HEADER):
        writer.add_string(key, UNKNOWN)  # `seal` fills them in once the data has gone by
    if sampling:
        writer.add_string("logos.sampling", sampling)
    if checkpoint.kept is not None:
        writer.add_array(TRIM_IDS, checkpoint.kept)


def native_scheme(checkpoint: Checkpoint) -> str:
    """The unquantized type that loses nothing: the widest one of the checkpoint's matrices."""
    found = {tensor.dtype for tensor in checkpoint.tensors.values() if len(tensor.shape) > 1}
    return "bf16" if found == {"BF16"} else "f16" if found == {"F16"} else "f32"


def write_header(
    checkpoint: Checkpoint, vocab: GgufVocab, out: Path, scheme: str, planned: Sequence[PlannedTensor]
) -> gguf.GGUFWriter:
    """Write everything before the data of `out`; the writer's stream stands at the data's first byte."""
    import gguf

    sampling = checkpoint.document("logos_sampling.json")
    writer = gguf.GGUFWriter(None, checkpoint.config.architecture.gguf)
    write_keys(writer, checkpoint, vocab, scheme, json.dumps(sampling) if sampling else "")
    for tensor in planned:
        kind = gguf.GGMLQuantizationType[tensor.kind]
        writer.add_tensor_info(tensor.name, tensor.shape, _numpy_type(tensor.kind), tensor.nbytes, raw_dtype=kind)
    writer.write_header_to_file(path=out)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    stream = stream_of(writer)
    stream.write(b"\0" * (-stream.tell() % writer.data_alignment))
    return writer


def stream_of(writer: gguf.GGUFWriter) -> Any:
    assert writer.fout is not None
    return writer.fout[0]


def describe(writer: gguf.GGUFWriter, planned: Sequence[PlannedTensor]) -> str:
    """All of a header that may change an answer: every key but those that say where the weights came from."""
    keys = {name: value.value for shard in writer.kv_data for name, value in shard.items()}
    told = {name: value for name, value in sorted(keys.items()) if name not in PROVENANCE}
    return json.dumps([told, [(tensor.name, tensor.shape, tensor.kind) for tensor in planned]])


def to_gguf(checkpoint: Checkpoint, vocab: GgufVocab, out: Path, scheme: str, progress: Progress) -> str:
    """Write `out` and return its fingerprint. `progress` is told the bytes written since its last call.

    The caller gives a temporary path and renames. Raises CheckpointError, OutputError.
    """
    planned = plan(checkpoint, scheme)
    digest = hashlib.sha256()
    writer = None
    try:
        writer = write_header(checkpoint, vocab, out, scheme, planned)
        described = describe(writer, planned)
        stream = stream_of(writer)
        start = stream.tell()
        for tensor in planned:
            written = 0
            for piece in data_of(tensor, checkpoint.config):
                stream.write(piece)
                digest.update(piece)
                written += len(piece)
                progress(len(piece))
            if written != tensor.nbytes:
                raise CheckpointError(f"{checkpoint.path}: tensor {tensor.name} gave {written:,} of {tensor.nbytes:,} bytes")
            padding = b"\0" * (-written % writer.data_alignment)
            stream.write(padding)
            digest.update(padding)
        writer.close()
        fingerprint = hashlib.sha256(f"{described} {digest.hexdigest()}".encode()).hexdigest()
        seal(out, start, {DATA: digest.hexdigest(), FINGERPRINT: fingerprint})
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror or error}") from error
    finally:
        if writer:
            writer.close()
    return fingerprint


def _numpy_type(kind: str) -> Any:
    import numpy as np

    return np.dtype(np.float32 if kind == "F32" else np.float16 if kind == "F16" else np.uint16)
