"""What mirrors rows in memory: brought up to date all the time, beside the event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from libs.projection.mirror import Mirror


class Views:
    """Views that catch up when they are told to."""

    def __init__(self) -> None:
        self.caught_up = asyncio.Event()

    async def wait(self, _: int) -> None:
        await self.caught_up.wait()


@asynccontextmanager
async def mirrored(refresh: Callable[[], None], views: Views) -> AsyncIterator[Mirror]:
    """A mirror that runs."""
    mirror = Mirror(refresh, views, every=0.001, name="mirror")
    running = asyncio.create_task(mirror.run())
    try:
        yield mirror
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await mirror.close()


async def test_it_has_caught_up_when_it_looked_after_the_views_had() -> None:
    """It looks while views catch up, but what it saw then is not all of it."""
    views, looked, seen = Views(), threading.Event(), list[bool]()

    def refresh() -> None:
        seen.append(views.caught_up.is_set())
        looked.set()

    async with mirrored(refresh, views) as mirror:
        assert await asyncio.to_thread(looked.wait, 10)
        assert not mirror.caught_up.is_set()
        views.caught_up.set()
        await asyncio.wait_for(mirror.caught_up.wait(), 10)
    assert seen[0] is False
    assert seen[-1] is True


async def test_it_looks_again_and_again_whatever_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A look that fails is logged and is none: it has caught up with the next that succeeds."""
    views, looks, enough = Views(), list[int](), threading.Event()
    views.caught_up.set()

    def refresh() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise OSError
        if len(looks) == 3:
            enough.set()

    async with mirrored(refresh, views) as mirror:
        await asyncio.wait_for(mirror.caught_up.wait(), 10)
        assert len(looks) >= 2
        assert await asyncio.to_thread(enough.wait, 10)
    assert "mirror could not be brought up to date" in caplog.text


async def test_whoever_stops_it_waits_until_the_look_has_ended() -> None:
    """After it was cancelled nothing looks any more: what it looks at may be closed."""
    views, begun, go_on, ended = Views(), threading.Event(), threading.Event(), list[bool]()
    views.caught_up.set()

    def refresh() -> None:
        begun.set()
        go_on.wait(10)
        ended.append(True)

    running = asyncio.create_task(Mirror(refresh, views, name="mirror").run())
    assert await asyncio.to_thread(begun.wait, 10)
    running.cancel()
    await asyncio.sleep(0.05)
    assert not running.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == [True]
