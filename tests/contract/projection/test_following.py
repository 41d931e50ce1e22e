"""Coming again when the log is lost: soon at first, never too seldom, never all at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from libs.eventstore.kurrent import open_kurrent
from libs.eventstore.port import EventStore, Expected, NewEvent, StoreUnavailable
from libs.eventstore.sqlite import open_sqlite
from libs.projection import Projection, backoff
from libs.projection.backoff import FIRST, LONGEST, Backoff
from libs.projection.following import Following
from libs.projection.sqlite import SqliteDatabase
from services.eventstore.server import Server
from tests.contract.projection.poison import Guarded, MemoryLog, Poison, Tally


def test_pauses_grow_to_a_bound_and_begin_anew() -> None:
    """Each pause is twice the last, never beyond the bound, and short again after a success."""
    pauses = Backoff(lambda: 0.0)
    taken = [pauses.pause() for _ in range(20)]
    assert taken[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert max(taken) == taken[-1] == LONGEST
    pauses.reset()
    assert pauses.pause() == FIRST


def test_chance_shortens_a_pause_by_up_to_half() -> None:
    """Consumers that lost the same store at once do not come again at once."""
    shortest = Backoff(lambda: 1.0)
    assert shortest.pause() == FIRST / 2
    drawn = {Backoff().pause() for _ in range(50)}
    assert len(drawn) > 10
    assert all(FIRST / 2 <= pause <= FIRST for pause in drawn)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now


async def pauses_of(sessions: list[tuple[float, int]], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run sessions that last so long, reach so far, and are lost; answer the pauses between."""
    clock, left = Clock(), list(sessions)
    following = Following("views", cast("EventStore", MemoryLog()), (), None, clock=clock)
    following._backoff = Backoff(lambda: 0.0)
    pause = following._backoff.pause

    def noted() -> float:
        clock.pauses.append(pause())
        return 0.0

    monkeypatch.setattr(following._backoff, "pause", noted)

    async def session() -> None:
        if not left:
            await asyncio.Event().wait()
        lasts, position = left.pop(0)
        clock.now += lasts
        following.reached(position)
        raise StoreUnavailable("lost")

    running = asyncio.create_task(following.run(session))
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return clock.pauses


async def test_getting_on_makes_the_next_pause_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that came further, or lasted, is followed by a short pause; others by longer ones.

    A store that accepts every subscription and drops it at once is not asked ten times a second.
    """
    assert await pauses_of([(0, 5), (0, 5), (0, 5)], monkeypatch) == [FIRST, 2 * FIRST, 4 * FIRST]
    assert await pauses_of([(0, 5), (0, 5), (0, 6)], monkeypatch) == [FIRST, 2 * FIRST, FIRST]
    long = LONGEST + 1
    assert await pauses_of([(0, 5), (0, 5), (long, 5)], monkeypatch) == [FIRST, 2 * FIRST, FIRST]


@pytest.fixture(params=["embedded", "over the wire"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    """The log by either adapter."""
    embedded = await open_sqlite(tmp_path / "log.db")
    if request.param == "embedded":
        yield embedded
    else:
        server = Server(embedded)
        port = await server.start("127.0.0.1", 0)
        reached = await open_kurrent(f"kurrentdb://127.0.0.1:{port}?tls=false")
        yield reached
        await reached.close()
        await server.stop(1)
    await embedded.close()


async def test_the_position_moves_with_the_head_without_a_match(
    store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Views that want none of the events come as far as the head all the same, by any adapter."""
    monkeypatch.setattr(backoff, "FIRST", 0.001)
    views = [Tally("one", Poison(), ValueError)]
    live = Projection(store, Guarded(Poison()), SqliteDatabase(tmp_path / "views"), views)
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(20):
        await live.caught_up.wait()
        for count in (1, 3, 200):
            events = [NewEvent(uuid4(), "Other", b"{}") for _ in range(count)]
            head = (await store.append("other-1", events, Expected.ANY)).position
            await live.wait(head)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await live.close()
