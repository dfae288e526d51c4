"""The ways to quantize, in one table."""

from __future__ import annotations

from dataclasses import dataclass

from logos_cli.errors import UsageError


@dataclass(frozen=True)
class Scheme:
    """`ftype` is llama.cpp's `llama_ftype`; `block` the values that share a scale; `main` the type of most matrices.

    `bits` a weight for the shape of LOGOS-1B, from llama.cpp's own dry run; `repacked`: llama.cpp keeps the layers'
    matrices a second time, in the order its CPU kernels like.
    """

    name: str
    ftype: int
    main: str
    block: int
    bits: float
    wider: str
    repacked: bool = False

    @property
    def quantized(self) -> bool:
        return self.block > 1


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("f32", 0, "F32", 1, 32, ""),
        Scheme("f16", 1, "F16", 1, 16, "vectors f32"),
        Scheme("bf16", 32, "BF16", 1, 16, "vectors f32"),
        Scheme("q8_0", 7, "Q8_0", 32, 8.5, "vectors f32"),
        Scheme("q6_k", 18, "Q6_K", 256, 6.56, "vectors f32"),
        Scheme("q5_k_m", 17, "Q5_K", 256, 5.79, "half of attn_v and ffn_down, the head: Q6_K"),
        Scheme("q4_k_m", 15, "Q4_K", 256, 5.06, "half of attn_v and ffn_down, the head: Q6_K", True),
        Scheme("q4_0", 2, "Q4_0", 32, 4.86, "the head: Q6_K", True),
        Scheme("iq4_xs", 30, "IQ4_XS", 256, 4.7, "the head Q6_K, attn_v Q5_K with many heads a key"),
    )
}


# What `--budget` makes: each matrix has a type of its own. llama.cpp wants some file type for it all.
MIXED = Scheme("mixed", SCHEMES["q4_k_m"].ftype, "", 256, 0, "")


@dataclass(frozen=True)
class OnnxScheme:
    """Bits of the layers' matrices, the head and the embedding. `accuracy_level` 4 lets MatMulNBits round activations to
    8 bits, which is what makes it fast on CPUs (onnxruntime, docs/ContribOperators.md)."""

    name: str
    bits: int
    head_bits: int
    embedding_bits: int
    accuracy_level: int = 4


ONNX_SCHEMES = {scheme.name: scheme for scheme in (OnnxScheme("int8", 8, 8, 8), OnnxScheme("int4", 4, 8, 4))}
ALIASES = {"int8": "q8_0", "int4": "q4_k_m"}


def scheme_named(name: str) -> Scheme:
    """The GGUF scheme of a --type word. Raises UsageError."""
    scheme = SCHEMES.get(ALIASES.get(name.lower(), name.lower()))
    if scheme is None:
        raise UsageError(f"--type {name}: one of {', '.join((*ALIASES, *SCHEMES))}")
    return scheme
