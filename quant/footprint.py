"""What LOGOS-1B takes at each scheme: bytes on disk and in memory, from its shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from logos_cli.quant.schemes import ALIASES, SCHEMES, Scheme

# The shape inferred from the sizes of the published files: a Llama-3.2-1B with a head of its own and 16 markers.
PARAMETERS = 1_498_548_256
LAYERS, KV_HEADS, HEAD = 16, 8, 64
CELLS = 1064  # tokens of a prompt and of an answer as long as the defaults allow
ANSWERS = 32

# Measured as resident memory of `logos generate` on a replica of that shape at bf16, q8_0 and q4_k_m (1.65 and 2.98 GB
# for one and for 32 answers at q4_k_m); the sums below are within 5 % of it.
_PROGRAM = 200 << 20
_BATCH = 200 << 20
_REPACKED = 0.5  # of the file, kept a second time


@dataclass(frozen=True)
class Footprint:
    """Bytes: the file, the memory for one answer at a time, and for `ANSWERS` at once, each of `CELLS` tokens."""

    scheme: str
    file: int
    single: int
    batch: int


def footprint(scheme: Scheme) -> Footprint:
    file = int(PARAMETERS * scheme.bits / 8)
    cache = 2 * LAYERS * KV_HEADS * HEAD * CELLS * (4 if scheme.name == "f32" else 2)
    weights = file + int(file * _REPACKED) * scheme.repacked + _PROGRAM
    names = {full: short for short, full in ALIASES.items()}
    name = f"{names[scheme.name]} ({scheme.name})" if scheme.name in names else scheme.name
    return Footprint(name, file, weights + cache, weights + ANSWERS * cache + _BATCH)


def footprints() -> Iterator[Footprint]:
    return (footprint(scheme) for scheme in SCHEMES.values() if scheme.name != "f16")
