"""The embedded store on a disk that is full or fails: clear answers, nothing torn, no restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from libs.eventstore.port import Expected, StoreCorrupt, StoreUnavailable
from libs.eventstore.sqlite import SqliteStore, feed, open_sqlite
from libs.eventstore.sqlite.upkeep import SqliteUpkeep
from tests.contract.eventstore.scene import follow, following, held, ids, some, stream_of
from tests.contract.eventstore_disk import disk as troubles
from tests.contract.eventstore_disk.disk import Disk
from tests.contract.eventstore_upkeep.scene import make_log, names, overwrite, silent

TROUBLES = [
    ("on_write", troubles.FULL, "no space left on its disk.* make room, and appends go on"),
    ("on_write", troubles.FAILED_WRITE, "cannot be read or written: see to its disk"),
    ("on_sync", troubles.FAILED_SYNC, "cannot be read or written: see to its disk"),
    ("on_write", troubles.READ_ONLY, "is read-only: let this user write"),
]


@pytest.fixture
async def store(disk: Disk, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store on the disk, with five events in it."""
    store = await open_sqlite(tmp_path / "log.db")
    await store.append("order-1", some(5), Expected.NO_STREAM)
    yield store
    disk.recover()
    await store.close()
    assert SqliteUpkeep(tmp_path / "log.db").check(progress=silent).sound


@pytest.mark.parametrize(("operation", "trouble", "said"), TROUBLES)
async def test_appends_fail_clearly_and_go_on_by_themselves(
    disk: Disk, store: SqliteStore, operation: str, trouble: Exception, said: str
) -> None:
    """While the disk is in trouble every append says what to do; then the same one succeeds."""
    events = some(3)
    setattr(disk, operation, trouble)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=said):
            await store.append("order-1", events, 4)
    disk.recover()
    appended = await store.append("order-1", events, 4)
    assert (appended.revision, appended.repeated) == (7, False)
    assert ids(await stream_of(store, "order-1"))[5:] == ids(events)


@pytest.mark.parametrize(("operation", "trouble", "said"), TROUBLES)
async def test_reads_and_subscriptions_go_on(
    disk: Disk, store: SqliteStore, operation: str, trouble: Exception, said: str
) -> None:
    """What was acknowledged is read and followed meanwhile, and nothing that was refused."""
    refused = some(2)
    async with asyncio.timeout(10), following(store) as batches:
        assert held([await anext(batches)]) == 5
        setattr(disk, operation, trouble)
        with pytest.raises(StoreUnavailable):
            await store.append("order-1", refused, 4)
        assert len(await stream_of(store, "order-1")) == held(await follow(store, 5)) == 5
        disk.recover()
        events = some(1)
        await store.append("order-1", events, 4)
        seen: list[object] = []
        while not seen:
            seen += ids((await anext(batches)).events)
        assert seen == ids(events)


async def test_a_disk_that_fills_up_tears_nothing(disk: Disk, store: SqliteStore) -> None:
    """Wherever in a transaction the room ends, all of it was written or none; room brings more."""
    chance, written, refused = Random(7), 5, 0
    for _ in range(60):
        disk.room = chance.randrange(60_000)
        events = some(chance.randrange(1, 8), data=bytes(chance.randrange(9000)))
        try:
            await store.append("order-1", events, written - 1)
        except StoreUnavailable:
            refused += 1
            assert len(await stream_of(store, "order-1")) == written
            disk.recover()
            assert not (await store.append("order-1", events, written - 1)).repeated
        written += len(events)
    assert len(await stream_of(store, "order-1")) == written
    assert 10 < refused < 50


async def test_a_large_append_that_does_not_fit_is_not_damage(
    disk: Disk, store: SqliteStore
) -> None:
    """Where an append is written before it is whole, too, it fails for the room, and can follow."""
    events = some(2500, data=bytes(9000))  # more than SQLite keeps in memory
    disk.room = 1_000_000
    with pytest.raises(StoreUnavailable, match="no space left"):
        await store.append("order-1", events, 4)
    assert len(await stream_of(store, "order-1")) == 5
    disk.recover()
    assert (await store.append("order-1", events, 4)).revision == 2504


async def test_a_file_that_cannot_be_looked_at_is_not_damage(disk: Disk, tmp_path: Path) -> None:
    """A log on a disk that cannot be read is unavailable, whoever asks: nobody shall restore it."""
    path = tmp_path / "log.db"
    await make_log(path)
    disk.on_read = troubles.FAILED_READ
    with pytest.raises(StoreUnavailable, match="cannot be read or written"):
        await open_sqlite(path)
    with pytest.raises(StoreUnavailable, match="cannot be read or written"):
        SqliteUpkeep(path).check(progress=silent)


async def test_a_full_disk_that_is_opened_is_read(disk: Disk, tmp_path: Path) -> None:
    """A log on a full disk can be opened and read; appends are refused until there is room."""
    await make_log(tmp_path / "log.db")
    disk.room = 0
    store = await open_sqlite(tmp_path / "log.db")
    assert held(await follow(store, 46)) == 46
    head = await store.head()
    with pytest.raises(StoreUnavailable, match="no space left"):
        await store.append("order-1", some(1), 2)
    disk.recover()
    assert (await store.append("order-1", some(1), 2)).position == head + 1
    await store.close()


async def test_subscriptions_may_come_again_after_a_failed_read(
    disk: Disk, store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower that met a disk which cannot be read is told so, and let in when that is over."""
    monkeypatch.setattr(feed, "POLL", 3600)  # it looks when it is told to
    other = await open_sqlite(tmp_path / "log.db")
    async with asyncio.timeout(10), following(store) as batches:
        assert held([await anext(batches)]) == 5
        waiting = asyncio.ensure_future(anext(batches))
        await other.append("order-1", some(200, data=bytes(2000)), 4)
        assert not waiting.done()
        disk.on_read = troubles.FAILED_READ
        store._feed._look()
        with pytest.raises(StoreUnavailable, match="cannot be read or written"):
            await waiting
    disk.recover()
    assert held(await follow(store, 205)) == 205
    await other.close()


async def test_a_damaged_page_is_met_by_those_who_need_it(tmp_path: Path) -> None:
    """A read that comes to it says what to do, each time; others, and appends, go on."""
    path = tmp_path / "log.db"
    store = await open_sqlite(path)
    for number in range(40):
        await store.append(f"order-{number}", some(10, data=bytes(2000)), Expected.NO_STREAM)
    await store.close()
    overwrite(path, 0.5, b"\xee" * 8192)
    store = await open_sqlite(path)
    for _ in range(2):
        with pytest.raises(StoreCorrupt, match=r"is damaged: restore it.*check` says where"):
            await follow(store, 400)
    assert len(await stream_of(store, "order-1")) == 10
    assert (await store.append("late", some(1), Expected.NO_STREAM)).position == 401
    assert ids(await stream_of(store, "late"))
    await store.close()
    assert not SqliteUpkeep(path).check(progress=silent).sound


async def test_a_backup_to_a_full_disk_leaves_nothing(disk: Disk, tmp_path: Path) -> None:
    """A backup that does not fit says where there is no room, and what there is of it goes."""
    (tmp_path / "live").mkdir()
    await make_log(tmp_path / "live" / "log.db")
    disk.room = 40_000
    with pytest.raises(StoreUnavailable, match=r"copy\.db.* has no space left on its disk"):
        SqliteUpkeep(tmp_path / "live" / "log.db").backup(
            tmp_path / "copy.db", replace=False, check=True, progress=silent
        )
    assert names(tmp_path) == ["live"]
    assert names(tmp_path / "live") == ["log.db"]
