"""Follows the log and folds it into a service's views; says how far it has come."""

import asyncio
import gc
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from libs.contract.codec import Codec
from libs.eventstore.port import Batch, EventStore, RecordedEvent, StoreCorrupt, StoreUnavailable
from libs.projection.database import Connection, Database
from libs.projection.draining import Draining
from libs.projection.folding import Folder, News
from libs.projection.following import Following
from libs.projection.parking import PARKING, Parked, ParkedStreams
from libs.projection.view import View

C = TypeVar("C", bound=Connection)
log = logging.getLogger(__name__)

BATCH = 4096
"""Events asked of the store at a time."""

CATCHING_UP = 4 * BATCH
"""Events folded in one transaction while views catch up: what it costs is shared by so many."""

CATCHING_UP_BYTES = 32 << 20
"""Data and metadata after which such a transaction takes no more: a batch may come on top."""

CATCHING_UP_SECONDS = 1.0
"""Seconds after which it takes no more, however slowly they come: the position shall move."""

LINGER = 0.05
"""Seconds in which events gather for the next transaction while nobody waits for a position."""


class Poisoned(Exception):
    """The log cannot be folded whole: some views hold streams back."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of parked streams that were tried again: as they were, and as they are now."""

    drained: Sequence[Parked]
    stayed: Sequence[Parked]


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

    Rows and checkpoint are committed together, so an event is folded once, whatever crashes. A
    stream whose event a view cannot fold is parked for this view; everything else goes on.
    """

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        database: Database[C],
        views: Sequence[View[C]],
        *,
        name: str = "views",
    ) -> None:
        """Fold ``store`` into ``views``, kept in ``database``; ``name`` is for operators."""
        self._store = store
        self.database, self.views = database, tuple(view.name for view in views)
        self._schemas = [*(view.schema for view in views), *PARKING]
        self._digest = digest(views)
        database.open(self._schemas, self._digest)
        self._folder = Folder(codec, database, views)
        self._news = News(self._folder.by_type, self.parked)
        self.following = Following(
            name, store, self._folder.by_type, database.checkpoint(), batch=BATCH
        )
        self._moved = asyncio.Condition()
        self._hurry = asyncio.Event()
        self._waiting = 0
        self._turn, self._retrying = asyncio.Lock(), asyncio.Lock()

    @property
    def position(self) -> int:
        """Position up to which the log is folded in or held back (-1: nothing yet)."""
        return self.following.position

    @property
    def caught_up(self) -> asyncio.Event:
        """Set once the end of the log was reached for the first time."""
        return self.following.caught_up

    @property
    def parked(self) -> ParkedStreams:
        """The streams that views hold back."""
        return self._folder.parked

    @property
    def mended(self) -> Iterable[str]:
        """Views that folded what they had held back; a restart makes their rows anew."""
        return sorted(self._folder.mended)

    async def check(self) -> None:
        """Raise StoreCorrupt when the views are ahead of the log: another one was folded in."""
        head = await self._store.head()
        if self.position > head:
            message = (
                f"the read models have seen position {self.position}, but the log ends at {head}: "
                "they belong to another log, or to this one as it was before it was restored; "
                "remove them, and they are folded anew"
            )
            raise StoreCorrupt(message)

    async def run(self) -> None:
        """Follow the log until cancelled; come again from the checkpoint when the store is lost.

        What was parked is tried first: the release that begins here may have the fix. Where that
        was of avail, or was before the process ended, all rows are made anew if any view joins
        streams: folded in this order they might not be those of a replay.
        """
        is_first = True

        async def session() -> None:
            nonlocal is_first
            if is_first:
                if len(self.parked):
                    await self.retry()
                if self._folder.mended:
                    self._begin_anew()
            is_first = False
            await self._follow()

        await self.following.run(session)

    async def wait(self, position: int) -> None:
        """Return once everything up to ``position`` is folded in; the caller bounds the time.

        While somebody waits, events are folded as they come. What is held back of a parked
        stream is not waited for.
        """
        if self.position >= position:
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
            await self._moved.wait_for(lambda: self.position > beyond)
        return self.position

    async def catch_up(self, until: int) -> None:
        """Fold in the log up to position ``until`` and stop, without following on."""
        with _collector_at_rest():
            async with aclosing(self._batches()) as batches:
                async for batch in batches:
                    events = [event for event in batch.events if event.position <= until]
                    await self._take(events, min(batch.position, until))
                    if batch.position >= until:
                        return

    async def retry(self, chosen: Callable[[Parked], bool] = lambda _: True) -> Retried:
        """Fold what is held back of ``chosen`` streams, in log order; park no more what went well.

        Following goes on meanwhile, a transaction here and one there, until the rest that came in
        between is folded at one go. A stream that fails again is parked where it now stands.
        """
        async with self._retrying:
            before = {row.key: row for row in self.parked if chosen(row)}
            draining = Draining(self._folder.by_type, self.parked, before, self.position)
            async for events in draining.events(self._store):
                async with self._turn:
                    await self._folder.fold(events, draining, _ignore)
            async with self._turn:
                draining.checkpoint = self.position
                async for events in draining.events(self._store):
                    await self._folder.fold(events, draining, _ignore)
                if draining.keys:
                    await self._folder.release(self.position, draining.keys)
        drained = [row for key, row in before.items() if key in draining.keys]
        stayed = [self.parked[key] for key in before if key not in draining.keys]
        for row in drained:
            log.warning("%s goes on with %r: %d events folded", row.view, row.stream, row.held)
        return Retried(drained, stayed)

    def _begin_anew(self) -> None:
        """Throw all rows away: the log is folded from its beginning, as a replay does."""
        log.warning("%s begins anew: %s", self.following.name, ", ".join(self.mended))
        self.database.anew(self._schemas, self._digest)
        self._folder.read()
        self._news = News(self._folder.by_type, self.parked)
        self.following.position = -1

    async def _follow(self) -> None:
        """Follow the log until the subscription ends."""
        with ExitStack() as until_caught_up:
            until_caught_up.enter_context(_collector_at_rest())
            async with aclosing(self._batches()) as batches:
                async for batch in batches:
                    await self._take(batch.events, batch.position)
                    if batch.caught_up:
                        until_caught_up.close()
                        self.caught_up.set()
                    if batch.events and self.caught_up.is_set():
                        await self._gather()

    async def _gather(self) -> None:
        """Let events gather for the next transaction, unless somebody waits for them."""
        if not self._waiting:
            self._hurry.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), LINGER)

    async def _batches(self) -> AsyncGenerator[Batch, None]:
        """Follow the log from where we are; until caught up once, in larger batches."""
        events: list[RecordedEvent] = []
        behind, position, size, due = True, 0, 0, 0.0
        now = asyncio.get_running_loop().time
        try:
            async with aclosing(self.following.batches()) as following:
                async for batch in following:
                    events.extend(batch.events)
                    behind, position = behind and not batch.caught_up, batch.position
                    if behind and 0 < len(events) < CATCHING_UP:
                        size += sum(len(each.data) + len(each.metadata) for each in batch.events)
                        due = due or now() + CATCHING_UP_SECONDS
                        if size < CATCHING_UP_BYTES and now() < due:
                            continue
                    yield Batch(events, position, batch.caught_up)
                    events, size, due = [], 0, 0.0
        except StoreUnavailable:
            if events:  # a store that is lost again and again must not keep us where we are
                yield Batch(events, position)
            raise

    async def _take(self, events: Sequence[RecordedEvent], position: int) -> None:
        """Fold ``events``; note that all up to ``position`` has been looked at."""
        before = self.position
        try:
            async with self._turn:
                if events:
                    await self._folder.fold(events, self._news, self.following.reached)
                # Spans without a match need no commit: looking at them again costs little.
                self.following.reached(position)
        finally:
            if self.position > before:
                async with self._moved:
                    self._moved.notify_all()

    async def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def _ignore(_: int) -> None:
    """A drain leaves the checkpoint where it is."""


async def rebuild(
    store: EventStore, codec: Codec, database: Database[C], views: Sequence[View[C]], until: int
) -> Projection[C]:
    """Fold the log up to ``until`` into a fresh ``database``, as a replay or an audit does.

    Raises Poisoned when it cannot be folded whole: rows that lack something prove nothing.
    """
    projection = Projection(store, codec, database, views)
    await projection.catch_up(until)
    if worst := min(projection.parked, key=lambda row: row.position, default=None):
        await projection.close()
        message = (
            f"{len(projection.parked)} streams cannot be folded, the first of them by "
            f"{worst.view}: {worst.type} {worst.event} of {worst.stream!r} at {worst.position}: "
            f"{worst.reason}"
        )
        raise Poisoned(message)
    return projection
