"""The port in a hundred lines of lists and dictionaries: what every store is compared with.

Positions are the store's own: the model knows the order of events, and learns where they stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from libs.eventstore.port import (
    Expected,
    ExpectedState,
    Filter,
    NewEvent,
    StreamMetadata,
    StreamNotFound,
    StreamTombstoned,
    WrongExpectedRevision,
)


@dataclass
class Entry:
    """An event of the log."""

    event: NewEvent
    stream: str
    revision: int
    position: int | None = None
    """Where the store has it; None until that was seen."""


@dataclass
class Stream:
    """A stream: its events, and what hides them."""

    entries: list[Entry] = field(default_factory=list)
    floor: int = 0
    """First revision that deletes have left to see."""
    deleted: bool = False
    tombstoned: bool = False
    metadata: StreamMetadata = field(default_factory=StreamMetadata)

    @property
    def revision(self) -> int:
        """Revision of the last event; -1: there is none."""
        return len(self.entries) - 1

    def meets(self, expected: ExpectedState) -> bool:
        """Say whether it is where a writer expects it."""
        there = bool(self.entries) and not self.deleted
        if not isinstance(expected, Expected):
            return expected == self.revision
        return {Expected.ANY: True, Expected.NO_STREAM: not there, Expected.EXISTS: there}[expected]

    def shown(self) -> list[Entry]:
        """The events that a read shows."""
        first = max(self.floor, self.metadata.truncate_before or 0)
        if self.metadata.max_count is not None:
            first = max(first, len(self.entries) - self.metadata.max_count)
        return self.entries[first:]


class Model:
    """A store in memory; it raises what a store must raise."""

    def __init__(self) -> None:
        self.log: list[Entry] = []
        self.streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """Answer a stream, whether or not it was ever written. Raises StreamTombstoned."""
        stream = self.streams.get(name, Stream())
        if stream.tombstoned:
            raise StreamTombstoned(name)
        return stream

    def append(
        self, name: str, events: Sequence[NewEvent], expected: ExpectedState
    ) -> tuple[list[Entry], bool]:
        """Answer where the events stand, and whether they stood there before."""
        stream = self.stream(name)
        known = {entry.event.id: entry for entry in stream.entries}
        if stream.meets(expected) and not any(event.id in known for event in events):
            self.streams[name] = stream
            entries = [
                Entry(event, name, revision)
                for revision, event in enumerate(events, stream.revision + 1)
            ]
            stream.entries += entries
            stream.deleted &= not entries
            self.log += entries
            return entries, False
        entries = self._repeated(known, events, expected)
        if not entries:
            raise self._conflict(name, stream, expected)
        return entries, True

    @staticmethod
    def _repeated(
        known: dict[UUID, Entry], events: Sequence[NewEvent], expected: ExpectedState
    ) -> list[Entry]:
        """Answer the entries of events that stand together where they were expected; or none."""
        entries = [known[event.id] for event in events if event.id in known]
        if not entries or len(entries) < len(events):
            return []
        first = entries[0].revision
        if [entry.revision for entry in entries] != list(range(first, first + len(entries))):
            return []
        due = {Expected.NO_STREAM: 0, Expected.ANY: first, Expected.EXISTS: first}
        expects = due[expected] if isinstance(expected, Expected) else expected + 1
        return entries if first == expects else []

    @staticmethod
    def _conflict(name: str, stream: Stream, expected: ExpectedState) -> WrongExpectedRevision:
        return WrongExpectedRevision(name, expected, stream.revision if stream.entries else None)

    def delete(self, name: str, expected: ExpectedState) -> None:
        """Hide a stream's events."""
        stream = self.stream(name)
        if not stream.meets(expected):
            raise self._conflict(name, stream, expected)
        if not stream.entries:
            raise StreamNotFound(name)
        stream.deleted, stream.floor = True, len(stream.entries)

    def tombstone(self, name: str, expected: ExpectedState) -> None:
        """End a stream for ever."""
        stream = self.stream(name)
        if not stream.meets(expected):
            raise self._conflict(name, stream, expected)
        self.streams[name] = stream
        stream.tombstoned = True

    def set_metadata(self, name: str, metadata: StreamMetadata) -> None:
        """Replace what governs a stream."""
        stream = self.streams[name] = self.stream(name)
        stream.metadata = metadata

    def read_stream(
        self, name: str, start: int | None, *, backwards: bool, limit: int | None
    ) -> list[Entry]:
        """Answer what a read shows."""
        stream = self.stream(name)
        if not stream.entries or stream.deleted:
            raise StreamNotFound(name)
        shown = [
            entry
            for entry in stream.shown()
            if start is None or (entry.revision <= start if backwards else entry.revision >= start)
        ]
        return (shown[::-1] if backwards else shown)[:limit]

    def read_log(self, wanted: Filter, entries: Sequence[Entry]) -> list[Entry]:
        """Answer those of the log's ``entries`` that match a filter."""
        return [
            entry
            for entry in entries
            if (not wanted.types or entry.event.type in wanted.types)
            and (not wanted.prefixes or entry.stream.startswith(wanted.prefixes))
        ]
