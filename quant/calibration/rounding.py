"""Rounding with feedback: what one column's rounding did to a matrix's output, the columns after it make good.

llama.cpp's quantizer rounds each weight to the nearest level of its block. Here the scales stay as it chose them, and the
columns are rounded one after the other, each after the errors of those before it were added in the proportion in which
their inputs go together. With H the second moments of the inputs (E[x xᵀ]) and H = U D Uᵀ, U unit upper triangular,
column k becomes the level nearest to W_k + Σ_{j<k} (W_j − Ŵ_j) U_jk. That is LDLQ (Chee et al. 2023, QuIP, arXiv
2307.13304), which equals GPTQ (Frantar et al. 2022, arXiv 2210.17323) and needs no inverse. Same file, same types, same
speed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from logos_cli.quant.calibration.k_blocks import Format

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Bytes = npt.NDArray[np.uint8]

# Of the mean second moment, added to each: inputs that the texts never showed count a little; and so much more as there are
# few tokens for many inputs, since what then seems to go together mostly does by chance.
DAMPING, _FEW = 0.01, 0.1
_COLUMNS = 64  # rounded before their errors go to all later ones in one product
_ROWS = 512  # of the matrix at a time; they do not know of each other


@dataclass(frozen=True)
class Feedback:
    """`order` [C] in which columns are rounded, those of the largest inputs first; `upper` [C, C] is U in that order."""

    order: npt.NDArray[np.int64]
    upper: Floats

    @classmethod
    def of(cls, moments: Floats, tokens: int) -> Feedback:
        """Of the sum of x xᵀ [C, C] over `tokens` tokens."""
        diagonal = np.diag(moments)
        order = np.argsort(-diagonal, kind="stable")
        damping = max(DAMPING, _FEW * len(diagonal) / tokens) * max(float(diagonal.mean()), 1e-30)
        while True:
            damped = moments[np.ix_(order, order)]
            damped[np.diag_indices(len(order))] += damping
            try:
                # The Cholesky factor of the reversed matrix, reversed, is upper: H = M Mᵀ.
                upper = np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1]
            except np.linalg.LinAlgError:
                damping *= 10  # few texts, many inputs: float32 cannot tell it from a matrix without inverse
                continue
            return cls(order, np.ascontiguousarray(upper / np.diag(upper), np.float32))


def rounded(values: Floats, raw: Bytes, form: Format, feedback: Feedback, threads: int) -> Bytes:
    """Blocks [R, bytes a row] of `values` [R, C] with the scales of `raw` and codes chosen with feedback."""

    def work(start: int) -> Bytes:
        return _rows(values[start : start + _ROWS], raw[start : start + _ROWS], form, feedback)

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(work, range(0, len(values), _ROWS))))


def _rows(values: Floats, raw: Bytes, form: Format, feedback: Feedback) -> Bytes:
    rows, columns = values.shape
    blocks = raw.reshape(rows * columns // form.block, -1).copy()
    scales, offsets = (np.repeat(part.reshape(rows, -1), form.part, axis=1).T[feedback.order] for part in form.grid(blocks))
    # Columns as rows, so that each lies together in memory.
    wanted = values.T[feedback.order]
    upper = feedback.upper
    errors = np.empty_like(wanted)
    codes = np.empty(wanted.shape, np.uint8)
    factors = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    for first in range(0, columns, _COLUMNS):
        last = min(first + _COLUMNS, columns)
        here = wanted[first:last] + upper[:first, first:last].T @ errors[:first]
        for k in range(first, last):
            target = here[k - first] + upper[first:k, k] @ errors[first:k]
            codes[k] = nearest((target - offsets[k]) * factors[k], form.levels)
            errors[k] = wanted[k] - scales[k] * form.levels[codes[k]] - offsets[k]
    back = np.empty_like(codes)
    back[feedback.order] = codes
    form.put(blocks, np.ascontiguousarray(back.T).reshape(-1, form.block))
    return blocks.reshape(rows, -1)


def nearest(values: Floats, levels: Floats) -> Bytes:
    """Numbers of the levels, ascending, nearest to `values`."""
    if levels[-1] - levels[0] == len(levels) - 1:  # whole numbers
        found: Bytes = (np.clip(np.rint(values), levels[0], levels[-1]) - levels[0]).astype(np.uint8)
        return found
    found = np.searchsorted((levels[1:] + levels[:-1]) / 2, values).astype(np.uint8)
    return found
