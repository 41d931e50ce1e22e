"""What the adapter makes of servers that are away, come back, or are not there at all."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

from libs.eventstore.kurrent import KurrentStore, open_kurrent
from libs.eventstore.port import (
    Append,
    Appended,
    Expected,
    Filter,
    NewEvent,
    RecordedEvent,
    StoreCorrupt,
    StoreUnavailable,
    TooLarge,
)
from tests.contract.eventstore_wire.process import Running, server
from tests.contract.eventstore_wire.scene import fresh

T = TypeVar("T")


def new(count: int = 1, kind: str = "Noted") -> list[NewEvent]:
    """New events."""
    return [NewEvent(uuid4(), kind, b"{}") for _ in range(count)]


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Call as services and consumers do: again, while the store is unavailable."""
    async with asyncio.timeout(15):
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(0.1)


@pytest.fixture
async def store(running: Running) -> AsyncIterator[KurrentStore]:
    """A store behind the server that all tests share."""
    store = await open_kurrent(f"kurrentdb+discover://{running.target}?tls=false")
    yield store
    await store.close()


@pytest.mark.parametrize("scheme", ["kurrentdb", "kurrentdb+discover"])
async def test_missing_server_is_told_at_once(scheme: str) -> None:
    """Opening a store that nobody serves fails within seconds and names it, not the password."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as failure:
        await open_kurrent(f"{scheme}://admin:changeit@127.0.0.1:1?tls=false")
    assert time.monotonic() - began < 10
    assert f"{scheme}://127.0.0.1:1" in str(failure.value)
    assert "changeit" not in str(failure.value)


@pytest.mark.parametrize("preference", ["leader", "random", "follower", "readOnlyReplica"])
@pytest.mark.parametrize("scheme", ["kurrentdb", "kurrentdb+discover"])
async def test_node_preference_is_kept_or_told(
    running: Running, scheme: str, preference: str
) -> None:
    """One node is leader: who asks discovery for another kind is told so within seconds."""
    url = f"{scheme}://{running.target}?tls=false&nodePreference={preference}"
    if scheme == "kurrentdb" or preference in ("leader", "random"):
        store = await open_kurrent(url)
        assert (await store.append(fresh(), new(), Expected.NO_STREAM)).revision == 0
        await store.close()
        return
    with pytest.raises(StoreUnavailable, match="no node is what nodePreference asks for"):
        await open_kurrent(url)


async def test_dead_nodes_of_a_list_are_passed_by(running: Running) -> None:
    """With several nodes listed, the one that lives is found, wherever it stands."""
    for targets in (f"127.0.0.1:1,{running.target}", f"{running.target},127.0.0.1:1"):
        store = await open_kurrent(f"kurrentdb://{targets}?tls=false")
        assert (await store.append(fresh(), new(), Expected.NO_STREAM)).revision == 0
        await store.close()


async def test_repeat_of_what_was_never_seen_counts_as_new(running: Running) -> None:
    """A process that has seen nothing of an append repeats it unawares; its place is told right."""
    one, other = await open_kurrent(running.url), await open_kurrent(running.url)
    part = Append(fresh(), new(2), Expected.NO_STREAM)
    first = await one.append(part.stream, part.events, part.expected)
    unawares = await other.append(part.stream, part.events, part.expected)
    assert unawares == first
    again = await other.append(part.stream, part.events, part.expected)
    assert (again.revision, again.position, again.repeated) == (1, first.position, True)
    for store in (one, other):
        await store.close()


@pytest.mark.parametrize("rest", ["?nonsense=1", "?tls=perhaps", ""])
async def test_bad_connection_string_is_told_without_password(rest: str) -> None:
    """A connection string that the client refuses is refused without showing the password."""
    with pytest.raises(ValueError, match="no connection string") as failure:
        await open_kurrent(f"kurrentdb://admin:changeit@{rest}")
    assert "changeit" not in str(failure.value)


@pytest.mark.parametrize("scheme", ["kurrentdb", "kurrentdb+discover"])
async def test_store_outlives_its_server(tmp_path: Path, scheme: str) -> None:
    """While the server is away calls raise StoreUnavailable; once it is back they work again."""
    stream = fresh()
    with server(tmp_path) as first:
        store = await open_kurrent(f"{scheme}://{first.target}?tls=false")
        await store.append(stream, new(3), Expected.NO_STREAM)
        subscription = store.subscribe()
        seen = (await anext(subscription)).events
        first.stop(signal.SIGKILL)
        with pytest.raises(StoreUnavailable):
            await anext(subscription)
        with pytest.raises(StoreUnavailable):
            await store.append(stream, new(), Expected.ANY)
        with pytest.raises(StoreUnavailable):
            [batch async for batch in store.read_stream(stream)]
        with pytest.raises(StoreUnavailable):
            await store.head()
    with server(tmp_path, first.port):
        fourth, checkpoint = new(), seen[-1].position
        answer = await patiently(lambda: store.append(stream, fourth, Expected.ANY))
        assert answer.revision == 3
        followed = await patiently(lambda: follow(store, 1, after=checkpoint))
        assert [e.revision for e in followed] == [3]
        assert len([e async for b in store.read_stream(stream) for e in b.events]) == 4
    await store.close()


async def test_store_moves_to_another_node(tmp_path: Path) -> None:
    """When the node in use is lost, calls and subscriptions go on at another that is listed."""
    stream = fresh()
    with server(tmp_path) as first, server(tmp_path) as second:
        store = await open_kurrent(f"kurrentdb://{first.target},{second.target}?tls=false")
        answer = await store.append(stream, new(3), Expected.NO_STREAM)
        subscription = store.subscribe()
        await anext(subscription)
        first.stop()
        with pytest.raises(StoreUnavailable):
            await anext(subscription)
        fourth = new()
        moved = await patiently(lambda: store.append(stream, fourth, 2))
        assert moved.revision == 3
        followed = await patiently(lambda: follow(store, 1, after=answer.position))
        assert [e.revision for e in followed] == [3]
        assert len([e async for b in store.read_stream(stream) for e in b.events]) == 4
        await store.close()


async def follow(store: KurrentStore, count: int, after: int) -> list[RecordedEvent]:
    """The next so many events of the log."""
    events: list[RecordedEvent] = []
    async with asyncio.timeout(10):
        async for batch in store.subscribe(after=after):
            events += batch.events
            if len(events) >= count:
                break
    return events


async def test_appends_in_flight_are_answered_when_the_server_dies(tmp_path: Path) -> None:
    """Every append that was begun is answered, and every one that succeeded is in the log."""
    prefix = fresh()
    with server(tmp_path) as running:
        store = await open_kurrent(running.url)
        parts = [Append(f"{prefix}-{n}", new(), Expected.NO_STREAM) for n in range(3000)]
        appending = asyncio.create_task(store.append_batch(parts))
        await anext(store.subscribe(batch=1))  # some are written
        running.stop(signal.SIGKILL)
        async with asyncio.timeout(15):
            answers = await appending
    kinds = {type(answer) for answer in answers}
    assert kinds <= {Appended, StoreUnavailable}
    assert StoreUnavailable in kinds
    with server(tmp_path, running.port):
        await patiently(store.head)
        only = Filter(prefixes=(prefix,))
        kept = {e.position async for b in store.read_all(filter=only) for e in b.events}
        assert {a.position for a in answers if isinstance(a, Appended)} <= kept
        await patiently(lambda: store.append(fresh(), new(), Expected.ANY))
        again = await store.append_batch(parts)
    assert all(isinstance(answer, Appended) for answer in again)
    await store.close()


async def test_repeats_are_recognised_after_a_restart(running: Running) -> None:
    """A process that begins anew recognises appends of the one before."""
    parts = [Append(fresh(), new(2), Expected.NO_STREAM) for _ in range(20)]
    first = await open_kurrent(running.url)
    answers = await first.append_batch(parts)
    await first.close()
    second = await open_kurrent(running.url)
    again = await second.append_batch([*parts, Append(fresh(), new(), Expected.ANY)])
    await second.close()
    assert [a.repeated for a in again if isinstance(a, Appended)] == [True] * 20 + [False]
    assert [a.position for a in again[:20] if isinstance(a, Appended)] == [
        a.position for a in answers if isinstance(a, Appended)
    ]


async def test_repeats_in_flight_are_recognised(store: KurrentStore) -> None:
    """Of the same append sent many times at once, one is new and the others repeat it."""
    stream, events = fresh(), new(2)
    answers = await asyncio.gather(
        *(store.append(stream, events, Expected.NO_STREAM) for _ in range(50))
    )
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 49
    assert len({answer.position for answer in answers}) == 1


async def test_append_over_the_message_limit_harms_no_other(store: KurrentStore) -> None:
    """An append too large for a message is refused; appends around it succeed."""
    large = [NewEvent(uuid4(), "Large", bytes(1 << 20)) for _ in range(17)]
    parts = [
        Append(fresh(), new(), Expected.ANY),
        Append(fresh(), large, Expected.ANY),
        Append(fresh(), new(), Expected.ANY),
    ]
    answers = await store.append_batch(parts)
    assert [type(answer) for answer in answers] == [Appended, TooLarge, Appended]


async def test_cancelled_append_harms_no_other(store: KurrentStore) -> None:
    """Appends whose tasks are cancelled leave those around them alone."""
    stream = fresh()
    tasks = [
        asyncio.create_task(store.append(f"{stream}-{n}", new(), Expected.ANY)) for n in range(40)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, Appended) for answer in answers[1::2])


async def test_checkpoint_of_another_log_is_corruption(tmp_path: Path) -> None:
    """A subscription from beyond the end of the log raises StoreCorrupt, not StoreUnavailable."""
    with server(tmp_path) as running:
        store = await open_kurrent(running.url)
        with pytest.raises(StoreCorrupt, match="another log"):
            await anext(store.subscribe(after=1_000_000))
        await store.close()


async def test_closed_store_refuses(running: Running) -> None:
    """After close, calls and subscriptions raise StoreUnavailable."""
    store = await open_kurrent(running.url)
    subscription = store.subscribe()
    await anext(subscription)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.append(fresh(), new(), Expected.ANY)
    with pytest.raises(StoreUnavailable):
        await store.head()
    with pytest.raises(StoreUnavailable):
        async for _ in subscription:
            pass
