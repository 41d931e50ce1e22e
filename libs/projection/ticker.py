"""Runs what time drives: a policy's `tick(now)`, about every second, by a clock that it is given.

A tick finds what is due in views and sends commands whose request id is derived from the thing
that is due: a tick repeated, here or in another instance, is a tick done once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from libs.eventstore.port import EventStore, StoreUnavailable
from libs.kernel.values import Clock
from libs.projection.backoff import Backoff
from libs.projection.reactor import TryAgain

log = logging.getLogger(__name__)
Tick = Callable[[datetime], Awaitable[None]]

EVERY = 1.0
"""Seconds from the end of one tick to the next."""


class Followed(Protocol):
    """Views that follow the log."""

    @property
    def caught_up(self) -> asyncio.Event:
        """Set once they have seen all that the log held."""
        ...

    async def wait(self, position: int) -> None:
        """Return once they have seen everything up to ``position``."""
        ...


class Ticker:
    """Calls ``tick`` with an instant when the views that it asks know all that was before it.

    What was seen to by an instant is in the log by then, so nothing that was done in time is taken
    for due, neither after a restart nor while views are a moment behind.
    """

    def __init__(
        self,
        tick: Tick,
        clock: Clock,
        store: EventStore,
        views: Sequence[Followed],
        *,
        every: float = EVERY,
        name: str = "ticker",
    ) -> None:
        """Tick every ``every`` seconds by ``clock``; ``name`` is for operators."""
        self._tick, self._clock, self._store, self._views = tick, clock, store, views
        self._every, self._name = every, name

    async def run(self) -> None:
        """Tick until cancelled; a tick that fails is tried again, at most 5 s later."""
        for each in self._views:
            await each.caught_up.wait()
        backoff = Backoff()
        while True:
            try:
                now = self._clock()
                head = await self._store.head()
                for each in self._views:
                    await each.wait(head)
                await self._tick(now)
            except (StoreUnavailable, TryAgain) as error:
                log.warning("%s waits: %s", self._name, error)
            except Exception:  # what is due stays due: it is tried until the cause is mended
                log.exception("%s failed, and tries again", self._name)
            else:
                backoff.reset()
                await asyncio.sleep(self._every)
                continue
            await asyncio.sleep(backoff.pause())

    async def close(self) -> None:
        """Hold nothing."""
