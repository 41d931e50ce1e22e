"""The client's events, which come one at a time, made into batches."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from kurrentdbclient import AsyncReadResponse, CaughtUp, Checkpoint, FellBehind
from kurrentdbclient import RecordedEvent as Received
from kurrentdbclient.common import AbstractAsyncCatchupSubscription
from kurrentdbclient.exceptions import KurrentDBClientError

from libs.eventstore.port import Batch, RecordedEvent, StoreUnavailable

LINGER = 0.02
"""Seconds for which a batch may fill while a subscription catches up; live, it goes at once."""

TIMEOUT = 30.0
"""Seconds in which the next batch of a read must have come."""

MOST_BYTES = 8 << 20
"""Data and metadata after which a batch is full, whatever the number of its events."""

Select = Callable[[RecordedEvent], bool]

_EPOCH = datetime.fromtimestamp(0, UTC)


def recorded(event: Received) -> RecordedEvent:
    """Answer the client's event as the port's."""
    return RecordedEvent(
        event.id,
        event.type,
        event.data,
        event.metadata,
        event.stream_name,
        event.stream_position,
        event.commit_position,
        event.recorded_at or _EPOCH,
    )


class Slice(NamedTuple):
    """Some of what a read brings, and whether it is the last of it."""

    events: list[RecordedEvent]
    is_last: bool


async def slices(
    response: AsyncReadResponse, size: int, select: Select = lambda _: True
) -> AsyncIterator[Slice]:
    """Yield what a read brings, `size` events at a time or fewer large ones. Raises TimeoutError.

    The last one may have no events.
    """
    more = True
    try:
        while more:
            more, events, room = False, [], MOST_BYTES
            async with asyncio.timeout(TIMEOUT):
                async for received in response:
                    event = recorded(received)
                    if select(event):
                        events.append(event)
                        room -= weight(event)
                    if len(events) == size or room <= 0:
                        more = True
                        break
            yield Slice(events, not more)
    finally:
        with suppress(KurrentDBClientError):
            await response.stop()


def weight(event: RecordedEvent) -> int:
    """Answer how many bytes of an event count."""
    return len(event.data) + len(event.metadata)


async def only(response: AsyncReadResponse) -> RecordedEvent | None:
    """Answer the one event of a read that asks for one; None where there is none."""
    events = [event async for found in slices(response, 1) for event in found.events]
    return events[0] if events else None


class Inflow:
    """Takes what a subscription brings as it comes, for a consumer that takes it in batches.

    While the consumer is at work the next batch fills: batches grow with the time that they take.
    They are bounded, in events and in bytes, and a full one holds the server up.
    """

    def __init__(
        self, source: AbstractAsyncCatchupSubscription, size: int, after: int, select: Select
    ) -> None:
        self._source, self._size, self._select = source, size, select
        self._position, self._live = after, False
        self._lost: Exception | None = None
        self._some, self._due, self._taken = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._events: list[RecordedEvent] = []
        self._room = MOST_BYTES
        self._news = False  # whether there is anything to say

    async def __aenter__(self) -> "Inflow":
        self._filling = asyncio.create_task(self._fill())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._filling.cancel()
        await asyncio.gather(self._filling, return_exceptions=True)
        with suppress(KurrentDBClientError):
            await self._source.stop()

    async def _fill(self) -> None:
        """Take in until the subscription ends, as it never should."""
        try:
            async for received in self._source:
                self._note(received)
                if self._is_full():
                    self._due.set()
                    self._taken.clear()
                    await self._taken.wait()
            self._lost = StoreUnavailable("the server ended the subscription")
        except Exception as error:
            self._lost = error
        self._some.set()
        self._due.set()

    async def take(self, patience: float) -> Batch | None:
        """Answer what has come; None when nothing has for `patience` seconds.

        Raises what ended the subscription.
        """
        try:
            async with asyncio.timeout(patience):
                await self._some.wait()
        except TimeoutError:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._due.wait()
        if self._lost is not None and not self._news:
            raise self._lost
        # Live means that nothing was known to follow what has come, unless more did not fit.
        caught_up = self._live and not self._is_full()
        batch = Batch(self._events, self._position, caught_up)
        self._events, self._room, self._news = [], MOST_BYTES, False
        self._taken.set()
        if self._lost is None:
            self._some.clear()
            self._due.clear()
        return batch

    def _is_full(self) -> bool:
        return len(self._events) >= self._size or self._room <= 0

    def _note(self, received: Received) -> None:
        # Marks of older servers have no position.
        self._position = max(self._position, received.commit_position)
        if isinstance(received, CaughtUp | FellBehind):
            self._live = isinstance(received, CaughtUp)
        elif not isinstance(received, Checkpoint):
            event = recorded(received)
            if self._select(event):
                self._events.append(event)
                self._room -= weight(event)
        self._news = True
        self._some.set()
        if self._live:
            self._due.set()
