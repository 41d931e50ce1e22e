"""What only the embedded store promises: group commit, and one file between processes."""

import asyncio
import pickle
import resource
import threading
import time
from pathlib import Path
from uuid import UUID

import apsw
import pytest

from libs.eventstore.port import (
    MAX_EVENT_BYTES,
    Append,
    Appended,
    Expected,
    NewEvent,
    StoreUnavailable,
    StreamMetadata,
    TooLarge,
    WrongExpectedRevision,
)
from libs.eventstore.sqlite import SqliteStore, commits, open_sqlite, reader
from tests.contract.eventstore.scene import (
    events_of,
    follow,
    held,
    ids,
    log_of,
    some,
    stream_of,
)


def count_commits(store: SqliteStore) -> list[int]:
    """Notes SQLite's own commits, each with an fsync, from now on."""
    seen: list[int] = []

    def committed(_connection: apsw.Connection, _name: str, pages: int) -> int:
        seen.append(pages)
        return 0

    store._ledger._connection.set_wal_hook(committed)
    return seen


async def test_concurrent_appends_share_commits(embedded: SqliteStore) -> None:
    """Appends that wait at the same time are written in a few commits, and all are there."""
    seen = count_commits(embedded)
    appends = [embedded.append(f"order-{n}", some(1), Expected.NO_STREAM) for n in range(256)]
    answers = await asyncio.gather(*appends)
    assert 1 <= len(seen) <= 64
    assert len({answer.position for answer in answers}) == 256
    assert len(await log_of(embedded, "order-")) == 256


async def test_refusals_do_not_disturb_their_group(embedded: SqliteStore) -> None:
    """In one commit some appends are refused or malformed, and the others are written."""
    seen = count_commits(embedded)
    malformed = NewEvent(some(1)[0].id, "Noted", "text")  # type: ignore[arg-type]
    ungoverned = StreamMetadata(max_count="many")  # type: ignore[arg-type]
    answers = await asyncio.gather(
        embedded.append("order-1", some(2), Expected.NO_STREAM),
        embedded.append("order-1", some(1), 7),
        embedded.append("order-2", [*some(1), malformed], Expected.NO_STREAM),
        embedded.append("order-3", some(1), Expected.EXISTS),
        embedded.set_stream_metadata("order-3", ungoverned),
        embedded.append("order-4", some(1), Expected.NO_STREAM),
        return_exceptions=True,
    )
    conflict = WrongExpectedRevision
    kinds = [Appended, conflict, TypeError, conflict, ValueError, Appended]
    assert [type(answer) for answer in answers] == kinds
    assert len(seen) == 1
    assert [event.stream for event in await log_of(embedded, "")] == [
        "order-1",
        "order-1",
        "order-4",
    ]


async def test_large_group_is_written_in_turns_with_the_loop(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a bulk append is written, other tasks run between its parts, within a transaction."""
    monkeypatch.setattr(commits, "SLICE", 0.0001)
    seen, heads = count_commits(embedded), set()

    async def watch() -> None:
        while True:
            heads.add(embedded._ledger.head)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    parts = [Append(f"order-{n}", some(1), Expected.NO_STREAM) for n in range(1000)]
    await embedded.append_batch(parts)
    watching.cancel()
    assert len(heads) > 2 * len(seen)


async def test_ids_are_unique_within_a_stream(embedded: SqliteStore) -> None:
    """A known id is refused wherever it does not repeat its append (KurrentDB writes it again)."""
    events = some(2)
    await embedded.append("order-1", events, Expected.NO_STREAM)
    for attempt, expected in (
        ([*some(1), events[0]], Expected.ANY),
        (events[::-1], Expected.ANY),
        (events, 1),
        (events[:1], 1),
    ):
        with pytest.raises(WrongExpectedRevision):
            await embedded.append("order-1", attempt, expected)
    assert ids(await stream_of(embedded, "order-1")) == ids(events)


async def test_no_stream_gets_a_name_that_it_cannot_have(embedded: SqliteStore) -> None:
    """A name that no append may use cannot be tombstoned or governed either."""
    for name, refusal in (("", ValueError), ("a\0b", ValueError), ("x" * 513, TooLarge)):
        with pytest.raises(refusal):
            await embedded.tombstone(name, Expected.ANY)
        with pytest.raises(refusal):
            await embedded.set_stream_metadata(name, StreamMetadata(max_count=1))


async def test_delete_outlives_metadata(embedded: SqliteStore) -> None:
    """Metadata set after a delete does not bring deleted events back."""
    await embedded.append("order-1", some(3), Expected.NO_STREAM)
    await embedded.delete("order-1", 2)
    await embedded.append("order-1", some(1), Expected.NO_STREAM)
    await embedded.set_stream_metadata("order-1", StreamMetadata(truncate_before=0, max_count=9))
    assert [event.revision for event in await stream_of(embedded, "order-1")] == [3]


async def test_time_does_not_go_back(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the clock goes back, events keep the time of those before them."""
    await embedded.append("order-1", some(1), Expected.NO_STREAM)
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    await embedded.append("order-1", some(1), 0)
    first, second = await stream_of(embedded, "order-1")
    assert second.recorded_at == first.recorded_at


async def test_ids_are_ordinary_uuids(embedded: SqliteStore) -> None:
    """An id that was read is in every way the id that was given."""
    events = some(1)
    await embedded.append("order-1", events, Expected.NO_STREAM)
    (event,) = await stream_of(embedded, "order-1")
    twin = UUID(bytes=events[0].id.bytes)
    assert (event.id, hash(event.id), repr(event.id)) == (twin, hash(twin), repr(twin))
    assert (event.id.is_safe, event.id.version) == (twin.is_safe, 4)
    assert pickle.loads(pickle.dumps(event)) == event


async def test_batches_are_bounded_in_bytes(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large events come in smaller batches, none of them lost."""
    monkeypatch.setattr(reader, "SLICE_BYTES", 4 * MAX_EVENT_BYTES)
    for number in range(10):
        events = some(1, data=bytes(MAX_EVENT_BYTES - 100))
        await embedded.append(f"order-{number % 2}", events, Expected.ANY)
    log = [batch async for batch in embedded.read_all()]
    stream = [batch async for batch in embedded.read_stream("order-1")]
    followed = await follow(embedded, 10)
    for batches, total in ((log, 10), (followed, 10), (stream, 5)):
        assert max(len(batch.events) for batch in batches) <= 5
        assert held(batches) == total
    assert [batch.caught_up for batch in followed] == [False] * (len(followed) - 1) + [True]


async def test_rolled_back_transaction_leaves_no_trace(embedded: SqliteStore) -> None:
    """After a commit that failed, positions and types go on as if it had not been tried."""
    await embedded.append("order-1", some(1), Expected.NO_STREAM)
    commit = embedded._ledger.commit

    def fail() -> None:
        raise apsw.IOError

    embedded._ledger.commit = fail  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await embedded.append("order-2", some(3, "New"), Expected.NO_STREAM)
    embedded._ledger.commit = commit  # type: ignore[method-assign]
    again = await embedded.append("order-2", some(2, "New"), Expected.NO_STREAM)
    assert (again.revision, again.position, await embedded.head()) == (1, 3, 3)
    assert [event.type for event in await log_of(embedded, "")] == ["Noted", "New", "New"]


async def test_full_disk_tears_nothing(embedded: SqliteStore, tmp_path: Path) -> None:
    """Where the disk takes no more, appends are refused, and go on once it does."""
    kept = []
    size = max((tmp_path / name).stat().st_size for name in ("log.db", "log.db-wal"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, hard))
    try:
        with pytest.raises(StoreUnavailable):  # noqa: PT012 (it ends by being refused)
            while True:
                events = some(3, data=bytes(5_000))
                await embedded.append("order-1", events, Expected.ANY)
                kept += events
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 0 < len(kept) < 100
    assert ids(await stream_of(embedded, "order-1")) == ids(kept)
    last = await embedded.append("order-1", some(1), len(kept) - 1)
    assert last.revision == len(kept)


async def test_cancelled_append_hinders_nobody(embedded: SqliteStore) -> None:
    """A task that is cancelled while its append waits leaves the store in order."""
    tasks = [
        asyncio.create_task(embedded.append(f"order-{n}", some(1), Expected.NO_STREAM))
        for n in range(20)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, Appended) for answer in answers[1::2])
    written = [event.stream for event in await log_of(embedded, "order-")]
    assert written == [f"order-{n}" for n in range(1, 20, 2)]


async def test_close_finishes_what_was_begun(tmp_path: Path) -> None:
    """Closing waits for appends under way, ends subscriptions, and refuses what comes after."""
    store = await open_sqlite(tmp_path / "log.db")
    follower = asyncio.create_task(follow(store, 100))
    appends = [asyncio.create_task(store.append("order-1", some(1), Expected.ANY)) for _ in "abc"]
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    assert sorted(answer.revision for answer in await asyncio.gather(*appends)) == [0, 1, 2]
    with pytest.raises(StoreUnavailable):
        await follower
    for call in (store.append("order-1", some(1), Expected.ANY), store.head(), follow(store, 1)):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call
    store = await open_sqlite(tmp_path / "log.db")
    assert len(events_of([batch async for batch in store.read_all()])) == 3
    await store.close()


async def test_close_after_all_tasks_were_cancelled(tmp_path: Path) -> None:
    """A store whose tasks were cancelled amid a commit closes, and the log is whole."""
    store = await open_sqlite(tmp_path / "log.db")
    before = asyncio.all_tasks()
    for number in range(50):
        part = [Append(f"order-{n}", some(1), Expected.ANY) for n in range(number + 1)]
        asyncio.create_task(store.append_batch(part))  # noqa: RUF006 (it is cancelled below)
    await asyncio.sleep(0.002)
    for task in asyncio.all_tasks() - before:
        task.cancel()
    await store.close()
    store = await open_sqlite(tmp_path / "log.db")
    positions = [event.position for event in await log_of(store, "")]
    assert positions == list(range(1, len(positions) + 1))
    await store.append("order-1", some(1), Expected.ANY)
    await store.close()


def commits_of(store: SqliteStore, seconds: float) -> list[bool]:
    """Notes, from now on, whether a commit was made on the event loop; each takes so long."""
    seen, commit = [], store._ledger.commit

    def slow() -> None:
        seen.append(threading.current_thread() is threading.main_thread())
        time.sleep(seconds)
        commit()

    store._ledger.commit = slow  # type: ignore[method-assign]
    return seen


async def test_slow_disk_holds_up_the_loop_once(embedded: SqliteStore) -> None:
    """A commit that takes its time is made on the event loop once; the next ones are not."""
    seen = commits_of(embedded, 10 * commits.QUICK)
    for number in range(4):
        await embedded.append(f"order-{number}", some(1), Expected.NO_STREAM)
    assert seen == [True, False, False, False]


async def test_quick_disk_is_tried_again(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some time after a slow commit the next one is made on the event loop again."""
    monkeypatch.setattr(commits, "SHUN", 1)
    seen = commits_of(embedded, 2 * commits.QUICK)
    await embedded.append("order-1", some(1), Expected.NO_STREAM)
    await asyncio.sleep(1)
    await embedded.append("order-2", some(1), Expected.NO_STREAM)
    assert seen == [True, True]


async def test_write_ahead_log_is_moved_home(embedded: SqliteStore, tmp_path: Path) -> None:
    """However much is written, the write-ahead log stays about as long as it may."""
    embedded._ledger.checkpoint_at = 100  # pages of 4096 bytes
    for _ in range(200):
        await embedded.append("order-1", some(1, data=bytes(10_000)), Expected.ANY)
    assert (tmp_path / "log.db-wal").stat().st_size < 2 * 100 * 4096
    assert (tmp_path / "log.db").stat().st_size > 190 * 10_000
