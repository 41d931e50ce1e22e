"""A log made by hand, and views folded from it without a store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import apsw
from google.protobuf.message import Message

from libs.eventstore.port import RecordedEvent
from libs.projection import Fact, View
from libs.projection.sqlite import SqliteDatabase

START = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
GAP = 10
"""Positions have gaps."""

_LOG = UUID("6f2d4c7e-43c7-4d0e-8b55-0d7d5e5f0a11")


def facts(*events: Message) -> list[Fact]:
    """Answer events as a log has them: the n-th (from 1) at position 10 n."""
    return [
        Fact(
            RecordedEvent(
                uuid5(_LOG, str(number)),
                event.DESCRIPTOR.full_name,
                event.SerializeToString(),
                b"",
                "stream",
                0,
                number * GAP,
                START,
            ),
            event,
        )
        for number, event in enumerate(events, 1)
    ]


@contextmanager
def folded(
    directory: Path, views: Sequence[View[Any]], log: Sequence[Fact], batch: int = 1000
) -> Iterator[SqliteDatabase]:
    """Fold ``log`` into ``views``, ``batch`` events in a transaction."""
    database = SqliteDatabase(directory)
    database.open([view.schema for view in views], f"by-{batch}")
    for start in range(0, len(log), batch):
        some = log[start : start + batch]

        def change(db: apsw.Connection, some: Sequence[Fact] = some) -> None:
            for view in views:
                view.fold(db, [fact for fact in some if type(fact.event) in view.handles])

        database.write(some[-1].recorded.position, change)
    try:
        yield database
    finally:
        database.close()


def rows(database: SqliteDatabase, views: Sequence[View[Any]]) -> dict[str, list[Any]]:
    """Answer all rows of all tables."""
    return {table: list(database.rows(table)) for view in views for table in view.tables}
