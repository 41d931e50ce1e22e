"""Sketches of texts: few numbers that tell how much two texts have in common.

A text is the set of its pairs of neighbouring words, hashed. Of two such sets the Jaccard
similarity is known from their least hashes (Broder 1997), and sets that are alike are found without
looking at all others by banding their min-hashes (Leskovec, Rajaraman & Ullman, *Mining of Massive
Datasets*, chapter 3): 10 bands of 3 rows find a similarity s with probability 1 − (1 − s³)¹⁰.
"""

import re
from collections.abc import Sequence
from itertools import chain, pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.feedback.domain.words import words

SHORTEST, LONGEST = 5, 400
"""Words of a text: fewer tell nothing, more are not looked at."""

BANDS, ROWS = 10, 3

_LEAST = 256
"""Hashes kept of a text; up to so many the similarity is exact, beyond it is estimated."""

Sketch = Sequence[int]
"""The least hashes of one text, ascending, each once; unsigned, of 32 bits."""

_DIGITS = re.compile(r"\d+")
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio
_MIX = np.uint64(0xBF58476D1CE4E5B9)  # from splitmix64
_HALF = np.uint64(32)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread what differs in a few bits over all of them."""
    values = (values ^ (values >> np.uint64(31))) * _MIX
    return (values ^ (values >> np.uint64(27))) * _ODD


_SEEDS = _mixed(np.arange(1, 2 * BANDS * ROWS + 1, dtype=np.uint64) * _ODD)
_FACTORS, _SUMMANDS = _SEEDS[: BANDS * ROWS] | np.uint64(1), _SEEDS[BANDS * ROWS :]


def sketch(text: str) -> Sketch | None:
    """Answer the sketch of ``text``; None where it is too short to tell."""
    said = words(_DIGITS.sub("0", text))[:LONGEST]
    if len(said) < SHORTEST:
        return None
    coded = [f" {word}".encode() for word in said]
    pairs = {crc32(second, crc32(first)) for first, second in pairwise(coded)}
    return sorted(pairs)[:_LEAST]


def similarity(one: Sketch, other: Sketch) -> float:
    """Answer the Jaccard similarity of two texts, 0 to 1."""
    ours = set(one)
    both = ours.intersection(other)
    if max(len(one), len(other)) < _LEAST:
        return len(both) / (len(one) + len(other) - len(both))
    union = set(sorted(ours.union(other))[:_LEAST])
    return len(union & both) / len(union)


def bands(sketches: Sequence[Sketch]) -> NDArray[np.int64]:
    """Answer the keys of sketches, a row each, a column a band: alike ones share some.

    Unlike ones hardly ever do.
    """
    if not sketches:
        return np.empty((0, BANDS), np.int64)
    hashes = np.fromiter(chain.from_iterable(sketches), np.uint64)[:, None]
    starts = np.cumsum([0, *(len(each) for each in sketches[:-1])])
    least = np.minimum.reduceat((hashes * _FACTORS + _SUMMANDS) >> _HALF, starts, axis=0)
    rows = least.reshape(len(sketches), BANDS, ROWS)
    keys = np.broadcast_to(np.arange(BANDS, dtype=np.uint64), rows.shape[:2])
    for row in range(ROWS):
        keys = _mixed(keys * _ODD + rows[:, :, row])
    return keys.view(np.int64)
