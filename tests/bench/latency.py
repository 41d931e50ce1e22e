"""From an append to a subscriber in another process: the append's own commit included."""

import asyncio
import random
import time
from bisect import bisect_left
from statistics import median, quantiles

from libs.eventstore.connect import connect
from libs.eventstore.port import Expected
from tests.bench.appends import lives
from tests.bench.following import Follower
from tests.bench.report import Row

GOAL = 30
"""Milliseconds, for 99 of 100."""

PAUSE = 0.01
"""Seconds between two appends on average, at random: in step with no timer."""


async def delays(url: str, events: int) -> list[float]:
    """Append one event at a time; answer how long each took to a subscriber, in milliseconds."""
    store = await connect(url)
    after = await store.head()
    sent: list[tuple[int, int]] = []
    with Follower(url, after, after + events) as follower:
        await asyncio.to_thread(follower.ready)
        for stream, (event, *_) in lives(events):
            await asyncio.sleep(random.expovariate(1 / PAUSE))
            began = time.monotonic_ns()
            appended = await store.append(stream, [event], Expected.NO_STREAM)
            sent.append((appended.position, began))
        came = (await asyncio.to_thread(follower.result)).came
    await store.close()
    positions = [position for position, _ in came]
    arrivals = [came[bisect_left(positions, position)][1] for position, _ in sent]
    return [(at - began) / 1e6 for at, (_, began) in zip(arrivals, sent, strict=True)]


def measure(embedded: str, wire: str, events: int = 1_000) -> list[Row]:
    """Append and follow on one embedded file, and by a server."""
    rows = []
    for how, url in (("a shared file", embedded), ("the wire", wire)):
        found = asyncio.run(delays(url, events))
        p50, p99 = median(found), quantiles(found, n=100)[98]
        what = f"append to subscriber in another process, {how}"
        rows.append(Row(what, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", "-", p99, GOAL, below=True))
    return rows
