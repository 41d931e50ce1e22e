"""Read models in SQLite: many small rows, looked up by key."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from libs.eventstore.port import RecordedEvent
from libs.projection.database import nothing
from libs.projection.files import one_version, throw_away

log = logging.getLogger(__name__)

SLICE = 128
"""Events folded in one turn of the event loop: a few milliseconds."""

_CACHE, _READERS_CACHE = 64_000, 16_000
"""KiB of pages kept in memory, at most. New rows go to places at random in every index by name:
with a quarter of the cache, an eighth of a fold is spent on fetching pages again."""

_CHECKPOINT = """
CREATE TABLE IF NOT EXISTS checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL
)"""
_SET = "INSERT INTO checkpoint VALUES (1, ?) ON CONFLICT DO UPDATE SET position = excluded.position"

# What SQLite says of a statement and its values. All else that it can say (full, busy, locked,
# read-only, I/O, corrupt, out of memory, interrupted…) is about the file or the machine.
_STATEMENT = (
    apsw.BindingsError,
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.RangeError,
    apsw.SQLError,
    apsw.TooBigError,
)


class SqliteDatabase:
    """One SQLite file of views: a connection that writes and one that reads.

    The log can rebuild it, so a commit is not synced (synchronous=NORMAL): after a power cut the
    file is whole and at most behind.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the file in ``folder``."""
        self._folder = folder

    def open(self, schemas: Iterable[str], digest: str) -> None:
        """Open or make the file of this version; a damaged one is made anew from the log."""
        path = one_version(self._folder, digest, "db")
        try:
            self._open(str(path), schemas)
        except (apsw.NotADBError, apsw.CorruptError) as error:
            log.warning("%s is damaged (%s): its rows are folded from the log again", path, error)
            throw_away(path)
            self._open(str(path), schemas)
        except apsw.Error as error:
            message = f"cannot open the read models in {path}: {error}"
            raise OSError(message) from error

    def anew(self, schemas: Iterable[str], digest: str) -> None:
        """Throw all rows away, and open a file that has none."""
        self.close()
        throw_away(one_version(self._folder, digest, "db"))
        self.open(schemas, digest)

    def _open(self, path: str, schemas: Iterable[str]) -> None:
        self._writer = self._connect(path, _CACHE)
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = NORMAL")
        with self._writer:
            for schema in (*schemas, _CHECKPOINT):
                self._writer.execute(schema)
        self._path, self._readers = path, [self._connect_reader(path)]
        self._reader = self._readers[0]

    def another_reader(self) -> apsw.Connection:
        """Open a connection more, for a thread that looks at rows beside the event loop."""
        self._readers.append(self._connect_reader(self._path))
        return self._readers[-1]

    @classmethod
    def _connect_reader(cls, path: str) -> apsw.Connection:
        reader = cls._connect(path, _READERS_CACHE)
        reader.execute("PRAGMA query_only = ON")
        return reader

    @staticmethod
    def _connect(path: str, cache: int) -> apsw.Connection:
        connection = apsw.Connection(path, statementcachesize=200)
        connection.set_busy_timeout(5_000)
        connection.execute(f"PRAGMA cache_size = -{cache}; PRAGMA temp_store = MEMORY")
        return connection

    def write(self, position: int, change: Callable[[apsw.Connection], None]) -> None:
        """Change rows and checkpoint in one transaction."""
        with self._transaction():
            change(self._writer)
            self._writer.execute(_SET, (position,))

    async def fold(
        self,
        position: int,
        events: Sequence[RecordedEvent],
        change: Callable[[apsw.Connection, Sequence[RecordedEvent]], None],
        finish: Callable[[apsw.Connection], None] = nothing,
    ) -> None:
        """Change rows for ``events`` and the checkpoint in one transaction, a slice a turn.

        It runs on the event loop and not in a thread: apsw lets go of the interpreter at every
        statement, and a thread beside a busy loop gets it back only every few milliseconds.
        """
        with self._transaction():
            for start in range(0, len(events), SLICE):
                change(self._writer, events[start : start + SLICE])
                await asyncio.sleep(0)
            finish(self._writer)
            self._writer.execute(_SET, (position,))

    def is_outage(self, error: Exception) -> bool:
        """Say whether SQLite failed, and not what was asked of it."""
        return isinstance(error, apsw.Error) and not isinstance(error, _STATEMENT)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit, or roll back what SQLite has not rolled back itself: it does when it is full."""
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def checkpoint(self) -> int | None:
        """Answer the position up to which events are folded in."""
        position = self._writer.execute("SELECT position FROM checkpoint").get
        return None if position is None else int(position)

    @contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        """Open a snapshot for queries; do not await in it."""
        with self._reader:
            yield self._reader

    def rows(self, table: str) -> Sequence[tuple[Any, ...]]:
        """Answer all rows of a table, sorted by all their columns."""
        columns = [row[1] for row in self._reader.execute(f"PRAGMA table_info({table})")]
        order = ", ".join(f'"{column}"' for column in columns)
        return list(self._reader.execute(f"SELECT * FROM {table} ORDER BY {order}"))

    def close(self) -> None:
        """Close all connections."""
        for reader in self._readers:
            reader.close()
        self._writer.close()
