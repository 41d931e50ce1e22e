"""`restore` puts a sound backup in the log's place while nobody uses it, and loses nothing."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from libs.eventstore.port import Expected, StoreCorrupt, StoreUnavailable
from libs.eventstore.sqlite import copying, open_sqlite, upkeep
from libs.eventstore.sqlite.upkeep import SqliteUpkeep
from libs.eventstore.upkeep import Copied, Flawed
from tests.contract.eventstore.scene import follow, held, some
from tests.contract.eventstore_upkeep.scene import (
    append,
    damage,
    events,
    names,
    overwrite,
    silent,
    writing,
)
from tests.contract.projection import scene as projecting


@pytest.fixture
def backup(log: Path, tmp_path: Path) -> Path:
    """A backup of the log's 47 events."""
    target = tmp_path / "backup.db"
    SqliteUpkeep(log).backup(target, replace=False, check=True, progress=silent)
    return target


def put_back(backup: Path, log: Path, *, replace: bool = False, check: bool = True) -> Copied:
    return SqliteUpkeep(log).restore(backup, replace=replace, check=check, progress=silent)


async def test_a_restored_log_serves(backup: Path, tmp_path: Path) -> None:
    """Where no log is, the backup's is there afterwards: read, followed and appended to."""
    place = tmp_path / "new" / "log.db"
    place.parent.mkdir()
    restored = put_back(backup, place)
    assert (restored.path, restored.position, restored.aside) == (place, 47, None)
    assert await events(place) == await events(backup)
    store = await open_sqlite(place)
    assert (await store.append("order-1", some(1), 2)).position == 48
    assert held(await follow(store, 47)) == 47
    await store.close()
    assert SqliteUpkeep(backup).check(progress=silent).position == 47


async def test_a_log_that_is_there_is_set_aside(backup: Path, log: Path) -> None:
    """The log stays unless it is to be replaced; then it goes aside whole, its tail included."""
    with writing(log, "order-1"):
        pass
    assert "log.db-wal" in names(log.parent)
    with pytest.raises(FileExistsError, match="is there already"):
        put_back(backup, log)
    restored = put_back(backup, log, replace=True)
    assert restored.aside is not None
    assert names(log.parent) == ["log.db", restored.aside.name]
    assert len(await events(log)) == 47
    replaced = await events(restored.aside)
    assert replaced[:47] == await events(log)
    assert replaced[47].stream == "order-1"


async def test_a_log_in_use_is_not_replaced(backup: Path, log: Path) -> None:
    """While another process, or this one, has the log open, even idle, nothing is changed."""
    with writing(log, "order-1"), pytest.raises(StoreUnavailable, match="is in use: stop"):
        put_back(backup, log, replace=True)
    store = await open_sqlite(log)
    with pytest.raises(StoreUnavailable, match="is in use: stop"):
        put_back(backup, log, replace=True)
    assert (await store.append("late", some(1), Expected.NO_STREAM)).revision == 0
    await store.close()
    assert names(log.parent) == ["log.db"]
    assert (await events(log))[-1].stream == "late"


async def test_a_backup_that_is_not_sound_is_not_restored(backup: Path, log: Path) -> None:
    """The backup is examined first, and nothing is changed; unless it is wanted as it is."""
    damage(backup, "DELETE FROM log WHERE position = 42")
    before = await events(log)
    with pytest.raises(Flawed, match=r"backup\.db is not sound"):
        put_back(backup, log, replace=True)
    assert names(log.parent) == ["log.db"]
    assert await events(log) == before
    assert put_back(backup, log, replace=True, check=False).position == 47
    assert len(await events(log)) == 46


def test_a_damaged_log_is_set_aside_as_it_is(backup: Path, log: Path) -> None:
    """A log that cannot even be opened is kept, with all that lies beside it."""
    with writing(log, "order-1"):
        pass
    tail = Path(f"{log}-wal")
    for damaged in (log, tail):
        overwrite(damaged, 0, b"\xee" * 4096)
    was, tail_was = log.read_bytes(), tail.read_bytes()
    restored = put_back(backup, log, replace=True)
    assert restored.aside is not None
    assert restored.aside.read_bytes() == was
    assert Path(f"{restored.aside}-wal").read_bytes() == tail_was
    assert len(asyncio.run(events(log))) == 47


def test_what_a_lost_log_left_is_set_aside(backup: Path, log: Path) -> None:
    """The write-ahead log of a log that is gone is kept, and kept apart from the new one."""
    with writing(log, "order-1"):
        pass
    log.unlink()
    restored = put_back(backup, log)
    assert restored.aside is not None
    assert names(log.parent) == ["log.db", f"{restored.aside.name}-wal"]
    assert len(asyncio.run(events(log))) == 47


def test_a_restored_log_belongs_to_whom_the_old_one_did(backup: Path, log: Path) -> None:
    """The file may be read and written by those who might before."""
    log.chmod(0o640)
    put_back(backup, log, replace=True)
    assert log.stat().st_mode & 0o777 == 0o640


async def test_who_waits_for_the_old_log_gets_the_new_one(
    backup: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is started in the middle of it opens what has been restored."""
    await append(log, "order-1", some(5))
    place, began, go_on = copying.place, threading.Event(), threading.Event()

    def place_slowly(partial: Path, target: Path, *, replace: bool) -> None:
        began.set()
        go_on.wait(10)
        place(partial, target, replace=replace)

    monkeypatch.setattr(upkeep, "place", place_slowly)
    restoring = asyncio.create_task(asyncio.to_thread(put_back, backup, log, replace=True))
    await asyncio.to_thread(began.wait, 10)
    opening = asyncio.create_task(open_sqlite(log))
    await asyncio.sleep(0.1)
    assert not opening.done()
    go_on.set()
    await restoring
    store = await opening
    assert (await store.append("late", some(1), Expected.NO_STREAM)).position == 48
    await store.close()
    assert len(await events(log)) == 48


async def test_views_that_are_ahead_of_a_restored_log_say_so(tmp_path: Path) -> None:
    """Views that have seen what is gone say what to do; folded anew, they show what is there."""
    path, views = tmp_path / "log.db", tmp_path / "views"
    store, events = await open_sqlite(path), projecting.history()
    await projecting.append(store, *events[:30])
    copy = SqliteUpkeep(path).backup(
        tmp_path / "copy.db", replace=False, check=True, progress=silent
    )
    await projecting.append(store, *events[30:])
    await projecting.folded(store, views)
    await store.close()
    put_back(copy.path, path, replace=True)
    store = await open_sqlite(path)
    ahead = projecting.projection(store, views)
    with pytest.raises(StoreCorrupt, match="as it was before it was restored; remove them"):
        await ahead.check()
    await ahead.close()
    shutil.rmtree(views)
    await projecting.folded(store, views)
    anew = projecting.projection(store, views)
    await anew.check()
    assert anew.position == copy.position == 30
    await anew.close()
    await store.close()


def test_what_cannot_be_restored_says_why(backup: Path, tmp_path: Path) -> None:
    """No backup, no directory, or the log itself: each is told in a sentence."""
    with pytest.raises(StoreUnavailable, match=r"no log at .*none\.db"):
        put_back(tmp_path / "none.db", tmp_path / "log.db")
    with pytest.raises(StoreUnavailable, match=r"cannot write to .*nowhere"):
        put_back(backup, tmp_path / "nowhere" / "log.db")
    with pytest.raises(ValueError, match="the very file"):
        put_back(backup, backup, replace=True)
