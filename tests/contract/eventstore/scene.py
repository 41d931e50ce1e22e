"""What the checks share: events to append, and ways to read a store to the end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast
from uuid import uuid4

from libs.eventstore.port import Appended, Batch, EventStore, Filter, NewEvent, RecordedEvent

patience = 10.0
"""Seconds that a check waits for a subscription; planted faults are found sooner."""


def category() -> str:
    """A beginning of stream names that no other check uses: the log may be shared."""
    return f"check{uuid4().hex[:12]}-"


def some(count: int, kind: str = "Noted", data: bytes = b"{}") -> list[NewEvent]:
    """New events, each with its own id."""
    return [NewEvent(uuid4(), kind, data, b'{"actor":"check"}') for _ in range(count)]


def ids(events: Sequence[NewEvent] | Sequence[RecordedEvent]) -> list[object]:
    """What events are compared by."""
    return [event.id for event in events]


async def stream_of(store: EventStore, stream: str, **how: Any) -> list[RecordedEvent]:
    """Everything a read of the stream shows."""
    return [event async for batch in store.read_stream(stream, **how) for event in batch.events]


async def log_of(store: EventStore, prefix: str, **how: Any) -> list[RecordedEvent]:
    """Everything a read of the log shows of streams with this prefix."""
    batches = store.read_all(filter=Filter(prefixes=(prefix,)), **how)
    return [event async for batch in batches for event in batch.events]


async def follow(store: EventStore, count: int, **how: Any) -> list[Batch]:
    """Batches of a subscription until they hold ``count`` events (0: until caught up)."""
    batches: list[Batch] = []
    async with asyncio.timeout(patience), following(store, **how) as subscription:
        async for batch in subscription:
            batches.append(batch)
            if held(batches) >= count and (count or batch.caught_up):
                break
    return batches


def held(batches: Sequence[Batch]) -> int:
    """How many events batches hold together."""
    return sum(len(batch.events) for batch in batches)


def events_of(batches: Sequence[Batch]) -> list[RecordedEvent]:
    """The events of batches, one after the other."""
    return [event for batch in batches for event in batch.events]


def following(store: EventStore, **how: Any) -> "aclosing[AsyncGenerator[Batch, None]]":
    """A subscription that ends with its block."""
    subscription: AsyncIterator[Batch] = store.subscribe(**how)
    return aclosing(cast("AsyncGenerator[Batch, None]", subscription))


def appended(answer: object) -> Appended:
    """The answer of a bulk append's part that must have succeeded."""
    assert isinstance(answer, Appended), answer
    return answer
