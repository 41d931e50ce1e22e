"""KurrentDB behind the port."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from uuid import uuid4

from kurrentdbclient import StreamState

from libs.eventstore.bounds import check_append, check_own, check_stream
from libs.eventstore.kurrent.appends import Appends
from libs.eventstore.kurrent.connection import Connection, shown
from libs.eventstore.kurrent.filters import selected_by_server, selects, wanted
from libs.eventstore.kurrent.reading import Inflow, only, slices
from libs.eventstore.port import (
    BATCH,
    AccessDenied,
    Append,
    Appended,
    Batch,
    Expected,
    ExpectedState,
    Filter,
    NewEvent,
    RecordedEvent,
    StoreError,
    StoreUnavailable,
    StreamMetadata,
    StreamNotFound,
    TooLarge,
    WrongExpectedRevision,
)
from libs.eventstore.system import META, METADATA, read, written

OPENING = 5.0
"""Seconds in which a server must answer when the store is opened."""

TIMEOUT = 10.0
"""Seconds for a call that is no stream, and for a subscription to begin."""

WINDOW = 32
"""Events that the server looks at before it tells how far it is, when none of them matches."""

WATCH = 1.0
"""Seconds of silence after which a subscription is compared with the log's head."""

log = logging.getLogger(__name__)

_STATES = {
    Expected.ANY: StreamState.ANY,
    Expected.NO_STREAM: StreamState.NO_STREAM,
    Expected.EXISTS: StreamState.EXISTS,
}


async def open_kurrent(url: str) -> "KurrentStore":
    """Open the KurrentDB at a connection string such as `kurrentdb://host:2113?tls=false`.

    The store belongs to the running event loop. Raises ValueError for what is no connection
    string, StoreUnavailable when no server answers within a few seconds.
    """
    store = KurrentStore(Connection(url))
    try:
        async with asyncio.timeout(OPENING):
            await store.head()
    except (TimeoutError, StoreError) as error:
        await store.close()
        reason = str(error) or f"no answer within {OPENING:g} s"
        raise StoreUnavailable(f"no event store at {shown(url)}: {reason}") from error
    return store


class KurrentStore:
    """An EventStore kept by KurrentDB, or by whatever speaks its protocol."""

    def __init__(self, connection: Connection) -> None:
        """See ``open_kurrent``."""
        self._connection = connection
        self._appends = Appends(connection)

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        """Append to one stream; see the port.

        KurrentDB does not tell an append that repeats an earlier one. It is recognised by its
        position: as one that this process knew before, from an append, a read or a subscription.
        """
        check_append(stream, events, expected)
        return _or_raise(await self._appends.submit(Append(stream, events, expected)))

    async def append_batch(self, appends: Sequence[Append]) -> list[Appended | StoreError]:
        """Append to many streams; see the port."""
        refused = [_refused(part) for part in appends]
        answers = [
            error or self._appends.submit(part)
            for part, error in zip(appends, refused, strict=True)
        ]
        return [each if isinstance(each, StoreError) else await each for each in answers]

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
        async with self._connection.calling(stream) as streams:
            response = await streams.read(
                stream_name=stream,
                stream_position=start,
                backwards=backwards,
                limit=sys.maxsize if limit is None else limit,
                **self._connection.identity,
            )
            async for events, _ in slices(response, batch):
                if events:
                    self._know(max(events[0].position, events[-1].position))
                    yield Batch(events, events[-1].position)

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
        left = sys.maxsize if limit is None else limit
        end = 0 if backwards else await self.head()
        if backwards and start is not None:
            # KurrentDB leaves out the position that a read backwards starts from.
            first = (await self._at(start, filter))[:left]
            if first:
                yield Batch(first, start)
            left -= len(first)
        if not left:
            return
        async with self._connection.calling() as streams:
            response = await streams.read(
                commit_position=start,
                backwards=backwards,
                limit=left if selected_by_server(filter) else sys.maxsize,
                **wanted(filter),
                **self._connection.identity,
            )
            async for found, is_last in slices(response, batch, selects(filter)):
                events = found[:left]
                left -= len(events)
                position = events[-1].position if events else 0
                self._know(position)
                ended = left > 0 and is_last
                if ended:
                    position = 0 if backwards else max(position, end)
                yield Batch(events, position, caught_up=ended)
                if not left:
                    return

    async def subscribe(
        self,
        *,
        after: int | None = None,
        filter: Filter = Filter(),  # noqa: A002, B008 (it is frozen)
        batch: int = BATCH,
    ) -> AsyncIterator[Batch]:
        """Follow the log; see the port.

        When a subscription is silent for `WATCH` seconds while the log goes on, it is begun again
        from where it is: the connection may be dead; or the server may have come a little further
        than it says, as KurrentDB does between the checkpoints of a live subscription.
        """
        position = after or 0
        while True:
            async with aclosing(self._follow(position, filter, batch)) as batches:
                async for news in batches:
                    position = news.position
                    if news.events:
                        self._know(news.events[-1].position)
                    yield news

    async def _follow(
        self,
        position: int,
        filter: Filter,  # noqa: A002
        batch: int,
    ) -> AsyncGenerator[Batch, None]:
        """Follow the log from after `position` until it goes on in silence."""
        async with self._connection.calling() as streams:
            async with asyncio.timeout(TIMEOUT):
                source = await streams.read(
                    subscribe=True,
                    commit_position=position or None,
                    include_checkpoints=True,
                    include_caught_up=True,
                    include_fell_behind=True,
                    window_size=WINDOW,
                    checkpoint_interval_multiplier=1,
                    **wanted(filter),
                    **self._connection.identity,
                )
            async with Inflow(source, batch, position, selects(filter)) as inflow:
                while True:
                    news = await inflow.take(WATCH)
                    if news is not None:
                        position = news.position
                        yield news
                    elif await self._newest(Filter()) > position:
                        log.info("the log goes on beyond %d in silence: following anew", position)
                        return

    async def head(self) -> int:
        """Position of the last event in the log, KurrentDB's own among them (0: empty)."""
        return await self._newest(Filter(system=True))

    async def _newest(self, filter: Filter) -> int:  # noqa: A002
        async with self._connection.calling() as streams:
            response = await streams.read(
                backwards=True,
                limit=1,
                timeout=TIMEOUT,
                **wanted(filter),
                **self._connection.identity,
            )
            newest = await only(response)
        position = newest.position if newest else 0
        self._know(position)
        return position

    async def delete(self, stream: str, expected: ExpectedState) -> None:
        """Hide a stream's events; see the port."""
        check_stream(stream)
        check_own(stream)
        try:
            async with self._connection.calling(stream, expected) as streams:
                await streams.delete(
                    stream, _state(expected), timeout=TIMEOUT, **self._connection.identity
                )
        except StreamNotFound:
            if expected in (Expected.ANY, Expected.NO_STREAM):
                raise
            raise WrongExpectedRevision(stream, expected, None) from None

    async def tombstone(self, stream: str, expected: ExpectedState) -> None:
        """End a stream for ever; see the port."""
        check_stream(stream)
        check_own(stream)
        try:
            async with self._connection.calling(stream, expected) as streams:
                await streams.tombstone(
                    stream, _state(expected), timeout=TIMEOUT, **self._connection.identity
                )
        except StreamNotFound:
            raise WrongExpectedRevision(stream, expected, None) from None

    async def get_stream_metadata(self, stream: str) -> StreamMetadata:
        """Answer what governs a stream; see the port."""
        try:
            async with self._connection.calling(stream) as streams:
                response = await streams.read(
                    stream_name=f"{META}{stream}",
                    backwards=True,
                    limit=1,
                    timeout=TIMEOUT,
                    **self._connection.identity,
                )
                newest = await only(response)
        except StreamNotFound:
            return StreamMetadata()
        return read(newest.data) if newest else StreamMetadata()

    async def set_stream_metadata(self, stream: str, metadata: StreamMetadata) -> None:
        """Replace what governs a stream; see the port."""
        check_stream(stream)
        check_own(stream)
        event = NewEvent(uuid4(), METADATA, written(metadata))
        await self.append(f"{META}{stream}", [event], Expected.ANY)

    async def close(self) -> None:
        """Finish the appends that were begun, end the subscriptions, close the connection."""
        await self._appends.close()
        await self._connection.close()

    async def _at(self, position: int, filter: Filter) -> list[RecordedEvent]:  # noqa: A002
        async with self._connection.calling() as streams:
            response = await streams.read(
                commit_position=position, limit=1, timeout=TIMEOUT, **self._connection.identity
            )
            event = await only(response)
        if event is None or event.position != position or not selects(filter)(event):
            return []
        return [event]

    def _know(self, position: int) -> None:
        self._appends.known = max(self._appends.known, position)


def _or_raise(outcome: Appended | StoreError) -> Appended:
    if isinstance(outcome, StoreError):
        raise outcome
    return outcome


def _refused(part: Append) -> StoreError | None:
    try:
        check_append(part.stream, part.events, part.expected)
    except (TooLarge, AccessDenied) as error:
        return error
    return None


def _state(expected: ExpectedState) -> int | StreamState:
    return expected if isinstance(expected, int) else _STATES[expected]
