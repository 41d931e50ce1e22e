"""A log with something of everything in it, and ways to damage it behind the engine's back."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from libs.eventstore.port import Expected, Filter, NewEvent, RecordedEvent, StreamMetadata
from libs.eventstore.sqlite import open_sqlite
from tests.contract.eventstore.scene import some

LONG = 40
"""Events of the stream `long`, at positions 1 to 40; `order-1` follows at 41 to 43."""


async def make_log(path: Path) -> None:
    """Make a log: streams that go on, one that was deleted, one that was ended, and one governed.

    `order-1` stands at positions 41 to 43, `order-2` at 44 and 45, `gone` at 46, and
    what governs `order-2` at 47.
    """
    store = await open_sqlite(path)
    await store.append("long", some(LONG, data=bytes(2000)), Expected.NO_STREAM)
    await store.append("order-1", some(3), Expected.NO_STREAM)
    await store.append("order-2", some(2, "Paid"), Expected.NO_STREAM)
    await store.append("gone", some(1), Expected.NO_STREAM)
    await store.delete("gone", 0)
    await store.tombstone("never", Expected.NO_STREAM)
    await store.set_stream_metadata("order-2", StreamMetadata(max_count=5, custom={"by": "me"}))
    await store.close()


async def append(path: Path, stream: str, events: Sequence[NewEvent]) -> int:
    """Append to the log, and answer where it ends."""
    store = await open_sqlite(path)
    answer = await store.append(stream, events, Expected.ANY)
    await store.close()
    return answer.position


def damage(path: Path, *statements: str) -> None:
    """Change the file by SQL, as no engine would."""
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def without_index(name: str, *statements: str) -> Sequence[str]:
    """Statements that do something which the unique index ``name`` would not let them do.

    Afterwards the index is there again: it is made as an ordinary one, and then called unique.
    """
    columns = {"log_revision": "stream, revision", "log_id": "stream, id"}[name]
    return (
        f"DROP INDEX {name}",
        *statements,
        f"CREATE INDEX {name} ON log ({columns})",
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_schema SET sql = replace(sql, 'E I', 'E UNIQUE I') WHERE name = '{name}'",
    )


def behind_index(name: str, *statements: str) -> Sequence[str]:
    """Statements of which the index ``name`` learns nothing."""
    return (
        "PRAGMA writable_schema = ON",
        "CREATE TABLE kept AS SELECT * FROM sqlite_schema",
        f"DELETE FROM sqlite_schema WHERE name = '{name}'",
        "PRAGMA writable_schema = RESET",
        *statements,
        "PRAGMA writable_schema = ON",
        f"INSERT INTO sqlite_schema SELECT * FROM kept WHERE name = '{name}'",
        "PRAGMA writable_schema = RESET",
        "DROP TABLE kept",
    )


def overwrite(path: Path, start: float, data: bytes) -> None:
    """Write over the file, from a part of its length on, whole pages."""
    at = int(path.stat().st_size * start) // 4096 * 4096
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@contextmanager
def writing(path: Path, stream: str) -> Iterator[None]:
    """Another process appends to the log, and is killed in the end: its tail is not moved home."""
    command = [sys.executable, "-m", "tests.contract.eventstore_upkeep.writer", str(path), stream]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().strip().isdigit()
            yield
        finally:
            process.kill()


async def events(path: Path) -> list[RecordedEvent]:
    """Answer all events of a log."""
    store, every = await open_sqlite(path), Filter(system=True)
    log = [event async for batch in store.read_all(filter=every) for event in batch.events]
    await store.close()
    return log


def silent(doing: str, done: int, total: int) -> None:
    """Show no progress."""


def names(folder: Path) -> list[str]:
    """Answer what is in a directory."""
    return sorted(path.name for path in folder.iterdir())
