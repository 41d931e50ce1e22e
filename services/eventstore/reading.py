"""Reads and subscriptions: one ReadReq in, a stream of ReadResp out, one for each event.

The protocol knows no batches, so what a message costs is what a read costs: messages are
serialised here and written as bytes, with one await for each.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from kurrentdbclient.protos.v1.streams_pb2 import ReadReq

from libs.eventstore.port import (
    BATCH,
    Batch,
    EventStore,
    Filter,
    RecordedEvent,
    StreamNotFound,
)
from libs.eventstore.system import STREAMS
from services.eventstore import wire
from services.eventstore.drain import Drain
from services.eventstore.errors import Context, told
from services.eventstore.filters import Sieve, sieve

log = logging.getLogger(__name__)

Options = ReadReq.Options

SMALLEST = 32
"""Events in a batch at least: what a filter leaves may be few of them."""


@dataclass(frozen=True, slots=True)
class Span:
    """A read's beginning (None: the end that it reads from), its direction, its most events."""

    start: int | None
    backwards: bool
    limit: int

    @property
    def batch(self) -> int:
        """Events in a batch: about as many as are wanted, and some to look for these in."""
        return max(SMALLEST, min(self.limit, BATCH))


class Answers:
    """Writes the answers of one call, ids in the form that the reader asked for."""

    def __init__(self, context: Context, options: Options) -> None:
        self.write = context.write
        self._structured = options.uuid_option.HasField("structured")

    async def events(self, events: Sequence[RecordedEvent]) -> None:
        """Write the events, in order."""
        for event in events:
            await self.write(wire.event_read(event, structured=self._structured))


class Reading:
    """The protocol's Read, answered from a store."""

    def __init__(self, store: EventStore, drain: Drain) -> None:
        self._store, self._drain = store, drain

    async def read(self, request: ReadReq, context: Context) -> None:
        """Read or follow a stream or the log, as the request's options say.

        Links are answered as they are, whether or not they shall be resolved.
        """
        options, answers = request.options, Answers(context, request.options)
        async with told(context, wire.shown_name(options.stream.stream_identifier)):
            match options.WhichOneof("stream_option"), options.WhichOneof("count_option"):
                case "stream", "subscription":
                    await self._follow_stream(options, answers)
                case "stream", _:
                    await self._read_stream(options, answers)
                case "all", "subscription":
                    await self._follow_all(options, answers)
                case "all", _:
                    await self._read_all(options, answers)
                case _:
                    raise wire.BadRequest("neither options.stream nor options.all is set")

    async def _read_stream(self, options: Options, answers: Answers) -> None:
        name = wire.stream_name(options.stream.stream_identifier)
        try:
            if (span := stream_span(options)) is not None:
                batches = self._store.read_stream(
                    name,
                    start=span.start,
                    backwards=span.backwards,
                    limit=span.limit,
                    batch=span.batch,
                )
                async with closing(batches):
                    async for batch in batches:
                        await answers.events(batch.events)
        except StreamNotFound:
            await answers.write(wire.stream_not_found(name))

    async def _read_all(self, options: Options, answers: Answers) -> None:
        span, wanted = log_span(options), sieve(options)
        if span is None:
            return
        left = span.limit
        batches = self._store.read_all(
            start=span.start,
            backwards=span.backwards,
            limit=span.limit if wanted.accepts is None else None,
            filter=wanted.filter,
            batch=span.batch,
        )
        async with closing(batches):
            async for batch in batches:
                events = wanted.sift(batch.events)[:left]
                await answers.events(events)
                left -= len(events)
                if left == 0:
                    return

    async def _follow_all(self, options: Options, answers: Answers) -> None:
        match options.all.WhichOneof("all_option"):
            case "position":
                after: int | None = wire.bounded(options.all.position.commit_position)
            case "end":
                after = await self._store.head()
            case _:
                after = None
        wanted = sieve(options)
        await answers.write(wire.confirmation(str(uuid4())))
        await self._follow(after, wanted, answers, checkpoints=options.HasField("filter"))

    async def _follow_stream(self, options: Options, answers: Answers) -> None:
        """Give the stream's past from a read of it, and its future from the log.

        The log's head is taken before the read: what is appended between the two comes twice,
        and is told by its revision.
        """
        name = wire.stream_name(options.stream.stream_identifier)
        head, seen = await self._store.head(), -1
        if name == STREAMS:
            await self._follow_links(options, answers, head)
            return
        await answers.write(wire.confirmation(str(uuid4())))
        origin = options.stream.WhichOneof("revision_option")
        if origin == "revision":
            seen = wire.bounded(options.stream.revision)
        if origin != "end":
            try:
                async for batch in self._store.read_stream(name, start=seen + 1):
                    await answers.events(batch.events)
                    seen = batch.events[-1].revision if batch.events else seen
            except StreamNotFound:
                log.debug("following %r before its first event", name)
        news = Sieve(
            Filter(prefixes=(name,), system=True),
            lambda event: event.stream == name and event.revision > seen,
        )
        await self._follow(head, news, answers, checkpoints=False)

    async def _follow_links(self, options: Options, answers: Answers, head: int) -> None:
        """Follow the list of streams: it is read on whenever a stream has its first event."""
        match options.stream.WhichOneof("revision_option"):
            case "revision":
                seen = wire.bounded(options.stream.revision)
            case "end":
                last = await self._links(backwards=True, limit=1)
                seen = last[-1].revision if last else -1
            case _:
                seen = -1
        await answers.write(wire.confirmation(str(uuid4())))

        async def news() -> Sequence[RecordedEvent]:
            nonlocal seen
            if links := await self._links(start=seen + 1):
                seen = links[-1].revision
            return links

        await answers.events(await news())
        begun = Sieve(Filter(), lambda event: event.revision == 0)
        await self._follow(head, begun, answers, checkpoints=False, instead=news)

    async def _links(self, **span: Any) -> list[RecordedEvent]:
        try:
            batches = self._store.read_stream(STREAMS, **span)
            return [link async for batch in batches for link in batch.events]
        except StreamNotFound:
            return []

    async def _follow(
        self,
        after: int | None,
        wanted: Sieve,
        answers: Answers,
        *,
        checkpoints: bool,
        instead: Callable[[], Awaitable[Sequence[RecordedEvent]]] | None = None,
    ) -> None:
        """Write events as they come, checkpoints for spans without, and when the end is reached.

        `instead` answers what is written in the place of events that come.
        """
        position, live = after or 0, False
        batches = self._store.subscribe(after=after, filter=wanted.filter)
        async with closing(batches):
            while True:
                batch = await self._drain.news(batches)
                if live and not batch.caught_up:
                    await answers.write(wire.fell_behind(position))
                if events := wanted.sift(batch.events):
                    events = await instead() if instead else events
                if events:
                    await answers.events(events)
                    position = events[-1].position
                if checkpoints and batch.position > position:
                    await answers.write(wire.checkpoint(batch.position))
                position = max(position, batch.position)
                if batch.caught_up and not live:
                    await answers.write(wire.caught_up(position))
                live = batch.caught_up


def stream_span(options: Options) -> Span | None:
    """Answer what a read of a stream spans; None where that is nothing."""
    backwards = options.read_direction == Options.Backwards
    limit = wire.bounded(options.count)
    match options.stream.WhichOneof("revision_option"):
        case "revision":
            start: int | None = wire.bounded(options.stream.revision)
        case "end":
            if not backwards:
                return None
            start = None
        case _:
            start = 0
    return Span(start, backwards, limit) if limit else None


def log_span(options: Options) -> Span | None:
    """Answer what a read of the log spans; None where that is nothing.

    As in KurrentDB, a read backwards leaves out the position that it starts from.
    """
    backwards = options.read_direction == Options.Backwards
    limit = wire.bounded(options.count)
    match options.all.WhichOneof("all_option"):
        case "position":
            start: int | None = wire.bounded(options.all.position.commit_position) - backwards
        case "end":
            start = None if backwards else -1
        case _:
            start = -1 if backwards else None
    return None if start == -1 or not limit else Span(start, backwards, limit)


@asynccontextmanager
async def closing(batches: AsyncIterator[Batch]) -> AsyncIterator[None]:
    """Let go of what a store's iterator holds as soon as it is left, not when it is collected."""
    try:
        yield
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()
