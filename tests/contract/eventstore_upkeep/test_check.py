"""`check` finds what it promises to find, each flaw in a log damaged in just that way."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import pytest

from libs.eventstore.port import StoreUnavailable
from libs.eventstore.sqlite.upkeep import SqliteUpkeep
from libs.eventstore.upkeep import Examined, Flaw
from tests.contract.eventstore.scene import some
from tests.contract.eventstore_upkeep.scene import (
    append,
    behind_index,
    damage,
    overwrite,
    silent,
    without_index,
)

INSERT = "INSERT INTO log SELECT 48, stream, revision {}, {}, type, recorded_at, data, metadata "
SECOND = "FROM log WHERE position = 42"
Place = tuple[str | None, int | None, int | None]
NOWHERE: Place = (None, None, None)


def examine(path: Path, limit: int = 100) -> Examined:
    return SqliteUpkeep(path).check(limit=limit, progress=silent)


def test_sound_log_has_no_flaws(log: Path) -> None:
    """A log that the engine wrote is sound, with all that can happen to streams in it."""
    found = examine(log)
    assert (found.findings, found.sound) == ([], True)
    assert (found.position, found.events, found.streams) == (47, 47, 5)
    assert found.types == {"Noted": 44, "Paid": 2, "$metadata": 1}


def planted() -> Iterator[tuple[Flaw, Place, Sequence[str]]]:
    order, last = ("order-1", 1, 42), ("order-1", 2, 43)
    yield Flaw.LAYOUT, NOWHERE, ["DROP INDEX log_id"]
    yield Flaw.LAYOUT, NOWHERE, ["CREATE TABLE notes (text)"]
    yield Flaw.LAYOUT, NOWHERE, ["ALTER TABLE log ADD COLUMN note TEXT"]
    yield (
        Flaw.FILE,
        NOWHERE,
        behind_index("log_id", INSERT.format("+ 9", "randomblob(16)") + SECOND),
    )
    yield Flaw.POSITION, ("order-2", 0, 44), ["DELETE FROM log WHERE position = 43"]
    yield Flaw.POSITION, ("long", 0, -1), ["UPDATE log SET position = -1 WHERE position = 1"]
    swap = "UPDATE log SET revision = {} WHERE stream = 2 AND revision = {}"
    yield (
        Flaw.POSITION,
        ("order-1", 2, 42),
        [swap.format(9, 1), swap.format(1, 2), swap.format(2, 9)],
    )
    yield Flaw.REVISION, ("order-1", 3, 43), [swap.format(3, 2)]
    yield (
        Flaw.REVISION,
        ("order-2", 1, 44),
        [
            "UPDATE log SET revision = revision + 9 WHERE stream = 3",
            "UPDATE log SET revision = revision - 8 WHERE stream = 3",
        ],
    )
    yield Flaw.REVISION, ("order-1", -1, 41), [swap.format(-1, 0)]
    yield Flaw.REVISION, last, without_index("log_revision", swap.format(2, 1))
    yield Flaw.ID, ("order-1", 3, 48), without_index("log_id", INSERT.format("+ 2", "id") + SECOND)
    yield Flaw.ID, order, ["UPDATE log SET id = x'00' WHERE position = 42"]
    yield Flaw.TIME, order, ["UPDATE log SET recorded_at = recorded_at - 1 WHERE position = 42"]
    yield (
        Flaw.TIME,
        ("gone", 0, 46),
        [f"UPDATE log SET recorded_at = {1 << 60} WHERE position = 46"],
    )
    yield Flaw.EVENT, ("number 2", 1, 42), ["DELETE FROM streams WHERE name = 'order-1'"]
    yield Flaw.EVENT, ("order-2", 0, 44), ["DELETE FROM types WHERE name = 'Paid'"]
    change = "UPDATE streams SET {} WHERE name = '{}'"
    yield Flaw.STREAM, ("order-1", 2, None), [change.format("state = 7", "order-1")]
    yield Flaw.STREAM, ("order-1", 2, None), [change.format("floor = 4", "order-1")]
    yield Flaw.STREAM, ("gone", 0, None), [change.format("floor = 0", "gone")]
    yield Flaw.STREAM, ("order-2", 1, None), [change.format("max_count = -1", "order-2")]
    yield Flaw.STREAM, ("", None, None), [change.format("name = ''", "order-1")]
    yield Flaw.METADATA, ("order-2", None, None), [change.format("custom = '{'", "order-2")]


@pytest.mark.parametrize(("flaw", "place", "statements"), list(planted()))
def test_a_planted_flaw_is_found(
    log: Path, flaw: Flaw, place: Place, statements: Sequence[str]
) -> None:
    """The flaw is found, and named with its stream, revision and position."""
    damage(log, *statements)
    found = examine(log)
    places = [(f.flaw, (f.stream, f.revision, f.position)) for f in found.findings]
    assert (flaw, place) in places, found.findings
    assert not found.sound
    assert not any(f.harmless for f in found.findings)


def test_every_kind_of_flaw_is_planted() -> None:
    """No flaw is promised that no test plants."""
    assert {flaw for flaw, _, _ in planted()} == set(Flaw)


@pytest.mark.parametrize("start", [0.3, 0.5, 0.7])
def test_a_page_of_rubbish_is_found(log: Path, start: float) -> None:
    """Wherever pages are overwritten, the file is not sound, and the rest is examined as well."""
    overwrite(log, start, b"\xee" * 8192)
    found = examine(log)
    assert Flaw.FILE in {f.flaw for f in found.findings}


@pytest.mark.parametrize("content", [b"", b"Dear diary, " * 1000])
def test_what_is_no_log_is_not_sound(tmp_path: Path, content: bytes) -> None:
    """A file that is no log is found to be none; a file that is not there cannot be examined."""
    path = tmp_path / "log.db"
    path.write_bytes(content)
    assert [f.flaw for f in examine(path).findings] == [Flaw.FILE]
    path.unlink()
    with pytest.raises(StoreUnavailable, match="no log at"):
        examine(path)
    assert not path.exists()


def test_truncated_log_is_not_sound(log: Path) -> None:
    """A log that has lost its end is found out."""
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size // 2)
    assert [f.flaw for f in examine(log).findings] == [Flaw.FILE]


def test_strange_metadata_of_an_event_is_remarked_on(log: Path) -> None:
    """Metadata that is no JSON object is named, and the log is sound for all that."""
    damage(
        log,
        "UPDATE log SET metadata = x'ff00' WHERE position = 42",
        "UPDATE log SET metadata = CAST('[1]' AS BLOB) WHERE position = 43",
        "UPDATE log SET metadata = x'' WHERE position = 44",
    )
    found = examine(log)
    assert found.sound
    assert [(f.stream, f.revision, f.position, f.harmless) for f in found.findings] == [
        ("order-1", 1, 42, True),
        ("order-1", 2, 43, True),
    ]


def test_findings_are_bounded_and_counted(log: Path) -> None:
    """As many flaws are named as were asked for, and all are counted."""
    damage(log, "UPDATE log SET id = CAST(position AS BLOB)")
    found = examine(log, limit=3)
    assert (len(found.findings), found.flaws) == (3, 47)


async def test_a_log_in_use_is_examined(log: Path) -> None:
    """While another connection has the right to write, what was committed is examined."""
    writer = apsw.Connection(str(log))
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM log WHERE position < 40")
    assert examine(log).sound
    writer.execute("ROLLBACK")
    writer.close()
    await append(log, "order-1", some(1))
    assert examine(log).position == 48


def test_progress_is_told(log: Path) -> None:
    """Each pass along the log tells how far it is."""
    told: list[tuple[str, int, int]] = []
    SqliteUpkeep(log).check(progress=lambda *how: told.append(how))
    assert [how for how in told if how[0] != "file"] == [
        ("events", 0, 47),
        ("revisions", 0, 47),
        ("ids", 0, 47),
    ]
