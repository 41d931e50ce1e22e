"""Reading: bounded slices of the log or of a stream, each in a short read of its own.

Slices are read on the event loop, which has its turn between them. In a thread they would be
slower by a third when the loop is idle and a hundredfold when it is busy: apsw lets go of the
interpreter lock at every row, and the thread has to win it back (see ``commits``).
"""

import json
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat
from pathlib import Path
from time import time_ns
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

import apsw

from libs.eventstore import system
from libs.eventstore.port import (
    Filter,
    RecordedEvent,
    StreamMetadata,
    StreamNotFound,
    StreamTombstoned,
)
from libs.eventstore.sqlite import links
from libs.eventstore.sqlite.advice import explained
from libs.eventstore.sqlite.file import open_reader
from libs.eventstore.sqlite.instants import instant
from libs.eventstore.sqlite.ledger import State
from libs.eventstore.system import STREAMS

SLICE_BYTES = 8 << 20
"""Data and metadata after which a slice ends, whatever the number of its events."""

SPAN = 4096
"""Positions that one slice scans for events that match a filter: a few milliseconds."""

EVENTS = """
SELECT l.id, l.type, l.data, l.metadata, s.name, l.revision, l.position, l.recorded_at
FROM log l CROSS JOIN streams s ON s.id = l.stream WHERE
"""
STREAM = """
SELECT id, state, floor, (SELECT max(revision) FROM log WHERE stream = streams.id),
  max_count, max_age, truncate_before, custom
FROM streams WHERE name = ?
"""


class Row(NamedTuple):
    """What the file knows of a stream; ``last`` is None while it has no events."""

    id: int
    state: int
    floor: int
    last: int | None
    max_count: int | None
    max_age: int | None
    truncate_before: int | None
    custom: str | None


class Window(NamedTuple):
    """What a stream shows: revisions ``first`` to ``last`` (none, if last is below first)."""

    stream: int
    first: int
    last: int


class Slice(NamedTuple):
    """Events, and the last position or revision looked at to find them."""

    events: list[RecordedEvent]
    seen: int


class Condition:
    """A filter in SQL."""

    def __init__(self, filter: Filter) -> None:  # noqa: A002
        prefixes = [prefix.encode() for prefix in filter.prefixes]
        if b"" in prefixes:
            prefixes = []
        clauses: list[str] = []
        self.bindings: list[str | bytes] = []
        if filter.types:
            marks = ",".join("?" * len(filter.types))
            clauses.append(f"l.type IN (SELECT id FROM types WHERE name IN ({marks}))")
            self.bindings += sorted(filter.types)
        if prefixes:
            # Text compares as UTF-8 bytes, and UTF-8 never has 0xFF: what has the prefix is below
            # it. No LIKE, no GLOB: they know case and wildcards.
            one = "s.name >= CAST(? AS TEXT) AND s.name < CAST(? AS TEXT)"
            clauses.append("(" + " OR ".join([one] * len(prefixes)) + ")")
            self.bindings += [bound for prefix in prefixes for bound in (prefix, prefix + b"\xff")]
        if not filter.system:
            clauses.append("+l.stream > 0")  # the plus: by no index, for the order is the log's
        self.sql = "".join(f" AND {clause}" for clause in clauses)


class Reader:
    """The one reading connection of a store. Raises StoreUnavailable, StoreCorrupt."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_reader(path)
        self._types = Types(self._connection)
        self._version = 0

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def head(self) -> int:
        """Position of the last event."""
        row = self._one("SELECT max(position) FROM log")
        return row[0] or 0

    def changed(self) -> bool:
        """Say whether any connection of any process has committed since the last call."""
        (version,) = self._one("PRAGMA data_version")
        before, self._version = self._version, version
        return bool(version != before)

    def window(self, name: str) -> Window:
        """What a stream shows now. Raises StreamNotFound, StreamTombstoned."""
        if name == STREAMS:
            return self._window_of_links()
        governed = system.governed(name)
        if governed is not None:
            self._stream(governed)  # a stream that is ended for ever takes its metastream along
        row = self._stream(name)
        if row is None or row.last is None or row.state == State.DELETED:
            raise StreamNotFound(f"there is no stream {name!r}")
        if governed is not None:
            return Window(row.id, row.last, row.last)  # as KurrentDB shows them
        first = max(row.floor, row.truncate_before or 0)
        if row.max_count is not None:
            first = max(first, row.last + 1 - row.max_count)
        if row.max_age is not None:
            oldest = time_ns() // 1000 - row.max_age * 1_000_000
            revisions = range(first, row.last + 1)
            sql = "SELECT recorded_at FROM log WHERE stream = ? AND revision = ?"
            first += bisect_left(revisions, oldest, key=lambda r: self._one(sql, (row.id, r))[0])
        return Window(row.id, first, row.last)

    def _window_of_links(self) -> Window:
        (last,) = self._one(links.LAST)
        if last is None:
            raise StreamNotFound(f"stream {STREAMS!r}: there are no streams yet")
        return Window(links.KEY, 0, last)

    def metadata(self, name: str) -> StreamMetadata:
        """What governs a stream. Raises StreamTombstoned."""
        row = self._stream(name)
        if row is None:
            return StreamMetadata()
        custom = json.loads(row.custom) if row.custom else {}
        return StreamMetadata(row.max_count, row.max_age, row.truncate_before, custom)

    def stream_slice(self, stream: int, low: int, high: int, limit: int, *, down: bool) -> Slice:
        """Up to ``limit`` events of revisions ``low`` to ``high``, from either end."""
        if stream == links.KEY:
            order = "DESC" if down else "ASC"
            listed = links.links(self._all(f"{links.LINKS} {order} LIMIT ?", (low, high, limit)))
            cut = len(listed) == limit
            return Slice(listed, listed[-1].revision if cut else low if down else high)
        sql = f"{EVENTS} l.stream = ? AND l.revision BETWEEN ? AND ? ORDER BY l.revision"
        events, cut = self._events(sql, (stream, low, high), limit, down=down)
        return Slice(events, events[-1].revision if cut else low if down else high)

    def log_slice(
        self, low: int, high: int, limit: int, condition: Condition, *, down: bool = False
    ) -> Slice:
        """Up to ``limit`` events of positions ``low`` to ``high``, from either end."""
        if condition.sql and down:
            low = max(low, high - SPAN + 1)
        elif condition.sql:
            high = min(high, low + SPAN - 1)
        sql = f"{EVENTS} l.position BETWEEN ? AND ?{condition.sql} ORDER BY l.position"
        events, cut = self._events(sql, (low, high, *condition.bindings), limit, down=down)
        return Slice(events, events[-1].position if cut else low if down else high)

    def _events(
        self, sql: str, bindings: Sequence[int | str | bytes], limit: int, *, down: bool
    ) -> tuple[list[RecordedEvent], bool]:
        """Events, and whether a limit cut them short."""
        order = "DESC" if down else "ASC"
        try:
            cursor = self._connection.execute(f"{sql} {order} LIMIT ?", (*bindings, limit))
            events, size = _recorded(cursor, self._types)
            cursor.close()  # ends the read: a slow consumer must not hold up a checkpoint
        except apsw.Error as error:
            raise explained(error, self._path) from error
        return events, len(events) == limit or size >= SLICE_BYTES

    def _stream(self, name: str) -> Row | None:
        rows = self._all(STREAM, (name,))
        if rows and rows[0][1] == State.TOMBSTONED:
            raise StreamTombstoned(f"stream {name!r} was ended for ever")
        return Row(*rows[0]) if rows else None

    def _one(self, sql: str, bindings: Sequence[int] = ()) -> tuple[Any, ...]:
        return self._all(sql, bindings)[0]

    def _all(self, sql: str, bindings: Sequence[int | str] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise explained(error, self._path) from error


class Types(dict[int, str]):
    """Event types by their number in the file, read when an unknown number comes."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, key: int) -> str:
        self.update(self._connection.execute("SELECT id, name FROM types"))
        return self.get(key, f"unknown type {key}")


# What RecordedEvent(...) and UUID(bytes=...) do, column by column, without a step of Python for
# each event: these made up half of a replay. UUID's attributes are slots, which cannot be set but
# through these.
_record = partial(tuple.__new__, RecordedEvent)
_set_int = UUID.__dict__["int"].__set__
_set_is_safe = UUID.__dict__["is_safe"].__set__


def _recorded(cursor: apsw.Cursor, types: Types) -> tuple[list[RecordedEvent], int]:
    """Events from rows of EVENTS, and their size in bytes, until it is SLICE_BYTES."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        rows.append(row)
        size += len(row[2]) + len(row[3])
        if size >= SLICE_BYTES:
            break
    if not rows:
        return [], 0
    ids, kinds, data, metadata, streams, revisions, positions, times = zip(*rows, strict=True)
    columns = (
        _uuids(ids),
        map(types.__getitem__, kinds),
        data,
        metadata,
        streams,
        revisions,
        positions,
        map(instant, times),
    )
    return list(map(_record, zip(*columns, strict=True))), size


def _uuids(ids: Sequence[bytes]) -> list[UUID]:
    uuids = list(map(object.__new__, repeat(UUID, len(ids))))
    _exhaust(map(_set_int, uuids, map(int.from_bytes, ids)))
    _exhaust(map(_set_is_safe, uuids, repeat(SafeUUID.unknown)))
    return uuids


def _exhaust(steps: Iterable[object]) -> None:
    deque(steps, maxlen=0)
