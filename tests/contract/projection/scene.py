"""What these tests share: a history, a store that holds it, and views folded from it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.eventstore.port import Append, EventStore, Expected, NewEvent
from libs.projection import Projection, View
from libs.projection.sqlite import SqliteDatabase
from services.feedback.views.inbox import FeedbackInbox
from services.feedback.views.loops import OpenLoops
from tests.specs.feedback.facts import closed, coded, committed, completed, declined, received
from tests.specs.given import NOW

VIEWS = (FeedbackInbox(), OpenLoops())
"""Two real views are enough to see what a runner does."""

Rows = dict[str, Sequence[tuple[Any, ...]]]


def history(items: int = 30) -> list[Message]:
    """Answer a history in which every event type of feedback occurs, in every order there is."""
    return list(_history(items))


def _history(items: int) -> Iterator[Message]:
    for number in range(items):
        key, at = str(number), NOW + timedelta(hours=number)
        yield received(key, customer=f"customers/{number % 7}", said=at, at=at)
        yield coded(key, "battery", f"theme-{number % 5}", at=at)
        if number % 3 == 0:
            yield coded(key, "price", at=at)
        if number % 2:
            linked = (key, str(number - 1))
            yield committed(key, *linked, at=at)
            end = declined if number % 5 == 0 else completed
            if number % 4 == 1:
                yield end(key, *linked, at=at)
                yield closed(key, key, told=at + timedelta(hours=2))
            if number % 8 == 1:
                yield closed(key, str(number - 1), told=at + timedelta(hours=3))


async def append(store: EventStore, *events: Message) -> int:
    """Append events in their order, each to the stream of what it is about; answer the head."""
    appends = []
    for event in events:
        name: str = getattr(event, "action", "") or event.feedback  # type: ignore[attr-defined]
        stream = name.replace("actions/", "action-").replace("feedback/", "feedback-")
        new = NewEvent(uuid4(), event.DESCRIPTOR.full_name, event.SerializeToString())
        appends.append(Append(stream, [new], Expected.ANY))
    await store.append_batch(appends)
    return await store.head()


def projection(
    store: EventStore, folder: Path, views: Sequence[View[Any]] = VIEWS
) -> Projection[Any]:
    """Make a projection whose database is in ``folder``."""
    return Projection(store, CODEC, SqliteDatabase(folder), views)


def rows(of: Projection[Any], views: Sequence[View[Any]] = VIEWS) -> Rows:
    """Answer every row of every table."""
    return {table: of.database.rows(table) for view in views for table in view.tables}


@asynccontextmanager
async def running(of: Projection[Any]) -> AsyncIterator[asyncio.Task[None]]:
    """Have a projection follow the log for as long as the context lasts, and close it then."""
    task = asyncio.create_task(of.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
        await of.close()


async def folded(store: EventStore, folder: Path, views: Sequence[View[Any]] = VIEWS) -> Rows:
    """Answer every row that the log as it is makes, in a fresh database in ``folder``."""
    one = projection(store, folder, views)
    await one.catch_up(await store.head())
    try:
        return rows(one, views)
    finally:
        await one.close()
