"""The file that holds the log: its layout, and what must be true of it before it is trusted."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import apsw

from libs.eventstore.port import StoreCorrupt, StoreError, StoreUnavailable
from libs.eventstore.sqlite.advice import LOCK_WAIT, TOOL, explained
from libs.eventstore.sqlite.migration import to_second_layout

T = TypeVar("T")

APPLICATION_ID = int.from_bytes(b"Eqlp", "big")
"""Marks the file as ours, in SQLite's header."""

LAYOUT = 2
"""Version of the tables below, and of what is kept in them, in SQLite's user_version."""

OLDER = (1,)
"""Layouts that are brought to the present one when they are opened for writing."""

MARK_BITS = 10
"""Each log has a random mark, in SQLite's schema_version, that tells it from all others: so that
a write-ahead log which another file has left behind is noticed. It stands above the lowest bits,
as SQLite adds 1 with every change of the schema."""

OLDEST_SQLITE = (3, 51, 3)
"""Before it, a checkpoint that races another process's commit could lose the commit."""

LOCK_POLL = 0.0002
"""Seconds between two tries for the lock: a transaction of another process takes about a ms."""

# Nothing is ever removed from `log`, so max(position) + 1 is new for ever; and as SQLite lets one
# transaction write at a time, the order of positions is the order of commits, across processes.
# A stream's revision is the last one in `log_revision`: it is kept in no second place.
TABLES = """
CREATE TABLE streams (
  id              INTEGER PRIMARY KEY,
  name            TEXT NOT NULL UNIQUE,
  state           INTEGER NOT NULL DEFAULT 0,  -- 0 open, 1 deleted, 2 tombstoned
  floor           INTEGER NOT NULL DEFAULT 0,  -- first revision that deletes have left to see
  max_count       INTEGER,
  max_age         INTEGER,                     -- seconds
  truncate_before INTEGER,
  custom          TEXT                         -- JSON
) STRICT;
CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE log (
  position        INTEGER PRIMARY KEY,
  stream          INTEGER NOT NULL REFERENCES streams,
  revision        INTEGER NOT NULL,
  id              BLOB NOT NULL,               -- 16 bytes
  type            INTEGER NOT NULL REFERENCES types,
  recorded_at     INTEGER NOT NULL,            -- microseconds since 1970, UTC
  data            BLOB NOT NULL,
  metadata        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_revision ON log (stream, revision);
CREATE UNIQUE INDEX log_id ON log (stream, id);
"""


# One statement is one look: another process may be making the file.
IDENTITY = """
SELECT application_id, user_version, schema_version, (SELECT count(*) FROM sqlite_schema)
FROM pragma_application_id, pragma_user_version, pragma_schema_version
"""


class Patience:
    """A busy handler that tries again every fraction of a millisecond, for ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = 0.0

    def __call__(self, tries: int) -> bool:
        """Say whether to try once more, after a pause."""
        now = time.monotonic()
        if tries == 0:
            self._until = now + self.seconds
        if now >= self._until:
            return False
        time.sleep(LOCK_POLL)
        return True


def open_writer(path: Path, patience: Patience) -> apsw.Connection:
    """Open the log for writing and create it where there is none.

    Raises StoreUnavailable, StoreCorrupt.
    """
    if tuple(map(int, apsw.sqlite_lib_version().split("."))) < OLDEST_SQLITE:
        msg = f"SQLite {apsw.sqlite_lib_version()} can lose commits: install a newer apsw"
        raise StoreUnavailable(msg)
    try:
        connection, fresh = _opened(path, patience)
        _make_durable(connection, path, patience)
        if fresh:
            _create_tables(connection, path)
        elif connection.pragma("user_version") in OLDER:
            _migrate(connection)
    except apsw.Error as error:
        raise explained(error, path) from error
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """Open a log that is there for reading only. Raises StoreUnavailable, StoreCorrupt."""
    try:
        connection = _connect(path, Patience(LOCK_WAIT))
        connection.pragma("query_only", 1)
    except apsw.Error as error:
        raise explained(error, path) from error
    return connection


@contextmanager
def snapshot(path: Path) -> Iterator[apsw.Connection]:
    """A log as it is now, for reading only, whoever appends meanwhile.

    It may be a backup on a medium that cannot be written. Raises StoreUnavailable, StoreCorrupt.
    """
    if not path.is_file():
        msg = f"there is no log at {path}"
        raise StoreUnavailable(msg)
    connection = None
    try:
        try:
            connection = _open(path)
            connection.set_busy_handler(Patience(LOCK_WAIT))
            connection.pragma("query_only", 1)
            if _is_fresh(connection, path):
                msg = f"{path} is empty: it holds no log"
                raise StoreCorrupt(msg)
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM log LIMIT 1").fetchall()  # nothing changes any more
        except apsw.Error as error:
            raise explained(error, path) from error
        yield connection
    finally:
        if connection is not None:
            connection.close()


def move_home(path: Path) -> None:
    """Move all of a log into its one file, if it is sound enough and nobody has it open."""
    with suppress(StoreError, apsw.Error):
        connection = _connect(path, Patience(0))
        try:
            if not _is_fresh(connection, path):
                connection.pragma("journal_mode", "delete")
        finally:
            connection.close()


def mark(connection: apsw.Connection) -> None:
    """Make a log tell itself from all others, its own copies among them."""
    connection.pragma("schema_version", secrets.randbelow(1 << 31 - MARK_BITS) << MARK_BITS)


def _opened(path: Path, patience: Patience) -> tuple[apsw.Connection, bool]:
    """A connection to the file of this name, and whether it is empty.

    Another file may have been put in its place (``restore``) while we waited for its lock.
    """
    while True:
        before = _file_number(path)
        connection = _connect(path, patience, apsw.SQLITE_OPEN_CREATE)
        fresh = _is_fresh(connection, path)
        if before in (None, _file_number(path)):
            return connection, fresh
        connection.close()


def _file_number(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_ino
    return None


def _connect(path: Path, patience: Patience, flags: int = 0) -> apsw.Connection:
    connection = _open(path, flags)
    if connection.readonly("main"):
        raise apsw.ReadOnlyError  # SQLite falls back to it, silently
    connection.set_busy_handler(patience)
    # Plans must not depend on bound values, or some are made anew for each (fourfold the time).
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("cache_size", -16_000)  # KiB
    return connection


def _open(path: Path, flags: int = 0) -> apsw.Connection:
    """Open a file; a write-ahead log beside it stays there, until it is known to be the log's."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | flags)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def _is_fresh(connection: apsw.Connection, path: Path) -> bool:
    """Tell an empty file from our log; refuse anything else and leave all of it as it is."""
    fresh = _identify(connection, path)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    return fresh


def _identify(connection: apsw.Connection, path: Path) -> bool:
    identity, layout, seen, objects = connection.execute(IDENTITY).get
    if identity == APPLICATION_ID:
        if layout not in (*OLDER, LAYOUT):
            msg = f"{path} has layout {layout}, this program knows {LAYOUT}: use a newer release"
            raise StoreCorrupt(msg)
        _check_write_ahead(connection, path, seen)
        return False
    if identity or layout or objects:
        msg = f"{path} belongs to another application: check the path in the store's URL"
        raise StoreCorrupt(msg)
    return True


def _check_write_ahead(connection: apsw.Connection, path: Path, seen: int) -> None:
    """Refuse a write-ahead log that belongs to another file: SQLite would mix the two."""
    _, header = connection.read("main", 0, 0, 100)  # as it is without the write-ahead log
    written = int.from_bytes(header[40:44], "big")
    is_ours = header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    if is_ours and written >> MARK_BITS != seen >> MARK_BITS:
        msg = (
            f"{path} has the write-ahead log of another file beside it ({path.name}-wal), from "
            f"before it was replaced: move that aside, and run `{TOOL} check`"
        )
        raise StoreCorrupt(msg)


def _make_durable(connection: apsw.Connection, path: Path, patience: Patience) -> None:
    """Set what durability rests on, and make sure that it was set."""
    mode = _insist(patience, lambda: connection.pragma("journal_mode", "wal"))
    connection.pragma("synchronous", "full")
    if mode != "wal" or connection.pragma("synchronous") != 2:
        msg = f"{path}: its file system cannot keep a write-ahead log: use a local disk"
        raise StoreUnavailable(msg)
    connection.pragma("journal_size_limit", 64 << 20)
    # A process that was killed after it had written a commit and before it had synced it leaves us
    # that commit, to be read and acknowledged as if it were durable. A checkpoint begins with a
    # sync of the write-ahead log; should the disk be full, it ends after that.
    with suppress(apsw.FullError):
        _insist(patience, connection.wal_checkpoint)


def _insist(patience: Patience, call: Callable[[], T]) -> T:
    """Do what SQLite does not ask the busy handler for. Raises apsw.BusyError."""
    tries = 0
    while True:
        try:
            return call()
        except apsw.BusyError:
            if not patience(tries):
                raise
            tries += 1


def _create_tables(connection: apsw.Connection, path: Path) -> None:
    with _transaction(connection):
        if _is_fresh(connection, path):  # another process may have been first
            connection.execute(TABLES)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", LAYOUT)
            mark(connection)


def _migrate(connection: apsw.Connection) -> None:
    with _transaction(connection):
        if connection.pragma("user_version") in OLDER:  # another process may have been first
            to_second_layout(connection)


@contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
