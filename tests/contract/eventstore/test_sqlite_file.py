"""The file of the embedded store: what it must be, and what is said when it is not."""

import asyncio
import os
import shutil
from pathlib import Path

import apsw
import pytest

from libs.eventstore.port import Expected, StoreCorrupt, StoreError, StoreUnavailable
from libs.eventstore.sqlite import file, ledger, open_sqlite
from tests.contract.eventstore.scene import some, stream_of


async def test_durability_is_set(tmp_path: Path) -> None:
    """The log is written ahead and every commit reaches the disk."""
    store = await open_sqlite(tmp_path / "log.db")
    connection = store._ledger._connection
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    await store.close()


async def test_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite that can lose commits of concurrent processes is not used."""
    for version in ("3.51.2", "3.9.12", "2.100.0"):
        monkeypatch.setattr(apsw, "sqlite_lib_version", lambda version=version: version)
        with pytest.raises(StoreUnavailable, match="newer apsw"):
            await open_sqlite(tmp_path / "log.db")


async def test_memory_that_loses_its_mode_is_refused(tmp_path: Path) -> None:
    """Where a write-ahead log cannot be kept, the store does not open."""
    with pytest.raises(StoreUnavailable, match="write-ahead log"):
        await open_sqlite(Path(":memory:"))


async def test_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """A file of another kind is refused and not touched."""
    path = tmp_path / "notes.txt"
    beside = tmp_path / "notes.txt-wal"
    for notes in (path, beside):
        notes.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(StoreCorrupt, match=r"notes\.txt is no SQLite file"):
        await open_sqlite(path)
    for notes in (path, beside):
        assert notes.read_bytes() == b"Dear diary, " * 1000


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE orders (id)", "PRAGMA application_id = 77", "PRAGMA user_version = 3"],
)
async def test_file_of_another_application_is_left_alone(tmp_path: Path, statement: str) -> None:
    """Another application's SQLite file is refused and not touched."""
    path = tmp_path / "other.db"
    other = apsw.Connection(str(path))
    other.execute(statement)
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="belongs to another application"):
        await open_sqlite(path)
    assert path.read_bytes() == before


async def test_layout_of_another_release_is_refused(tmp_path: Path) -> None:
    """A log of a later layout is not read by a program that does not know it."""
    path = tmp_path / "log.db"
    await (await open_sqlite(path)).close()
    later = apsw.Connection(str(path))
    later.pragma("user_version", file.LAYOUT + 1)
    later.close()
    with pytest.raises(StoreCorrupt, match="use a newer release"):
        await open_sqlite(path)


async def test_empty_file_becomes_a_log(tmp_path: Path) -> None:
    """A file of no bytes is a log that has not begun."""
    (tmp_path / "log.db").touch()
    store = await open_sqlite(tmp_path / "log.db")
    assert (await store.append("order-1", some(1), Expected.NO_STREAM)).position == 1
    await store.close()


async def test_damage_is_reported(tmp_path: Path) -> None:
    """Where the file is damaged, reading fails and says what to do."""
    path = tmp_path / "log.db"
    store = await open_sqlite(path)
    await store.append("order-1", some(500, data=bytes(1000)), Expected.NO_STREAM)
    await store.close()
    size = path.stat().st_size
    with path.open("r+b") as damaged:
        damaged.seek(size // 4 // 4096 * 4096)
        damaged.write(b"\xee" * (size // 2))
    with pytest.raises(StoreCorrupt, match="restore it from a backup"):  # noqa: PT012 (either step)
        store = await open_sqlite(path)
        await stream_of(store, "order-1")
    await store.close()


async def test_exclusive_lock_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process keeps to itself is said to be locked."""
    monkeypatch.setattr(ledger, "LOCK_WAIT", 0.05)
    path = tmp_path / "log.db"
    await (await open_sqlite(path)).close()
    other = apsw.Connection(str(path))
    other.pragma("locking_mode", "exclusive")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match=r"log\.db is locked"):
        await open_sqlite(path)
    other.close()
    await (await open_sqlite(path)).close()


def test_read_only_file_is_reported(tmp_path: Path) -> None:
    """A file that this user may not write is refused when it is opened."""
    path = tmp_path / "log.db"
    asyncio.run(_open_and_close(path))
    path.chmod(0o444)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # pytest keeps them to this user
    child = os.fork()
    if child == 0:  # root may write everything, and gives that up first
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            asyncio.run(_open_and_close(path))
        except StoreError as error:
            os._exit(7 if "read-only" in str(error) else 8)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7


async def test_opening_waits_for_another_process(tmp_path: Path) -> None:
    """A log that another process is about to begin is opened once that is done."""
    other = apsw.Connection(str(tmp_path / "log.db"))
    other.execute("BEGIN IMMEDIATE")
    opening = asyncio.create_task(open_sqlite(tmp_path / "log.db"))
    await asyncio.sleep(0.05)
    assert not opening.done()
    other.execute("ROLLBACK")
    other.close()
    store = await opening
    assert await store.head() == 0
    await store.close()


async def test_many_may_open_a_new_log_at_once(tmp_path: Path) -> None:
    """Whoever comes first begins the log, and everybody finds the same one."""
    for number in range(5):
        path = tmp_path / f"{number}.db"
        stores = await asyncio.gather(*(open_sqlite(path) for _ in range(8)))
        for store in stores:
            await store.append("order-1", some(1), Expected.ANY)
        assert [await store.head() for store in stores] == [8] * 8
        await asyncio.gather(*(store.close() for store in stores))


async def _open_and_close(path: Path) -> None:
    await (await open_sqlite(path)).close()


async def test_write_ahead_log_of_another_log_is_refused(tmp_path: Path) -> None:
    """A write-ahead log that was left when its log was replaced by hand is not mixed in."""
    path, other = tmp_path / "log.db", tmp_path / "other.db"
    for name in (path, other):
        store = await open_sqlite(name)
        await store.append("order-1", some(3, data=bytes(9000)), Expected.NO_STREAM)
        await store.close()
    shutil.copy(path, tmp_path / "own.db")
    store = await open_sqlite(path)
    await store.append("order-1", some(300, data=bytes(9000)), 2)
    shutil.copy(f"{path}-wal", tmp_path / "other.db-wal")
    shutil.copy(f"{path}-wal", tmp_path / "own.db-wal")
    await store.close()
    with pytest.raises(StoreCorrupt, match="has the write-ahead log of another file beside it"):
        await open_sqlite(other)
    store = await open_sqlite(tmp_path / "own.db")
    assert await store.head() == 303
    await store.close()


async def test_truncated_file_is_refused(tmp_path: Path) -> None:
    """A log that has lost its end is refused when it is opened, with what to do."""
    path = tmp_path / "log.db"
    store = await open_sqlite(path)
    await store.append("order-1", some(500, data=bytes(1000)), Expected.NO_STREAM)
    await store.close()
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreCorrupt, match=r"is damaged: restore it.* `.* check` says where"):
        await open_sqlite(path)
