"""The array types of the models, and evaluation in blocks that fit the processor's cache."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BLOCK = 8192
"""Rows per block: a dozen temporaries of this length stay in a second-level cache."""


def in_blocks(function: Callable[..., FloatArray], *columns: FloatArray) -> FloatArray:
    """Apply an elementwise function of equally long columns block by block.

    The answer of a row depends on that row alone, so the size of a block cannot be seen in it.
    """
    rows = len(columns[0])
    answer = np.empty(rows)
    for start in range(0, rows, BLOCK):
        block = slice(start, start + BLOCK)
        answer[block] = function(*(column[block] for column in columns))
    return answer
