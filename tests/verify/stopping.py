"""A process that writes and folds until it is stopped at some moment, its disk as it is then."""

import asyncio
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Literal, TypedDict

from libs.contract.events import CODEC
from libs.eventstore.port import EventStore
from libs.eventstore.sqlite import open_sqlite
from libs.projection import Projection
from libs.projection.sqlite import SqliteDatabase
from tests.verify.spending import Spending
from tests.verify.vfs import Recording
from tests.verify.writer import speaker, write_all

NEVER = 1 << 60

Fault = Literal["", "lying disk", "synchronous off"]


class Moment(TypedDict, total=False):
    """When a process is stopped.

    That is before one more than so many operations or syncs of its disk, with that many
    acknowledgements, or once it has closed the store after them.
    """

    operations: int
    syncs: int
    told: int
    closed: int


def main(
    channel: socket.socket,
    *,
    folder: str,
    state: str,
    seed: int,
    writers: dict[str, int],
    moment: Moment,
    pages: int,
    fault: Fault,
) -> None:
    """Write until stopped, with a checkpoint every so many pages."""
    sys.setswitchinterval(1e-4)  # every operation of the disk has to win the interpreter's lock
    limits = moment.get("operations", NEVER), moment.get("syncs", NEVER)
    vfs = Recording(Path(state), *limits, lies=fault == "lying disk")
    told, say = 0, speaker(channel)
    enough = asyncio.Event()

    def say_until(lines: str) -> None:
        nonlocal told
        say(lines)
        told += lines.count("told")
        if told >= moment.get("told", NEVER):
            vfs.stop()
        if told >= moment.get("closed", NEVER):
            enough.set()

    numbers = {int(writer): number for writer, number in writers.items()}
    asyncio.run(
        _write(
            Path(folder) / "log.db",
            pages,
            fault,
            enough,
            lambda store: write_all(store, seed, numbers, say_until),
        )
    )
    vfs.stop()


async def _write(
    path: Path,
    pages: int,
    fault: Fault,
    enough: asyncio.Event,
    write: Callable[[EventStore], Coroutine[None, None, None]],
) -> None:
    """Open the store, write and fold a read model until it is ``enough``, and close."""
    store = await open_sqlite(path)
    store._ledger.checkpoint_at = pages
    if fault == "synchronous off":
        store._ledger._connection.pragma("synchronous", "off")
    projection = Projection(store, CODEC, SqliteDatabase(path.parent), [Spending()])
    running = [asyncio.create_task(write(store)), asyncio.create_task(projection.run())]
    waiting = asyncio.create_task(enough.wait())
    await asyncio.wait({*running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        if task.done():
            await task  # which raises
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await projection.close()
    await store.close()
