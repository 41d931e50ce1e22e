"""Rebuilding the metrics view from the log, against a raw scan of the same bytes in SQLite."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import apsw
from equiloop.customers.v1 import events_pb2 as events

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


def _purchases(count: int, customers: int) -> list[Append]:
    appends = []
    for number in range(count):
        at = timestamp(_START + timedelta(hours=number % 26_000))
        event = events.TransactionRecorded(
            event_time=at,
            transaction=f"transactions/{UUID(int=number)}",
            customer=f"customers/c{number % customers:07d}",
            amount=to_message(100 + number % 10_000, "EUR"),
            purchase_time=at,
            quantity=1,
            source="bench",
            source_id=str(number),
        )
        new = CODEC.encode([event], UUID(int=number), b"{}")
        appends.append(Append(f"transaction-{UUID(int=number)}", new, Expected.NO_STREAM))
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


def measure(folder: Path, count: int = 300_000) -> list[Row]:
    """Fold ``count`` purchases of a third as many customers."""
    appends = _purchases(count, count // 3)
    scanned = _scan(folder / "scan.db", appends)

    async def run() -> float:
        store = await connect(f"sqlite:///{folder / 'events.db'}")
        for start in range(0, count, _BATCH):
            await store.append_batch(appends[start : start + _BATCH])
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
