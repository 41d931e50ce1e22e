"""Files of older releases, and the list of streams that a file is."""

import asyncio
from pathlib import Path
from uuid import uuid4

import apsw
import pytest

from libs.eventstore.port import (
    Expected,
    Filter,
    NewEvent,
    StreamMetadata,
    StreamNotFound,
    StreamTombstoned,
)
from libs.eventstore.sqlite import SqliteStore, open_sqlite
from libs.eventstore.sqlite.file import APPLICATION_ID, LAYOUT, TABLES
from tests.contract.eventstore.scene import log_of, some, stream_of

STREAMS = (  # as the first release would leave them: id, name, state, floor, what governs it
    (1, "early", 0, 0, 5, None, None, None),  # governed, and without events
    (2, "order-1", 0, 0, 2, 3600, 0, '{"owner": "Zoë"}'),
    (3, "$own", 0, 0, None, None, None, None),
    (4, "ended", 2, 0, None, None, None, None),
    (5, "order-2", 1, 1, None, None, None, None),
)
EVENTS = ((1, 2, 0), (2, 3, 0), (3, 2, 1), (4, 5, 0), (5, 2, 2))  # position, stream, revision
GOVERNING = '{"owner": "Zoë", "$maxCount": 2, "$maxAge": 3600, "$tb": 0}'
TOMORROW = 4_000_000_000_000_000  # µs


def first_layout(path: Path) -> None:
    """A log as the first release wrote it, its clock ahead of ours."""
    connection = apsw.Connection(str(path))
    connection.execute(TABLES)
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", 1)
    connection.execute("INSERT INTO types VALUES (1, 'Noted')")
    connection.executemany("INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?, ?)", STREAMS)
    for position, stream, revision in EVENTS:
        row = (position, stream, revision, uuid4().bytes, 1, TOMORROW, b"{}", b"")
        connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()


async def listed(store: SqliteStore, **how: object) -> list[tuple[int, str]]:
    """The list of streams."""
    links = await stream_of(store, "$streams", **how)
    assert {(e.type, e.stream) for e in links} <= {("$>", "$streams")}
    return [(e.revision, e.data.decode()) for e in links]


async def test_older_file_is_brought_to_this_layout(tmp_path: Path) -> None:
    """Opened by several at once, an older log shows what it did, and what governs as events."""
    path = tmp_path / "log.db"
    first_layout(path)
    stores = await asyncio.gather(*(open_sqlite(path) for _ in range(3)))
    store = stores[0]
    assert [e.revision for e in await stream_of(store, "order-1")] == [1, 2]
    assert len(await stream_of(store, "$own")) == 1
    with pytest.raises(StreamNotFound):
        await stream_of(store, "order-2")
    with pytest.raises(StreamTombstoned):
        await stream_of(store, "ended")
    assert [(e.stream, e.revision, e.position) for e in await log_of(store, "")] == [
        ("order-1", 0, 1),
        ("order-1", 1, 3),
        ("order-2", 0, 4),
        ("order-1", 2, 5),
    ]
    own = [e async for b in store.read_all(start=6, filter=Filter(system=True)) for e in b.events]
    assert sorted((e.stream, e.revision, e.type, e.data.decode()) for e in own) == [
        ("$$early", 0, "$metadata", '{"$maxCount": 5}'),
        (
            "$$order-1",
            0,
            "$metadata",
            '{"owner": "Zoë", "$maxCount": 2, "$maxAge": 3600, "$tb": 0}',
        ),
    ]
    assert [e.position for e in own] == [6, 7]
    governing = StreamMetadata(2, 3600, 0, {"owner": "Zoë"})
    assert await store.get_stream_metadata("order-1") == governing
    assert [data for _, data in await listed(store)] == ["0@order-1", "0@order-2"]
    for each in stores:
        await each.close()
    connection = apsw.Connection(str(path))
    assert connection.pragma("user_version") == LAYOUT
    times = [row[0] for row in connection.execute("SELECT recorded_at FROM log ORDER BY position")]
    assert times == sorted(times)


async def test_older_file_goes_on(tmp_path: Path) -> None:
    """A stream known before it had events begins where it should, at the end of the list."""
    first_layout(tmp_path / "log.db")
    store = await open_sqlite(tmp_path / "log.db")
    await store.append("new", some(1), Expected.NO_STREAM)
    await store.append("early", some(6), Expected.NO_STREAM)
    assert [e.revision for e in await stream_of(store, "early")] == [1, 2, 3, 4, 5]
    assert [data for _, data in await listed(store)][-2:] == ["0@new", "0@early"]
    await store.close()


async def test_streams_are_listed_in_order_of_their_first_events(embedded: SqliteStore) -> None:
    """The list counts from 0 without a gap, whatever else the file knows of or has refused."""
    with pytest.raises(StreamNotFound):
        await stream_of(embedded, "$streams")
    await embedded.set_stream_metadata("late", StreamMetadata(max_count=1))
    await embedded.tombstone("never", Expected.ANY)
    malformed = NewEvent(uuid4(), "Noted", "text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        await embedded.append("malformed", [malformed], Expected.ANY)
    for name in ("a", "b", "malformed", "late", "a"):
        await embedded.append(name, some(2), Expected.ANY)
    await embedded.delete("b", Expected.ANY)
    every = [(0, "0@a"), (1, "0@b"), (2, "0@malformed"), (3, "0@late")]
    assert await listed(embedded) == every
    assert await listed(embedded, batch=1) == every
    assert await listed(embedded, backwards=True, batch=3) == every[::-1]
    assert await listed(embedded, start=1, limit=2) == every[1:3]
    assert await listed(embedded, start=2, backwards=True, limit=2) == every[2:0:-1]
    assert await listed(embedded, start=9) == []
    links = await stream_of(embedded, "$streams")
    firsts = [e for e in await log_of(embedded, "") if e.revision == 0]
    assert [(e.position, e.recorded_at) for e in links] == [
        (e.position, e.recorded_at) for e in firsts
    ]
    assert len({e.id for e in links}) == 4
