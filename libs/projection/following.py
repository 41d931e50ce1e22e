"""Following the log without end: where a consumer is, and coming again when the log is lost.

The same for views and for policies. Whatever ends a subscription, it is begun again from the last
position that was dealt with, after a pause that grows (see ``backoff``).
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from libs.eventstore.port import BATCH, Batch, EventStore, Filter, StoreUnavailable
from libs.projection.backoff import LONGEST, Backoff

log = logging.getLogger(__name__)

Clock = Callable[[], float]
"""Seconds since whenever, as the event loop counts them."""


class Following:
    """One consumer's way along the log."""

    def __init__(
        self,
        name: str,
        store: EventStore,
        types: Iterable[str],
        after: int | None,
        *,
        batch: int = BATCH,
        clock: Clock = time.monotonic,
    ) -> None:
        """Follow events of ``types`` from after position ``after`` (None: from the beginning)."""
        self.name = name
        self.position = -1 if after is None else after
        """All of the log up to here has been dealt with (-1: nothing yet)."""
        self.caught_up = asyncio.Event()
        """Set once the end of the log was reached for the first time."""
        self.error = ""
        """Why it does not get on; empty while it does."""
        self._store, self._filter, self._batch = store, Filter(frozenset(types)), batch
        self._clock, self._backoff = clock, Backoff()
        self._listening: asyncio.Timeout | None = None

    @property
    def after(self) -> int | None:
        """Where a subscription goes on."""
        return None if self.position < 0 else self.position

    def reached(self, position: int) -> None:
        """Note that all up to ``position`` has been dealt with."""
        if position > self.position:
            self.position = position
            self._backoff.reset()
        self.error = ""

    def restart(self) -> bool:
        """Begin the subscription anew if all that is waited for is news from it; say whether.

        Whoever is busy with an event is let alone: he is slow, not deaf.
        """
        if self._listening is None:
            return False
        self._listening.reschedule(asyncio.get_running_loop().time())
        return True

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Follow the log from where we are, once. Raises StoreUnavailable when that ends."""
        news = self._store.subscribe(after=self.after, filter=self._filter, batch=self._batch)
        try:
            while True:
                yield await self._heard(anext(news))
        finally:
            if isinstance(news, AsyncGenerator):
                await news.aclose()

    async def _heard(self, news: Awaitable[Batch]) -> Batch:
        try:
            async with asyncio.timeout(None) as self._listening:
                return await news
        except StopAsyncIteration:
            raise StoreUnavailable("the store ended the subscription") from None
        except TimeoutError:
            if self._listening is not None and self._listening.expired():
                raise StoreUnavailable("the log goes on and nothing comes of it") from None
            raise
        finally:
            self._listening = None

    async def run(
        self, session: Callable[[], Awaitable[None]], passing: tuple[type[Exception], ...] = ()
    ) -> None:
        """Have ``session`` follow the log, again and again, until cancelled.

        StoreUnavailable and the ``passing`` errors are trouble of others; what else ends a
        session is logged with all that is known of it. Nothing is skipped either way.
        """
        others: tuple[type[Exception], ...] = (StoreUnavailable, *passing)
        while True:
            begun, trace = self._clock(), None
            try:
                await session()
            except Exception as error:
                self.error = said(error)
                trace = None if isinstance(error, others) else error
            if self._clock() - begun > LONGEST:
                self._backoff.reset()
            pause = self._backoff.pause()
            text = "%s stops after position %d and comes again in %.1f s: %s"
            level = logging.WARNING if trace is None else logging.ERROR
            log.log(level, text, self.name, self.position, pause, self.error, exc_info=trace)
            await asyncio.sleep(pause)


def said(error: BaseException) -> str:
    """Answer an error in one bounded line."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


_LONGEST_LINE = 300
