"""Questions asked beside the event loop: a snapshot each, one after the other, in a thread."""

import asyncio
import threading
from pathlib import Path

import apsw
import pytest

from libs.projection.aside import Aside
from libs.projection.sqlite import SqliteDatabase


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    made = SqliteDatabase(tmp_path)
    made.open(["CREATE TABLE IF NOT EXISTS thing (n INTEGER)"], "one")
    return made


def add(database: SqliteDatabase, position: int) -> None:
    def change(db: apsw.Connection) -> None:
        db.execute("INSERT INTO thing VALUES (1)")

    database.write(position, change)


def count(db: apsw.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM thing").get)


async def test_all_statements_of_a_look_see_the_same_rows(database: SqliteDatabase) -> None:
    """What is written between two statements is seen by the next look, and the loop runs on."""
    aside = Aside(database.another_reader())
    looked, written = threading.Event(), threading.Event()

    def look(db: apsw.Connection) -> tuple[int, int]:
        assert threading.current_thread() is not threading.main_thread()
        before = count(db)
        looked.set()
        assert written.wait(20)
        return before, count(db)

    looking = asyncio.create_task(aside.read(look))
    assert await asyncio.to_thread(looked.wait, 20)
    add(database, 1)
    written.set()
    assert await looking == (0, 0)
    assert await aside.read(count) == 1
    database.close()


async def test_looks_take_turns_and_a_failed_one_lets_go(database: SqliteDatabase) -> None:
    """Many looks at once are all answered; one that fails fails alone."""
    aside = Aside(database.another_reader())
    add(database, 1)

    def fail(_: apsw.Connection) -> int:
        message = "no such thing"
        raise LookupError(message)

    looks = [aside.read(fail if number == 3 else count) for number in range(8)]
    answers = await asyncio.gather(*looks, return_exceptions=True)
    assert [answer for answer in answers if answer == 1] == [1] * 7
    assert isinstance(answers[3], LookupError)
    database.close()
