"""`backup` copies a log that is in use, whole up to a position, or leaves nothing behind."""

import re
import time
from pathlib import Path

import apsw
import pytest

from libs.eventstore.port import StoreCorrupt, StoreUnavailable
from libs.eventstore.sqlite import copying
from libs.eventstore.sqlite.upkeep import SqliteUpkeep
from libs.eventstore.upkeep import Copied, Flawed
from tests.contract.eventstore.scene import some
from tests.contract.eventstore_upkeep.scene import (
    append,
    damage,
    events,
    names,
    overwrite,
    silent,
    writing,
)


def back_up(log: Path, target: Path, *, replace: bool = False, check: bool = True) -> Copied:
    return SqliteUpkeep(log).backup(target, replace=replace, check=check, progress=silent)


async def test_a_backup_under_fire_is_a_prefix_of_the_log(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes append all the while; each copy opens, is sound, and is the log's beginning."""
    monkeypatch.setattr(copying, "STEP", 4)
    head = apsw.Connection(str(log))
    heads: list[int] = []

    def wait_for_more(doing: str, done: int, total: int) -> None:
        """Copy on only when somebody has appended since."""
        if doing == "copying" and done < total:
            before, until = head.execute("SELECT max(position) FROM log").get, time.monotonic() + 10
            while head.execute("SELECT max(position) FROM log").get == before:
                assert time.monotonic() < until
                time.sleep(0.001)
            heads.append(before)

    with writing(log, "order-1"), writing(log, "new"):
        copies = [
            SqliteUpkeep(log).backup(
                tmp_path / f"{number}.db", replace=False, check=True, progress=wait_for_more
            )
            for number in range(3)
        ]
    head.close()
    assert len(heads) > 10
    whole, last = await events(log), 47
    for copy in copies:
        log_then = await events(copy.path)
        assert log_then == whole[: len(log_then)]
        assert log_then[-1].position == copy.position > last
        last = copy.position
    assert SqliteUpkeep(log).check(progress=silent).sound


async def test_a_backup_is_one_file_that_needs_no_other(log: Path, tmp_path: Path) -> None:
    """The copy holds what was in the write-ahead log, and is read where nothing can be written."""
    writer = apsw.Connection(str(log))  # as long as it is open, nobody moves the tail home
    writer.execute("SELECT * FROM types").fetchall()
    position = await append(log, "order-1", some(1))
    folder = tmp_path / "away"
    folder.mkdir()
    copied = back_up(log, folder / "copy.db")
    writer.close()
    assert (copied.position, copied.checked) == (position, True)
    assert copied.size == copied.path.stat().st_size
    assert SqliteUpkeep(copied.path).check(progress=silent).position == position
    assert names(folder) == ["copy.db"]


def test_a_backup_may_be_read_by_those_who_may_read_the_log(log: Path, tmp_path: Path) -> None:
    """The copy has the log's permissions."""
    log.chmod(0o640)
    assert back_up(log, tmp_path / "copy.db").path.stat().st_mode & 0o777 == 0o640


def test_in_a_directory_a_backup_is_named_after_log_and_time(log: Path, tmp_path: Path) -> None:
    """A directory may be named instead of a file: backups in it sort by their time."""
    folder = tmp_path / "backups"
    folder.mkdir()
    copied = back_up(log, folder)
    assert copied.path.parent == folder
    assert re.fullmatch(r"log-\d{8}T\d{6}Z\.db", copied.path.name)
    with pytest.raises(FileExistsError, match="is there already"):
        back_up(log, copied.path)


async def test_no_file_is_overwritten_unasked(log: Path, tmp_path: Path) -> None:
    """A file of that name stays as it is, unless it is to be replaced; the log itself always."""
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(FileExistsError, match="is there already"):
        back_up(log, target)
    assert target.read_text() == "mine"
    assert back_up(log, target, replace=True).position == 47
    assert await events(target) == await events(log)
    with pytest.raises(ValueError, match="the very file"):
        back_up(log, log, replace=True)


def test_a_file_that_comes_meanwhile_is_not_overwritten(log: Path, tmp_path: Path) -> None:
    """Who puts a file there while the copy is made keeps it."""
    target = tmp_path / "copy.db"

    def come_between(doing: str, done: int, total: int) -> None:
        target.write_text("mine")

    with pytest.raises(FileExistsError):
        SqliteUpkeep(log).backup(target, replace=False, check=True, progress=come_between)
    assert target.read_text() == "mine"
    assert names(tmp_path) == ["copy.db", "live"]


def test_a_log_that_is_not_sound_makes_no_backup(log: Path, tmp_path: Path) -> None:
    """The flaws are told and no file is left; what there is can be copied all the same."""
    damage(log, "DELETE FROM log WHERE position = 42")
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(Flawed, match="not sound") as refused:
        back_up(log, folder / "copy.db")
    assert len(refused.value.examined.findings) == refused.value.examined.flaws == 2
    assert names(folder) == []
    assert not back_up(log, folder / "copy.db", check=False).checked
    assert names(folder) == ["copy.db"]


def test_an_interrupted_backup_leaves_nothing(log: Path, tmp_path: Path) -> None:
    """Whoever stops a backup finds neither a copy nor a part of one."""

    def interrupt(doing: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SqliteUpkeep(log).backup(tmp_path, replace=False, check=True, progress=interrupt)
    assert names(tmp_path) == ["live"]


def test_what_cannot_be_backed_up_says_why(log: Path, tmp_path: Path) -> None:
    """No log, no directory, or a damaged file: each is told in a sentence."""
    with pytest.raises(StoreUnavailable, match=r"no log at .*none\.db"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(StoreUnavailable, match=r"cannot write to .*nowhere"):
        back_up(log, tmp_path / "nowhere" / "copy.db")
    overwrite(log, 0, b"\xee" * 4096)
    with pytest.raises(StoreCorrupt, match=r"log\.db is no SQLite file"):
        back_up(log, tmp_path / "copy.db")
    assert names(tmp_path) == ["live"]
