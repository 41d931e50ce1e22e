"""How far a long command is, on a terminal."""

import time
from typing import Self, TextIO

WIDTH = 30
"""Characters of a full bar."""

PAUSE = 0.1
"""Seconds between two showings."""


class Meter:
    """A line that is written over and over, and is gone at the end."""

    def __init__(self, out: TextIO, *, shown: bool) -> None:
        """Show nothing at all unless ``shown``."""
        self._out, self._shown = out, shown
        self._last = 0.0

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Show what is being done, how much of it is done, and of how much (0: who knows)."""
        now = time.monotonic()
        if not self._shown or now - self._last < PAUSE:
            return
        self._last = now
        if total:
            full = WIDTH * done // total
            how = f"[{'#' * full}{' ' * (WIDTH - full)}] {100 * done // total:3} %"
        else:
            how = f"[{'###'.rjust(3 + done % (WIDTH - 2)).ljust(WIDTH)}]"
        self._out.write(f"\r\x1b[K{doing:<10} {how}")
        self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()
