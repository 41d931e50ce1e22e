"""Watching equity: every change is told, nothing is told twice, silence is broken."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from equiloop.metrics.v1 import service_pb2 as api

from libs.kernel.refusals import Refusal
from libs.kernel.values import timestamp
from services.metrics.watch import watch
from tests.specs.metrics.facts import on

SOON, NEVER = 0.01, 30.0
Answers = AsyncGenerator[api.WatchCustomerEquityResponse, None]


class Figures:
    """Equity that somebody changes, and a log that somebody moves."""

    def __init__(self) -> None:
        self.cents, self.position, self.asked = 100, 5, 0
        self._moved = asyncio.Condition()

    async def equity(self) -> api.CustomerEquity:
        self.asked += 1
        answer = api.CustomerEquity(position=self.position, as_of=timestamp(on(self.asked)))
        answer.total.total.equity.units = self.cents
        return answer

    async def moved(self, beyond: int) -> int:
        async with self._moved:
            await self._moved.wait_for(lambda: self.position > beyond)
        return self.position

    async def move(self, cents: int | None = None) -> None:
        async with self._moved:
            self.position += 1
            self.cents = self.cents if cents is None else cents
            self._moved.notify_all()

    def watched(self, after: int = 0, *, pause: float = 0.0, heartbeat: float = NEVER) -> Answers:
        return watch(self.equity, self.moved, after, pause=pause, heartbeat=heartbeat)


async def following(answers: Answers) -> tuple[int, int]:
    """Answer cents (0: a heartbeat) and position of the next answer."""
    answer = await asyncio.wait_for(anext(answers), 5)
    return answer.equity.total.total.equity.units, answer.position


async def test_what_is_so_now_comes_at_once_and_then_every_change() -> None:
    """The first answer waits for nothing, the next for another figure."""
    figures = Figures()
    answers = figures.watched()
    assert await following(answers) == (100, 5)
    await figures.move(200)
    assert await following(answers) == (200, 6)


async def test_what_leaves_the_figures_alone_is_not_told() -> None:
    """The log may move without a word here; the next answer stands beyond it."""
    figures = Figures()
    answers = figures.watched()
    await following(answers)
    waiting = asyncio.ensure_future(following(answers))
    for _ in range(3):
        await figures.move()
        await asyncio.sleep(SOON)
    assert figures.asked > 1
    assert not waiting.done()
    await figures.move(300)
    assert await waiting == (300, 9)


async def test_changes_within_a_pause_are_told_as_one() -> None:
    """After an answer there is a pause, and then the last of what changed meanwhile."""
    figures = Figures()
    answers = figures.watched(pause=1.0)
    await following(answers)
    waiting = asyncio.ensure_future(following(answers))
    for cents in (1, 2, 3):
        await figures.move(cents)
        await asyncio.sleep(SOON)
    assert await waiting == (3, 8)


async def test_a_watch_is_taken_up_after_a_position() -> None:
    """Nothing but heartbeats come until history beyond it was seen, then the figures do."""
    figures = Figures()
    answers = figures.watched(5, heartbeat=SOON)
    assert await following(answers) == (0, 5)
    assert await following(answers) == (0, 5)
    assert figures.asked == 0
    await figures.move()
    assert (100, 6) in [await following(answers) for _ in range(3)]


async def test_silence_is_broken_by_heartbeats() -> None:
    """While nothing changes there are signs of life, which say from where to go on."""
    figures = Figures()
    answers = figures.watched(heartbeat=SOON)
    assert await following(answers) == (100, 5)
    assert [await following(answers) for _ in range(2)] == [(0, 5), (0, 5)]


async def test_time_alone_may_change_equity() -> None:
    """Where now moves on, so may the figures without an event: a heartbeat's turn tells them."""
    figures = Figures()
    answers = figures.watched(heartbeat=SOON)
    await following(answers)
    figures.cents = 90
    told = [await following(answers) for _ in range(2)]
    assert (90, 5) in told


async def test_what_cannot_be_answered_ends_the_watch() -> None:
    """A refusal goes to whoever watches."""
    figures = Figures()

    async def refuse() -> api.CustomerEquity:
        raise Refusal("EQUITY_POLICY_NOT_SET", "no equity policy was set")

    async with aclosing(watch(refuse, figures.moved, 0)) as answers:
        with pytest.raises(Refusal):
            await anext(answers)
