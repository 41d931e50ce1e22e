"""The memory of the store's server and of a subscriber to it that takes in the whole log.

Counted is a process's largest resident set (VmHWM): all its pages in memory at once, those of
shared libraries and of mapped files among them. Linux tells it.
"""

import asyncio
import time
from pathlib import Path

from libs.eventstore.connect import connect
from tests.bench.following import Follower
from tests.bench.report import Row

GOAL = 150
"""MB."""


def peak(process: int | str) -> int:
    """Answer the largest resident set that a process had until now, in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {process} has no memory")


def measure(url: str, server: int) -> list[Row]:
    """Have a process follow the log behind `url`, which process `server` serves, to its end."""

    async def head() -> int:
        store = await connect(url)
        try:
            return await store.head()
        finally:
            await store.close()

    last = asyncio.run(head())
    started = time.perf_counter()
    with Follower(url, 0, last) as follower:
        seen = follower.result()
    rate = last / (time.perf_counter() - started)
    return [
        Row(
            f"memory of the {who} at {last:,} events",
            f"{size:.0f} MB at most",
            note,
            size,
            GOAL,
            below=True,
        )
        for who, size, note in (
            ("store's server", peak(server) / 1e6, "largest resident set, all pages"),
            (
                "subscriber, over the wire",
                seen.peak / 1e6,
                f"likewise; it took in {rate:,.0f} events/s",
            ),
        )
    ]
