"""Broken stores beyond those of the contract suite: what only crashes, bulk or time can show."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any

from libs.eventstore.port import (
    Appended,
    Batch,
    EventStore,
    Expected,
    ExpectedState,
    NewEvent,
    StoreUnavailable,
    WrongExpectedRevision,
)
from tests.contract.eventstore import faults
from tests.contract.eventstore.faults import Honest


class AcknowledgesBeforeTheCommit(Honest):
    """Answers an append with what will come of it, a moment before it has."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self.under_way: set[asyncio.Task[Appended]] = set()

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        there = await self.store.append(stream, [], Expected.ANY)
        if isinstance(expected, int) and expected != there.revision:
            raise WrongExpectedRevision(stream, expected, there.revision)
        writing = asyncio.create_task(self.store.append(stream, events, expected))
        self.under_way.add(writing)
        writing.add_done_callback(self.under_way.discard)
        return Appended(there.revision + len(events), await self.head() + len(events))


class SkipsOneInTenThousand(Honest):
    """Leaves one event in ten thousand out of its subscriptions."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self.numbers = count(1)

    def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        return self.skip(self.store.subscribe(**how))

    async def skip(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            kept = [event for event in batch.events if next(self.numbers) % 10_000]
            yield Batch(kept, batch.position, batch.caught_up)


class NeverComesAgain(Honest):
    """Once a subscription was lost, has nothing to tell to any that is begun after it."""

    lost = False

    def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        return self.be_silent(self.store.subscribe(**how))

    async def be_silent(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        try:
            async for batch in batches:
                if self.lost:
                    break
                yield batch
        except StoreUnavailable:
            self.lost = True
        await asyncio.Event().wait()


class SwallowsWhatFails(Honest):
    """Answers an append that could not be made as if it had been."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        try:
            async with asyncio.timeout(0.5):
                return await super().append(stream, events, expected)
        except (StoreUnavailable, TimeoutError):
            return Appended(len(events) - 1, 1)


class BlocksEverybody(Honest):
    """Waits for a store that cannot be reached in a way that keeps all others waiting."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        try:
            async with asyncio.timeout(0.5):
                return await super().append(stream, events, expected)
        except (StoreUnavailable, TimeoutError):
            time.sleep(15)  # noqa: ASYNC251 - that is the fault
            raise


class BuffersWithoutBound(Honest):
    """Reads ahead of its subscribers, as far as the log goes."""

    async def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        ahead: asyncio.Queue[Batch] = asyncio.Queue()

        async def read() -> None:
            async for batch in self.store.subscribe(**how):
                ahead.put_nowait(batch)

        reading = asyncio.create_task(read())
        try:
            while True:
                yield await ahead.get()
        finally:
            reading.cancel()


def broken(store: EventStore, fault: str) -> EventStore:
    """Answer the store behind the fault of this name; the store itself where there is none."""
    if not fault:
        return store
    kind: type[Honest] = globals().get(fault) or getattr(faults, fault)
    return kind(store)
