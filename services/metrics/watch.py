"""Customer equity as it changes: now, after every change, and a sign of life in between."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from equiloop.metrics.v1 import service_pb2 as api

PAUSE = 1.0
"""Least seconds between two answers."""

HEARTBEAT = 15.0
"""Most seconds without one."""


async def watch(
    equity: Callable[[], Awaitable[api.CustomerEquity]],
    moved: Callable[[int], Awaitable[int]],
    seen: int,
    *,
    pause: float = PAUSE,
    heartbeat: float = HEARTBEAT,
) -> AsyncGenerator[api.WatchCustomerEquityResponse, None]:
    """Answer ``equity`` once the log has ``moved`` past ``seen``, and whenever it is another.

    What moved the log need not have changed equity; and where `now` moves on, midnight changes it
    without any event. So the figures are compared, at every move and at every heartbeat.
    """
    last: api.CustomerEquity | None = None
    while True:
        try:
            async with asyncio.timeout(heartbeat):
                await moved(seen)
            quiet = False
        except TimeoutError:
            quiet = True
        if not quiet or last is not None:
            present = await equity()
            seen = max(seen, present.position)
            if last is None or _figures(present) != _figures(last):
                last, quiet = present, False
                yield api.WatchCustomerEquityResponse(equity=present, position=seen)
        if quiet:
            yield api.WatchCustomerEquityResponse(position=seen)
        else:
            await asyncio.sleep(pause)


def _figures(equity: api.CustomerEquity) -> api.CustomerEquity:
    """Answer what is compared: all but when and where it was looked at."""
    same = api.CustomerEquity()
    same.CopyFrom(equity)
    same.ClearField("as_of")
    same.ClearField("position")
    return same
