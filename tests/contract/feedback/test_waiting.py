"""Open loops, listed and watched: who waits, for whom to answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from equiloop.customers.v1 import events_pb2 as customers
from equiloop.feedback.v1 import events_pb2 as events
from equiloop.feedback.v1 import service_pb2 as api

from libs.kernel.money import to_message
from services.feedback.service import waiting
from tests.contract.feedback.beside import append
from tests.contract.feedback.desk import Desk, day, paged


async def listed(desk: Desk, **asked: Any) -> list[str]:
    """Names of open loops, oldest first, read to the end two at a time."""
    request = api.ListOpenLoopsRequest(page_size=2, **asked)
    pages = await paged(desk, "ListOpenLoops", request, "open_loops")
    return [loop.feedback for page in pages for loop in page]


@pytest.fixture
async def three(desk: Desk) -> list[str]:
    """7 (gold) on the web about battery, 8 by mail about price, and somebody about battery."""
    label = customers.CustomerLabelled(customer="customers/7", segments=["gold"])
    await append(desk.store, "customer-7", label)
    said = [
        (await desk.at(0).record("7")).name,
        (await desk.at(1).record("8", channel=events.CHANNEL_EMAIL)).name,
        (await desk.at(2).record()).name,
    ]
    for name, theme in zip(said, ("battery", "price", "battery"), strict=True):
        await desk.code(name, theme)
    await desk.commit(said[1], said[2], owner="functions/research")
    return said


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [0, 1, 2]),
        ({"theme": "battery"}, [0, 2]),
        ({"channel": events.CHANNEL_EMAIL}, [1]),
        ({"segment": "gold"}, [0]),
        ({"customer": "customers/8"}, [1]),
        ({"function": "functions/research"}, [1, 2]),
        ({"function": "functions/research", "theme": "battery"}, [2]),
        ({"segment": "silver"}, []),
    ],
)
async def test_open_loops_are_narrowed(
    desk: Desk, three: list[str], asked: dict[str, Any], found: list[int]
) -> None:
    """By theme, channel, segment, customer, function, and all together; the count says how many."""
    assert await listed(desk, **asked) == [three[number] for number in found]
    answer = await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest(page_size=1, **asked))
    assert answer.total_size == len(found)


async def test_an_open_loop_says_what_it_is_about(desk: Desk, three: list[str]) -> None:
    """Age, themes, actions, who answers for it, and what the customer is worth if that is known."""
    desk.worth.cents = {"customers/8": 4200}
    answer = await desk.at(5).ask("ListOpenLoops", api.ListOpenLoopsRequest())
    known, mailed, unknown = answer.open_loops
    assert not known.HasField("equity")
    assert mailed.equity == to_message(4200, "EUR")
    assert (mailed.age.seconds, mailed.channel) == (4 * 86_400, events.CHANNEL_EMAIL)
    assert (list(mailed.themes), list(mailed.functions)) == (["price"], ["functions/research"])
    assert mailed.actions == unknown.actions
    desk.worth.cents = None
    answer = await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest())
    assert not any(loop.HasField("equity") for loop in answer.open_loops)


async def test_a_loop_that_was_opened_again_says_since_when(desk: Desk) -> None:
    """Its age goes on from when the words were said."""
    said = (await desk.at(0).record("7")).name
    action = (await desk.commit(said)).name
    await desk.at(1).complete(action)
    await desk.at(2).tell(action)
    await desk.at(3).reopen(action)
    answer = await desk.at(5).ask("ListOpenLoops", api.ListOpenLoopsRequest())
    assert [loop.feedback for loop in answer.open_loops] == [said]
    assert answer.open_loops[0].reopen_time == day(3)
    assert answer.open_loops[0].age.seconds == 5 * 86_400


async def test_a_list_is_whole_while_loops_open_and_close(desk: Desk) -> None:
    """Whoever waits from the first page to the last is seen once, whatever happens in between."""
    stay = [(await desk.at(number).record("7")).name for number in range(12)]
    go = [(await desk.at(number + 0.5).record("8")).name for number in range(6)]
    action = (await desk.commit(*go)).name
    await desk.complete(action)
    request, seen = api.ListOpenLoopsRequest(page_size=4), list[str]()
    for closing in (*go, None):
        answer = await desk.at(20).ask("ListOpenLoops", request)
        seen += [loop.feedback for loop in answer.open_loops]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
        if closing is not None:
            await desk.tell(action, closing)
        await desk.at(21).record("8")
        await desk.at(-1).record("8")
    assert len(seen) == len(set(seen))
    assert [name for name in seen if name in stay] == stay


@asynccontextmanager
async def watching(desk: Desk, **asked: Any) -> AsyncIterator[Any]:
    """Watch open loops for as long as the context lasts."""
    call = desk.stub.WatchOpenLoops(api.WatchOpenLoopsRequest(**asked))
    try:
        yield call
    finally:
        call.cancel()


async def news(call: Any) -> tuple[list[str], list[str], int, bool]:
    """What the next answer opens and closes, how many are open, and whether all was shown."""
    answer = await call.read()
    opened = [loop.feedback for loop in answer.open]
    return opened, list(answer.closed), answer.open_count, answer.caught_up


async def test_a_screen_shows_all_then_every_change(
    desk: Desk, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All open loops, then one that opens, one that closes, one that is about something else."""
    monkeypatch.setattr(waiting, "AT_ONCE", 2)
    await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest())
    async with watching(desk) as call:
        assert await news(call) == (three[:2], [], 0, False)
        assert await news(call) == (three[2:], [], 3, True)
        said = (await desk.record("8")).name
        assert await news(call) == ([said], [], 4, True)
        await desk.code(said, "menu")
        assert await news(call) == ([said], [], 4, True)


async def test_a_narrow_screen_hears_of_what_leaves_it(desk: Desk, three: list[str]) -> None:
    """Coded again, feedback leaves the screen of its old theme; closed, it leaves every screen."""
    await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest())
    async with watching(desk, theme="battery") as call:
        assert await news(call) == ([three[0], three[2]], [], 2, True)
        await desk.code(three[0], "screen")
        assert await news(call) == ([], [three[0]], 1, True)


async def test_a_watch_resumes_after_a_position(desk: Desk, three: list[str]) -> None:
    """What was shown by then is not shown again; what happened while nobody looked is."""
    await desk.ask("ListOpenLoops", api.ListOpenLoopsRequest())
    async with watching(desk) as call:
        position = (await call.read()).position
    said = (await desk.record("8")).name
    async with watching(desk, after_position=position) as call:
        assert (await news(call))[0] == [said]
