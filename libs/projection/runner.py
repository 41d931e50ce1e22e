"""Follows the log and folds it into a service's views; says how far it has come."""

import asyncio
import gc
import hashlib
import logging
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from libs.contract.codec import Codec
from libs.eventstore.port import (
    Batch,
    EventStore,
    Filter,
    RecordedEvent,
    StoreCorrupt,
    StoreUnavailable,
)
from libs.projection.database import Connection, Database, Fact
from libs.projection.view import View

C = TypeVar("C", bound=Connection)
log = logging.getLogger(__name__)

BATCH = 4096
"""Events asked of the store at a time."""

CATCHING_UP = 4 * BATCH
"""Events folded in one transaction while views catch up: what it costs is shared by so many."""

LINGER = 0.05
"""Seconds in which events gather for the next transaction while nobody waits for a position."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


def digest(views: Sequence[View[Any]]) -> str:
    """Answer a hash of all that decides what the rows mean."""
    parts = [f"{view.name}/{view.version}/{view.schema}" for view in views]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Collect no garbage while events come by the million, which hold no cycles.

    Python's collector would look at all that wait to be folded, over and over: a quarter of the
    time that a replay takes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Projection(Generic[C]):
    """All views of one service: one database, one checkpoint, one subscription.

    Rows and checkpoint are committed together, so an event is folded once, whatever crashes.
    """

    def __init__(
        self, store: EventStore, codec: Codec, database: Database[C], views: Sequence[View[C]]
    ) -> None:
        """Fold ``store`` into ``views``, kept in ``database``."""
        self._store, self._codec, self._views = store, codec, views
        self.database = database
        self._by_type = {
            event.DESCRIPTOR.full_name: [view for view in views if event in view.handles]
            for event in frozenset[type[Message]]().union(*(view.handles for view in views))
        }
        self._moved = asyncio.Condition()
        self._hurry = asyncio.Event()
        self._waiting = 0
        self._position = -1
        self.caught_up = asyncio.Event()
        self.stalled = asyncio.Event()
        database.open([view.schema for view in views], digest(views))
        self._checkpoint = database.checkpoint()
        if self._checkpoint is not None:
            self._position = self._checkpoint

    @property
    def position(self) -> int:
        """Position up to which the log is folded in (-1: nothing yet)."""
        return self._position

    async def check(self) -> None:
        """Raise StoreCorrupt when the views are ahead of the log: another one was folded in."""
        head = await self._store.head()
        if self._position > head:
            message = (
                f"the read models have seen position {self._position}, but the log ends at {head}: "
                "they belong to another log; remove them, and they are folded anew"
            )
            raise StoreCorrupt(message)

    async def run(self) -> None:
        """Follow the log until cancelled; come again from the checkpoint when the store is lost."""
        pause = _FIRST_PAUSE
        while True:
            try:
                with ExitStack() as until_caught_up:
                    until_caught_up.enter_context(_collector_at_rest())
                    async for batch in self._batches():
                        pause = _FIRST_PAUSE
                        await self._take(batch.events, batch.position)
                        if batch.caught_up:
                            until_caught_up.close()
                            self.caught_up.set()
                        if batch.events and self.caught_up.is_set():
                            await self._gather()
            except StoreUnavailable as error:
                log.warning("subscription lost, coming again in %.1f s: %s", pause, error)
            except Exception:
                self.stalled.set()
                log.exception("views stand still after position %s", self._checkpoint)
                raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def wait(self, position: int) -> None:
        """Return once everything up to ``position`` is folded in; the caller bounds the time.

        While somebody waits, events are folded as they come.
        """
        if self._position >= position:
            return
        self._waiting += 1
        self._hurry.set()
        try:
            await self.moved(position - 1)
        finally:
            self._waiting -= 1

    async def moved(self, beyond: int) -> int:
        """Return the position once it is beyond ``beyond``, without hurry."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._position > beyond)
        return self._position

    async def _gather(self) -> None:
        """Let events gather for the next transaction, unless somebody waits for them."""
        if not self._waiting:
            self._hurry.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), LINGER)

    async def catch_up(self, until: int) -> None:
        """Fold in the log up to position ``until`` and stop, without following on."""
        with _collector_at_rest():
            async for batch in self._batches():
                events = [event for event in batch.events if event.position <= until]
                await self._take(events, min(batch.position, until))
                if batch.position >= until:
                    return

    async def _batches(self) -> AsyncIterator[Batch]:
        """Follow the log from the checkpoint; until caught up once, in larger batches."""
        events: list[RecordedEvent] = []
        behind, position = True, 0
        types = Filter(frozenset(self._by_type))
        following = self._store.subscribe(after=self._checkpoint, filter=types, batch=BATCH)
        try:
            async for batch in following:
                events.extend(batch.events)
                behind, position = behind and not batch.caught_up, batch.position
                if behind and 0 < len(events) < CATCHING_UP:
                    continue
                yield Batch(events, position, batch.caught_up)
                events = []
        except StoreUnavailable:
            if events:  # a store that is lost again and again must not keep us where we are
                yield Batch(events, position)
            raise

    async def _take(self, events: Sequence[RecordedEvent], position: int) -> None:
        if not events and position <= self._position:
            return
        if events:  # spans without a match need no commit: looking at them again costs little
            await self.database.fold(events[-1].position, events, self._fold)
        self._checkpoint = position
        async with self._moved:
            self._position = max(self._position, position)
            self._moved.notify_all()

    def _fold(self, db: C, events: Sequence[RecordedEvent]) -> None:
        decode = self._codec.decode
        facts = [Fact(event, decode(event)) for event in events]
        present = {type(fact.event) for fact in facts}
        for view in self._views:
            if present <= view.handles:
                view.fold(db, facts)
            elif present & view.handles:
                mine = [fact for fact in facts if type(fact.event) in view.handles]
                view.fold(db, mine)

    async def close(self) -> None:
        """Let go of the database."""
        self.database.close()


async def rebuild(
    store: EventStore, codec: Codec, database: Database[C], views: Sequence[View[C]], until: int
) -> Projection[C]:
    """Fold the log up to ``until`` into a fresh ``database``, as a replay or an audit does."""
    projection = Projection(store, codec, database, views)
    await projection.catch_up(until)
    return projection
