"""Rebuilding the metrics view from the log, against a raw scan of the same bytes in SQLite."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import apsw
from equiloop.customers.v1 import events_pb2 as events
from google.protobuf.message import Message

from libs.contract.events import CODEC
from libs.eventstore.connect import connect
from libs.eventstore.port import Append, Expected
from libs.kernel.money import to_message
from libs.kernel.values import timestamp
from libs.projection import rebuild
from libs.projection.duck import DuckDatabase
from services.metrics.views import VIEWS
from tests.bench.report import Row

_START = datetime(2020, 1, 1, 12, tzinfo=UTC)
_BATCH = 5_000


def _append(stream: str, number: int, event: Message) -> Append:
    return Append(stream, CODEC.encode([event], UUID(int=number), b"{}"), Expected.NO_STREAM)


def _history(customers: int, purchases: int) -> list[Append]:
    """Customers registered, and what they bought."""
    appends = []
    for number in range(customers):
        registered = events.CustomerRegistered(
            event_time=timestamp(_START), customer=f"customers/c{number:07d}", cohort="bench"
        )
        appends.append(_append(f"customer-c{number:07d}", number, registered))
    for number in range(customers, customers + purchases):
        at = timestamp(_START + timedelta(hours=number % 26_000))
        key = UUID(int=number)
        bought = events.TransactionRecorded(
            event_time=at,
            transaction=f"transactions/{key}",
            customer=f"customers/c{number % customers:07d}",
            amount=to_message(100 + number % 10_000, "EUR"),
            purchase_time=at,
            quantity=1,
            source="bench",
            source_id=str(number),
        )
        appends.append(_append(f"transaction-{key}", number, bought))
    return appends


def _scan(path: Path, appends: list[Append]) -> float:
    """Answer rows per second of a scan of the same events in a plain table."""
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, type TEXT, data BLOB)")
    rows = [(append.events[0].type, append.events[0].data) for append in appends]
    with db:
        db.executemany("INSERT INTO event (type, data) VALUES (?, ?)", rows)
    started = time.perf_counter()
    count = sum(1 for _ in db.execute("SELECT position, type, data FROM event ORDER BY position"))
    rate = count / (time.perf_counter() - started)
    db.close()
    return rate


def measure(folder: Path, customers: int = 75_000, purchases: int = 225_000) -> list[Row]:
    """Fold the registrations of customers and three purchases of each."""
    appends = _history(customers, purchases)
    count = len(appends)
    scanned = _scan(folder / "scan.db", appends)

    async def run() -> float:
        store = await connect(f"sqlite:///{folder / 'events.db'}")
        while appends:  # they are let go of, so that the replay alone is measured
            await store.append_batch(appends[:_BATCH])
            del appends[:_BATCH]
        started = time.perf_counter()
        projection = await rebuild(
            store, CODEC, DuckDatabase(folder / "fresh"), VIEWS, await store.head()
        )
        seconds = time.perf_counter() - started
        await projection.close()
        await store.close()
        return count / seconds

    rebuilt = asyncio.run(run())
    share = f"raw SQLite scan: {scanned:,.0f}/s, ratio {rebuilt / scanned:.2f}"
    return [Row("metrics view rebuilt", f"{rebuilt:,.0f} events/s", share, rebuilt, 100_000)]
