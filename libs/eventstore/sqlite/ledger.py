"""Writing within one transaction: what an append, a delete or a tombstone may do, and does."""

import json
import time
from collections.abc import Sequence
from enum import IntEnum
from itertools import count
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import apsw

from libs.eventstore.bounds import check_append, check_stream
from libs.eventstore.port import (
    Appended,
    Expected,
    ExpectedState,
    NewEvent,
    StreamMetadata,
    StreamNotFound,
    StreamTombstoned,
    WrongExpectedRevision,
)
from libs.eventstore.sqlite.advice import LOCK_WAIT
from libs.eventstore.sqlite.file import Patience, open_writer

FIND = """
SELECT s.id, s.state, coalesce(l.revision, -1), coalesce(l.position, 0)
FROM streams s LEFT JOIN log l ON l.stream = s.id
WHERE s.name = ? ORDER BY l.revision DESC LIMIT 1
"""
INSERT = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
LAST = "SELECT position, recorded_at FROM log ORDER BY position DESC LIMIT 1"
GOVERN = """
UPDATE streams SET max_count = ?, max_age = ?, truncate_before = ?, custom = ? WHERE id = ?
"""


class State(IntEnum):
    """What became of a stream."""

    OPEN = 0
    DELETED = 1
    TOMBSTONED = 2


class Stream(NamedTuple):
    """A stream as the transaction sees it; ``id`` 0 means that the file does not know it yet."""

    id: int
    state: int
    revision: int
    position: int

    def meets(self, expected: ExpectedState) -> bool:
        """Say whether the stream is where a writer expects it."""
        there = self.revision >= 0 and self.state == State.OPEN
        match expected:
            case Expected.ANY:
                return True
            case Expected.NO_STREAM:
                return not there
            case Expected.EXISTS:
                return there
            case _:
                return expected == self.revision


class Types(dict[str, int]):
    """The numbers of event types in the file; a type that comes first gets one."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, name: str) -> int:
        execute = self._connection.execute
        row = execute("SELECT id FROM types WHERE name = ?", (name,)).fetchone()
        if row is None:
            execute("INSERT INTO types (name) VALUES (?)", (name,))
        self[name] = row[0] if row else self._connection.last_insert_rowid()
        return self[name]


class Ledger:
    """The one writing connection of a store, within a transaction: not for two at a time.

    Its methods raise the port's StoreErrors for what the rules refuse, and apsw.ConstraintError
    for values of the wrong type, leaving the transaction as it was; any other apsw.Error is what
    befell the file, and the transaction is lost.
    """

    def __init__(self, path: Path) -> None:
        self._patience = Patience(LOCK_WAIT)
        self._connection = open_writer(path, self._patience)
        self._types = Types(self._connection)
        self._now = 0
        self.head = 0
        """Position of the last event, within the transaction."""

    def begin(self, patience: float) -> bool:
        """Take the right to write; False when another process had it for ``patience`` seconds."""
        self._patience.seconds = patience
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            return False
        last = self._connection.execute(LAST).fetchone() or (0, 0)
        self.head = last[0]
        self._now = max(time.time_ns() // 1000, last[1])  # clocks go back, the log does not
        return True

    def commit(self) -> None:
        """Make everything since ``begin`` durable."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget everything since ``begin``."""
        self._types.clear()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def append(self, name: str, events: Sequence[NewEvent], expected: ExpectedState) -> Appended:
        """Append to one stream; see the port."""
        check_append(name, events, expected)
        stream = self._find(name)
        if stream.meets(expected):
            if not events:
                return _empty(stream)
            try:
                return self._write(name, stream, events)
            except apsw.ConstraintError as error:
                if "UNIQUE" not in str(error):
                    raise
        # The stream is elsewhere, or has one of these ids: has it got all of them, in this order?
        if first := self._repeated(stream, events, expected):
            return first
        raise _conflict(name, stream, expected)

    def delete(self, name: str, expected: ExpectedState) -> None:
        """Hide a stream's events; see the port."""
        stream = self._find(name)
        if stream.revision < 0 and stream.meets(expected):
            raise StreamNotFound(f"there is no stream {name!r}")
        if not stream.meets(expected):
            raise _conflict(name, stream, expected)
        self._connection.execute(
            "UPDATE streams SET state = ?, floor = ? WHERE id = ?",
            (State.DELETED, stream.revision + 1, stream.id),
        )

    def tombstone(self, name: str, expected: ExpectedState) -> None:
        """End a stream for ever; see the port."""
        check_stream(name)
        stream = self._find(name)
        if not stream.meets(expected):
            raise _conflict(name, stream, expected)
        self._set_state(stream.id or self._intern(name), State.TOMBSTONED)

    def govern(self, name: str, metadata: StreamMetadata) -> None:
        """Replace a stream's metadata; see the port."""
        check_stream(name)
        stream = self._find(name)
        custom = json.dumps(metadata.custom, ensure_ascii=False) if metadata.custom else None
        self._connection.execute(
            GOVERN,
            (
                metadata.max_count,
                metadata.max_age,
                metadata.truncate_before,
                custom,
                stream.id or self._intern(name),
            ),
        )

    def _find(self, name: str) -> Stream:
        row = self._connection.execute(FIND, (name,)).fetchone()
        stream = Stream(*row) if row else Stream(0, State.OPEN, -1, 0)
        if stream.state == State.TOMBSTONED:
            raise StreamTombstoned(f"stream {name!r} was ended for ever")
        return stream

    def _write(self, name: str, stream: Stream, events: Sequence[NewEvent]) -> Appended:
        """Insert all of the events or, with a ConstraintError, none."""
        key, types, now = stream.id or self._intern(name), self._types, self._now
        rows = [
            (position, key, revision, e.id.bytes, types[e.type], now, e.data, e.metadata)
            for position, revision, e in zip(
                count(self.head + 1), count(stream.revision + 1), events
            )
        ]
        if len(rows) == 1:
            self._connection.execute(INSERT, rows[0])
        else:
            self._insert_all(rows)
        if stream.state == State.DELETED:
            self._set_state(key, State.OPEN)
        self.head += len(rows)
        return Appended(stream.revision + len(rows), self.head)

    def _insert_all(self, rows: Sequence[tuple[object, ...]]) -> None:
        execute = self._connection.execute
        execute("SAVEPOINT part")
        try:
            self._connection.executemany(INSERT, rows)
        except apsw.ConstraintError:  # after any other error there is no transaction any more
            execute("ROLLBACK TO part")
            execute("RELEASE part")
            raise
        execute("RELEASE part")

    def _repeated(
        self, stream: Stream, events: Sequence[NewEvent], expected: ExpectedState
    ) -> Appended | None:
        """Find the answer that these very events got before, if they stand where they should."""
        places = [self._place(stream.id, event.id) for event in events]
        found = [place for place in places if place]
        if not found or len(found) < len(places):
            return None
        start = found[0][0]
        together = [revision for revision, _ in found] == list(range(start, start + len(found)))
        match expected:
            case Expected.ANY | Expected.EXISTS:
                due = start
            case Expected.NO_STREAM:
                due = 0
            case _:
                due = expected + 1
        return Appended(*found[-1], repeated=True) if together and start == due else None

    def _place(self, stream: int, event: UUID) -> tuple[int, int] | None:
        row = self._connection.execute(
            "SELECT revision, position FROM log WHERE stream = ? AND id = ?", (stream, event.bytes)
        ).fetchone()
        return (row[0], row[1]) if row else None

    def _intern(self, name: str) -> int:
        self._connection.execute("INSERT INTO streams (name) VALUES (?)", (name,))
        return self._connection.last_insert_rowid()

    def _set_state(self, stream: int, state: State) -> None:
        self._connection.execute("UPDATE streams SET state = ? WHERE id = ?", (state, stream))


def _empty(stream: Stream) -> Appended:
    """Answer an append of nothing: where the stream is now."""
    there = stream.meets(Expected.EXISTS)
    return Appended(stream.revision, stream.position) if there else Appended(-1, 0)


def _conflict(name: str, stream: Stream, expected: ExpectedState) -> WrongExpectedRevision:
    return WrongExpectedRevision(name, expected, None if stream.revision < 0 else stream.revision)
