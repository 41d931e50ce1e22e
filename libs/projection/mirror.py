"""What is kept in memory of a view's rows: brought up to date beside the event loop, all the time.

So a question finds little that is new, and the first one after a start need not wait until all of
it was read in.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from libs.projection.ticker import EVERY, Followed

log = logging.getLogger(__name__)


class Mirror:
    """Calls ``refresh`` in a thread, again and again, also while views catch up."""

    def __init__(
        self, refresh: Callable[[], None], views: Followed, *, every: float = EVERY, name: str
    ) -> None:
        """Mirror ``views``; rest ``every`` seconds between calls. ``name`` is for operators."""
        self._refresh, self._views, self._every, self._name = refresh, views, every, name
        self.caught_up = asyncio.Event()
        """Set once it shows what the views had when they had caught up."""

    async def run(self) -> None:
        """Refresh until cancelled; a call that fails is logged, and made again."""
        while True:
            if not self._views.caught_up.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._views.caught_up.wait(), self._every)
            is_last = self._views.caught_up.is_set()
            try:
                await _to_its_end(self._refresh)
            except Exception:  # questions refresh, too: whoever asks is told
                log.exception("%s could not be brought up to date", self._name)
            else:
                if is_last:
                    self.caught_up.set()
            if is_last:
                await asyncio.sleep(self._every)

    async def close(self) -> None:
        """Hold nothing."""


async def _to_its_end(call: Callable[[], None]) -> None:
    """Make a call in a thread; whoever cancels waits until the thread has left it."""
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
