"""Writing within one transaction: what an append, a delete or a tombstone may do, and does."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import apsw

from libs.eventstore import system
from libs.eventstore.bounds import check_append, check_own, check_stream
from libs.eventstore.port import (
    Append,
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

# An ordinary stream gets its number, from 1, with its first event: so the numbers list all streams.
# Numbers below 0 are the store's own streams, and those known before they have events.
NEXT = "max(1, 1 + coalesce((SELECT max(id) FROM streams), 0))"
NEXT_BELOW = "min(-1, coalesce((SELECT min(id) FROM streams), 0) - 1)"
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


CHECKPOINT = 4000
"""Pages in the write-ahead log from which on they are moved home: 16 MB, some tens of ms."""

STREAMS = 8192
"""Streams of which a transaction may remember where they end, from those before: about 2 MB."""

Row = tuple[int, int, int, bytes, int, int, bytes, bytes]


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
        if expected is Expected.ANY:
            return True
        if not isinstance(expected, Expected):
            return expected == self.revision
        there = self.revision >= 0 and self.state == State.OPEN
        return there == (expected is Expected.EXISTS)


NOWHERE = Stream(0, State.OPEN, -1, 0)


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
        self._connection.set_wal_hook(self._note)
        self._types = Types(self._connection)
        self._streams: dict[str, Stream] = {}  # open ones, while nobody else has written
        self._version: object = None
        self._now = 0
        self.head = 0
        """Position of the last event, within the transaction."""
        self.checkpoint_at = CHECKPOINT
        self._pages = 0

    def begin(self, patience: float) -> bool:
        """Take the right to write; False when another process had it for ``patience`` seconds."""
        self._patience.seconds = patience
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            return False
        # It changes with every commit of another connection, and never with our own.
        version = self._connection.execute("PRAGMA data_version").get
        if version != self._version or len(self._streams) > STREAMS:
            self._streams.clear()
            self.head, self._now = self._connection.execute(LAST).fetchone() or (0, 0)
            self._version = version
        self._now = max(time.time_ns() // 1000, self._now)  # clocks go back, the log does not
        return True

    def commit(self) -> None:
        """Make everything since ``begin`` durable."""
        self._connection.execute("COMMIT")

    def is_checkpoint_due(self) -> bool:
        """Say whether the write-ahead log has grown so long that it should be moved home."""
        return self._pages >= self.checkpoint_at

    def checkpoint(self) -> None:
        """Move what the write-ahead log holds to its place, as far as readers allow.

        SQLite would do it within a commit, which then takes a hundred times as long.
        """
        self._pages = 0
        with suppress(apsw.Error):  # what is committed stays so, here or there
            self._connection.wal_checkpoint()

    def rollback(self) -> None:
        """Forget everything since ``begin``."""
        self._forget()
        self._version = None
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def append(self, name: str, events: Sequence[NewEvent], expected: ExpectedState) -> Appended:
        """Append to one stream; see the port."""
        try:
            return self.append_together([Append(name, events, expected)])[0]
        except (WrongExpectedRevision, apsw.ConstraintError) as error:
            if isinstance(error, apsw.ConstraintError) and "UNIQUE" not in str(error):
                raise
        # The stream is elsewhere, or has one of these ids: has it got all of them, in this order?
        stream = self._find(name)
        if first := self._repeated(stream, events, expected):
            return first
        raise _conflict(name, stream, expected)

    def append_together(self, appends: Sequence[Append]) -> list[Appended]:
        """Append to many streams, all or nothing.

        Raises whatever hinders one of them, be it that it was done before.
        """
        rows: list[Row] = []
        answers: list[Appended] = []
        position, streams, types, now = self.head, self._streams, self._types, self._now
        with self._all_or_nothing():
            for name, events, expected in appends:
                check_append(name, events, expected)
                stream = streams.get(name) or self._find(name)
                if not stream.meets(expected):
                    raise _conflict(name, stream, expected)
                if not events:
                    answers.append(_empty(stream))
                    continue
                key, revision = self._opened(name, stream), stream.revision
                if system.is_system(name) and (governed := system.governed(name)):
                    self._put_in_place(governed, events[-1].data)
                for e in events:
                    position += 1
                    revision += 1
                    id_, type_ = e.id.bytes, types[e.type]
                    rows.append((position, key, revision, id_, type_, now, e.data, e.metadata))
                streams[name] = Stream(key, State.OPEN, revision, position)
                answers.append(Appended(revision, position))
            self._connection.executemany(INSERT, rows)
        self.head = position
        return answers

    def delete(self, name: str, expected: ExpectedState) -> None:
        """Hide a stream's events; see the port."""
        check_own(name)
        stream = self._find(name)
        if stream.revision < 0 and stream.meets(expected):
            raise StreamNotFound(f"there is no stream {name!r}")
        if not stream.meets(expected):
            raise _conflict(name, stream, expected)
        self._streams.pop(name, None)
        self._connection.execute(
            "UPDATE streams SET state = ?, floor = ? WHERE id = ?",
            (State.DELETED, stream.revision + 1, stream.id),
        )

    def tombstone(self, name: str, expected: ExpectedState) -> None:
        """End a stream for ever; see the port."""
        check_stream(name)
        check_own(name)
        stream = self._find(name)
        if not stream.meets(expected):
            raise _conflict(name, stream, expected)
        self._streams.pop(name, None)
        self._set_state(stream.id or self._intern(name, NEXT_BELOW), State.TOMBSTONED)

    def govern(self, name: str, metadata: StreamMetadata) -> None:
        """Replace a stream's metadata; see the port."""
        check_stream(name)
        check_own(name)
        event = NewEvent(uuid4(), system.METADATA, system.written(metadata))
        self.append(f"{system.META}{name}", [event], Expected.ANY)

    def _find(self, name: str) -> Stream:
        if known := self._streams.get(name):
            return known
        row = self._connection.execute(FIND, (name,)).fetchone()
        stream = Stream(*row) if row else NOWHERE
        if stream.state == State.TOMBSTONED:
            raise StreamTombstoned(f"stream {name!r} was ended for ever")
        return stream

    def _opened(self, name: str, stream: Stream) -> int:
        """Answer the number of a stream that is about to be written, and open it if it is not."""
        if stream.state == State.DELETED:
            self._set_state(stream.id, State.OPEN)
        return stream.id if stream.revision >= 0 else self._begin(name, stream)

    def _note(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _forget(self) -> None:
        self._types.clear()
        self._streams.clear()

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Take back what was done within, if any of it is refused."""
        execute = self._connection.execute
        execute("SAVEPOINT part")
        try:
            yield
        except BaseException as refusal:
            self._forget()
            # After any other of SQLite's errors there is no transaction any more.
            if isinstance(refusal, apsw.ConstraintError) or not isinstance(refusal, apsw.Error):
                execute("ROLLBACK TO part")
                execute("RELEASE part")
            raise
        execute("RELEASE part")

    def _put_in_place(self, governed: str, data: bytes) -> None:
        """Let the newest event of its metastream govern a stream. Raises StreamTombstoned."""
        key = self._find(governed).id or self._intern(governed, NEXT_BELOW)
        metadata = system.read(data)
        custom = json.dumps(metadata.custom, ensure_ascii=False) if metadata.custom else None
        bounds = metadata.max_count, metadata.max_age, metadata.truncate_before
        self._connection.execute(GOVERN, (*bounds, custom, key))

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

    def _begin(self, name: str, stream: Stream) -> int:
        """Number a stream that gets its first events."""
        if system.is_system(name):
            return stream.id or self._intern(name, NEXT_BELOW)
        if not stream.id:
            return self._intern(name, NEXT)
        sql = f"UPDATE streams SET id = {NEXT} WHERE id = ? RETURNING id"
        key: int = self._connection.execute(sql, (stream.id,)).get
        return key

    def _intern(self, name: str, number: str) -> int:
        self._connection.execute(f"INSERT INTO streams (id, name) VALUES ({number}, ?)", (name,))
        return self._connection.last_insert_rowid()

    def _set_state(self, stream: int, state: State) -> None:
        self._connection.execute("UPDATE streams SET state = ? WHERE id = ?", (state, stream))


def _empty(stream: Stream) -> Appended:
    """Answer an append of nothing: where the stream is now."""
    there = stream.meets(Expected.EXISTS)
    return Appended(stream.revision, stream.position) if there else Appended(-1, 0)


def _conflict(name: str, stream: Stream, expected: ExpectedState) -> WrongExpectedRevision:
    return WrongExpectedRevision(name, expected, None if stream.revision < 0 else stream.revision)
