"""The latest first items of groups, in memory: which of them does a text resemble most?

It is made of rows that ``Duplicates`` keeps. Full, it takes 45 MB for short texts, 115 for the
longest.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.feedback.views.sketch import BANDS, Sketch, similarity

WINDOW = 65_536
"""First items that are looked through: the latest."""

_SLOTS = 1 << 19
"""Places for the keys of a band. An item is hidden in one of its ten bands with 1 in 16 chances,
because a later one has taken its place there."""

_BEGIN = np.arange(BANDS, dtype=np.int64) * _SLOTS

Places = NDArray[np.int64]
"""Where the keys of one item belong: one place in each band."""


def places(keys: NDArray[np.int64]) -> Places:
    """Answer the places of items (rows) by their keys (columns: bands)."""
    found: Places = (keys & (_SLOTS - 1)) + _BEGIN
    return found


@dataclass(slots=True)
class First:
    """The first item of a group, or one that stands alone; ``number`` counts them as they come."""

    number: int
    position: int
    feedback: str
    sketch: "array[int]"


class Firsts:
    """First items by what their words have in common; older ones are let go, one for each new."""

    def __init__(self, window: int) -> None:
        """Hold at most ``window`` of them."""
        self._window = window
        self._numbers = np.zeros(BANDS * _SLOTS, np.uint32)
        """The number of the last item whose key belongs there; 0: none yet."""
        self._kept: list[First | None] = [None] * window
        self.last = 0
        """The number of the latest."""

    def nearest(self, sketch: Sketch, places: Places) -> tuple[float, First | None]:
        """Answer the first item that a text is most similar to; the earlier of equal ones."""
        best, found = 0.0, None
        for first in self._near(places):
            alike = similarity(sketch, first.sketch)
            if alike > best or (alike == best and found and first.position < found.position):
                best, found = alike, first
        return best, found

    def _near(self, places: Places) -> Iterator[First]:
        for number in set(self._numbers[places].tolist()):
            first = self._kept[number % self._window]
            if first is not None and first.number == number:
                yield first

    def add(self, first: First, places: Places) -> None:
        """Have ``first`` looked for from now on, as the latest."""
        if self._kept[first.number % self._window] is first:
            self._kept[first.number % self._window] = None
        self.last += 1
        first.number = self.last
        self._kept[self.last % self._window] = first
        self._numbers[places] = self.last

    def is_old(self, first: First) -> bool:
        """Say whether the half of the others came after ``first``."""
        return first.number <= self.last - self._window // 2
