"""One file between processes: who writes waits for the other, who follows hears of him."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from libs.eventstore.port import (
    Appended,
    Expected,
    StoreCorrupt,
    StoreUnavailable,
    StreamTombstoned,
    WrongExpectedRevision,
)
from libs.eventstore.sqlite import SqliteStore, commits, feed, open_sqlite
from tests.contract.eventstore.peer import Peer
from tests.contract.eventstore.scene import follow, following, held, ids, some, stream_of


@contextmanager
def written_elsewhere(path: Path) -> Iterator[None]:
    """Another connection, as of another process, has the right to write and keeps it."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


async def test_writer_waits_for_another_process(
    embedded: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process writes, an append waits off the loop and then succeeds."""
    waited, sleep = set(), time.sleep

    def note(seconds: float) -> None:
        waited.add(threading.get_ident())
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", note)
    with written_elsewhere(tmp_path / "log.db"):
        waiting = asyncio.create_task(embedded.append("order-1", some(1), Expected.NO_STREAM))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert await embedded.head() == 0
    assert (await waiting).revision == 0
    assert len(waited - {threading.get_ident()}) == len(waited) == 1


async def test_writer_does_not_wait_for_ever(
    embedded: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append gives up when another process keeps writing, says so, and may be sent again."""
    monkeypatch.setattr(commits, "LOCK_WAIT", 0.05)
    events = some(1)
    with written_elsewhere(tmp_path / "log.db"), pytest.raises(StoreUnavailable, match="locked"):
        await embedded.append("order-1", events, Expected.NO_STREAM)
    assert not (await embedded.append("order-1", events, Expected.NO_STREAM)).repeated


async def test_commits_of_another_process_wake_subscribers(
    embedded: SqliteStore, tmp_path: Path, peer_socket: str
) -> None:
    """What another process appends reaches a subscriber that had caught up."""
    peer = await Peer.reach(peer_socket, f"sqlite:///{tmp_path}/log.db")
    seen: list[object] = []
    async with asyncio.timeout(10), following(embedded) as batches:
        async for batch in batches:
            seen += ids(batch.events)
            if len(seen) >= 5:
                break
            events = some(1)
            await peer.call("append", "order-1", events, Expected.ANY)
    await peer.close()
    assert seen == ids(await stream_of(embedded, "order-1"))


async def test_nobody_looks_when_nobody_follows(embedded: SqliteStore) -> None:
    """Other processes' commits are looked for while somebody follows the log, once for all."""
    looks = 0
    changed = embedded._reader.changed

    def count_looks() -> bool:
        nonlocal looks
        looks += 1
        return changed()

    embedded._reader.changed = count_looks  # type: ignore[method-assign]
    await asyncio.sleep(0.05)
    assert looks == 0
    followers = [asyncio.create_task(follow(embedded, 1)) for _ in range(50)]
    await asyncio.sleep(0.1)
    assert 1 <= looks <= 25
    await embedded.append("order-1", some(1), Expected.NO_STREAM)
    await asyncio.gather(*followers)
    before = looks
    await asyncio.sleep(0.05)
    assert looks == before


async def test_checkpoint_may_be_ahead_of_what_was_noticed(
    embedded: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint may come from another process whose commit was not noticed here yet."""
    monkeypatch.setattr(feed, "POLL", 0.2)
    other = await open_sqlite(tmp_path / "log.db")
    first = asyncio.create_task(follow(embedded, 2))
    await asyncio.sleep(0)
    answer = await other.append("order-1", some(1), Expected.NO_STREAM)
    second = asyncio.create_task(follow(embedded, 1, after=answer.position))
    await asyncio.sleep(0)
    await other.append("order-1", some(1), 0)
    assert [held(await first), held(await second)] == [2, 1]
    await other.close()


async def test_checkpoint_of_another_log_is_refused(embedded: SqliteStore) -> None:
    """A subscription from beyond the log's end fails at once: it would wait for ever."""
    await embedded.append("order-1", some(3), Expected.NO_STREAM)
    with pytest.raises(StoreCorrupt, match="checkpoint 4 belongs to another log"):
        await follow(embedded, 1, after=4)


async def test_what_another_process_wrote_counts_at_once(
    embedded: SqliteStore, tmp_path: Path
) -> None:
    """Where a stream ends, and what became of it, is never taken from memory when others wrote."""
    other = await open_sqlite(tmp_path / "log.db")
    events = some(6)
    for number, (event, store) in enumerate(zip(events, [embedded, other] * 3, strict=True)):
        expected = number - 1 if number else Expected.NO_STREAM
        assert await store.append("order-1", [event], expected) == Appended(number, number + 1)
    await other.delete("order-1", 5)
    with pytest.raises(WrongExpectedRevision):
        await embedded.append("order-1", some(1), Expected.EXISTS)
    assert (await embedded.append("order-1", some(1), Expected.NO_STREAM)).revision == 6
    await other.tombstone("order-1", 6)
    with pytest.raises(StreamTombstoned):
        await embedded.append("order-1", some(1), 6)
    await other.close()
