"""What a decoder is made of: the numbers of one model (`Config`), and what sets one family apart (`Architecture`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from logos_cli.errors import CheckpointError


@dataclass(frozen=True)
class RopeScaling:
    """Llama-3's frequency scaling."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_context: int


@dataclass(frozen=True)
class Config:
    """The parts of config.json that a model depends on; `experts` and `experts_used` are 0 for a dense one."""

    architecture: Architecture
    vocabulary: int
    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    context: int
    epsilon: float
    rope_theta: float
    rope_scaling: RopeScaling | None
    tied: bool
    explicit_head: bool  # whether GGUF has to name the head's size: llama.cpp writes two keys more then
    experts: int = 0
    experts_used: int = 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors that this model has, by their Hugging Face names: row-major, as in torch."""
        found: dict[str, tuple[int, ...]] = {EMBEDDING: (self.vocabulary, self.hidden), FINAL_NORM: (self.hidden,)}
        if not self.tied:
            found[HEAD] = (self.vocabulary, self.hidden)
        for i in range(self.layers):
            found |= {f"model.layers.{i}.{name}": shape for name, shape in self.architecture.layer(self).items()}
        return found


@dataclass(frozen=True)
class Architecture:
    """One family of decoders, as Hugging Face and llama.cpp know it.

    In names of tensors `{i}` stands for the layer and `{e}` for an expert; all experts' matrices become one tensor in GGUF.
    """

    hf_class: str  # in config.json
    body: str  # there, for a model saved without its head
    model_type: str  # there
    gguf: str  # general.architecture
    layer: Callable[[Config], dict[str, tuple[int, ...]]]  # shapes of a layer's tensors, without `model.layers.{i}.`
    gguf_names: Mapping[str, str]  # Hugging Face's name -> llama.cpp's
    turned: Mapping[str, Callable[[Config], int]] = field(default_factory=dict)  # rows in rotary order -> how many heads
    wide: frozenset[str] = frozenset()  # matrices that stay f32 in every scheme
    sizes_written: bool = False  # llama.cpp's converter writes the keys vocab_size and rope.dimension_count
    defaults: Mapping[str, Any] = field(default_factory=dict)  # what transformers takes where config.json is silent
    rope_theta: float = 10000.0  # the same of this key, which has several places
    scales_rope: bool = False  # llama.cpp knows llama3's frequency scaling for it
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # keys of config.json whose other values are not read
    qk_norm: bool = False  # q and k are normalized head by head before the rotary embedding
    onnx: bool = True  # the fused graph knows it

    def gguf_name(self, name: str) -> str:
        """The GGUF name of a Hugging Face tensor. Raises CheckpointError for one the family does not have."""
        pattern, numbers = _pattern(name)
        if pattern not in self.gguf_names:
            raise CheckpointError(f"tensor {name} has no place in a {self.gguf} GGUF of {self.hf_class}")
        return self.gguf_names[pattern].replace("{i}", next(iter(numbers), ""))

    def heads_of(self, name: str, config: Config) -> int | None:
        """How many heads the rows of a matrix are, if llama.cpp wants them in another order."""
        turned = self.turned.get(_pattern(name)[0])
        return turned(config) if turned else None

    def is_stacked(self, name: str) -> bool:
        """Whether a tensor is one expert's, and part of a larger one in GGUF."""
        return "{e}" in _pattern(name)[0]

    def is_wide(self, name: str) -> bool:
        return _pattern(name)[0] in self.wide


EMBEDDING, FINAL_NORM, HEAD = "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"
# Names outside the layers, and within them what all families share. The order is that of the table, not of the file.
OUTER_NAMES = {EMBEDDING: "token_embd.weight", FINAL_NORM: "output_norm.weight", HEAD: "output.weight"}


def layer_names(names: Mapping[str, str]) -> dict[str, str]:
    """A family's table: `names` of a layer's tensors, behind `model.layers.{i}.` and `blk.{i}.`, and those outside them."""
    return {**OUTER_NAMES, **{f"model.layers.{{i}}.{name}": f"blk.{{i}}.{gguf}" for name, gguf in names.items()}}


def _pattern(name: str) -> tuple[str, list[str]]:
    """A tensor's name with {i} for its layer and {e} for its expert, and those numbers."""
    parts, numbers = [], []
    places: Iterator[str] = iter(("{i}", "{e}"))
    for part in name.split("."):
        place = next(places, None) if part.isdecimal() else None
        parts.append(place or part)
        if place:
            numbers.append(part)
    return ".".join(parts), numbers
