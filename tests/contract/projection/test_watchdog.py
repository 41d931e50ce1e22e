"""The head moves and the checkpoint does not: begun anew if that may help, told once, in time."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from libs.chassis.operations import Operations
from libs.eventstore.port import Batch, EventStore, StoreUnavailable
from libs.projection import Projection, watchdog
from libs.projection.following import Following
from libs.projection.sqlite import SqliteDatabase
from libs.projection.watchdog import ALARM, LOOK, State, Watchdog, Watched
from libs.telemetry.following import declare
from tests.contract.projection.poison import Guarded, MemoryLog, Poison, Scene, Tally


class Log(MemoryLog):
    """A log whose subscriptions can be deaf, and whose head cannot always be asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf, self.away, self.subscriptions = 0, False, 0

    async def head(self) -> int:
        if self.away:
            raise StoreUnavailable("away")
        return await super().head()

    async def subscribe(self, **how: Any) -> AsyncIterator[Batch]:
        self.subscriptions += 1
        if self.subscriptions <= self.deaf:
            await asyncio.Event().wait()
        async for batch in super().subscribe(**how):
            yield batch


class Time:
    """A clock that goes when it is told to, and a watchdog that goes by it."""

    def __init__(self, log: Log, following: Following) -> None:
        self.now = 100.0
        self._dog = Watchdog(cast("EventStore", log), [following], lambda: self.now)

    @property
    def watched(self) -> Watched:
        return self._dog.watched[0]

    async def go(self, seconds: float) -> float | None:
        """Let time go by, with a look now and then; answer after how long the alarm rose."""
        begun, alarms = self.now, self.watched.alarms
        rose = None
        for _ in range(round(seconds / LOOK)):
            self.now += LOOK
            await self._dog.look()
            if self.watched.alarms > alarms and rose is None:
                rose = self.now - begun
            for _ in range(20):
                await asyncio.sleep(0)
        return rose


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def following(log: Log) -> Following:
    return Following("views", cast("EventStore", log), (), None)


@pytest.fixture
def time(log: Log, following: Following) -> Time:
    return Time(log, following)


async def test_the_alarm_rises_in_time_and_once(
    log: Log, following: Following, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    """Within five seconds of the head's move it is in the log, and told again only when over."""
    following.reached(0)
    await time.go(60)
    log.add("a")
    rose = await time.go(60)
    assert rose is not None
    assert ALARM - 2 * LOOK <= rose <= ALARM - LOOK  # so that a look may come a period late
    assert (time.watched.alarms, time.watched.state) == (1, State.STANDING_STILL)
    alarm = "ALARM: the log's head moves, views does not: head 2, position 0, last error: none"
    assert caplog.messages.count(alarm) == 1
    with caplog.at_level(logging.WARNING):
        following.reached(2)
        await time.go(1)
    assert caplog.messages[-1] == "views moves again, at position 2"
    assert not time.watched.alarmed


async def test_who_moves_is_let_alone(log: Log, following: Following, time: Time) -> None:
    """However far behind, whoever gets on raises no alarm; nor does a log where nothing happens."""
    for _ in range(100):
        log.add("a")
    for position in range(0, 200, 2):
        following.reached(position)
        assert await time.go(3) is None
        assert time.watched.state is State.CATCHING_UP
    following.caught_up.set()
    assert time.watched.state is State.BEHIND
    following.reached(await log.head())
    assert await time.go(600) is None
    assert (time.watched.state, time.watched.behind) == (State.FOLLOWING, 0.0)
    assert time.watched.idle >= 500


async def test_the_time_counts_from_the_move_of_the_head(
    log: Log, following: Following, time: Time
) -> None:
    """A quiet hour is not held against who needs a moment for what comes after it."""
    following.reached(0)
    await time.go(3600)
    log.add("a")
    assert await time.go(3) is None
    following.reached(2)
    assert await time.go(60) is None


async def test_a_store_that_went_away_does_not_silence_the_alarm(
    log: Log, following: Following, time: Time
) -> None:
    """The head that was known is enough."""
    log.add("a")
    await time.go(1)
    log.away = True
    assert await time.go(10) is not None


async def test_a_subscription_that_fell_silent_is_begun_anew(
    log: Log, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that a dead connection did not bring arrive by the next one, before any alarm."""
    monkeypatch.setattr("libs.projection.backoff.FIRST", 0.0)
    log.deaf = 1
    views = [Tally("one", Poison(), ValueError)]
    live = Projection(
        cast("EventStore", log), Guarded(Poison()), SqliteDatabase(tmp_path), views, name="views"
    )
    time, running = Time(log, live.following), asyncio.create_task(live.run())
    log.add("a")
    assert await time.go(3) is None
    async with asyncio.timeout(10):
        await live.wait(await log.head())
    assert log.subscriptions == 2
    assert "views hears nothing of the log: asking anew" in caplog.messages
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await live.close()


async def test_who_is_busy_is_not_begun_anew(log: Log, following: Following, time: Time) -> None:
    """A slow consumer keeps its subscription: cutting it off would not make it faster."""
    log.add("a")
    batches = following.batches()
    await anext(batches)  # and now it is at work on that
    assert await time.go(10) is not None
    assert log.subscriptions == 1
    await batches.aclose()


def measured(reader: InMemoryMetricReader) -> dict[str, float]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name.removeprefix("equiloop.follower."): point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint) and point.attributes == {"equiloop.follower": "views"}
    }


async def test_metrics_show_how_it_gets_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Position, head, lag, alarm and what is parked are there for a collector to read."""
    scene = Scene(SqliteDatabase, tmp_path)
    scene.poison.plant(scene.log.add("a"), "one")
    scene.log.add("a")
    await scene.catch_up()
    operations, reader = Operations(scene.store, [scene.live]), InMemoryMetricReader()
    provider = MeterProvider([reader])
    declare(provider.get_meter("test"), operations.measure)
    monkeypatch.setattr(watchdog, "_STANDS", 0.0)
    scene.log.add("b")
    for _ in range(2):
        await operations.watchdog.look()
    found = measured(reader)
    assert found.pop("lag") > 0
    assert found == {
        "position": 5,
        "head": 8,
        "alarm": 1,
        "alarms": 1,
        "parked_streams": 1,
        "held_back_events": 2,
    }
    provider.shutdown()
    await scene.live.close()
