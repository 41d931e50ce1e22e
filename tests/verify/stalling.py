"""A process that follows the log, stops after its first events, and goes on when it is told."""

import asyncio
import socket
from contextlib import aclosing
from typing import Any, cast

from libs.eventstore.connect import connect
from tests.verify.faults import broken

BATCH = 4096
"""Events asked for at a time, as projections do."""


def follow(channel: socket.socket, *, url: str, events: int, fault: str) -> None:
    """Say when it stops; then go on to the end of so many ``events``, and say what came."""
    asyncio.run(_follow(channel, url, events, fault))


async def _follow(channel: socket.socket, url: str, events: int, fault: str) -> None:
    channel.setblocking(False)
    loop, store = asyncio.get_running_loop(), broken(await connect(url), fault)
    seen, disordered, last, live = 0, 0, 0, False
    async with aclosing(cast("Any", store.subscribe(batch=BATCH))) as batches:
        async for batch in batches:
            positions = [event.position for event in batch.events]
            disordered += sum(a >= b for a, b in zip([last, *positions], positions, strict=False))
            is_first, last = not seen and bool(positions), max([last, *positions])
            seen += len(positions)
            if is_first:
                await loop.sock_sendall(channel, b"stopped\n")
                await loop.sock_recv(channel, 1)
            live = batch.caught_up
            if seen >= events and live:
                break
    await loop.sock_sendall(channel, f"{seen} {disordered}\n".encode())
    await store.close()
