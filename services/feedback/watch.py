"""Open loops for a manager's screen: what is open now, then every change, and signs of life."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol

from equiloop.feedback.v1 import service_pb2 as api

PAUSE = 1.0
"""Least seconds between two looks at what has changed."""

HEARTBEAT = 15.0
"""Most seconds without a sign of life."""


class Screen(Protocol):
    """The open loops that somebody looks at, as the views have them."""

    def position(self) -> int:
        """Answer the position up to which the views have folded the log."""
        ...

    def page(self, after: Any) -> tuple[api.WatchOpenLoopsResponse, Any]:
        """Answer open loops after the place ``after`` (None: from the first), and the next place.

        The place is None where there are no more.
        """
        ...

    def changes(self, since: int) -> tuple[api.WatchOpenLoopsResponse, bool]:
        """Answer what has changed after position ``since``, and whether there is more of it."""
        ...

    async def count(self) -> int:
        """Answer how many are open."""
        ...


async def watch(
    screen: Screen,
    moved: Callable[[int], Awaitable[int]],
    after: int,
    *,
    pause: float = PAUSE,
    heartbeat: float = HEARTBEAT,
) -> AsyncGenerator[api.WatchOpenLoopsResponse, None]:
    """Answer all that is open, unless resuming ``after`` a position; then what changes.

    What changes while all is being shown comes again after it. ``moved`` returns once the views
    are beyond a position.
    """
    seen = after
    if not after:
        seen, place = screen.position(), None
        while True:
            answer, place = screen.page(place)
            if place is None:
                yield await _whole(answer, screen, seen)
                break
            yield answer
    silent_since = _now()
    while True:
        try:
            async with asyncio.timeout_at(silent_since + heartbeat):
                reached = await moved(seen)
            answer, more = screen.changes(seen)
            seen = answer.position if more else max(seen, reached, answer.position)
            news = bool(answer.open or answer.closed)
        except TimeoutError:
            answer, more, news = api.WatchOpenLoopsResponse(), False, False
        if news or _now() >= silent_since + heartbeat:
            yield await _whole(answer, screen, seen)
            silent_since = _now()
        if not more:
            await asyncio.sleep(pause)


async def _whole(
    answer: api.WatchOpenLoopsResponse, screen: Screen, position: int
) -> api.WatchOpenLoopsResponse:
    answer.position, answer.caught_up = position, True
    answer.open_count = await screen.count()
    return answer


def _now() -> float:
    return asyncio.get_running_loop().time()
