"""What time drives: ticks by the clock that was given, after the views, whatever fails."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from libs.eventstore.port import EventStore, StoreUnavailable
from libs.projection.reactor import TryAgain
from libs.projection.ticker import Ticker

START = datetime(2024, 5, 1, tzinfo=UTC)


class Views:
    """Views that catch up and see when they are told to."""

    def __init__(self, *, caught_up: bool = False) -> None:
        self.caught_up, self.seen = asyncio.Event(), asyncio.Event()
        self.asked: list[int] = []
        if caught_up:
            self.caught_up.set()

    async def wait(self, position: int) -> None:
        self.asked.append(position)
        await self.seen.wait()


async def run_until(ticker: Ticker, enough: asyncio.Event) -> None:
    """Run until ``enough`` is set, at most ten seconds."""
    running = asyncio.create_task(ticker.run())
    try:
        await asyncio.wait_for(enough.wait(), 10)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await ticker.close()


def counting(
    until: int, fails: Callable[[int], None]
) -> tuple[list[datetime], asyncio.Event, Callable[[datetime], Awaitable[None]]]:
    """Answer the instants of ticks, what is set at the last, and the tick."""
    seen: list[datetime] = []
    enough = asyncio.Event()

    async def tick(now: datetime) -> None:
        seen.append(now)
        if len(seen) == until:
            enough.set()
        fails(len(seen))

    return seen, enough, tick


async def test_each_tick_is_told_the_time_of_the_clock_it_was_given(embedded: EventStore) -> None:
    """A clock that moves by an hour at each look makes ticks an hour apart."""
    hours = iter(range(100))
    seen, enough, tick = counting(3, lambda _: None)
    ticker = Ticker(tick, lambda: START + timedelta(hours=next(hours)), embedded, (), every=0)
    await run_until(ticker, enough)
    assert seen[:3] == [START + timedelta(hours=number) for number in range(3)]


async def test_nothing_ticks_before_all_views_have_caught_up(embedded: EventStore) -> None:
    """One of two views that is behind holds up the first tick, and so does one that lags again."""
    ahead, behind = Views(caught_up=True), Views()
    ahead.seen.set()
    seen, enough, tick = counting(1, lambda _: None)
    ticker = Ticker(tick, lambda: START, embedded, (ahead, behind), every=0)
    running = asyncio.create_task(ticker.run())
    await asyncio.sleep(0.05)
    assert seen == []
    behind.caught_up.set()
    await asyncio.sleep(0.05)
    assert seen == []
    assert behind.asked == [await embedded.head()]
    behind.seen.set()
    await asyncio.wait_for(enough.wait(), 10)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), TryAgain("later"), ZeroDivisionError("a mistake")], ids=repr
)
async def test_a_tick_that_fails_is_followed_by_another(
    embedded: EventStore, error: Exception
) -> None:
    """Neither an outage nor a mistake ends the ticking: two fail, the third comes all the same."""

    def fails(number: int) -> None:
        if number < 3:
            raise error

    seen, enough, tick = counting(3, fails)
    await run_until(Ticker(tick, lambda: START, embedded, (), every=0), enough)
    assert len(seen) >= 3
