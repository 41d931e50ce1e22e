"""The metrics views in a DuckDB of their own, and a log in memory to fold into them."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.decider import Request
from libs.eventstore.port import Expected, RecordedEvent
from libs.eventstore.sqlite import SqliteStore, open_sqlite
from libs.projection import Fact
from libs.projection.duck import DuckDatabase
from services.metrics.views import VIEWS
from tests.specs.given import NOW

TABLES = [table for view in VIEWS for table in view.tables]


def facts_of(events: Sequence[Message]) -> list[Fact]:
    """Put events into a log whose positions have gaps."""
    return [
        Fact(
            RecordedEvent(
                uuid4(), event.DESCRIPTOR.full_name, b"", b"", "a-1", number, 7 * number + 3, NOW
            ),
            event,
        )
        for number, event in enumerate(events)
    ]


def fold(database: DuckDatabase, facts: Sequence[Fact]) -> None:
    """Fold one batch into all views, as the runner does."""

    def change(db: Any) -> None:
        for view in VIEWS:
            mine = [fact for fact in facts if type(fact.event) in view.handles]
            if mine:
                view.fold(db, mine)

    database.write(facts[-1].recorded.position, change)


@contextmanager
def opened() -> Iterator[DuckDatabase]:
    """Open views in a place of their own."""
    with tempfile.TemporaryDirectory() as folder:
        database = DuckDatabase(Path(folder))
        database.open([view.schema for view in VIEWS], "test")
        yield database
        database.close()


@contextmanager
def after(*events: Message) -> Iterator[Any]:
    """Open a snapshot of views into which these events were folded."""
    with opened() as database:
        fold(database, facts_of(events))
        with database.read() as db:
            yield db


def rows(database: DuckDatabase) -> dict[str, Sequence[tuple[Any, ...]]]:
    """Answer all that the views hold."""
    return {table: database.rows(table) for table in TABLES}


async def store_with(path: Path, events: Sequence[Message]) -> SqliteStore:
    """Open a log that holds ``events``."""
    store = await open_sqlite(path)
    await record(store, *events)
    return store


async def record(store: SqliteStore, *events: Message) -> None:
    """Append events, each to a stream of its own."""
    for event in events:
        request = Request()
        new = CODEC.encode([event], request.id, request.metadata())
        await store.append(f"some-{request.id}", new, Expected.NO_STREAM)
