"""Read models in DuckDB: facts by the million, scanned by column."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from libs.eventstore.port import RecordedEvent
from libs.projection.database import nothing
from libs.projection.files import one_version, throw_away

_CHECKPOINT = "CREATE TABLE IF NOT EXISTS checkpoint (position BIGINT NOT NULL)"

# What DuckDB says of a statement and its values. All else that it can say (I/O, out of memory,
# interrupted, a conflict of transactions, an error within itself…) is about file or machine.
_STATEMENT = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.NotSupportedError,
    duckdb.ProgrammingError,
)


class DuckDatabase:
    """One DuckDB file of views. Cursors of one connection read beside its writer."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        """Keep the file in ``folder``; use at most ``threads`` for a query."""
        self._folder, self._threads = folder, threads
        self._lock = threading.Lock()

    def open(self, schemas: Iterable[str], digest: str) -> None:
        """Open or make the file of this version."""
        path = one_version(self._folder, digest, "duckdb")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fold")
        try:
            self._writer = duckdb.connect(str(path), config={"threads": self._threads})
        except duckdb.Error as error:
            message = f"cannot open {path} (it may be removed: the log rebuilds it): {error}"
            raise OSError(message) from error
        for schema in (*schemas, _CHECKPOINT):
            self._writer.execute(schema)

    def anew(self, schemas: Iterable[str], digest: str) -> None:
        """Throw all rows away, and open a file that has none."""
        self.close()
        throw_away(one_version(self._folder, digest, "duckdb"))
        self.open(schemas, digest)

    def write(self, position: int, change: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Change rows and checkpoint in one transaction."""
        self._writer.begin()
        try:
            change(self._writer)
            self._writer.execute("DELETE FROM checkpoint")
            self._writer.execute("INSERT INTO checkpoint VALUES (?)", [position])
        except BaseException:
            self._writer.rollback()
            raise
        self._writer.commit()

    async def fold(
        self,
        position: int,
        events: Sequence[RecordedEvent],
        change: Callable[[duckdb.DuckDBPyConnection, Sequence[RecordedEvent]], None],
        finish: Callable[[duckdb.DuckDBPyConnection], None] = nothing,
    ) -> None:
        """The same for many events at once, in a thread: statements are long and let others run."""

        def both(db: duckdb.DuckDBPyConnection) -> None:
            if events:
                change(db, events)
            finish(db)

        run = asyncio.get_running_loop().run_in_executor
        await run(self._thread, self.write, position, both)

    def is_outage(self, error: Exception) -> bool:
        """Say whether DuckDB failed, and not what was asked of it."""
        return isinstance(error, duckdb.Error) and not isinstance(error, _STATEMENT)

    def checkpoint(self) -> int | None:
        """Answer the position up to which events are folded in."""
        with self.read() as db:
            row = db.execute("SELECT position FROM checkpoint").fetchone()
        return None if row is None else int(row[0])

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a snapshot for queries, on a cursor of its own: threads may read side by side."""
        with self._lock:
            cursor = self._writer.cursor()
        cursor.begin()
        try:
            yield cursor
        finally:
            cursor.rollback()
            cursor.close()

    def rows(self, table: str) -> Sequence[tuple[Any, ...]]:
        """Answer all rows of a table, sorted by all their columns."""
        with self.read() as db:
            return db.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()

    def close(self) -> None:
        """Finish what is being folded, and close the connection and its cursors."""
        self._thread.shutdown(wait=True)
        self._writer.close()
