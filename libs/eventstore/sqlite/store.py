"""The embedded store behind the port."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from libs.eventstore.port import (
    BATCH,
    Append,
    Appended,
    Batch,
    ExpectedState,
    Filter,
    NewEvent,
    StoreCorrupt,
    StoreError,
    StreamMetadata,
)
from libs.eventstore.sqlite.commits import Commits
from libs.eventstore.sqlite.feed import Feed
from libs.eventstore.sqlite.ledger import Ledger
from libs.eventstore.sqlite.reader import Condition, Reader

T = TypeVar("T")


async def open_sqlite(path: Path) -> "SqliteStore":
    """Open the log in the file ``path`` and create it where there is none.

    The store belongs to the running event loop. Raises StoreUnavailable (locked, read-only, no
    such directory) and StoreCorrupt (damaged, another application's), saying what to do.
    """
    ledger = await asyncio.to_thread(Ledger, path)
    return SqliteStore(path, ledger, Reader(path))


class SqliteStore:
    """An EventStore in one SQLite file, shared with the other processes of this host."""

    def __init__(self, path: Path, ledger: Ledger, reader: Reader) -> None:
        """See ``open_sqlite``."""
        self._ledger, self._reader = ledger, reader
        self._feed = Feed(reader)
        self._commits = Commits(path, ledger, self._feed.advance)

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        """Append to one stream; see the port."""
        return _or_raise(await self._commits.submit(Append(stream, events, expected)))

    async def append_batch(self, appends: Sequence[Append]) -> list[Appended | StoreError]:
        """Append to many streams; see the port."""
        return await asyncio.gather(*[self._commits.submit(part) for part in appends])

    async def read_stream(
        self,
        stream: str,
        *,
        start: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        batch: int = BATCH,
    ) -> AsyncIterator[Batch]:
        """Read one stream; see the port."""
        window = self._reader.window(stream)
        low, high = window.first, window.last
        if start is not None:
            low, high = (low, min(high, start)) if backwards else (max(low, start), high)
        left = sys.maxsize if limit is None else limit
        while low <= high and left > 0:
            events, seen = self._reader.stream_slice(
                window.stream, low, high, min(max(batch, 1), left), down=backwards
            )
            if events:
                yield Batch(events, events[-1].position)
            low, high = (low, seen - 1) if backwards else (seen + 1, high)
            left -= len(events)
            if low <= high:
                await asyncio.sleep(0)

    async def read_all(
        self,
        *,
        start: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        filter: Filter = Filter(),  # noqa: A002, B008 (it is frozen)
        batch: int = BATCH,
    ) -> AsyncIterator[Batch]:
        """Read the log; see the port."""
        condition = Condition(filter)
        low, high = 1, self._reader.head()
        if start is not None:
            low, high = (low, min(high, start)) if backwards else (max(low, start), high)
        low = min(low, high + 1)  # a start beyond the end may be beyond SQLite's integers, too
        left = sys.maxsize if limit is None else limit
        while left > 0:
            events, seen = self._reader.log_slice(
                low, high, min(max(batch, 1), left), condition, down=backwards
            )
            low, high = (low, seen - 1) if backwards else (seen + 1, high)
            left -= len(events)
            if events or low > high:
                yield Batch(events, seen, caught_up=low > high)
            if low > high:
                return
            await asyncio.sleep(0)

    async def subscribe(
        self,
        *,
        after: int | None = None,
        filter: Filter = Filter(),  # noqa: A002, B008 (it is frozen)
        batch: int = BATCH,
    ) -> AsyncIterator[Batch]:
        """Follow the log; see the port.

        It is pulled from the file: a consumer that is slow reads later and costs no memory.
        Raises StoreCorrupt for a checkpoint beyond the end of the log.
        """
        condition, feed = Condition(filter), self._feed
        seen = after or 0
        with feed.followed():
            if seen > feed.head:
                msg = f"the log ends at {feed.head}: checkpoint {seen} belongs to another log"
                raise StoreCorrupt(msg)
            if seen == feed.head:
                yield Batch((), seen, caught_up=True)
            while True:
                await feed.beyond(seen)
                events, seen = self._reader.log_slice(seen + 1, feed.head, max(batch, 1), condition)
                yield Batch(events, seen, caught_up=seen == feed.head)
                await asyncio.sleep(0)

    async def head(self) -> int:
        """Position of the last event in the log (0: empty)."""
        return self._reader.head()

    async def delete(self, stream: str, expected: ExpectedState) -> None:
        """Hide a stream's events; see the port."""
        await self._write(partial(self._ledger.delete, stream, expected))

    async def tombstone(self, stream: str, expected: ExpectedState) -> None:
        """End a stream for ever; see the port."""
        await self._write(partial(self._ledger.tombstone, stream, expected))

    async def get_stream_metadata(self, stream: str) -> StreamMetadata:
        """Answer what governs a stream; see the port."""
        return self._reader.metadata(stream)

    async def set_stream_metadata(self, stream: str, metadata: StreamMetadata) -> None:
        """Replace what governs a stream; see the port."""
        await self._write(partial(self._ledger.govern, stream, metadata))

    async def close(self) -> None:
        """Finish what was begun, end the subscriptions, and let go of the file."""
        self._feed.close()
        await self._commits.close()
        self._reader.close()
        await asyncio.to_thread(self._ledger.close)  # the last one out moves the log's tail home

    async def _write(self, work: Callable[[], None]) -> None:
        _or_raise(await self._commits.submit(work))


def _or_raise(answer: T | StoreError) -> T:
    if isinstance(answer, StoreError):
        raise answer
    return answer
