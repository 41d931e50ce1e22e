"""What the runner may rely on, whichever engine keeps the rows."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from libs.projection import Database
from libs.projection.duck import DuckDatabase
from libs.projection.sqlite import SqliteDatabase

NOTES = ["CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, word TEXT)"]
Engine = Callable[[Path], Database[Any]]
engines = pytest.mark.parametrize("engine", [SqliteDatabase, DuckDatabase])


def opened(engine: Engine, folder: Path, digest: str = "a") -> Database[Any]:
    database = engine(folder)
    database.open(NOTES, digest)
    return database


def noting(*words: str) -> Callable[[Any], None]:
    def change(db: Any) -> None:
        db.executemany("INSERT INTO note VALUES (?, ?)", [(len(word), word) for word in words])

    return change


@engines
def test_rows_and_checkpoint_are_there_after_a_restart(engine: Engine, tmp_path: Path) -> None:
    """What was written is read by the next process, checkpoint included."""
    database = opened(engine, tmp_path)
    assert database.checkpoint() is None
    database.write(7, noting("a", "bb"))
    database.write(9, lambda _: None)
    database.close()
    again = opened(engine, tmp_path)
    assert (again.checkpoint(), list(again.rows("note"))) == (9, [(1, "a"), (2, "bb")])
    again.close()


@engines
def test_a_failed_change_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    """A change that raises leaves neither rows nor checkpoint, and the next one works."""
    database = opened(engine, tmp_path)
    database.write(7, noting("a"))

    def fails(db: Any) -> None:
        noting("bb")(db)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write(9, fails)
    assert (database.checkpoint(), list(database.rows("note"))) == (7, [(1, "a")])
    database.write(9, noting("bb"))
    assert database.checkpoint() == 9
    database.close()


@engines
def test_a_query_sees_one_state(engine: Engine, tmp_path: Path) -> None:
    """Within one read, rows that are written meanwhile do not appear; the next read has them."""
    database = opened(engine, tmp_path)
    database.write(1, noting("a"))
    count = "SELECT count(*) FROM note"
    with database.read() as db:
        assert db.execute(count).fetchone() == (1,)
        database.write(2, noting("bb"))
        assert db.execute(count).fetchone() == (1,)
    with database.read() as db:
        assert db.execute(count).fetchone() == (2,)
    database.close()


@engines
def test_rows_come_in_one_order(engine: Engine, tmp_path: Path) -> None:
    """The order of rows is that of their content, not that in which they were written."""
    one, other = opened(engine, tmp_path / "1"), opened(engine, tmp_path / "2")
    one.write(1, noting("a", "bb", "ccc"))
    other.write(1, noting("ccc", "a", "bb"))
    assert list(one.rows("note")) == list(other.rows("note"))
    one.close()
    other.close()


@engines
def test_another_version_has_another_file(engine: Engine, tmp_path: Path) -> None:
    """A new digest starts with nothing, and leaves nothing of the old one behind."""
    database = opened(engine, tmp_path, "a")
    database.write(7, noting("a"))
    database.close()
    changed = opened(engine, tmp_path, "b")
    assert (changed.checkpoint(), list(changed.rows("note"))) == (None, [])
    changed.close()
    assert not list(tmp_path.glob("views-a.*"))


def test_a_damaged_file_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A read model that is no database any more is thrown away, with a warning."""
    database = opened(SqliteDatabase, tmp_path)
    database.write(7, noting("a"))
    database.close()
    (file,) = tmp_path.glob("views-*.db")
    file.write_bytes(b"not a database" * 1000)
    with caplog.at_level(logging.WARNING):
        again = opened(SqliteDatabase, tmp_path)
    assert (again.checkpoint(), list(again.rows("note"))) == (None, [])
    again.close()
    assert "is damaged" in caplog.text


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """Where a directory stands in the way, or bytes that DuckDB did not write, the path is told."""
    (tmp_path / "views-a.db").mkdir()
    with pytest.raises(OSError, match=r"views-a\.db"):
        opened(SqliteDatabase, tmp_path)
    (tmp_path / "views-a.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(OSError, match=r"views-a\.duckdb"):
        opened(DuckDatabase, tmp_path)


def test_a_full_file_is_an_outage(tmp_path: Path) -> None:
    """What SQLite says when its file may not grow is told from what an event does wrong."""
    database = SqliteDatabase(tmp_path)
    database.open(NOTES, "a")
    database._writer.execute("PRAGMA max_page_count = 1")  # it is set to what there is
    with pytest.raises(apsw.FullError) as caught:
        database.write(1, noting("a" * 100_000))
    assert database.is_outage(caught.value)
    with pytest.raises(apsw.ConstraintError) as wrong:
        database.write(1, noting("a", "b"))
    assert not database.is_outage(wrong.value)
    database.write(2, noting("a"))
    assert (database.checkpoint(), list(database.rows("note"))) == (2, [(1, "a")])
    database.close()


@engines
def test_rows_are_made_anew(engine: Engine, tmp_path: Path) -> None:
    """Thrown away and opened again, a database has nothing, and takes what comes."""
    database = opened(engine, tmp_path)
    database.write(7, noting("a"))
    database.anew(NOTES, "a")
    assert (database.checkpoint(), list(database.rows("note"))) == (None, [])
    database.write(3, noting("bb"))
    assert list(database.rows("note")) == [(2, "bb")]
    database.close()
