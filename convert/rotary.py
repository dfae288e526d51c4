"""Rotary position embedding: Llama-3's frequency factors, and the cosines and sines of every position."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from logos_cli.models.architectures.architecture import Config, RopeScaling

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def rope_factors(theta: float, head: int, scaling: RopeScaling) -> npt.NDArray[np.float32]:
    """Llama-3's frequency factors [head / 2], every step in float32 as in llama.cpp's converter, to equal it bit for bit."""
    import numpy as np

    frequencies = inverse_frequencies(theta, head)
    low = scaling.original_context / scaling.low_freq_factor
    high = scaling.original_context / scaling.high_freq_factor
    factors = []
    for frequency in frequencies:
        wavelength = 2 * math.pi / frequency
        if wavelength < high:
            factors.append(np.float32(1))
        elif wavelength > low:
            factors.append(np.float32(scaling.factor))
        else:
            position = scaling.original_context / wavelength - scaling.low_freq_factor
            smooth = position / (scaling.high_freq_factor - scaling.low_freq_factor)
            factors.append(1 / ((1 - smooth) / scaling.factor + smooth))
    return np.array(factors, np.float32)


def inverse_frequencies(theta: float, head: int) -> npt.NDArray[np.float32]:
    """Radians a position [head / 2], without any scaling."""
    import numpy as np

    exponents = np.arange(0, head, 2, dtype=np.float32) / np.float32(head)
    # The power rounded once from float64 is what torch's float32 power gives; numpy's own float32 power is not.
    found: npt.NDArray[np.float32] = np.float32(1.0) / np.power(theta, exponents.astype(np.float64)).astype(np.float32)
    return found


def cosines_and_sines(config: Config) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Two tables [context, head / 2], with Llama-3's scaling if the checkpoint has it; angles are rounded to float32 as in
    transformers."""
    import numpy as np

    frequencies = inverse_frequencies(config.rope_theta, config.head)
    if config.rope_scaling:
        frequencies = frequencies / rope_factors(config.rope_theta, config.head, config.rope_scaling)
    angles = np.arange(config.context, dtype=np.float32)[:, None] * frequencies[None, :]
    return np.cos(angles), np.sin(angles)
