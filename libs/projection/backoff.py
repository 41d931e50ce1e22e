"""How long to wait before trying again: longer each time, never too long, never all at once."""

import random
from collections.abc import Callable

FIRST, LONGEST = 0.1, 5.0
"""Seconds of the first pause, and of the longest."""


class Backoff:
    """Pauses that double from ``FIRST`` to ``LONGEST``, each shortened at random by up to half.

    The chance keeps consumers that lost the same store from coming again all at once.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """Shorten by ``chance``, a number in [0, 1)."""
        self._chance, self._next = chance, FIRST

    def pause(self) -> float:
        """Answer how many seconds to wait now; the next time it will be longer."""
        now, self._next = self._next, min(2 * self._next, LONGEST)
        return now * (1 - self._chance() / 2)

    def reset(self) -> None:
        """Begin with short pauses again: it went well."""
        self._next = FIRST
