"""The event store as everything above it sees it: one port, whatever keeps the log.

Vocabulary (KurrentDB's): a *stream* is the history of one thing, its events numbered from 0 by
*revision*; the *log* is all streams together, ordered by *position*. Positions are opaque: they
increase, with gaps. Reads include the place they start from; subscriptions exclude it.

Whatever moves in bulk moves in batches: a batch says how far the log was scanned, so that a
consumer may checkpoint spans in which nothing matched its filter.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import NamedTuple, Protocol
from uuid import UUID

MAX_EVENT_BYTES = 1 << 20
"""Largest data plus metadata of one event (KurrentDB's default append limit)."""

MAX_APPEND_EVENTS = 4096
"""Most events in one append to one stream."""

MAX_STREAM_NAME = 512
"""Longest stream name, in UTF-8 bytes."""

BATCH = 512
"""Events in a batch unless the caller asks otherwise."""


class Expected(Enum):
    """What a writer may expect of a stream without naming its revision."""

    ANY = "any"
    NO_STREAM = "no stream"
    EXISTS = "stream exists"


ExpectedState = int | Expected
"""An exact revision (0-based, of the last event), or one of the weaker expectations."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event about to be appended; its id makes the append repeatable."""

    id: UUID
    type: str
    data: bytes
    metadata: bytes = b""


class RecordedEvent(NamedTuple):
    """An event as the log keeps it.

    A named tuple, as is whatever is made by the million: a frozen dataclass takes twice as long.
    ``recorded_at`` is aware (UTC) and never decreases along the log.
    """

    id: UUID
    type: str
    data: bytes
    metadata: bytes
    stream: str
    revision: int
    position: int
    recorded_at: datetime


class Appended(NamedTuple):
    """Where an append ended: the revision and log position of its last event.

    ``repeated`` says that the same events stood there already and nothing was written. KurrentDB's
    protocol does not tell: over it, an append that repeats one of another process, of which this
    one has seen nothing yet by a read, a subscription or an append, is answered as if it were new,
    with the right revision and position. What is new is never called repeated.
    An empty append writes nothing and answers the stream's own revision (-1: no stream) and
    position (that of its last event; 0: no stream).
    """

    revision: int
    position: int
    repeated: bool = False


class Append(NamedTuple):
    """One stream's part of a bulk append."""

    stream: str
    events: Sequence[NewEvent]
    expected: ExpectedState


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events of the log are wanted; empty means all. Both given means both must hold.

    ``types`` are exact event types; ``prefixes`` are beginnings of stream names, compared
    character by character (case counts, ``%``, ``*`` and ``.`` are ordinary characters).
    Events in the store's own streams, whose names begin with ``$``, are left out unless
    ``system`` asks for them, too.
    """

    types: frozenset[str] = field(default_factory=frozenset)
    prefixes: tuple[str, ...] = ()
    system: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order they were read; all of the log up to ``position`` has been looked at.

    ``position`` is inclusive, a checkpoint for ``subscribe(after=...)``; read backwards it is the
    lowest position looked at. ``caught_up`` marks the end of what the log held; in a subscription
    it may repeat. A store may hand over fewer events than asked for to bound a batch in bytes.
    """

    events: Sequence[RecordedEvent]
    position: int
    caught_up: bool = False


class StoreError(Exception):
    """The store did not do what was asked; nothing was written."""


class WrongExpectedRevision(StoreError):
    """The stream is not where the writer expected it; ``actual`` is None where there is none."""

    def __init__(self, stream: str, expected: ExpectedState, actual: int | None) -> None:
        """Name the stream, what was expected of it, and the revision of its last event."""
        super().__init__(stream, expected, actual)  # its arguments as they are: it may be pickled
        self.stream, self.expected, self.actual = stream, expected, actual

    def __str__(self) -> str:
        return f"stream {self.stream!r}: expected {self.expected}, is at {self.actual}"


class StreamNotFound(StoreError):
    """There is no such stream (or it was deleted)."""


class StreamTombstoned(StoreError):
    """The stream was deleted for ever: it can be neither read nor written again."""


class TooLarge(StoreError):
    """An event, an append or a stream name is over its bound; the message says by how much."""


class AccessDenied(StoreError):
    """The stream is the store's own, or not for whoever asks."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or cannot write now; the same append may safely be sent again."""


class StoreCorrupt(StoreError):
    """The store's file is not what it should be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class StreamMetadata:
    """What governs a stream: how much of it reads show, and whatever else its owner put there.

    ``max_count`` events, ``max_age`` seconds, ``truncate_before`` a revision: older events are
    hidden from stream reads (never from the log). ``custom`` is kept as given.
    """

    max_count: int | None = None
    max_age: int | None = None
    truncate_before: int | None = None
    custom: dict[str, object] = field(default_factory=dict)


class EventStore(Protocol):
    """A log of streams. Everything that an append acknowledges is durable."""

    async def append(
        self, stream: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended:
        """Append to one stream, all or nothing.

        The same event ids again, at exactly the positions following ``expected`` (or, with a
        weaker expectation, already standing together in the stream), succeed with the first
        answer; a partial match is a WrongExpectedRevision. ``NO_STREAM`` holds for a stream that
        was deleted, too. KurrentDB knows repeated ids under ``ANY`` and ``EXISTS`` only while
        they are in its cache of recent writes: whoever must be sure names the revision.

        Of the store's own streams, metastreams (``$$name``) alone take events, whose data are the
        metadata of stream ``name``, as JSON.

        An append whose task is cancelled may or may not have been written.
        Raises WrongExpectedRevision, StreamTombstoned, TooLarge, AccessDenied, StoreUnavailable;
        ValueError for an empty stream name or type, for one id twice in an append, and for what is
        no metadata.
        """
        ...

    async def append_batch(self, appends: Sequence[Append]) -> list[Appended | StoreError]:
        """Append to many streams with as few waits as the store allows; an answer for each.

        Each part stands alone: one that fails is answered by its error and hinders no other.
        Parts for the same stream are appended in the order given.
        """
        ...

    def read_stream(
        self,
        stream: str,
        *,
        start: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        batch: int = BATCH,
    ) -> AsyncIterator[Batch]:
        """Read one stream from revision ``start`` (inclusive; None: its end to read from).

        A batch has events, and its ``position`` is that of the last one; there is none when the
        stream's metadata hides all events or ``start`` is beyond them. Raises StreamNotFound,
        StreamTombstoned.
        """
        ...

    def read_all(
        self,
        *,
        start: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        filter: Filter = Filter(),  # noqa: A002
        batch: int = BATCH,
    ) -> AsyncIterator[Batch]:
        """Read the log from position ``start`` (inclusive), as far as it goes now.

        The last batch is marked ``caught_up`` (and may have no events), unless ``limit`` ended
        the read before. Deleted streams' events stay in the log.
        """
        ...

    def subscribe(
        self,
        *,
        after: int | None = None,
        filter: Filter = Filter(),  # noqa: A002
        batch: int = BATCH,
    ) -> AsyncIterator[Batch]:
        """Follow the log from after position ``after`` (None: from its beginning), without end.

        Yields batches with events, checkpoints without, and caught-up marks. It never skips,
        repeats or reorders; when the store is lost it raises StoreUnavailable and the consumer
        comes again from its checkpoint.
        """
        ...

    async def head(self) -> int:
        """Position of the last event in the log, the store's own among them (0: empty)."""
        ...

    async def delete(self, stream: str, expected: ExpectedState) -> None:
        """Hide a stream's events (soft delete); a later append goes on with the next revision.

        Deleting it again changes nothing. Raises StreamNotFound where there never was a stream,
        WrongExpectedRevision, StreamTombstoned.
        """
        ...

    async def tombstone(self, stream: str, expected: ExpectedState) -> None:
        """End a stream for ever, even one that has no events yet.

        Raises WrongExpectedRevision, StreamTombstoned (also the second time).
        """
        ...

    async def get_stream_metadata(self, stream: str) -> StreamMetadata:
        """Answer what governs a stream (an empty StreamMetadata where nothing was set).

        Raises StreamTombstoned.
        """
        ...

    async def set_stream_metadata(self, stream: str, metadata: StreamMetadata) -> None:
        """Replace what governs a stream, whether or not it has events yet.

        This appends to its metastream, which keeps the history. ``custom`` must be JSON. Raises
        StreamTombstoned, AccessDenied.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the store."""
        ...
