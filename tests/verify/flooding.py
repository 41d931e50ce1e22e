"""Processes that append as fast as they can, and processes that follow: each says what it saw.

An event's stream, type and content follow from its writer and number, which are its id; so whoever
reads an event can tell whether it is what was sent.
"""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from itertools import count
from random import Random
from typing import cast
from uuid import UUID

from libs.eventstore.connect import connect
from libs.eventstore.port import (
    Append,
    Appended,
    Batch,
    EventStore,
    Expected,
    Filter,
    NewEvent,
    RecordedEvent,
)
from tests.verify.faults import broken

SIDES = ("north", "south")
STREETS = 500
"""Streams on each side."""

TYPES = ("Noted", "Sold", "Told")

END = "north-end", "Sold"
"""Stream and type of the event that ends it all; every filter lets it pass."""

RECORD = struct.Struct("<BIIIqqqq")
"""What, writer, number, label, revision, position, begun, acknowledged (ns; appends only)."""

APPENDED, SEEN = 0, 1
UNKNOWN = (1 << 32) - 1
"""The number of an event that nobody has sent."""

PART = 16
"""Appends in one bulk append."""

MAGIC = 0xE9 << 120


def label(number: int) -> int:
    """Answer which stream and type the event with this number has, as one figure."""
    return (number // 2 % STREETS * 2 + number % 2) * 3 + number // 5 % 3


def new_append(writer: int, number: int) -> Append:
    """Answer the append with this number of a writer."""
    kind, street = label(number) % 3, label(number) // 6
    data = f"{writer}/{number}".encode()
    event = NewEvent(UUID(int=MAGIC | writer << 64 | number), TYPES[kind], data)
    return Append(f"{SIDES[number % 2]}-{street}", [event], Expected.ANY)


def end() -> Append:
    """Answer the append after which nothing comes."""
    return Append(END[0], [NewEvent(UUID(int=MAGIC), END[1], b"")], Expected.NO_STREAM)


def seen(event: RecordedEvent) -> bytes:
    """Answer what is told of an event that was read."""
    writer, number = event.id.int >> 64 & UNKNOWN, event.id.int & UNKNOWN
    if event.data != b"%d/%d" % (writer, number):
        number = UNKNOWN
    side, _, street = event.stream.partition("-")
    shown = (int(street) * 2 + SIDES.index(side)) * 3 + TYPES.index(event.type)
    return RECORD.pack(SEEN, writer, number, shown, event.revision, event.position, 0, 0)


def write(
    channel: socket.socket, *, url: str, writer: int, appends: int, at_once: int, tail: bool
) -> None:
    """Append, ``at_once`` at a time; follow the log in this process, too, if it has a ``tail``."""
    asyncio.run(_write(channel, url, writer, appends, at_once, tail=tail))


async def _write(
    channel: socket.socket, url: str, writer: int, appends: int, at_once: int, *, tail: bool
) -> None:
    store, numbers = await connect(url), iter(range(appends))
    async with asyncio.TaskGroup() as together:
        if tail:
            together.create_task(_follow(channel, store, Filter(), seed=writer))
        for index in range(at_once):
            some = PART if index % 8 == 0 else 1
            together.create_task(_append(channel, store, writer, numbers, some))
    await store.close()


async def _append(
    channel: socket.socket, store: EventStore, writer: int, numbers: Iterable[int], some: int
) -> None:
    """Append singly, or ``some`` in bulk, and say when each was begun and acknowledged."""
    while taken := [number for _, number in zip(range(some), numbers, strict=False)]:
        parts = [new_append(writer, number) for number in taken]
        begun = time.monotonic_ns()
        answers: Sequence[object]
        if len(parts) == 1:
            answers = [await store.append(parts[0].stream, parts[0].events, parts[0].expected)]
        else:
            answers = await store.append_batch(parts)
        now, told = time.monotonic_ns(), []
        for number, answer in zip(taken, answers, strict=True):
            assert isinstance(answer, Appended), answer
            place = answer.revision, answer.position
            told.append(RECORD.pack(APPENDED, writer, number, label(number), *place, begun, now))
        channel.sendall(b"".join(told))


def follow(
    channel: socket.socket, *, url: str, prefix: str, kind: str, fault: str, seed: int
) -> None:
    """Follow what matches the filter to the end."""
    wanted = Filter(frozenset([kind] if kind else []), (prefix,) if prefix else ())

    async def run() -> None:
        store = broken(await connect(url), fault)
        await _follow(channel, store, wanted, seed)
        await store.close()

    asyncio.run(run())


async def _follow(channel: socket.socket, store: EventStore, wanted: Filter, seed: int) -> None:
    """Say what is seen; break off now and then, and come again from the checkpoint."""
    chance, after = Random(seed), None
    while True:
        size, patience = chance.choice((16, 64, 512)), chance.choice((1, 1, 3, 10, 30, 100))
        following = store.subscribe(after=after, filter=wanted, batch=size)
        batches = cast("AsyncGenerator[Batch, None]", following)
        async with aclosing(batches):
            for _ in count():
                batch = await anext(batches)
                events = [event for event in batch.events if event.stream != END[0]]
                if events:
                    channel.sendall(b"".join(map(seen, events)))
                if len(events) < len(batch.events):
                    return
                after, patience = batch.position, patience - 1
                if patience == 0:
                    break
