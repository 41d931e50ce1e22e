"""Follows a log in a process of its own: `python -m tests.bench.follower URL AFTER LAST`.

Prints "ready" once it has caught up and, at position LAST, what it saw as JSON: when each batch
came, by its position, and the most memory it ever had.
"""

import asyncio
import json
import sys
import time

from libs.eventstore.connect import connect
from tests.bench.memory import peak


async def main(url: str, after: int, last: int) -> None:
    """Follow the log from after one position to another."""
    store = await connect(url)
    came, ready = [], False
    async for batch in store.subscribe(after=after or None):
        came.append((batch.position, time.monotonic_ns()))
        if batch.caught_up and not ready:
            print("ready", flush=True)
            ready = True
        if batch.position >= last:
            break
    print(json.dumps({"came": came, "peak": peak("self")}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
