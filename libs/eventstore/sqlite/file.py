"""The file that holds the log: its layout, and what must be true of it before it is trusted."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import apsw

from libs.eventstore.port import StoreCorrupt, StoreError, StoreUnavailable

T = TypeVar("T")

APPLICATION_ID = int.from_bytes(b"Eqlp", "big")
"""Marks the file as ours, in SQLite's header."""

LAYOUT = 1
"""Version of the tables below, in SQLite's user_version."""

OLDEST_SQLITE = (3, 51, 3)
"""Before it, a checkpoint that races another process's commit could lose the commit."""

LOCK_WAIT = 5.0
"""Seconds that a writer waits for another process before it answers StoreUnavailable."""

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

ADVICE: tuple[tuple[tuple[type[apsw.Error], ...], type[StoreError], str], ...] = (
    (
        (apsw.NotADBError,),
        StoreCorrupt,
        "is no SQLite file: check the path in the store's URL",
    ),
    (
        (apsw.CorruptError, apsw.FormatError, apsw.SQLError),
        StoreCorrupt,
        "is damaged: restore it from a backup, or save what can be saved with sqlite3's .recover",
    ),
    (
        (apsw.BusyError, apsw.LockedError),
        StoreUnavailable,
        f"is locked: another process has held it for over {LOCK_WAIT:g} s",
    ),
    (
        (apsw.FullError,),
        StoreUnavailable,
        "has no space left on its disk: nothing was written",
    ),
    (
        (apsw.CantOpenError,),
        StoreUnavailable,
        "cannot be opened: its directory must exist, and this user be allowed to write there",
    ),
    (
        (apsw.ReadOnlyError, apsw.PermissionsError),
        StoreUnavailable,
        "is read-only: let this user write the file and its directory",
    ),
    (
        (apsw.ConnectionClosedError,),
        StoreUnavailable,
        "was closed by this process",
    ),
)
"""What SQLite may meet, what the port calls it, and what to do about it."""


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
        connection = _connect(path, patience, apsw.SQLITE_OPEN_CREATE)
        fresh = _is_fresh(connection, path)
        _make_durable(connection, path, patience)
        if fresh:
            _create_tables(connection, path)
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


def explained(error: Exception, path: Path) -> StoreError:
    """Say in the port's words what SQLite met, and what to do about it."""
    for kinds, answer, advice in ADVICE:
        if isinstance(error, kinds):
            return answer(f"{path} {advice} ({error})")
    return StoreUnavailable(f"{path}: {error!r}")


def _connect(path: Path, patience: Patience, flags: int = 0) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | flags)
    if connection.readonly("main"):
        raise apsw.ReadOnlyError  # SQLite falls back to it, silently
    connection.set_busy_handler(patience)
    # Plans must not depend on bound values, or some are made anew for each (fourfold the time).
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("cache_size", -16_000)  # KiB
    return connection


def _is_fresh(connection: apsw.Connection, path: Path) -> bool:
    """Tell an empty file from our log; refuse anything else before touching it."""
    with connection:  # one look: another process may be making it
        identity = connection.pragma("application_id")
        layout = connection.pragma("user_version")
        objects = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if identity == APPLICATION_ID:
        if layout != LAYOUT:
            msg = f"{path} has layout {layout}, this program knows {LAYOUT}: use a newer release"
            raise StoreCorrupt(msg)
        return False
    if identity or layout or objects:
        msg = f"{path} belongs to another application: check the path in the store's URL"
        raise StoreCorrupt(msg)
    return True


def _make_durable(connection: apsw.Connection, path: Path, patience: Patience) -> None:
    """Set what durability rests on, and make sure that it was set."""
    mode = _insist(patience, lambda: connection.pragma("journal_mode", "wal"))
    connection.pragma("synchronous", "full")
    if mode != "wal" or connection.pragma("synchronous") != 2:
        msg = f"{path}: its file system cannot keep a write-ahead log: use a local disk"
        raise StoreUnavailable(msg)
    connection.pragma("wal_autocheckpoint", 4000)  # pages
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
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_fresh(connection, path):  # another process may have been first
            connection.execute(TABLES)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", LAYOUT)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
