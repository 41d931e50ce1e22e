"""Streams that a view cannot go on with: parked beside its rows, and changed with them.

What is held back is not copied: the log has it. A parked stream is known by the event that could
not be folded, and by the position from which its events still are to be folded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from libs.projection.database import Connection

MOST = 10_000
"""Streams that may be parked at a time, over all views of a database. One that would be more
brings its views to a stand: so much poison is a fault of the fold, or of a writer."""

_PARKED = """
    CREATE TABLE IF NOT EXISTS parked (
        view VARCHAR NOT NULL,
        stream VARCHAR NOT NULL,
        position BIGINT NOT NULL, -- of the event that could not be folded
        revision BIGINT NOT NULL,
        event VARCHAR NOT NULL,
        type VARCHAR NOT NULL,
        reason VARCHAR NOT NULL,
        time BIGINT NOT NULL, -- when that was found, in microseconds
        resume BIGINT NOT NULL, -- events from here on are to be folded
        held BIGINT NOT NULL, -- how many of them there are up to the checkpoint
        PRIMARY KEY (view, stream)
    )
"""
_MENDED = """
    CREATE TABLE IF NOT EXISTS mended (
        view VARCHAR NOT NULL -- folded what was held back later than a replay does
    )
"""
PARKING = (_PARKED, _MENDED)
"""The tables that a database keeps beside those of its views."""

_INSERT = "INSERT INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE = """
    UPDATE parked SET position = ?, revision = ?, event = ?, type = ?, reason = ?, time = ?,
        resume = ?, held = ?
    WHERE view = ? AND stream = ?
"""
_DELETE = "DELETE FROM parked WHERE view = ? AND stream = ?"

Key = tuple[str, str]
"""A view's name and a stream's."""


class TooMuchPoison(Exception):
    """More streams would have to be parked than may be; the views stand still."""


class Parked(NamedTuple):
    """A stream that a view holds back, and the event that it could not fold."""

    view: str
    stream: str
    position: int
    revision: int
    event: str
    type: str
    reason: str
    time: int
    resume: int
    held: int

    @property
    def key(self) -> Key:
        """View and stream."""
        return self.view, self.stream


Books = Mapping[Key, Parked | None]
"""What becomes of parked streams in a transaction: how they are after it; None: parked no more."""


class ParkedStreams:
    """All parked streams of one database; in memory as they stand in its table."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Know the rows of the table."""
        self._by_stream: dict[str, dict[str, Parked]] = {}
        self._count = 0
        self.held = 0
        """Events held back, each counted for every view that waits for it."""
        self.apply({row.key: row for row in (Parked(*row) for row in rows)})

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Parked]:
        return (row for views in self._by_stream.values() for row in views.values())

    def of(self, stream: str) -> Mapping[str, Parked]:
        """Answer the views that hold ``stream`` back, by name."""
        return self._by_stream.get(stream, {})

    def any_of(self, streams: set[str]) -> bool:
        """Say whether one of ``streams`` is held back by any view."""
        return not self._by_stream.keys().isdisjoint(streams)

    def __getitem__(self, key: Key) -> Parked:
        view, stream = key
        return self._by_stream[stream][view]

    def __contains__(self, key: Key) -> bool:
        view, stream = key
        return view in self.of(stream)

    def check(self, books: Books) -> None:
        """Raise TooMuchPoison when there would be too many."""
        new = sum(1 for key, row in books.items() if row is not None and key not in self)
        if new and self._count + new > MOST:
            worst = next(row for row in books.values() if row is not None)
            message = (
                f"{self._count} streams are parked and no more than {MOST} may be; now "
                f"{worst.view} cannot fold {worst.type} {worst.event} of {worst.stream!r} at "
                f"{worst.position}: {worst.reason}"
            )
            raise TooMuchPoison(message)

    def write(self, db: Connection, books: Books) -> None:
        """Change the table, in whatever transaction ``db`` is in."""
        for key, row in books.items():
            if row is None:
                db.execute(_DELETE, key)
            elif key in self:
                db.execute(_UPDATE, (*row[2:], *key))
            else:
                db.execute(_INSERT, tuple(row))

    @staticmethod
    def mend(db: Connection, views: Iterable[str]) -> None:
        """Note that rows of ``views`` may not be those of a replay."""
        for view in views:
            db.execute("INSERT INTO mended VALUES (?)", (view,))

    def apply(self, books: Books) -> None:
        """Change what is in memory, once the transaction is committed."""
        for (view, stream), row in books.items():
            views = self._by_stream.setdefault(stream, {})
            if (before := views.pop(view, None)) is not None:
                self._count, self.held = self._count - 1, self.held - before.held
            if row is not None:
                views[view] = row
                self._count, self.held = self._count + 1, self.held + row.held
            if not views:
                del self._by_stream[stream]
